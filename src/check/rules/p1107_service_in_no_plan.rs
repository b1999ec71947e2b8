//! P1107: the inventory has a service that the plan does not mention.

use crate::check::context::Context;
use crate::check::found::{Found, Scope};
use crate::check::rule::Rule;
use crate::diagnostic::{Code, Diagnostic, Severity};
use crate::resolve::plan::ServiceId;

/// How many services a finding names.
const NAMED: usize = 3;

pub(super) static RULE: Rule = Rule {
    code: Code(1107),
    name: "service-in-no-plan",
    level: Severity::Warning,
    allowable: true,
    summary: "the inventory has a service that the plan does not mention",
    explanation: "The inventory is what there is, the plan is what is kept. A database that is only in \
        the inventory is in no backup, and everybody who reads the inventory believes it is. \
        Plan it, or say in its labels that nobody wants it back: `labels: {backup: none}`.",
    bad: "\
planc 1
plan notes
timezone Europe/Berlin
environment prod inventory \"inventory.yaml\"
objectives of notes {
  rpo 1d for loss of disk
}
backup nightly of service notes {
  physical full every day at 04:30
  store on near
  retain daily 7
}
--- inventory.yaml
inventory: 1
sites: {here: {}}
hosts:
  desk: {site: here}
  vault: {site: here}
services:
  notes: {engine: sqlite, host: desk, path: /srv/notes.db}
  crm_db: {engine: sqlite, host: desk, path: /srv/crm.db}
devices:
  near: {host: vault, path: /srv/copies, write: 200 MiB/s}
",
    good: "\
planc 1
plan notes
timezone Europe/Berlin
environment prod inventory \"inventory.yaml\"
objectives of notes {
  rpo 1d for loss of disk
}
backup nightly of service notes {
  physical full every day at 04:30
  store on near
  retain daily 7
}
--- inventory.yaml
inventory: 1
sites: {here: {}}
hosts:
  desk: {site: here}
  vault: {site: here}
services:
  notes: {engine: sqlite, host: desk, path: /srv/notes.db}
  crm_db: {engine: sqlite, host: desk, path: /srv/crm.db, labels: {backup: none}}
devices:
  near: {host: vault, path: /srv/copies, write: 200 MiB/s}
",
};

pub(super) fn check(context: &Context<'_>, out: &mut Found) {
    if !context.whole {
        return;
    }
    let plan = context.plan;
    let unplanned = |id: &ServiceId| {
        let service = plan.service(*id);
        let unwanted = service
            .labels
            .get("backup")
            .is_some_and(|label| label == "none");
        !unwanted && !context.mentions(*id)
    };
    let forgotten: Vec<ServiceId> = context.services().filter(unplanned).collect();
    let Some(first) = forgotten.first() else {
        return;
    };
    let shown = forgotten.iter().take(NAMED);
    let names: Vec<String> = shown
        .map(|id| format!("`{}`", plan.service(*id).name))
        .collect();
    let more = match forgotten.len().saturating_sub(NAMED) {
        0 => String::new(),
        more => format!(" and {more} more"),
    };
    let message = format!(
        "the inventory has {}{more}; the plan does not mention {}",
        names.join(", "),
        if forgotten.len() == 1 { "it" } else { "them" },
    );
    let service = plan.service(*first);
    let finding = Diagnostic::new(RULE.code, message, service.span, "in no backup")
        .subject(&service.name)
        .help("plan it, or label it `backup: none`");
    out.push(Scope::Service(*first), finding);
}
