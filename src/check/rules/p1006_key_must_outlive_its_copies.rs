//! P1006: copies are kept for longer than the escrow of their key is promised.

use std::collections::BTreeSet;

use jiff::civil::Date;
use jiff::tz::TimeZone;
use jiff::{Span as Days, ToSpan};

use crate::check::context::Context;
use crate::check::found::Found;
use crate::check::rule::Rule;
use crate::check::rules::example::notes;
use crate::diagnostic::{Code, Diagnostic, Severity};
use crate::resolve::plan::{Encrypt, Tier};

pub(super) static RULE: Rule = Rule {
    code: Code(1006),
    name: "key-must-outlive-its-copies",
    level: Severity::Warning,
    allowable: true,
    summary: "copies are kept for longer than the escrow of their key is promised",
    explanation: "A sealed copy is worth what its key is worth. Copies taken today are kept for years, \
        but the second copy of their key is promised for a shorter time; after that the loss \
        of the first one turns those years into noise. Extend the escrow, or let the copies \
        be wrapped for a key that is kept longer before it ends.",
    bad: notes!(
        "\
key brief_key from file \"/etc/planc/brief.key\" escrow at there
objectives of notes {
  rpo 2d for loss of disk
}
backup nightly of service notes {
  physical full every day at 04:30
  store on near
  encrypt with brief_key
  retain daily 7, yearly 7
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
  retain daily 7, yearly 7
}
"
    ),
};

pub(super) fn check(context: &Context<'_>, out: &mut Found) {
    let plan = context.plan;
    let today = context.now.to_zoned(TimeZone::UTC).date();
    let mut seen = BTreeSet::new();
    for job in context.jobs() {
        let Encrypt::With(id, span) = job.keeping.encrypt else {
            continue;
        };
        let key = &plan.keys[id.index()];
        let Some(promised) = key.escrow_until else {
            continue;
        };
        let devices = job.devices().into_iter();
        let tiers = devices.flat_map(|device| job.tiers(device));
        let needs = tiers.filter_map(|(tier, at)| Some((kept_until(today, tier)?, tier, at)));
        let Some((until, tier, at)) = needs.max_by_key(|(until, ..)| *until) else {
            continue;
        };
        if until <= promised || !seen.insert((id, job.id)) {
            continue;
        }
        let name = &key.name;
        let words = words(tier);
        let message = format!("{words} needs {name} until {until}; its escrow ends {promised}");
        let finding = Diagnostic::new(RULE.code, message, at, "kept so long")
            .related("sealed with it", span, "")
            .subject(name)
            .help("extend the escrow, and its date in the inventory");
        out.push(job.id, finding);
    }
}

/// Until when a copy of today is kept by a tier; none for those that count copies.
fn kept_until(today: Date, tier: Tier) -> Option<Date> {
    let span = |count: u32, days: i64| Days::new().try_days(i64::from(count) * days).ok();
    let kept = match tier {
        Tier::Window(span) => {
            let days = i64::try_from(span.0 / 86_400_000).ok()?;
            Days::new().try_days(days).ok()?
        }
        Tier::Daily(count) => span(count, 1)?,
        Tier::Weekly(count) => span(count, 7)?,
        Tier::Monthly(count) => i64::from(count).months(),
        Tier::Yearly(count) => i64::from(count).years(),
        Tier::Last(_) => return None,
    };
    today.checked_add(kept).ok()
}

fn words(tier: Tier) -> String {
    match tier {
        Tier::Window(span) => format!("`window {span}`"),
        Tier::Daily(count) => format!("`daily {count}`"),
        Tier::Weekly(count) => format!("`weekly {count}`"),
        Tier::Monthly(count) => format!("`monthly {count}`"),
        Tier::Yearly(count) => format!("`yearly {count}`"),
        Tier::Last(count) => format!("`last {count}`"),
    }
}
