//! P0208: something declared that nothing uses. Found by `resolve`.

use crate::check::rule::Rule;
use crate::check::rules::example::notes;
use crate::diagnostic::{Code, Severity};

pub(super) static RULE: Rule = Rule {
    code: Code(208),
    name: "never-used",
    level: Severity::Warning,
    allowable: true,
    summary: "something declared that nothing uses",
    explanation: "A device that no job stores on, a window that no schedule names or a key that encrypts \
        nothing usually means that a line is missing, for example the copy to the second \
        device. If it is left over, remove it: a reader of the plan believes what it declares. \
        Allow it while the line that uses it is under way.",
    bad: notes!(
        "\
window night every day 04:00..06:00
objectives of notes {
  rpo 2d for loss of disk
}
backup nightly of service notes {
  physical full every day at 04:30
  store on near
  retain daily 7
}
"
    ),
    good: notes!(
        "\
window night every day 04:00..06:00
objectives of notes {
  rpo 2d for loss of disk
}
backup nightly of service notes {
  physical full every day during night
  store on near
  retain daily 7
}
"
    ),
};
