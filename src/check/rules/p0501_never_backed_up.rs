//! P0501: a component is in no backup.

use crate::check::context::Context;
use crate::check::coverage::Coverage;
use crate::check::found::{Found, Scope};
use crate::check::rule::Rule;
use crate::check::rules::example::orders;
use crate::diagnostic::{Code, Diagnostic, Severity};

pub(super) static RULE: Rule = Rule {
    code: Code(501),
    name: "never-backed-up",
    level: Severity::Error,
    allowable: true,
    summary: "a component is in no backup",
    explanation: "A component that no backup names cannot be recovered, whatever the objectives say. \
        Components are the base, each tablespace, and declared databases and groups; a \
        database or group counts as covered when the physical copy that contains it is. \
        Add the component to a backup, use `every tablespace of …` so that new ones are \
        included, or allow the finding for content that can be made anew.",
    bad: orders!(
        "\
objectives of orders_db {
  rpo 5min for loss of host
}
backup all of base {
  physical full every sun at 04:00
  store on nvme
  retain window 15d
}
archive wal of orders_db {
  ship every 1min or 64 MiB to nvme
  retain window 15d
}
"
    ),
    good: orders!(
        "\
objectives of orders_db {
  rpo 5min for loss of host
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
"
    ),
};

pub(super) fn check(context: &Context<'_>, out: &mut Found) {
    if !context.whole {
        return;
    }
    for id in context.services().filter(|id| context.mentions(*id)) {
        let coverage = Coverage::new(context, id);
        if coverage.nothing() {
            let service = context.plan.service(id);
            let message = format!("nothing backs up `{}`", service.name);
            let finding = Diagnostic::new(RULE.code, message, service.span, "in no backup")
                .subject(&service.name)
                .help("add a `backup` of it, or take it out of the plan");
            out.push(Scope::Service(id), finding);
        } else if let Some(finding) = partly(context, &coverage) {
            out.push(Scope::Service(id), finding);
        }
    }
}

fn partly(context: &Context<'_>, coverage: &Coverage<'_, '_>) -> Option<Diagnostic> {
    let bare = coverage.uncovered();
    let first = context.plan.component(*bare.first()?);
    let service = &context.plan.service(first.service).name;
    let names = bare.iter().map(|id| context.plan.component(*id));
    let names = names.map(|part| format!("{} `{}`", part.kind.word(), part.name));
    let message = match bare.len() {
        1..=3 => format!("nothing backs up {}", names.collect::<Vec<_>>().join(", ")),
        count => {
            let some = names.take(3).collect::<Vec<_>>().join(", ");
            format!("nothing backs up {count} components: {some}, …")
        }
    };
    let finding = Diagnostic::new(
        RULE.code,
        format!("{message} of {service}"),
        first.span,
        "in no backup",
    );
    Some(
        finding
            .subject(service)
            .help("add it to a backup, or `allow P0501 … because \"…\"`"),
    )
}
