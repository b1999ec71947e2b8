//! P0604: a job keeps fewer copies, or on fewer sites, than promised.

use crate::check::context::Context;
use crate::check::deadline;
use crate::check::found::{Found, Scope};
use crate::check::job::Job;
use crate::check::promise::copies::{Of, Short, devices, rests_at};
use crate::check::promise::{Broken, Promise, Verdict, counted};
use crate::check::rule::Rule;
use crate::check::rules::example::orders;
use crate::check::words::span_at_least;
use crate::diagnostic::{Code, Diagnostic, Severity};
use crate::resolve::plan::{CopyScope, DeviceId, JobId};

pub(super) static RULE: Rule = Rule {
    code: Code(604),
    name: "too-few-copies",
    level: Severity::Error,
    allowable: true,
    summary: "a job keeps fewer copies, or on fewer sites, than promised",
    explanation: "A restore needs one whole chain: a full, what stands on it, and the log. Copies are \
        therefore counted for each job, not over all jobs together: a second copy of something \
        else does not bring this back. Every device counts once, and the archive counts where \
        copies are worth nothing without the log. Copy to a further device, or promise fewer.",
    bad: orders!(
        "\
objectives of orders_db {
  copies >= 2 on >= 2 sites
}
backup all of base, tablespace hot {
  physical full every sun at 04:00
  store on nvme
  encrypt none
  retain window 15d
}
archive wal of orders_db {
  ship every 5min or 64 MiB to bucket
  copy to nvme within 1h
  encrypt none
  retain window 15d
}
"
    ),
    good: orders!(
        "\
objectives of orders_db {
  copies >= 2 on >= 2 sites
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
  copy to nvme within 1h
  encrypt none
  retain window 15d
}
"
    ),
};

pub(super) fn check(context: &Context<'_>, out: &mut Found) {
    for promise in &context.promises {
        let Verdict::Broken(Broken::Copies(short)) = &promise.verdict else {
            continue;
        };
        let mut last = None;
        for short in short {
            // too few copies are often on too few sites as well: one finding a job
            if matches!(short.of, Of::Copies | Of::Sites) && last != Some(short.job) {
                last = Some(short.job);
                out.push(
                    Scope::Objectives(promise.at),
                    finding(context, promise, short),
                );
            }
        }
    }
}

fn finding(context: &Context<'_>, promise: &Promise, short: &Short) -> Diagnostic {
    let job = Job::new(context.plan, short.job);
    let (found, asked, name) = (short.found, short.promised, job.name);
    let message = match short.of {
        Of::Sites => format!(
            "copies of `{name}` lie on {}; the objective asks {asked}",
            many(found, "site")
        ),
        _ => format!(
            "`{name}` keeps {}; the objective asks {asked}",
            many(found, "copy")
        ),
    };
    let finding = Diagnostic::new(RULE.code, message, promise.span, "promised here")
        .related("kept by this job", job.span, "")
        .subject(job.subject());
    let mut finding = match further(context, short) {
        Some(device) => {
            let within = deadline(context, short.job, device);
            let line = format!(
                "copy to {} within {within}",
                context.plan.device(device).name
            );
            let help = format!("add `{line}` to `{name}`");
            match job.line_end(context.sources) {
                Some(at) => finding.help(help).fix(false, at, format!("\n  {line}")),
                None => finding.help(help),
            }
        }
        None => finding.help("declare a further device, or promise fewer"),
    };
    let held = devices(context, short.job).into_iter();
    let held = held.map(|id| context.plan.device(id).name.clone());
    finding.proof = Some(counted("copies", (asked, found), held));
    finding
}

/// An hour, or as long as the copy takes at least.
fn deadline(context: &Context<'_>, job: JobId, device: DeviceId) -> String {
    let needed = match job {
        JobId::Backup(id) => deadline::needed(context, id, device, CopyScope::All),
        JobId::Archive(_) => None,
    };
    let seconds = needed.map(|(bytes, pace)| bytes / pace.rate);
    let longer = seconds.filter(|seconds| *seconds > 3600.0);
    longer.map_or_else(|| "1h".to_owned(), span_at_least)
}

/// The first device that the job does not use and that would help.
fn further(context: &Context<'_>, short: &Short) -> Option<DeviceId> {
    let plan = context.plan;
    let held = devices(context, short.job);
    let sites = held.iter().map(|id| rests_at(plan.device(*id)));
    let sites: Vec<_> = sites.flatten().collect();
    let others = (0..plan.devices.len()).map(DeviceId::from_index);
    let others = others.filter(|id| !held.contains(id));
    let new_site = |id: &DeviceId| {
        let site = rests_at(plan.device(*id));
        site.is_some_and(|site| !sites.contains(&site))
    };
    let mut others: Vec<DeviceId> = others.collect();
    others.sort_by_key(|id| !new_site(id));
    let best = others.first().copied();
    best.filter(|id| short.of != Of::Sites || new_site(id))
}

fn many(count: u32, what: &str) -> String {
    match (count, what) {
        (1, what) => format!("1 {what}"),
        (n, "copy") => format!("{n} copies"),
        (n, what) => format!("{n} {what}s"),
    }
}
