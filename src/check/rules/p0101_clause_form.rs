//! P0101: a clause does not have its form. The finding is made in `syntax`; this is its page.

use crate::check::rule::Rule;
use crate::check::rules::example::notes;
use crate::diagnostic::{Code, Severity};

pub(super) static RULE: Rule = Rule {
    code: Code(101),
    name: "clause-form",
    level: Severity::Error,
    allowable: false,
    summary: "a clause does not have its form",
    explanation: "Every clause is one line that begins with its word and has a fixed form. The finding \
        says how far the line could be read, what may follow there, and shows the whole \
        form. `planc explain` with the first word of the clause prints its page.",
    bad: notes!(
        "\
objectives of notes {
  rpo 1d for loss of disk
}
backup nightly of service notes {
  physical full every day 03:30
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
