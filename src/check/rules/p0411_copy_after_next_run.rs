//! P0411: a copy may come later than the next run.

use crate::check::cadence::joint_gap;
use crate::check::context::Context;
use crate::check::context::{backups, subject};
use crate::check::found::{Found, Scope};
use crate::check::rule::Rule;
use crate::check::rules::example::notes;
use crate::diagnostic::{Code, Diagnostic, Severity};
use crate::resolve::plan::{CopyScope, DeviceKind};

pub(super) static RULE: Rule = Rule {
    code: Code(411),
    name: "copy-after-next-run",
    level: Severity::Warning,
    allowable: true,
    summary: "a copy may come later than the next run",
    explanation: "A copy that may be later than the next run of its job lets copies queue up: the \
        off-site copy is then always older than it seems. Volume sets are left out, \
        because what goes to them is gathered on purpose.",
    bad: notes!(
        "\
objectives of notes {
  rpo 1d for loss of disk
}
backup nightly of service notes {
  physical full every day at 04:30
  store on near
  copy to spare within 3d
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
  copy to spare within 12h
  retain daily 7
}
"
    ),
};

pub(super) fn check(context: &Context<'_>, out: &mut Found) {
    for (id, backup) in backups(context.plan) {
        let gap = joint_gap(context.plan, backup.takes.iter().map(|take| &take.schedule));
        let Some(gap) = gap else { continue };
        for copy in &backup.keeping.copies {
            let device = context.plan.device(copy.device);
            let Some(within) = copy.within.filter(|within| *within > gap) else {
                continue;
            };
            if copy.every.is_some()
                || device.kind == DeviceKind::Volumes
                || copy.scope != CopyScope::All
            {
                continue;
            }
            let name = &device.name;
            let message =
                format!("copies to {name} may take {within}, but a run comes every {gap}");
            let finding = Diagnostic::new(RULE.code, message, copy.span, "copies queue up")
                .subject(subject(&backup.name, &backup.origin))
                .help(format!("shorten it to less than {gap}"));
            out.push(Scope::Backup(id), finding);
        }
    }
}
