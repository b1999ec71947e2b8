//! P1002: a key would be lost with the site, or the host, whose loss its copies are for.

use std::collections::BTreeSet;

use crate::check::context::Context;
use crate::check::found::{Found, Scope};
use crate::check::job::Job;
use crate::check::rule::Rule;
use crate::check::rules::example::notes;
use crate::diagnostic::{Code, Diagnostic, Severity};
use crate::resolve::plan::{Encrypt, Key, LossKind};

pub(super) static RULE: Rule = Rule {
    code: Code(1002),
    name: "key-lost-with-site",
    level: Severity::Error,
    allowable: true,
    summary: "a key would be lost with the site or the host whose loss its copies are for",
    explanation: "Copies at another site are there for the day on which the first site is gone. When \
        the key that opens them exists at the first site only, they cannot be opened on \
        that day; the same holds for a key that exists on one host only, and the loss of that \
        host. Keep a second copy of the key at another site, and say so: `escrow at …`.",
    bad: notes!(
        "\
key notes_key from file \"/etc/planc/notes.key\"
objectives of notes {
  rpo 1d for loss of disk
}
backup nightly of service notes {
  physical full every day at 04:30
  store on near
  copy to far within 6h
  encrypt with notes_key
  retain daily 7
}
"
    ),
    good: notes!(
        "\
key notes_key from file \"/etc/planc/notes.key\" escrow at there
objectives of notes {
  rpo 1d for loss of disk
}
backup nightly of service notes {
  physical full every day at 04:30
  store on near
  copy to far within 6h
  encrypt with notes_key
  retain daily 7
}
"
    ),
};

pub(super) fn check(context: &Context<'_>, out: &mut Found) {
    let plan = context.plan;
    let mut seen = BTreeSet::new();
    for job in context.jobs() {
        let Encrypt::With(id, span) = job.keeping.encrypt else {
            continue;
        };
        let key = &plan.keys[id.index()];
        let lost = with_site(context, job, key).or_else(|| with_host(context, job, key));
        let Some((message, escrow)) = lost.filter(|_| seen.insert(id)) else {
            continue;
        };
        let finding = Diagnostic::new(RULE.code, message, key.span, "no second copy elsewhere")
            .related("copies are sealed with it", span, "")
            .subject(&key.name)
            .help(format!(
                "write `escrow at {escrow}`, and keep a copy of the key there"
            ));
        out.push(Scope::Plan, finding);
    }
}

/// A key without a second copy away from the site, and copies that are away.
fn with_site(context: &Context<'_>, job: Job<'_>, key: &Key) -> Option<(String, String)> {
    let plan = context.plan;
    let home = job
        .services()
        .into_iter()
        .find_map(|id| context.site_of(id));
    let home = home?;
    let away = job.devices().into_iter().find_map(|id| {
        let site = plan.device(id).site.as_deref()?;
        (site != home).then_some(site)
    });
    let safe = key.escrow.as_deref().is_some_and(|site| site != home);
    let away = away.filter(|_| !safe)?;
    let name = &key.name;
    let message =
        format!("key {name} lives at {home} only; its copies at {away} could not be opened");
    Some((message, away.to_owned()))
}

/// A key without any second copy, and a promise for the loss of the host. What a host reads from
/// its files, its environment or a program of its own goes with it; a vault is elsewhere.
fn with_host(context: &Context<'_>, job: Job<'_>, key: &Key) -> Option<(String, String)> {
    let services = job.services();
    let mut promises = context.promises.iter();
    let promised = promises.any(|promise| {
        let host = promise.claim.loss() == Some(&LossKind::Host);
        host && services.contains(&promise.service)
    });
    if !promised || key.escrow.is_some() || key.source == "vault" {
        return None;
    }
    let name = &key.name;
    let message =
        format!("key {name} lives on one host only; after its loss no copy could be opened");
    let escrow = services.into_iter().find_map(|id| context.site_of(id));
    Some((message, escrow.unwrap_or("SITE").to_owned()))
}
