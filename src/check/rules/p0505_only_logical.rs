//! P0505: something large has logical copies only.

use crate::check::context::Context;
use crate::check::found::{Found, Scope};
use crate::check::promise::cover;
use crate::check::rule::Rule;
use crate::check::rules::example::orders;
use crate::check::words::{amount, lasting};
use crate::diagnostic::{Code, Diagnostic, Severity};
use crate::facts::capability;
use crate::resolve::plan::{ComponentId, Method};

/// Bytes a second at which an import loads rows and builds indexes where nothing was measured.
const IMPORT: f64 = 36.0 * 1024.0 * 1024.0;

/// Seconds from which a reload is long.
const LONG: f64 = 8.0 * 3600.0;

pub(super) static RULE: Rule = Rule {
    code: Code(505),
    name: "only-logical-copies",
    level: Severity::Warning,
    allowable: true,
    summary: "something large has logical copies only",
    explanation: "A logical copy is loaded row by row and every index is built anew. At 36 MiB/s, which is what \
        an import does where nothing better was measured, that takes more than eight hours here; \
        log cannot be replayed on it either. A physical copy comes back as fast as devices \
        read and write.",
    bad: orders!(
        "\
assume {
  size hot 2.4 TiB
}
objectives of orders_db {
  rpo 2d for loss of disk
}
backup dump of tablespace hot {
  logical every day at 04:00
  store on nvme
  encrypt none
  retain daily 14
}
backup rest of base {
  physical full every day at 05:00
  store on nvme
  encrypt none
  retain window 15d
}
archive wal of orders_db {
  ship every 5min or 64 MiB to nvme
  encrypt none
  retain window 15d
}
"
    ),
    good: orders!(
        "\
objectives of orders_db {
  rpo 2d for loss of disk
}
backup all of base, tablespace hot {
  physical full every day at 04:00
  store on nvme
  encrypt none
  retain window 15d
}
archive wal of orders_db {
  ship every 5min or 64 MiB to nvme
  encrypt none
  retain window 15d
}
"
    ),
};

pub(super) fn check(context: &Context<'_>, out: &mut Found) {
    for service in context.services() {
        let engine = context.plan.service(service).engine;
        let methods = capability::of(engine).methods;
        if !methods.contains(&Method::PhysicalFull) {
            continue;
        }
        for unit in cover::units(context, service) {
            let size = context.known.size(unit.component).unwrap_or(0.0);
            if !unit.physical && size / IMPORT > LONG {
                let (id, finding) = (unit.backups[0], finding(context, unit.component, size));
                let span = context.plan.backups[id.index()].span;
                let finding = finding.related("copied by this job", span, "");
                out.push(Scope::Backup(id), finding);
            }
        }
    }
}

fn finding(context: &Context<'_>, id: ComponentId, size: f64) -> Diagnostic {
    let part = context.plan.component(id);
    let message = format!(
        "{} {} ({}) has only logical copies: reload about {}",
        part.kind.word(),
        part.name,
        amount(size),
        lasting((size / IMPORT / 3600.0).round() * 3600.0),
    );
    Diagnostic::new(RULE.code, message, part.span, "large")
        .subject(context.plan.component_key(id))
        .help("add a physical backup")
}
