//! P0204: two declarations of one name. Found by `resolve`.

use crate::check::rule::Rule;
use crate::check::rules::example::notes;
use crate::diagnostic::{Code, Severity};

pub(super) static RULE: Rule = Rule {
    code: Code(204),
    name: "declared-twice",
    level: Severity::Error,
    allowable: false,
    summary: "two declarations of one name",
    explanation: "Two windows, devices, policies or jobs with one name leave open which of them other \
        lines mean, and which of the two a reviewer looked at. planc never lets the later one \
        win in silence. Rename one, or remove it.",
    bad: notes!(
        "\
window night every day 04:00..06:00
window night every day 05:00..06:00
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
