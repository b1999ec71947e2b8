//! P0205: the plan names a database, tablespace or table that the surveyed instance does not have.

use crate::check::context::Context;
use crate::check::found::{Found, Scope};
use crate::check::rule::Rule;
use crate::check::rules::example::orders;
use crate::diagnostic::{Code, Diagnostic, Severity};
use crate::facts::instance::Instance;
use crate::facts::sizes;
use crate::resolve::plan::{Component, ComponentKind};
use crate::similar;

pub(super) static RULE: Rule = Rule {
    code: Code(205),
    name: "not-in-the-facts",
    level: Severity::Error,
    allowable: true,
    summary: "the plan names something that the surveyed instance does not have",
    explanation: "The facts file lists the databases, tablespaces and tables that the instance had when \
        it was surveyed. A backup of something that does not exist fails every night, one of a \
        group copies the tables that are left, and one of a misspelled table protects nothing. \
        `planc run` copies all else meanwhile. Correct the name; when the thing is new, run \
        `planc survey` so that the facts know it.",
    bad: orders!(
        "\
service orders_db is postgresql {
  database orders {
    group core tables orders, order_line
  }
}
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
    databases:
      orders:
        tables: {public.orders: {}, public.order_lines: {}}
"
    ),
    good: orders!(
        "\
service orders_db is postgresql {
  database orders {
    group core tables orders, order_lines
  }
}
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
    databases:
      orders:
        tables: {public.orders: {}, public.order_lines: {}}
"
    ),
};

pub(super) fn check(context: &Context<'_>, out: &mut Found) {
    for (id, instance) in context.instances() {
        for component in context.plan.components_of(id) {
            let key = context.plan.component_key(component);
            let component = context.plan.component(component);
            let Some((place, candidates)) = missing(component, instance) else {
                continue;
            };
            let (kind, name) = (component.kind.word(), &component.name);
            let dated = context.dated(instance);
            let service = &context.plan.service(id).name;
            let place = place.unwrap_or_else(|| service.clone());
            let message = format!("no {kind} `{name}` in {place} ({dated})");
            let near = similar::nearest(name, candidates);
            let help = match near {
                Some(near) => format!("did you mean `{near}`? Else run `planc survey`"),
                None => "correct the name, or run `planc survey` when it is new".to_owned(),
            };
            let finding = Diagnostic::new(RULE.code, message, component.span, "named here");
            out.push(Scope::Service(id), finding.subject(key).help(help));
        }
    }
}

/// Where a component is missing, and what there is instead; none when it exists or nothing of its
/// kind was surveyed, because then its absence proves nothing.
fn missing<'a>(
    component: &Component,
    instance: &'a Instance,
) -> Option<(Option<String>, Vec<&'a str>)> {
    let name = &component.name;
    match component.kind {
        ComponentKind::Tablespace => {
            let known = &instance.tablespaces;
            let absent = !known.is_empty() && !known.contains_key(name);
            absent.then(|| (None, known.keys().map(String::as_str).collect()))
        }
        ComponentKind::Database => {
            let known = &instance.databases;
            let absent = !known.is_empty() && !known.contains_key(name);
            absent.then(|| (None, known.keys().map(String::as_str).collect()))
        }
        ComponentKind::Table => {
            let database = sizes::database_of(component, instance)?;
            let absent = !database.tables.is_empty() && database.named(name).next().is_none();
            let place = component.database.as_ref();
            let place = place.map(|name| format!("database {name}"));
            let own = |full: &'a String| full.split_once('.').map_or(full.as_str(), |(_, own)| own);
            absent.then(|| (place, database.tables.keys().map(own).collect()))
        }
        ComponentKind::Base | ComponentKind::Group | ComponentKind::Files => None,
    }
}
