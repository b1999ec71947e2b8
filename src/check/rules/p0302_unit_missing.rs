//! P0302: a number without its unit. Found by `resolve`.

use crate::check::rule::Rule;
use crate::check::rules::example::notes;
use crate::diagnostic::{Code, Severity};

pub(super) static RULE: Rule = Rule {
    code: Code(302),
    name: "unit-missing",
    level: Severity::Error,
    allowable: false,
    summary: "a number without its unit",
    explanation: "A bare number means seconds to one reader and minutes to the next, and the difference \
        is a factor of sixty in what is lost. Every quantity carries its unit, in plans and in \
        the inventory. Only counts, such as `daily 7`, have none.",
    bad: notes!(
        "\
objectives of notes {
  rpo 24 for loss of disk
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
  rpo 24h for loss of disk
}
backup nightly of service notes {
  physical full every day at 04:30
  store on near
  retain daily 7
}
"
    ),
};
