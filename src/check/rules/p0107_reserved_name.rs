//! P0107: a reserved word is used as a name. The finding is made in `syntax`; this is its page.

use crate::check::rule::Rule;
use crate::check::rules::example::notes;
use crate::diagnostic::{Code, Severity};

pub(super) static RULE: Rule = Rule {
    code: Code(107),
    name: "reserved-name",
    level: Severity::Error,
    allowable: false,
    summary: "a reserved word is used as a name",
    explanation: "Words that begin or join clauses cannot be names, because a reader could not tell \
        the two apart. Choose another name. Where the name is given by a database and cannot \
        be chosen, write it in quotes.",
    bad: notes!(
        "\
window full every day 01:00..05:00
objectives of notes {
  rpo 2d for loss of disk
}
backup nightly of service notes {
  physical full every day at 03:30
  store on near
  retain daily 7
}
"
    ),
    good: notes!(
        "\
window night every day 01:00..05:00
objectives of notes {
  rpo 2d for loss of disk
}
backup nightly of service notes {
  physical full every day during night
  store on near
  retain daily 7
}
"
    ),
};
