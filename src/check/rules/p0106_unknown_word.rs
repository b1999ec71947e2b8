//! P0106: a line begins with a word that planc does not know. The finding is made in `syntax`; this
//! is its page.

use crate::check::rule::Rule;
use crate::check::rules::example::notes;
use crate::diagnostic::{Code, Severity};

pub(super) static RULE: Rule = Rule {
    code: Code(106),
    name: "unknown-word",
    level: Severity::Error,
    allowable: false,
    summary: "a line begins with a word that planc does not know",
    explanation: "The words of the language are few and each has one spelling, in lower case. A word \
        that is unknown is never skipped: a clause that silently does nothing would be a \
        promise nobody keeps. Words of other tools are answered with planc's word.",
    bad: notes!(
        "\
objectives of notes {
  rpo 1d for loss of disk
}
backup nightly of service notes {
  physical full every day at 03:30
  stroe on near
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
  physical full every day at 03:30
  store on near
  retain daily 7
}
"
    ),
};
