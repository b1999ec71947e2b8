//! P0904: a scratch restore goes to the host on which the service runs.

use crate::check::context::{Context, subject};
use crate::check::found::{Found, Scope};
use crate::check::rule::Rule;
use crate::check::rules::example::orders;
use crate::diagnostic::{Code, Diagnostic, Severity};
use crate::facts::capability;
use crate::resolve::plan::{ActionKind, ServiceId, Target};

pub(super) static RULE: Rule = Rule {
    code: Code(904),
    name: "scratch-is-live",
    level: Severity::Error,
    allowable: true,
    summary: "a scratch restore goes to the host on which the service runs",
    explanation: "A restore to another host keeps its hands off the live server: other ports, other \
        paths, other memory. When the host named is the one the service runs on, the rehearsal \
        competes with the primary for disks and memory, and one wrong path overwrites it. Name \
        another host of the inventory.",
    bad: orders!(
        "\
objectives of orders_db {
  rpo 10min for loss of site
}
backup all of base, tablespace hot {
  physical full every sun at 04:00
  store on nvme
  copy to bucket within 6h
  encrypt none
  retain window 15d
}
archive wal of orders_db {
  ship every 5min or 64 MiB to bucket
  encrypt none
  retain window 15d
}
recovery look_back {
  for human error
  restore service orders_db to pg1 from any
  replay log to latest
}
"
    ),
    good: orders!(
        "\
objectives of orders_db {
  rpo 10min for loss of site
}
backup all of base, tablespace hot {
  physical full every sun at 04:00
  store on nvme
  copy to bucket within 6h
  encrypt none
  retain window 15d
}
archive wal of orders_db {
  ship every 5min or 64 MiB to bucket
  encrypt none
  retain window 15d
}
recovery look_back {
  for human error
  restore service orders_db to scratch from any
  replay log to latest
}
"
    ),
};

pub(super) fn check(context: &Context<'_>, out: &mut Found) {
    for (id, scenario) in context.scenarios() {
        for action in &scenario.actions {
            let ActionKind::Restore {
                targets,
                to: Some(to),
                ..
            } = &action.kind
            else {
                continue;
            };
            let live = targets
                .iter()
                .flat_map(|target| services(context, target))
                .find(|service| runs_on(context, *service, to));
            let Some(live) = live else { continue };
            let name = &context.plan.service(live).name;
            let message = format!("`{to}` is no scratch host: {name} runs on it");
            let finding = Diagnostic::new(RULE.code, message, action.span, "the live primary")
                .subject(subject(&scenario.name, &scenario.origin))
                .help("name another host of the inventory");
            out.push(Scope::Scenario(id), finding);
        }
    }
}

fn services(context: &Context<'_>, target: &Target) -> Vec<ServiceId> {
    match target {
        Target::Service(id) => vec![*id],
        Target::Components(ids) => {
            let parts = ids.iter().map(|id| context.plan.component(*id));
            parts.map(|part| part.service).collect()
        }
        Target::Input(_) | Target::Foreign(..) => Vec::new(),
    }
}

/// Files can be restored beside the live ones; a server needs a machine of its own.
fn runs_on(context: &Context<'_>, service: ServiceId, host: &str) -> bool {
    let service = context.plan.service(service);
    !capability::of(service.engine).self_contained && service.host.as_deref() == Some(host)
}
