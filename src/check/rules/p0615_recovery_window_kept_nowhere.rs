//! P0615: data and log are kept for a shorter time than the recovery window.

use crate::check::context::Context;
use crate::check::found::{Found, Scope};
use crate::check::promise::reach::Reach;
use crate::check::promise::{Broken, Claim, Promise, Verdict};
use crate::check::rule::Rule;
use crate::check::rules::example::orders;
use crate::diagnostic::{Code, Diagnostic, Proof, Severity};
use crate::quantity::Duration;

pub(super) static RULE: Rule = Rule {
    code: Code(615),
    name: "recovery-window-kept-nowhere",
    level: Severity::Error,
    allowable: true,
    summary: "data and log are kept for a shorter time than the recovery window",
    explanation: "To restore an instant, a copy older than it and all log between the two must still \
        exist. What retention keeps of the component that is worst off, or of the log, does \
        not reach back as far as the promise. Keep both for the whole window on some device, \
        or promise less.",
    bad: orders!(
        "\
objectives of orders_db {
  recovery window 35d
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
    good: orders!(
        "\
objectives of orders_db {
  recovery window 35d
}
backup all of base, tablespace hot {
  physical full every sun at 04:00
  store on nvme
  copy to bucket within 6h
  encrypt none
  retain window 35d
}
archive wal of orders_db {
  ship every 5min or 64 MiB to bucket
  encrypt none
  retain window 35d
}
"
    ),
};

pub(super) fn check(context: &Context<'_>, out: &mut Found) {
    for promise in &context.promises {
        let (Claim::Window(limit), Verdict::Broken(Broken::Reach(reach))) =
            (&promise.claim, &promise.verdict)
        else {
            continue;
        };
        out.push(
            Scope::Objectives(promise.at),
            finding(context, promise, *limit, reach),
        );
    }
}

fn finding(context: &Context<'_>, promise: &Promise, limit: Duration, reach: &Reach) -> Diagnostic {
    let plan = context.plan;
    let service = &plan.service(promise.service).name;
    let part = &plan.component(reach.component).name;
    let found = reach.span();
    let message =
        format!("{limit} promised; what is kept of `{part}` and its log reaches back {found}");
    let mut finding =
        Diagnostic::new(RULE.code, message, promise.span, "promised here").subject(service);
    let log = reach.log.map(|log| ("log", log));
    let mut where_short = Vec::new();
    for (what, (kept, device, span)) in [("data", reach.data)].into_iter().chain(log) {
        if kept < limit {
            let device = device.map_or("it", |id| &plan.device(id).name);
            finding = finding.related(format!("{what} is kept {kept} at most"), span, "");
            where_short.push(format!("the {what} on {device}"));
        }
    }
    let terms = [("data", Some(reach.data)), ("log", reach.log)];
    let terms = terms.iter().filter_map(|(what, kept)| {
        let (kept, ..) = (*kept)?;
        Some(((*what).to_owned(), kept.as_secs()))
    });
    finding.proof = Some(Proof {
        claim: "recovery window".to_owned(),
        loss: String::new(),
        limit: limit.as_secs(),
        found: found.as_secs(),
        terms: terms.collect(),
    });
    finding.help(format!(
        "write `retain window {limit}` for {}",
        where_short.join(" and ")
    ))
}
