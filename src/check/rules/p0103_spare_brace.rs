//! P0103: a `}` closes nothing. The finding is made in `syntax`; this is its page.

use crate::check::rule::Rule;
use crate::check::rules::example::notes;
use crate::diagnostic::{Code, Severity};

pub(super) static RULE: Rule = Rule {
    code: Code(103),
    name: "spare-brace",
    level: Severity::Error,
    allowable: false,
    summary: "a `}` closes nothing",
    explanation: "There are more `}` than `{`. Either the line is left over from a block that was \
        removed, or the `{` of a block is gone, so that its clauses stand outside of it.",
    bad: notes!(
        "\
objectives of notes {
  rpo 1d for loss of disk
}
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
