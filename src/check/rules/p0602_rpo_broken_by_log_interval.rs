//! P0602: a loss could cost more work than the objective allows.

use crate::check::context::Context;
use crate::check::coverage::Coverage;
use crate::check::edit::quantity_after;
use crate::check::found::{Found, Scope};
use crate::check::promise::rpo::{Candidate, Via};
use crate::check::promise::{Broken, Claim, Promise, Verdict, proof};
use crate::check::rule::Rule;
use crate::check::rules::example::orders;
use crate::check::words::{a_loss, lasting, loss_words};
use crate::diagnostic::{Code, Diagnostic, Severity};
use crate::estimate::exposure::longest_interval;
use crate::quantity::Duration;
use crate::resolve::plan::{DeviceId, LossKind};
use crate::source::Span;

pub(super) static RULE: Rule = Rule {
    code: Code(602),
    name: "rpo-broken-by-log-interval",
    level: Severity::Error,
    allowable: true,
    summary: "a loss could cost more work than the objective allows",
    explanation: "What is not yet safe on a device that the loss spares goes with the original. That is \
        the time between two shipments, the way of the last one, the deadlines of further \
        copies, and the days until volumes travel. The sum is printed term by term; it is the \
        best way back for the component that is worst off. Ship more often, stream, shorten a \
        deadline, or promise what the sum says.",
    bad: orders!(
        "\
objectives of orders_db {
  rpo 10min for loss of site
}
backup all of base, tablespace hot {
  physical full every sun at 04:00
  store on nvme
  copy to bucket within 6h
  encrypt none
  retain window 15d
}
archive wal of orders_db {
  ship every 15min or 64 MiB to bucket
  encrypt none
  retain window 15d
}
"
    ),
    good: orders!(
        "\
objectives of orders_db {
  rpo 10min for loss of site
}
backup all of base, tablespace hot {
  physical full every sun at 04:00
  store on nvme
  copy to bucket within 6h
  encrypt none
  retain window 15d
}
archive wal of orders_db {
  ship every 5min or 64 MiB to bucket
  encrypt none
  retain window 15d
}
"
    ),
};

pub(super) fn check(context: &Context<'_>, out: &mut Found) {
    for promise in &context.promises {
        let Claim::Rpo(limit, loss) = &promise.claim else {
            continue;
        };
        let Verdict::Broken(Broken::Exposed(way)) = &promise.verdict else {
            continue;
        };
        if !copied_too_seldom(context, promise, *limit) {
            let finding = broken(context, promise, (*limit, loss), way);
            out.push(Scope::Objectives(promise.at), finding);
        }
    }
}

/// True when P0610 speaks already.
fn copied_too_seldom(context: &Context<'_>, promise: &Promise, limit: Duration) -> bool {
    let id = promise.service;
    let gap = Coverage::new(context, id).worst_gap();
    context.service_archives(id).next().is_none() && gap.is_some_and(|gap| gap > limit)
}

fn broken(
    context: &Context<'_>,
    promise: &Promise,
    (limit, loss): (Duration, &LossKind),
    way: &Candidate,
) -> Diagnostic {
    let name = &context.plan.service(promise.service).name;
    let (found, words) = (lasting(way.age.total()), loss_words(loss));
    let what = a_loss(loss);
    let message = format!("{what} could cost {found} of work; the objective allows {limit}");
    let label = format!("promised here: {limit}");
    let mut finding =
        Diagnostic::new(RULE.code, message, promise.span, label).subject(format!("{name}:{words}"));
    finding.proof = Some(proof("rpo", words, limit.as_secs(), &way.age));
    match way.via {
        Via::Log(device, span, interval) => {
            let finding = finding.related("because log leaves only this often", span, sum(way));
            repaired(context, finding, (limit, way), (device, span, interval))
        }
        Via::Copies(id, _) => {
            let backup = &context.plan.backups[id.index()];
            let help = format!("archive its log, copy more often, or promise {found}");
            let because = "because that is the age of its copies";
            finding.related(because, backup.span, sum(way)).help(help)
        }
        Via::Original => finding,
    }
}

/// `15min between shipments + 6s to send the last of it to bucket`
fn sum(way: &Candidate) -> String {
    let terms = way.age.terms.iter();
    let terms = terms.map(|(name, value)| format!("{} {name}", lasting(*value)));
    terms.collect::<Vec<_>>().join(" + ")
}

/// The interval that keeps the promise; as an edit too, when it is written in the clause.
fn repaired(
    context: &Context<'_>,
    finding: Diagnostic,
    (limit, way): (Duration, &Candidate),
    (device, span, interval): (DeviceId, Span, Option<Duration>),
) -> Diagnostic {
    let rest = interval.map(|interval| way.age.total() - interval.as_secs());
    let longest = rest.and_then(|rest| longest_interval(limit.as_secs(), rest));
    let Some(longest) = longest else {
        let name = &context.plan.device(device).name;
        let help = format!(
            "shorten the way to {name}, or promise {}",
            lasting(way.age.total())
        );
        return finding.help(help);
    };
    let finding = finding.help(format!(
        "ship at least every {longest}, or `stream` to a device that the loss spares"
    ));
    match quantity_after(context.sources, span, "every ") {
        Some(at) => finding.fix(false, at, format!("{}s", longest.0 / 1000)),
        None => finding,
    }
}
