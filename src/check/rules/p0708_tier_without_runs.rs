//! P0708: a tier keeps one copy a period, and runs are rarer than its periods.

use crate::check::cadence::{days, joint_gap};
use crate::check::context::Context;
use crate::check::context::{backups, subject};
use crate::check::found::{Found, Scope};
use crate::check::rule::Rule;
use crate::check::rules::example::notes;
use crate::diagnostic::{Code, Diagnostic, Severity};
use crate::quantity::Duration;
use crate::resolve::plan::Tier;

pub(super) static RULE: Rule = Rule {
    code: Code(708),
    name: "tier-without-runs",
    level: Severity::Warning,
    allowable: true,
    summary: "a tier keeps one copy a period, and runs are rarer than its periods",
    explanation: "`daily 14` keeps the newest copy of each of fourteen days. When the job runs once \
        a week, only two of those days have a copy, and the tier keeps far less than it \
        seems to. Name the tier that fits the runs, or run as often as the tier says.",
    bad: notes!(
        "\
objectives of notes {
  rpo 7d for loss of disk
}
backup nightly of service notes {
  physical full every sun at 04:30
  store on near
  retain daily 14
}
"
    ),
    good: notes!(
        "\
objectives of notes {
  rpo 7d for loss of disk
}
backup nightly of service notes {
  physical full every sun at 04:30
  store on near
  retain weekly 14
}
"
    ),
};

pub(super) fn check(context: &Context<'_>, out: &mut Found) {
    for (id, backup) in backups(context.plan) {
        let gap = joint_gap(context.plan, backup.takes.iter().map(|take| &take.schedule));
        let Some(gap) = gap else { continue };
        for retain in &backup.keeping.retain {
            for (word, count, better) in retain.tiers.iter().filter_map(|tier| thin(*tier, gap)) {
                let name = &backup.name;
                let message = format!(
                    "`{word} {count}` finds no copy in most periods: `{name}` runs every {gap}"
                );
                let finding =
                    Diagnostic::new(RULE.code, message, retain.span, "few copies to keep")
                        .subject(subject(name, &backup.origin))
                        .help(format!("write `{better} {count}`, or run more often"));
                out.push(Scope::Backup(id), finding);
            }
        }
    }
}

/// The tier's word and number when fewer than half of its periods see a run, and a better word.
fn thin(tier: Tier, gap: Duration) -> Option<(&'static str, u32, &'static str)> {
    let (word, count, period, better) = match tier {
        Tier::Daily(count) => ("daily", count, days(1), "weekly"),
        Tier::Weekly(count) => ("weekly", count, days(7), "monthly"),
        Tier::Monthly(count) => ("monthly", count, days(31), "yearly"),
        _ => return None,
    };
    // working days leave a gap of three days in a daily job, which is no mistake
    let tolerated = if word == "daily" { 3 } else { 1 };
    (gap.0 > period.0 * tolerated + days(1).0).then_some((word, count, better))
}
