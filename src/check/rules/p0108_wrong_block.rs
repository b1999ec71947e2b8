//! P0108: a clause stands in a block it does not belong to. The finding is made in `syntax`; this
//! is its page.

use crate::check::rule::Rule;
use crate::check::rules::example::notes;
use crate::diagnostic::{Code, Severity};

pub(super) static RULE: Rule = Rule {
    code: Code(108),
    name: "wrong-block",
    level: Severity::Error,
    allowable: false,
    summary: "a clause stands in a block it does not belong to",
    explanation: "The clause is well known, but not there: a backup does not ship log, an archive \
        takes no full copies, objectives say what is promised and not how. Move the line \
        into the block the finding names.",
    bad: notes!(
        "\
objectives of notes {
  rpo 1d for loss of disk
}
backup nightly of service notes {
  physical full every day at 03:30
  store on near
  ship every 5min to near
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
