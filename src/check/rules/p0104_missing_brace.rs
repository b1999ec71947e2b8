//! P0104: the `{` of a block is missing. The finding is made in `syntax`; this is its page.

use crate::check::rule::Rule;
use crate::check::rules::example::notes;
use crate::diagnostic::{Code, Severity};

pub(super) static RULE: Rule = Rule {
    code: Code(104),
    name: "missing-brace",
    level: Severity::Error,
    allowable: false,
    summary: "the `{` of a block is missing",
    explanation: "Deeper lines and a `}` follow a line that opens no block. The block is read as if it \
        had been opened. A `{` stands at the end of the line that says what the block is.",
    bad: notes!(
        "\
objectives of notes {
  rpo 1d for loss of disk
}
backup nightly of service notes
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
