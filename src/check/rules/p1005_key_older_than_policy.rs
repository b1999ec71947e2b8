//! P1005: a key is used for longer than the inventory allows.

use std::collections::BTreeSet;

use jiff::tz::TimeZone;

use crate::check::context::Context;
use crate::check::found::{Found, Scope};
use crate::check::rule::Rule;
use crate::check::rules::example::notes;
use crate::diagnostic::{Code, Diagnostic, Severity};
use crate::resolve::plan::{Encrypt, Key};

/// Milliseconds of a day.
const DAY: u64 = 86_400_000;

pub(super) static RULE: Rule = Rule {
    code: Code(1005),
    name: "key-older-than-policy",
    level: Severity::Warning,
    allowable: true,
    summary: "a key is used for longer than the inventory allows",
    explanation: "The longer a key is in use, the more copies one theft opens, and the more people \
        have had it in their hands. The inventory says since when a key is used and after \
        what time it is to be replaced; that time is over. Declare a new key and seal with \
        it. What is stored keeps the old key, which must be kept as long as those copies, or \
        is wrapped for the new one by `planc key rewrap`.",
    bad: notes!(
        "\
key old_key from file \"/etc/planc/old.key\" escrow at there
objectives of notes {
  rpo 2d for loss of disk
}
backup nightly of service notes {
  physical full every day at 04:30
  store on near
  encrypt with old_key
  retain daily 7
}
"
    ),
    good: notes!(
        "\
key new_key from file \"/etc/planc/new.key\" escrow at there
objectives of notes {
  rpo 2d for loss of disk
}
backup nightly of service notes {
  physical full every day at 04:30
  store on near
  encrypt with new_key
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
        let Some((used, allowed)) = age(context, key).filter(|_| seen.insert(id)) else {
            continue;
        };
        let name = &key.name;
        let message = format!("{name} has been in use {used} days; {allowed} are allowed");
        let finding = Diagnostic::new(RULE.code, message, span, "still sealed with it")
            .related("the key", key.span, "")
            .subject(name)
            .help("declare a new key and seal with it; old copies keep the old one");
        out.push(Scope::Plan, finding);
    }
}

/// Days in use and days allowed, when the former are more.
fn age(context: &Context<'_>, key: &Key) -> Option<(u64, u64)> {
    let today = context.now.to_zoned(TimeZone::UTC).date();
    let used = today.since(key.since?).ok()?.get_days();
    let used = u64::try_from(used).ok()?;
    let allowed = key.replace_after?.0 / DAY;
    (used > allowed).then_some((used, allowed))
}
