//! P0304: a time of day that is none. Found by `resolve`.

use crate::check::rule::Rule;
use crate::check::rules::example::notes;
use crate::diagnostic::{Code, Severity};

pub(super) static RULE: Rule = Rule {
    code: Code(304),
    name: "not-a-time-of-day",
    level: Severity::Error,
    allowable: false,
    summary: "a time of day that is none",
    explanation: "Times of day are hours and minutes on the 24 h clock, from 00:00 to 23:59, in the \
        plan's time zone. Other spellings are refused because they are read differently: \
        `12am` is midnight to some and noon to others. A window that ends at midnight ends at \
        `00:00`.",
    bad: notes!(
        "\
objectives of notes {
  rpo 1d for loss of disk
}
backup nightly of service notes {
  physical full every day at 24:30
  store on near
  retain daily 7
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
"
    ),
};
