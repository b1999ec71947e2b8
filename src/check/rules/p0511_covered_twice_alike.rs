//! P0511: two backups take the same copy at the same time.

use crate::check::context::Context;
use crate::check::context::subject;
use crate::check::found::{Found, Scope};
use crate::check::rule::Rule;
use crate::check::rules::example::notes;
use crate::diagnostic::{Code, Diagnostic, Severity};
use crate::resolve::plan::{Backup, ComponentId, Take};

pub(super) static RULE: Rule = Rule {
    code: Code(511),
    name: "covered-twice-alike",
    level: Severity::Advice,
    allowable: true,
    summary: "two backups take the same copy at the same time",
    explanation: "Two jobs that copy one component in the same way at the same hour read it twice \
        and keep it twice. One of them is usually left over from a change. Drop it, or let \
        one job copy to both devices.",
    bad: notes!(
        "\
objectives of notes {
  rpo 1d for loss of disk
}
backup nightly of service notes {
  physical full every day at 04:30
  store on near
  retain daily 7
}
backup again of service notes {
  physical full every day at 04:30
  store on spare
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
    for (at, component) in context.plan.components.iter().enumerate() {
        let backups: Vec<_> = context.backups_of(ComponentId::from_index(at)).collect();
        for (place, (id, backup)) in backups.iter().enumerate() {
            let earlier = backups[..place]
                .iter()
                .find(|(_, other)| alike(other, backup));
            let Some((_, other)) = earlier else { continue };
            let (kind, name) = (component.kind.word(), &component.name);
            let message = format!(
                "{kind} `{name}` is copied by `{}` and `{}` alike, at the same time",
                other.name, backup.name
            );
            let finding = Diagnostic::new(RULE.code, message, backup.span, "the same copy again")
                .related("the first of the two", other.span, "")
                .subject(subject(&backup.name, &backup.origin))
                .help("drop one of them");
            out.push(Scope::Backup(*id), finding);
        }
    }
}

fn alike(a: &Backup, b: &Backup) -> bool {
    let same = |one: &Take, other: &Take| {
        let at = |take: &Take| take.schedule.at.map(|at| at.value);
        one.method == other.method
            && at(one).is_some()
            && at(one) == at(other)
            && one.schedule.every == other.schedule.every
    };
    a.takes
        .iter()
        .any(|one| b.takes.iter().any(|other| same(one, other)))
}
