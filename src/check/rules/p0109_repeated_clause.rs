//! P0109: a clause that can hold once is given twice. The finding is made in `syntax`; this is its
//! page.

use crate::check::rule::Rule;
use crate::check::rules::example::notes;
use crate::diagnostic::{Code, Severity};

pub(super) static RULE: Rule = Rule {
    code: Code(109),
    name: "repeated-clause",
    level: Severity::Error,
    allowable: false,
    summary: "a clause that can hold once is given twice",
    explanation: "Clauses such as `store on`, `encrypt`, `throttle` or `finish` have one value in a \
        block. With two, one would win in silence. Keep the one that is meant; more devices \
        are named with `copy to`.",
    bad: notes!(
        "\
objectives of notes {
  rpo 1d for loss of disk
}
backup nightly of service notes {
  physical full every day at 03:30
  store on near
  store on spare
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
  copy to spare within 6h
  retain daily 7
}
"
    ),
};
