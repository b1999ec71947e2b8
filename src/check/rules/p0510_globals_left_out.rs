//! P0510: logical copies without what all databases of an instance share.

use crate::check::context::{Context, subject};
use crate::check::found::{Found, Scope};
use crate::check::rule::Rule;
use crate::check::rules::example::orders;
use crate::diagnostic::{Code, Diagnostic, Severity};
use crate::facts::capability;
use crate::resolve::plan::{ComponentKind, Method, ServiceId};

pub(super) static RULE: Rule = Rule {
    code: Code(510),
    name: "globals-left-out",
    level: Severity::Warning,
    allowable: true,
    summary: "global objects are in no copy",
    explanation: "A logical copy of a database or group holds its tables, not the roles, passwords and \
        grants that all databases of the instance share. Restored on a new host, the tables \
        belong to roles that do not exist. Add the base to a backup, or take a logical copy of \
        the whole service.",
    bad: orders!(
        "\
allow P1107 because \"orders_db has a plan of its own\"
service crm is postgresql {
  database crm
}
objectives of crm {
  rpo 1d for human error
}
backup dumps of database crm {
  logical every day at 04:00
  store on nvme
  retain daily 14
}
"
    ),
    good: orders!(
        "\
allow P1107 because \"orders_db has a plan of its own\"
service crm is postgresql {
  database crm
}
objectives of crm {
  rpo 1d for human error
}
backup dumps of service crm {
  logical every day at 04:00
  store on nvme
  retain daily 14
}
"
    ),
};

pub(super) fn check(context: &Context<'_>, out: &mut Found) {
    if !context.whole {
        return;
    }
    for id in context.services().filter(|id| has_globals(context, *id)) {
        if base_is_copied(context, id) {
            continue;
        }
        let mut backups = context.service_backups(id);
        let logical = backups.find_map(|(job, backup)| {
            let mut takes = backup.takes.iter();
            let take = takes.find(|take| take.method == Method::Logical)?;
            Some((job, backup, take))
        });
        let Some((job, backup, take)) = logical else {
            continue;
        };
        let service = &context.plan.service(id).name;
        let message = format!("roles and grants of {service} are in no copy");
        let finding = Diagnostic::new(RULE.code, message, take.span, "tables only")
            .subject(subject(&backup.name, &backup.origin))
            .help(format!(
                "add `base` to a backup, or a logical copy of service {service}"
            ));
        out.push(Scope::Backup(job), finding);
    }
}

fn has_globals(context: &Context<'_>, id: ServiceId) -> bool {
    let mut parts = context.plan.components_of(id);
    parts.any(|part| context.plan.component(part).kind == ComponentKind::Base)
        && capability::of(context.plan.service(id).engine).log
}

fn base_is_copied(context: &Context<'_>, id: ServiceId) -> bool {
    let mut parts = context.plan.components_of(id);
    parts.any(|part| {
        context.plan.component(part).kind == ComponentKind::Base
            && context.backups_of(part).next().is_some()
    })
}
