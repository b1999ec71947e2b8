//! P0706: volumes return before their content expires.

use crate::check::cadence::days;
use crate::check::context::Context;
use crate::check::found::{Found, Scope};
use crate::check::rule::Rule;
use crate::check::rules::example::orders;
use crate::diagnostic::{Code, Diagnostic, Severity};
use crate::quantity::Duration;
use crate::resolve::plan::Tier;

pub(super) static RULE: Rule = Rule {
    code: Code(706),
    name: "volumes-return-too-soon",
    level: Severity::Error,
    allowable: true,
    summary: "volumes return before their content expires",
    explanation: "A volume that comes back is written over. When it comes back before what is on it \
        may expire, the promise of the retention is broken on that device. `return when \
        expired` lets planc compute the day; a fixed number of weeks must be longer than \
        the longest tier kept there.",
    bad: orders!(
        "\
device tapes is volumes at fra {
  rotate to dub every fri at 14:00, return after 5w
}
objectives of orders_db {
  rpo 5min for loss of host
}
backup all of base, tablespace hot {
  physical full every sun at 04:00
  store on nvme
  copy to tapes within 2d
  retain on nvme window 15d
  retain on tapes yearly 7
}
archive wal of orders_db {
  ship every 1min or 64 MiB to nvme
  copy to tapes within 1d
  retain window 15d
}
"
    ),
    good: orders!(
        "\
device tapes is volumes at fra {
  rotate to dub every fri at 14:00, return when expired
}
objectives of orders_db {
  rpo 5min for loss of host
}
backup all of base, tablespace hot {
  physical full every sun at 04:00
  store on nvme
  copy to tapes within 2d
  retain on nvme window 15d
  retain on tapes yearly 7
}
archive wal of orders_db {
  ship every 1min or 64 MiB to nvme
  copy to tapes within 1d
  retain window 15d
}
"
    ),
};

pub(super) fn check(context: &Context<'_>, out: &mut Found) {
    for job in context.jobs() {
        for id in job.devices() {
            let device = context.plan.device(id);
            let rotation = device.rotate.as_ref();
            let Some((rotation, back)) = rotation.and_then(|r| Some((r, r.back_after?))) else {
                continue;
            };
            let tiers = job.tiers(id).into_iter();
            let kept = tiers.filter_map(|(tier, span)| Some((length(tier)?, span)));
            let Some((kept, span)) = kept.max_by_key(|(kept, _)| *kept) else {
                continue;
            };
            if back >= kept {
                continue;
            }
            let name = &device.name;
            let message =
                format!("volumes of {name} return after {back}; what is on them is kept {kept}");
            let finding = Diagnostic::new(RULE.code, message, rotation.span, "too soon")
                .related("kept on them for longer", span, "")
                .subject(name)
                .help("write `return when expired`");
            out.push(Scope::Device(id), finding);
        }
    }
}

/// How long a tier keeps a copy at most; the newest n copies have no fixed length.
fn length(tier: Tier) -> Option<Duration> {
    let of = |count: u32, length: u64| Some(days(u64::from(count) * length));
    match tier {
        Tier::Window(window) => Some(window),
        Tier::Daily(count) => of(count, 1),
        Tier::Weekly(count) => of(count, 7),
        Tier::Monthly(count) => of(count, 31),
        Tier::Yearly(count) => of(count, 366),
        Tier::Last(_) => None,
    }
}
