//! P0603: a recovery takes longer than the objective allows.

use crate::check::context::Context;
use crate::check::found::{Found, Scope};
use crate::check::promise::rto::Slow;
use crate::check::promise::{Broken, Claim, Promise, Verdict, proof};
use crate::check::rule::Rule;
use crate::check::words::{amount, lasting, loss_words};
use crate::diagnostic::{Code, Diagnostic, Severity};
use crate::quantity::Duration;
use crate::resolve::plan::{LossKind, Take};
use crate::source::Span;

pub(super) static RULE: Rule = Rule {
    code: Code(603),
    name: "rto-broken-by-estimate",
    level: Severity::Error,
    allowable: true,
    summary: "a recovery takes longer than the objective allows",
    explanation: "The time to bring a service back is what the nearest copies take to read and write, at the \
        slowest of device, line and target, plus the log written since the oldest copy that may \
        have to be used, at the rate of replay. Detection, approval and probes are not in it. A \
        promise is called proved only with a reserve of 20 %, which is printed as a term. Copy \
        more often, so that less log is replayed; read from a faster device; or promise what the \
        sum says.",
    bad: r#"planc 1
plan notes
timezone UTC
environment prod inventory "inventory.yaml"
assume {
  size 300 GiB
  log rate 4 GiB/h
  log peak 30 GiB/h
}
objectives of notes {
  rto 2h for loss of host
}
backup weekly of service notes {
  physical full every sun at 04:30
  store on near
  retain weekly 6
}
archive changes of service notes {
  ship every 5min to near
  retain window 40d
}
recovery moved {
  for loss of host
  restore service notes to vault
  replay log to latest
  finish within 2h
}
--- inventory.yaml
inventory: 1
sites: {here: {}}
hosts:
  desk: {site: here, replay: 100 MiB/s, disks: {d1: {write: 400 MiB/s}}}
  vault: {site: here, replay: 100 MiB/s, write: 400 MiB/s}
services: {notes: {engine: sqlite, host: desk, disk: d1, path: /srv/notes.db}}
devices: {near: {host: vault, path: /srv/copies, write: 200 MiB/s, read: 200 MiB/s}}
"#,
    good: r#"planc 1
plan notes
timezone UTC
environment prod inventory "inventory.yaml"
assume {
  size 300 GiB
  log rate 4 GiB/h
  log peak 30 GiB/h
}
objectives of notes {
  rto 4h for loss of host
}
backup weekly of service notes {
  physical full every sun at 04:30
  store on near
  retain weekly 6
}
archive changes of service notes {
  ship every 5min to near
  retain window 40d
}
recovery moved {
  for loss of host
  restore service notes to vault
  replay log to latest
  finish within 4h
}
--- inventory.yaml
inventory: 1
sites: {here: {}}
hosts:
  desk: {site: here, replay: 100 MiB/s, disks: {d1: {write: 400 MiB/s}}}
  vault: {site: here, replay: 100 MiB/s, write: 400 MiB/s}
services: {notes: {engine: sqlite, host: desk, disk: d1, path: /srv/notes.db}}
devices: {near: {host: vault, path: /srv/copies, write: 200 MiB/s, read: 200 MiB/s}}
"#,
};

pub(super) fn check(context: &Context<'_>, out: &mut Found) {
    for promise in &context.promises {
        if let (Claim::Rto(limit, loss), Verdict::Broken(Broken::Slow(slow))) =
            (&promise.claim, &promise.verdict)
        {
            let finding = finding(context, promise, (*limit, loss), slow);
            out.push(Scope::Objectives(promise.at), finding);
        }
    }
}

fn finding(
    context: &Context<'_>,
    promise: &Promise,
    (limit, loss): (Duration, &LossKind),
    slow: &Slow,
) -> Diagnostic {
    let plan = context.plan;
    let service = &plan.service(promise.service).name;
    let (bytes, device) = (amount(slow.read.0), &plan.device(slow.read.1).name);
    let log = match slow.log {
        log if log > 0.0 => format!(" + {} of log", lasting(log)),
        _ => String::new(),
    };
    let total = lasting(slow.figure.total());
    let message =
        format!("restoring {bytes} from {device}{log} takes {total}; the objective allows {limit}");
    let words = loss_words(loss);
    let backup = &plan.backups[slow.backup.index()];
    let mut finding = Diagnostic::new(
        RULE.code,
        message,
        promise.span,
        format!("promised here: {limit}"),
    )
    .related("because its copies are read", backup.span, sum(slow))
    .subject(format!("{service}:{words}"));
    finding.proof = Some(proof("rto", words, limit.as_secs(), &slow.figure));
    let Some(interval) = slow.interval else {
        let help = "restore from a faster device, keep a standby, or split it by tablespace";
        return finding.help(help);
    };
    let every = format!("every {}", hours(interval));
    let finding = finding.help(format!(
        "copy at least {every}, so that less log is replayed"
    ));
    match backup.takes.as_slice() {
        [take] => match schedule_place(context, take) {
            Some(place) => finding.fix(false, place, every),
            None => finding,
        },
        _ => finding,
    }
}

/// `1h 30min to restore 920 GiB from nvme + 50min to replay 96 GiB of log`
fn sum(slow: &Slow) -> String {
    let terms = slow.figure.terms.iter();
    let terms = terms.map(|(name, value)| format!("{} {name}", lasting(*value)));
    terms.collect::<Vec<_>>().join(" + ")
}

fn hours(interval: Duration) -> String {
    format!("{}h", interval.0 / 3_600_000)
}

/// Where `every sun at 04:30` stands in a clause that has no window and no parameter.
fn schedule_place(context: &Context<'_>, take: &Take) -> Option<Span> {
    let text = context.sources.text(take.span);
    let start = text.find("every ")?;
    let rest = &text[start..];
    let plain = take.schedule.during.is_none() && !rest.contains('$') && !take.when_changed;
    let begin = take.span.start as usize + start;
    plain.then(|| Span::new(take.span.file, begin, begin + rest.trim_end().len()))
}
