//! P0618: an archive sends log more slowly than it is written at peak.

use crate::check::context::{Context, archives, subject};
use crate::check::found::{Found, Scope};
use crate::check::job::Job;
use crate::check::rule::Rule;
use crate::check::rules::example::orders;
use crate::check::words::rate_at_least;
use crate::diagnostic::{Code, Diagnostic, Proof, Severity};
use crate::quantity::BytesPerSecond;
use crate::resolve::plan::{Archive, ArchiveId, DeviceId, JobId};
use crate::source::Span;

pub(super) static RULE: Rule = Rule {
    code: Code(618),
    name: "archive-slower-than-log",
    level: Severity::Error,
    allowable: true,
    summary: "an archive sends log more slowly than it is written at peak",
    explanation: "While more log is written than leaves, the rest piles up: the lag grows, the disk of \
        the log fills, and in the end the database stops. No interval helps against that. \
        Raise the throttle above the peak, or use a faster device. The smaller of stated and \
        measured speeds and the larger of stated and measured peaks are compared.",
    bad: orders!(
        "\
objectives of orders_db {
  rpo 10min for loss of host
}
backup all of base, tablespace hot {
  physical full every sun at 04:00
  store on nvme
  copy to bucket within 6h
  encrypt none
  retain window 15d
}
archive wal of orders_db {
  ship every 5min or 64 MiB to nvme
  encrypt none
  throttle 6 MiB/s
  retain window 15d
}
"
    ),
    good: orders!(
        "\
objectives of orders_db {
  rpo 10min for loss of host
}
backup all of base, tablespace hot {
  physical full every sun at 04:00
  store on nvme
  copy to bucket within 6h
  encrypt none
  retain window 15d
}
archive wal of orders_db {
  ship every 5min or 64 MiB to nvme
  encrypt none
  throttle 20 MiB/s
  retain window 15d
}
"
    ),
};

pub(super) fn check(context: &Context<'_>, out: &mut Found) {
    for (id, archive) in archives(context.plan) {
        let Some(peak) = context.known.log_peak(archive.service) else {
            continue;
        };
        for device in Job::new(context.plan, JobId::Archive(id)).devices() {
            if let Some((rate, span)) =
                slowest(context, archive, device).filter(|(rate, _)| *rate < peak)
            {
                out.push(
                    Scope::Archive(id),
                    finding(context, id, device, (rate, peak, span)),
                );
            }
        }
    }
}

/// The lowest rate that bounds the way to a device, with the clause that says it.
fn slowest(context: &Context<'_>, archive: &Archive, id: DeviceId) -> Option<(f64, Span)> {
    let device = context.plan.device(id);
    let throttles = archive.keeping.throttle.iter().chain(&device.throttle);
    let throttles = throttles.map(|throttle| (throttle.rate.0, throttle.span));
    let own = context.known.write(id).map(|rate| (rate, device.span));
    throttles.chain(own).min_by(|a, b| a.0.total_cmp(&b.0))
}

fn finding(
    context: &Context<'_>,
    id: ArchiveId,
    device: DeviceId,
    (rate, peak, span): (f64, f64, Span),
) -> Diagnostic {
    let archive = &context.plan.archives[id.index()];
    let device = &context.plan.device(device).name;
    let (name, slow, fast) = (&archive.name, BytesPerSecond(rate), BytesPerSecond(peak));
    let message =
        format!("`{name}` sends at most {slow} to {device}; log is written at up to {fast}");
    let mut finding = Diagnostic::new(RULE.code, message, span, "too slow")
        .related("this archive falls behind", archive.span, "")
        .subject(format!("{}:{device}", subject(name, &archive.origin)))
        .help(format!(
            "allow at least {}, or use a faster device",
            rate_at_least(peak)
        ));
    finding.proof = Some(Proof {
        claim: "archive rate".to_owned(),
        loss: String::new(),
        limit: rate,
        found: peak,
        terms: vec![("log peak".to_owned(), peak)],
    });
    finding
}
