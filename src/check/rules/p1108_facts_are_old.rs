//! P1108: the measured facts are old.

use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;

use crate::check::context::Context;
use crate::check::found::{Found, Scope};
use crate::check::rule::Rule;
use crate::check::rules::example::orders;
use crate::diagnostic::{Code, Diagnostic, Severity};

/// A quarter: sizes and rates of a living system are others by then.
const DAYS: i64 = 90;

pub(super) static RULE: Rule = Rule {
    code: Code(1108),
    name: "facts-are-old",
    level: Severity::Warning,
    allowable: true,
    summary: "the measured facts are older than 90 days",
    explanation: "Proofs stand on sizes, rates and speeds that were measured. Data grows, disks are \
        exchanged, tables appear; a proof from figures of last year says little about tonight. \
        Run `planc survey`, look at what changed with `--diff`, and commit the file.",
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
        "measured: \"2025-11-27\"\n"
    ),
    good: orders!(
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
        "measured: \"2026-02-27\"\n"
    ),
};

pub(super) fn check(context: &Context<'_>, out: &mut Found) {
    let Some(facts) = context.facts else { return };
    let (Some(written), Some(span)) = (&facts.measured, facts.measured_span) else {
        return;
    };
    let Some(day) = day_of(written) else {
        let message = format!("`measured: {written}` is no day");
        let finding = Diagnostic::new(RULE.code, message, span, "not 2026-03-01 or an instant");
        let help = "run `planc survey`, which writes the day of the measurement";
        return out.push(Scope::Plan, finding.subject("measured").help(help));
    };
    let today = context.now.to_zoned(TimeZone::UTC).date();
    let days = today.duration_since(day).as_hours() / 24;
    if days <= DAYS {
        return;
    }
    let message = format!("facts were measured {days} days ago");
    let finding = Diagnostic::new(RULE.code, message, span, "measured then");
    out.push(
        Scope::Plan,
        finding.subject("measured").help("run `planc survey`"),
    );
}

fn day_of(written: &str) -> Option<Date> {
    let instant = || {
        let instant: Timestamp = written.parse().ok()?;
        Some(instant.to_zoned(TimeZone::UTC).date())
    };
    written.parse().ok().or_else(instant)
}
