//! P0105: a string is never closed. The finding is made in `syntax`; this is its page.

use crate::check::rule::Rule;
use crate::check::rules::example::notes;
use crate::diagnostic::{Code, Severity};

pub(super) static RULE: Rule = Rule {
    code: Code(105),
    name: "unclosed-string",
    level: Severity::Error,
    allowable: false,
    summary: "a string is never closed",
    explanation: "A string in `\"` ends on its line; a text of several lines stands between two \
        `\"\"\"`. A quote inside a string is written `\\\"`.",
    bad: notes!(
        "\
environment staging inventory \"inventory.yaml
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
    good: notes!(
        "\
environment staging inventory \"inventory.yaml\"
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
