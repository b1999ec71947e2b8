//! P0305: a quantity of another kind than is needed. Found by `resolve`.

use crate::check::rule::Rule;
use crate::check::rules::example::notes;
use crate::diagnostic::{Code, Severity};

pub(super) static RULE: Rule = Rule {
    code: Code(305),
    name: "wrong-dimension",
    level: Severity::Error,
    allowable: false,
    summary: "a quantity of another kind than is needed",
    explanation: "A size stands where a rate is needed, or a duration where a size is. The unit decides \
        what a quantity is, and planc never converts one into the other: `throttle 400 MiB` \
        could mean per second, per run or per day. Write the unit that says it.",
    bad: notes!(
        "\
objectives of notes {
  rpo 1d for loss of disk
}
backup nightly of service notes {
  physical full every day at 04:30
  store on near
  retain daily 7
  throttle 100 MiB
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
  throttle 100 MiB/s
}
"
    ),
};
