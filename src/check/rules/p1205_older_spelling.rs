//! P1205: a word in a spelling of earlier days. Found by `syntax`.

use crate::check::rule::Rule;
use crate::check::rules::example::notes;
use crate::diagnostic::{Code, Severity};

pub(super) static RULE: Rule = Rule {
    code: Code(1205),
    name: "older-spelling",
    level: Severity::Advice,
    allowable: true,
    summary: "a word in an older spelling; it is still read, with the same meaning",
    explanation: "A plan written for an earlier planc goes on to mean what it meant: `keep` is read \
        as `retain`. But two spellings of one thing make a reader look for a difference, and an \
        older one may be given up in a later version of the language. `planc check --fix` and \
        `planc fmt` write today's word and change nothing else.",
    bad: notes!(
        "\
objectives of notes {
  rpo 1d for loss of disk
}
backup nightly of service notes {
  physical full every day at 04:30
  store on near
  keep daily 7
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
