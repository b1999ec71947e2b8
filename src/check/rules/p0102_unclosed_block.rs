//! P0102: a block is never closed. The finding is made in `syntax`; this is its page.

use crate::check::rule::Rule;
use crate::check::rules::example::notes;
use crate::diagnostic::{Code, Severity};

pub(super) static RULE: Rule = Rule {
    code: Code(102),
    name: "unclosed-block",
    level: Severity::Error,
    allowable: false,
    summary: "a block is never closed",
    explanation: "A block runs from `{` to `}`. When a statement of the top level begins while a block \
        is still open, its `}` was forgotten. The rest of the file is read as if it stood \
        there, so that one brace costs one finding.",
    bad: notes!(
        "\
objectives of notes {
  rpo 1d for loss of disk
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
