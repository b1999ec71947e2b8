//! P0307: a value that makes the clause meaningless. Found by `resolve`.

use crate::check::rule::Rule;
use crate::check::rules::example::notes;
use crate::diagnostic::{Code, Severity};

pub(super) static RULE: Rule = Rule {
    code: Code(307),
    name: "value-out-of-range",
    level: Severity::Error,
    allowable: false,
    summary: "a value that makes the clause meaningless",
    explanation: "Zero copies, an empty retention, a 32nd day of the month, a compression level that \
        does not exist: the clause can be read, but it promises or does nothing. Silently \
        doing nothing is what a plan must never do, so the value is refused.",
    bad: notes!(
        "\
objectives of notes {
  rpo 1d for loss of disk
}
backup nightly of service notes {
  physical full every day at 04:30
  store on near
  retain daily 0
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
