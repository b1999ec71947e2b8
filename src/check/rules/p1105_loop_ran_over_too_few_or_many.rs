//! P1105: `for each` matched an unexpected number of things. Found by `resolve`.

use crate::check::rule::Rule;
use crate::check::rules::example::notes;
use crate::diagnostic::{Code, Severity};

pub(super) static RULE: Rule = Rule {
    code: Code(1105),
    name: "loop-ran-over-too-few-or-many",
    level: Severity::Error,
    allowable: true,
    summary: "`for each` matched an unexpected number of things",
    explanation: "A loop over the inventory follows the inventory: one changed label there, and a \
        thousand services are no longer backed up, without a line of the plan having changed. \
        `expect` states how many there should be. When a label's value is written slightly \
        differently from the one asked for, the finding names it.",
    bad: notes!(
        "\
objectives of notes {
  rpo 1d for loss of disk
}
for each service $s where engine is sqlite {
  expect 2..4
  backup nightly of $s {
    physical full every day at 04:30
    store on near
    retain daily 7
  }
}
"
    ),
    good: notes!(
        "\
objectives of notes {
  rpo 1d for loss of disk
}
for each service $s where engine is sqlite {
  expect 1..4
  backup nightly of $s {
    physical full every day at 04:30
    store on near
    retain daily 7
  }
}
"
    ),
};
