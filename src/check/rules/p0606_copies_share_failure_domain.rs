//! P0606: two devices of one job hang on the same host.

use std::collections::BTreeMap;

use crate::check::context::Context;
use crate::check::found::{Found, Scope};
use crate::check::job::Job;
use crate::check::rule::Rule;
use crate::check::rules::example::notes;
use crate::diagnostic::{Code, Diagnostic, Severity};
use crate::resolve::plan::{DeviceId, ResolvedPlan};

pub(super) static RULE: Rule = Rule {
    code: Code(606),
    name: "copies-share-failure-domain",
    level: Severity::Warning,
    allowable: true,
    summary: "two devices of one job hang on the same host",
    explanation: "Two copies on devices of one host are one copy when that host fails, burns or is \
        taken over. They still help against a failed disk. Put one of the devices on \
        another host, or allow the finding for as long as that has to be.",
    bad: notes!(
        "\
objectives of notes {
  rpo 1d for loss of disk
}
backup nightly of service notes {
  physical full every day at 04:30
  store on near
  copy to twin within 6h
  retain daily 7
}
"
    ),
    good: notes!(
        "\
objectives of notes {
  rpo 1d for loss of disk
}
backup nightly of service notes {
  physical full every day at 04:30
  store on near
  copy to spare within 6h
  retain daily 7
}
"
    ),
};

pub(super) fn check(context: &Context<'_>, out: &mut Found) {
    let mut pairs: BTreeMap<(DeviceId, DeviceId), Job<'_>> = BTreeMap::new();
    for job in context.jobs() {
        for pair in pairs_on_one_host(context.plan, &job.devices()) {
            pairs.entry(pair).or_insert(job);
        }
    }
    for ((a, b), job) in pairs {
        let (first, second) = (context.plan.device(a), context.plan.device(b));
        let host = first.host.as_deref().unwrap_or_default();
        let (one, other) = (&first.name, &second.name);
        let message = format!("{one} and {other} both hang on host {host}");
        let used = format!("both hold copies of `{}`", job.name);
        let finding = Diagnostic::new(RULE.code, message, first.span, "one of the two")
            .related("the other one", second.span, "")
            .related("they count as one when the host fails", job.span, used)
            .subject(format!("{one}+{other}"))
            .help("count them as one, or separate them");
        out.push(Scope::Device(a), finding);
    }
}

fn pairs_on_one_host(plan: &ResolvedPlan, devices: &[DeviceId]) -> Vec<(DeviceId, DeviceId)> {
    let mut pairs = Vec::new();
    for (at, a) in devices.iter().enumerate() {
        for b in &devices[at + 1..] {
            let host = plan.device(*a).host.as_ref();
            if host.is_some() && host == plan.device(*b).host.as_ref() {
                pairs.push((*a.min(b), *a.max(b)));
            }
        }
    }
    pairs
}
