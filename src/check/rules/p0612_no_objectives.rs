//! P0612: a service has backups and no objectives.

use crate::check::context::Context;
use crate::check::found::{Found, Scope};
use crate::check::rule::Rule;
use crate::check::rules::example::notes;
use crate::diagnostic::{Code, Diagnostic, Severity};

pub(super) static RULE: Rule = Rule {
    code: Code(612),
    name: "no-objectives",
    level: Severity::Advice,
    allowable: true,
    summary: "a service has backups and no objectives",
    explanation: "Backups are means. Without objectives nobody can tell whether they are enough, and \
        planc has nothing to prove: no RPO, no RTO, no number of copies. State what must \
        hold when a disk, a host, a site or a person fails.",
    bad: notes!(
        "\
backup nightly of service notes {
  physical full every day at 04:30
  store on near
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
  retain daily 7
}
"
    ),
};

pub(super) fn check(context: &Context<'_>, out: &mut Found) {
    if !context.whole {
        return;
    }
    for id in context.services() {
        if context.service_objectives(id).next().is_some() {
            continue;
        }
        let Some((job, backup)) = context.service_backups(id).next() else {
            continue;
        };
        let name = &context.plan.service(id).name;
        let message = format!("service {name} has backups but promises nothing");
        let finding = Diagnostic::new(RULE.code, message, backup.span, "good enough for what?")
            .subject(name)
            .help(format!("add `objectives of {name} {{ … }}`"));
        out.push(Scope::Backup(job), finding);
    }
}
