//! P0507: tables whose changes are not in the log.

use crate::check::context::Context;
use crate::check::found::{Found, Scope};
use crate::check::rule::Rule;
use crate::check::rules::example::orders;
use crate::diagnostic::{Code, Diagnostic, Severity};
use crate::facts::instance::Instance;
use crate::resolve::plan::ServiceId;
use crate::similar;

pub(super) static RULE: Rule = Rule {
    code: Code(507),
    name: "not-protected-by-the-log",
    level: Severity::Warning,
    allowable: true,
    summary: "the log does not protect a table",
    explanation: "An UNLOGGED table writes nothing to the log. After a crash, a restore or a switchover \
        it is empty: neither replay nor a standby brings its rows back, and a physical copy \
        leaves them out. Make it logged with `alter table … set logged`, copy it logically, or \
        allow the finding when its rows can be made anew.",
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
    databases:
      orders:
        tables: {public.orders: {}, public.sessions: {unlogged: true}}
"
    ),
    good: orders!(
        "\
service orders_db is postgresql {
  allow P0507 until 2026-09-30 because \"sessions are made anew\"
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
        tables: {public.orders: {}, public.sessions: {unlogged: true}}
"
    ),
};

pub(super) fn check(context: &Context<'_>, out: &mut Found) {
    for (id, instance) in context.instances() {
        if !is_kept(context, id) {
            continue;
        }
        let tables = unlogged(instance);
        let (noun, verb) = match tables.len() {
            0 => continue,
            1 => ("table", "is"),
            _ => ("tables", "are"),
        };
        let names = similar::list(tables.iter().map(String::as_str), 3);
        let message = format!("{noun} {names} {verb} UNLOGGED: no replay brings the rows back");
        let service = context.plan.service(id);
        let finding = Diagnostic::new(RULE.code, message, service.span, "surveyed here")
            .subject(format!("{}:{}", service.name, tables.join(",")))
            .help("make it logged, or `allow P0507 … because \"…\"` when it can be made anew");
        out.push(Scope::Service(id), finding);
    }
}

fn is_kept(context: &Context<'_>, id: ServiceId) -> bool {
    context.service_backups(id).next().is_some() || context.service_archives(id).next().is_some()
}

/// `database.schema.table` of all of them.
fn unlogged(instance: &Instance) -> Vec<String> {
    let databases = instance.databases.iter();
    let tables = databases.flat_map(|(database, facts)| {
        let tables = facts.tables.iter().filter(|(_, table)| table.unlogged);
        tables.map(move |(table, _)| format!("{database}.{table}"))
    });
    tables.collect()
}
