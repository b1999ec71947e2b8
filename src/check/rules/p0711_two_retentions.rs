//! P0711: two `retain` lines give one device different windows.

use std::collections::BTreeMap;

use crate::check::context::Context;
use crate::check::found::Found;
use crate::check::rule::Rule;
use crate::check::rules::example::notes;
use crate::diagnostic::{Code, Diagnostic, Severity};
use crate::quantity::Duration;
use crate::resolve::plan::{DeviceId, Retain, Tier};
use crate::source::Span;

pub(super) static RULE: Rule = Rule {
    code: Code(711),
    name: "two-retentions",
    level: Severity::Error,
    allowable: true,
    summary: "two `retain` lines give one device different windows",
    explanation: "Retention adds up, so of two windows for one device the longer one holds and the \
        shorter one says nothing. Whoever reads the shorter line believes something that \
        is not so. Merge the lines.",
    bad: notes!(
        "\
objectives of notes {
  rpo 1d for loss of disk
}
backup nightly of service notes {
  physical full every day at 04:30
  store on near
  retain on near window 7d
  retain on near window 30d
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
  retain on near window 30d, monthly 12
}
"
    ),
};

pub(super) fn check(context: &Context<'_>, out: &mut Found) {
    for job in context.jobs() {
        let mut first: BTreeMap<Option<DeviceId>, (Duration, Span)> = BTreeMap::new();
        for retain in &job.keeping.retain {
            let Some(window) = retain.tiers.iter().find_map(window) else {
                continue;
            };
            for device in devices(retain) {
                let (earlier, span) = *first.entry(device).or_insert((window, retain.span));
                if earlier == window {
                    continue;
                }
                let name = device.map_or("every device", |id| &context.plan.device(id).name);
                let message = format!("{name} is given two windows: {earlier} and {window}");
                let finding = Diagnostic::new(RULE.code, message, retain.span, "and here")
                    .label(span, "a window is given here")
                    .subject(job.subject())
                    .help("merge the two lines");
                out.push(job.id, finding);
            }
        }
    }
}

fn window(tier: &Tier) -> Option<Duration> {
    match tier {
        Tier::Window(window) => Some(*window),
        _ => None,
    }
}

/// The devices a line names; `None` stands for all devices of the job.
fn devices(retain: &Retain) -> Vec<Option<DeviceId>> {
    if retain.on.is_empty() {
        vec![None]
    } else {
        retain.on.iter().copied().map(Some).collect()
    }
}
