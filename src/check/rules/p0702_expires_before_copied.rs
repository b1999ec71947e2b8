//! P0702: a copy may expire before it is copied on.

use crate::check::context::Context;
use crate::check::found::Found;
use crate::check::rule::Rule;
use crate::check::rules::example::notes;
use crate::diagnostic::{Code, Diagnostic, Severity};
use crate::resolve::plan::Tier;

pub(super) static RULE: Rule = Rule {
    code: Code(702),
    name: "expires-before-copied",
    level: Severity::Error,
    allowable: true,
    summary: "a copy may expire before it is copied on",
    explanation: "Copies to other devices are made from the stored copy. When that one may expire \
        before the deadline of the copy, the copy can find nothing to read, and the off- \
        site device gets a gap that nobody notices until it is needed. Keep the first copy \
        longer, or copy sooner.",
    bad: notes!(
        "\
objectives of notes {
  rpo 1d for loss of disk
}
backup nightly of service notes {
  physical full every day at 04:30
  store on near
  copy to spare within 2d
  retain on near window 1d
  retain on spare window 30d
  allow P0411 because \"the spare host is up every other day\"
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
  copy to spare within 2d
  retain on near window 3d
  retain on spare window 30d
  allow P0411 because \"the spare host is up every other day\"
}
"
    ),
};

pub(super) fn check(context: &Context<'_>, out: &mut Found) {
    for job in context.jobs() {
        for first in job.first_devices() {
            let tiers = job.tiers(first);
            let kept = tiers.iter().map(|(tier, _)| match tier {
                Tier::Window(window) => Some(*window),
                _ => None,
            });
            // tiers that count periods keep the newest copy until the next period
            let Some(Some(kept)) = kept
                .collect::<Option<Vec<_>>>()
                .map(|all| all.into_iter().max())
            else {
                continue;
            };
            for copy in &job.keeping.copies {
                if let Some(within) = copy.within.filter(|within| *within > kept) {
                    let (near, far) =
                        (context.plan.device(first), context.plan.device(copy.device));
                    let message = format!(
                        "{} keeps {kept}; the copy to {} may be made after {within}",
                        near.name, far.name
                    );
                    let finding = Diagnostic::new(RULE.code, message, tiers[0].1, "too short")
                        .label(copy.span, "may come later than that")
                        .subject(job.subject())
                        .help("keep it longer, or copy sooner");
                    out.push(job.id, finding);
                }
            }
        }
    }
}
