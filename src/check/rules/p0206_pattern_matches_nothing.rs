//! P0206: the pattern of a group matches no table of the surveyed instance.

use crate::check::context::Context;
use crate::check::found::{Found, Scope};
use crate::check::rule::Rule;
use crate::check::rules::example::orders;
use crate::diagnostic::{Code, Diagnostic, Severity};
use crate::facts::sizes;
use crate::resolve::plan::ComponentKind;

pub(super) static RULE: Rule = Rule {
    code: Code(206),
    name: "pattern-matches-nothing",
    level: Severity::Warning,
    allowable: true,
    summary: "a pattern matches no table of the surveyed instance",
    explanation: "A group that is described by a pattern holds the tables that match it when a copy is \
        taken. A pattern that matches nothing gives empty copies that look like success. Patterns \
        are compared with the table's name and with `schema.name`; `*` stands for any letters.",
    bad: orders!(
        "\
service orders_db is postgresql {
  database orders {
    group invoices tables matching invoice_*
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
        tables: {public.orders: {}, public.inv_heads: {}}
"
    ),
    good: orders!(
        "\
service orders_db is postgresql {
  database orders {
    group invoices tables matching inv_*
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
        tables: {public.orders: {}, public.inv_heads: {}}
"
    ),
};

pub(super) fn check(context: &Context<'_>, out: &mut Found) {
    for (id, instance) in context.instances() {
        for component in context.plan.components_of(id) {
            let key = context.plan.component_key(component);
            let group = context.plan.component(component);
            let Some(database) = sizes::database_of(group, instance) else {
                continue;
            };
            let patterns = group.tables.iter().filter(|name| sizes::is_pattern(name));
            let is_group = group.kind == ComponentKind::Group && !database.tables.is_empty();
            for pattern in patterns.filter(|_| is_group) {
                if !sizes::members(database, std::slice::from_ref(pattern)).is_empty() {
                    continue;
                }
                let message = format!("`tables matching {pattern}` matches no table");
                let known = database.tables.len();
                let help = format!(
                    "check the pattern; {} list {known}",
                    context.dated(instance)
                );
                let finding = Diagnostic::new(RULE.code, message, group.span, "an empty group");
                out.push(Scope::Service(id), finding.subject(&key).help(help));
            }
        }
    }
}
