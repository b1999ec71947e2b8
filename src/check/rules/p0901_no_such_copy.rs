//! P0901: a scenario restores a component that has no copy of its own.

use crate::check::context::Context;
use crate::check::context::subject;
use crate::check::found::{Found, Scope};
use crate::check::rule::Rule;
use crate::check::rules::example::orders;
use crate::diagnostic::{Code, Diagnostic, Severity};
use crate::resolve::plan::{ActionKind, ComponentId, ComponentKind, Method, Target};

pub(super) static RULE: Rule = Rule {
    code: Code(901),
    name: "no-such-copy",
    level: Severity::Error,
    allowable: true,
    summary: "a scenario restores a component that has no copy of its own",
    explanation: "A group of tables or one table is restored directly only from a logical copy. \
        Physical copies hold whole databases, from which a table has to be taken out. Add \
        a `logical` backup of it, or restore the service to scratch and `extract`.",
    bad: orders!(
        "\
objectives of orders_db {
  rpo 5min for loss of host
}
service orders_db is postgresql {
  tablespace hot
  database shop { group basket tables baskets }
}
backup all of base, tablespace hot {
  physical full every sun at 04:00
  store on nvme
  retain window 15d
}
archive wal of orders_db {
  ship every 1min or 64 MiB to nvme
  retain window 15d
}
recovery lost_basket {
  for human error
  restore group basket to scratch
}
"
    ),
    good: orders!(
        "\
objectives of orders_db {
  rpo 5min for loss of host
}
service orders_db is postgresql {
  tablespace hot
  database shop { group basket tables baskets }
}
backup all of base, tablespace hot {
  physical full every sun at 04:00
  store on nvme
  retain window 15d
}
archive wal of orders_db {
  ship every 1min or 64 MiB to nvme
  retain window 15d
}
recovery lost_basket {
  for human error
  restore service orders_db to scratch
  replay log to latest
  extract table \"customers\" into database shop as \"basket_before\"
}
"
    ),
};

pub(super) fn check(context: &Context<'_>, out: &mut Found) {
    if !context.whole {
        return;
    }
    for (id, scenario) in context.scenarios() {
        for action in &scenario.actions {
            let ActionKind::Restore { targets, .. } = &action.kind else {
                continue;
            };
            let parts = targets.iter().flat_map(|target| match target {
                Target::Components(ids) => ids.as_slice(),
                _ => &[],
            });
            for part in parts.copied().filter(|part| needs_logical(context, *part)) {
                let component = context.plan.component(part);
                let (kind, name) = (component.kind.word(), &component.name);
                let message =
                    format!("`restore {kind} {name}` needs a logical copy; there is none");
                let finding = Diagnostic::new(RULE.code, message, action.span, "from what?")
                    .subject(subject(&scenario.name, &scenario.origin))
                    .help("add a `logical` backup, or restore to scratch and `extract`");
                out.push(Scope::Scenario(id), finding);
            }
        }
    }
}

fn needs_logical(context: &Context<'_>, id: ComponentId) -> bool {
    let kind = context.plan.component(id).kind;
    let mut takes = context.backups_of(id).flat_map(|(_, backup)| &backup.takes);
    matches!(kind, ComponentKind::Group | ComponentKind::Table)
        && !takes.any(|take| take.method == Method::Logical)
}
