//! P0308: an instant without its offset from UTC. Found by `resolve`.

use crate::check::rule::Rule;
use crate::check::rules::example::notes;
use crate::diagnostic::{Code, Severity};

pub(super) static RULE: Rule = Rule {
    code: Code(308),
    name: "instant-without-zone",
    level: Severity::Error,
    allowable: false,
    summary: "an instant without its offset from UTC",
    explanation: "A recovery target names one moment. Without an offset it names different moments on \
        the database host, the backup host and the desk of the person who typed it, and twice \
        a year two moments on each. Append `Z` for UTC, or an offset such as `+01:00`.",
    bad: notes!(
        "\
objectives of notes {
  rpo 1d for loss of disk
}
backup nightly of service notes {
  physical full every day at 04:30
  store on near
  retain daily 7
}
drill monthly every 1st of month at 12:00 {
  restore service notes to scratch
  replay log until 2026-03-01T14:05:00
  probe notes \"select count(*) from notes\" >= 1
  finish within 1h
}
"
    ),
    good: notes!(
        "\
objectives of notes {
  rpo 1d for loss of disk
}
backup nightly of service notes {
  physical full every day at 04:30
  store on near
  retain daily 7
}
drill monthly every 1st of month at 12:00 {
  restore service notes to scratch
  replay log until 2026-03-01T14:05:00Z
  probe notes \"select count(*) from notes\" >= 1
  finish within 1h
}
"
    ),
};
