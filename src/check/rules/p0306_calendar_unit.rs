//! P0306: a month or year where a fixed length is needed. Found by `resolve`.

use crate::check::rule::Rule;
use crate::check::rules::example::notes;
use crate::diagnostic::{Code, Severity};

pub(super) static RULE: Rule = Rule {
    code: Code(306),
    name: "calendar-unit",
    level: Severity::Error,
    allowable: false,
    summary: "a month or year where a fixed length is needed",
    explanation: "Months and years have no fixed length, so a promise of `1mo` would be kept in March \
        and broken in February. They are accepted for retention, where they count 30 and 365 \
        days and nothing hangs on a day. Elsewhere write days or hours.",
    bad: notes!(
        "\
objectives of notes {
  rpo 1mo for loss of disk
}
backup nightly of service notes {
  physical full every day at 04:30
  store on near
  retain daily 7
}
"
    ),
    good: notes!(
        "\
objectives of notes {
  rpo 30d for loss of disk
}
backup nightly of service notes {
  physical full every day at 04:30
  store on near
  retain daily 7
}
"
    ),
};
