//! P0112: a name holds letters that look like others, or that cannot be seen. The finding is made
//! in `syntax`; this is its page.

use crate::check::rule::Rule;
use crate::check::rules::example::notes;
use crate::diagnostic::{Code, Severity};

pub(super) static RULE: Rule = Rule {
    code: Code(112),
    name: "look-alike-letters",
    level: Severity::Warning,
    allowable: true,
    summary: "a name holds letters that look like others, or that cannot be seen",
    explanation: "Letters of other alphabets can look exactly like Latin ones, and some characters \
        cannot be seen at all. Two names that look alike would be two different things. \
        planc reads the letter as what it looks like and says so; retype the word.",
    bad: notes!(
        "\
objectives of notes {
  rpo 1d for loss of disk
}
backup nightly of service notes {
  physical full every day at 03:30
  store on ne\u{430}r
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
