//! P0506: tables of a group refer to tables outside it.

use std::collections::BTreeSet;

use crate::check::context::Context;
use crate::check::found::{Found, Scope};
use crate::check::rule::Rule;
use crate::check::rules::example::orders;
use crate::diagnostic::{Code, Diagnostic, Severity};
use crate::facts::instance::DatabaseFacts;
use crate::facts::sizes;
use crate::resolve::plan::{Component, ComponentKind};
use crate::similar;

pub(super) static RULE: Rule = Rule {
    code: Code(506),
    name: "group-not-closed",
    level: Severity::Warning,
    allowable: true,
    summary: "tables of a group refer to tables outside it",
    explanation: "A group is restored by itself, to a time of its own. When a foreign key leads out of \
        it, the restored rows may refer to rows that do not exist any more, and the restore fails \
        or leaves the database inconsistent. Put both tables into one group. Only declared \
        foreign keys are seen.",
    bad: orders!(
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
        tables:
          public.orders: {refers: [public.customers]}
          public.order_lines: {refers: [public.orders]}
          public.customers: {}
"
    ),
    good: orders!(
        "\
service orders_db is postgresql {
  database orders {
    group core tables orders, order_lines, customers
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
        tables:
          public.orders: {refers: [public.customers]}
          public.order_lines: {refers: [public.orders]}
          public.customers: {}
"
    ),
};

pub(super) fn check(context: &Context<'_>, out: &mut Found) {
    for (id, instance) in context.instances() {
        for component in context.plan.components_of(id) {
            let key = context.plan.component_key(component);
            let group = context.plan.component(component);
            let database = sizes::database_of(group, instance);
            let Some(database) = database.filter(|_| group.kind == ComponentKind::Group) else {
                continue;
            };
            let Some((from, outside)) = leads_out(group, database) else {
                continue;
            };
            let names = similar::list(outside.iter().copied(), 3);
            let message = format!("`{from}` refers to {names}, outside group {}", group.name);
            let help = format!("add {names} to the group: a restore of it may violate the keys");
            let finding = Diagnostic::new(RULE.code, message, group.span, "not closed");
            out.push(Scope::Service(id), finding.subject(key).help(help));
        }
    }
}

/// The first table that refers out of the group, and all tables outside that the group refers to.
fn leads_out<'a>(
    group: &Component,
    database: &'a DatabaseFacts,
) -> Option<(&'a str, BTreeSet<&'a str>)> {
    let members = sizes::members(database, &group.tables);
    let inside: BTreeSet<&str> = members.iter().map(|(name, _)| *name).collect();
    let mut first = None;
    let mut outside = BTreeSet::new();
    for (name, table) in &members {
        for other in table
            .refers
            .iter()
            .filter(|other| !inside.contains(other.as_str()))
        {
            first.get_or_insert(short(name));
            outside.insert(short(other));
        }
    }
    Some((first?, outside))
}

/// Without the schema that everybody uses.
fn short(full: &str) -> &str {
    full.strip_prefix("public.").unwrap_or(full)
}
