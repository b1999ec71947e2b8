//! P0502: a tablespace or database of the surveyed instance is absent from the plan.

use crate::check::context::Context;
use crate::check::found::{Found, Scope};
use crate::check::rule::Rule;
use crate::check::rules::example::orders;
use crate::diagnostic::{Code, Diagnostic, Severity};
use crate::facts::instance::Instance;
use crate::quantity::Bytes;
use crate::resolve::plan::{ComponentKind, Method, ServiceId};

pub(super) static RULE: Rule = Rule {
    code: Code(502),
    name: "absent-from-the-plan",
    level: Severity::Warning,
    allowable: true,
    summary: "a tablespace or database exists in the instance and is absent from the plan",
    explanation: "The survey found something that the plan does not name. What lies outside the base is \
        in no backup at all; an undeclared tablespace travels with the base, cannot be restored \
        by itself, and makes every base larger than the plan says. Declare it and back it up, or \
        allow the finding for content that can be made anew.",
    bad: orders!(
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
",
        "\
instances:
  orders_db:
    tablespaces: {pg_default: {}, hot: {}, archive_2019: {size: 310 GiB}}
"
    ),
    good: orders!(
        "\
service orders_db is postgresql {
  tablespace archive_2019
}
objectives of orders_db {
  rpo 5min for loss of host
}
backup all of base, every tablespace of orders_db {
  physical full every sun at 04:00
  store on nvme
  retain window 15d
}
archive wal of orders_db {
  ship every 1min or 64 MiB to nvme
  retain window 15d
}
",
        "\
instances:
  orders_db:
    tablespaces: {pg_default: {}, hot: {}, archive_2019: {size: 310 GiB}}
"
    ),
};

/// Databases that every instance has and that hold nothing.
const BUILT_IN: &[&str] = &["postgres", "template0", "template1"];

pub(super) fn check(context: &Context<'_>, out: &mut Found) {
    if !context.whole {
        return;
    }
    for (id, instance) in context.instances() {
        // nothing backs the service up: P0501 says it
        if context.service_backups(id).next().is_none() {
            continue;
        }
        let base = base_is_copied(context, id);
        tablespaces(context, (id, instance), base, out);
        if !base {
            databases(context, (id, instance), out);
        }
    }
}

/// Is the base copied physically, with everything that is not declared?
fn base_is_copied(context: &Context<'_>, id: ServiceId) -> bool {
    let mut backups = context.service_backups(id);
    backups.any(|(_, backup)| {
        let physical = |method: Method| method != Method::Logical;
        let mut targets = backup.targets.iter();
        backup.takes.iter().any(|take| physical(take.method))
            && targets.any(|id| context.plan.component(*id).kind == ComponentKind::Base)
    })
}

fn declared(context: &Context<'_>, id: ServiceId, kind: ComponentKind, name: &str) -> bool {
    let mut parts = context.plan.components_of(id);
    parts.any(|part| {
        let part = context.plan.component(part);
        let own = part.kind == kind && part.name == name;
        own || kind == ComponentKind::Database && part.database.as_deref() == Some(name)
    })
}

fn tablespaces(
    context: &Context<'_>,
    (id, instance): (ServiceId, &Instance),
    base: bool,
    out: &mut Found,
) {
    for (name, facts) in &instance.tablespaces {
        let built_in = name == "pg_default" || name == "pg_global";
        if built_in || declared(context, id, ComponentKind::Tablespace, name) {
            continue;
        }
        let thing = format!("tablespace `{name}`{}", sized(facts.size));
        let message = if base {
            format!("{thing} is not in the plan: it is copied with the base")
        } else {
            format!("{thing} is in no backup")
        };
        let help = "declare and add it, or use `every tablespace of` the service";
        push(context, id, (name, message, help), out);
    }
}

fn databases(context: &Context<'_>, (id, instance): (ServiceId, &Instance), out: &mut Found) {
    for (name, facts) in &instance.databases {
        let built_in = BUILT_IN.contains(&name.as_str());
        if built_in || declared(context, id, ComponentKind::Database, name) {
            continue;
        }
        let message = format!("database `{name}`{} is in no backup", sized(facts.size));
        let help = "declare it and back it up, or add `base` to a physical backup";
        push(context, id, (name, message, help), out);
    }
}

fn sized(size: Option<Bytes>) -> String {
    size.map_or_else(String::new, |size| format!(" ({size})"))
}

fn push(
    context: &Context<'_>,
    id: ServiceId,
    (name, message, help): (&str, String, &str),
    out: &mut Found,
) {
    let service = context.plan.service(id);
    let finding = Diagnostic::new(RULE.code, message, service.span, "surveyed here")
        .subject(format!("{}:{name}", service.name))
        .help(help);
    out.push(Scope::Service(id), finding);
}
