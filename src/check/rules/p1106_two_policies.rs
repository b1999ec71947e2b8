//! P1106: a component gets copies from two policies.

use std::collections::BTreeSet;

use crate::check::context::Context;
use crate::check::found::{Found, Scope};
use crate::check::rule::Rule;
use crate::check::rules::example::notes;
use crate::diagnostic::{Code, Diagnostic, Severity};
use crate::resolve::plan::{ComponentId, ServiceId};
use crate::source::Span;

pub(super) static RULE: Rule = Rule {
    code: Code(1106),
    name: "two-policies",
    level: Severity::Warning,
    allowable: true,
    summary: "a component gets copies from two policies",
    explanation: "Two policies that match one service copy it twice, with two retentions and two \
        sets of promises, and nobody has decided which one counts. Take the service out of \
        one of them with `except`.",
    bad: notes!(
        "\
objectives of notes {
  rpo 1d for loss of disk
}
policy gold for service $it {
  backup often of $it {
    physical full every day at 04:30
    store on near
    retain daily 7
  }
}
policy silver for service $it {
  backup rarely of $it {
    physical full every sun at 12:00
    store on near
    retain weekly 5
  }
}
apply gold to notes
apply silver to notes
"
    ),
    good: notes!(
        "\
objectives of notes {
  rpo 1d for loss of disk
}
policy gold for service $it {
  backup often of $it {
    physical full every day at 04:30
    store on near
    retain daily 7
  }
}
apply gold to notes
"
    ),
};

pub(super) fn check(context: &Context<'_>, out: &mut Found) {
    let mut seen: BTreeSet<(ServiceId, Span)> = BTreeSet::new();
    for (at, component) in context.plan.components.iter().enumerate() {
        let id = ComponentId::from_index(at);
        let mut first: Option<&str> = None;
        for (job, backup) in context.backups_of(id) {
            let Some(policy) = backup.origin.policy.as_deref() else {
                continue;
            };
            let other = *first.get_or_insert(policy);
            if other == policy || !seen.insert((component.service, backup.span)) {
                continue;
            }
            let name = &context.plan.service(component.service).name;
            let message = format!("{name} gets {other} and {policy}");
            let finding = Diagnostic::new(RULE.code, message, backup.span, "the second policy")
                .subject(name)
                .help(format!("write `except {name}` in one of them"));
            out.push(Scope::Backup(job), finding);
        }
    }
}
