//! P0202: a name of something else than is needed here. Found by `resolve`.

use crate::check::rule::Rule;
use crate::check::rules::example::notes;
use crate::diagnostic::{Code, Severity};

pub(super) static RULE: Rule = Rule {
    code: Code(202),
    name: "name-of-the-wrong-kind",
    level: Severity::Error,
    allowable: false,
    summary: "a name of something else than is needed here",
    explanation: "Each place takes names of one kind: `during` takes a window, `store on` a device, \
        `encrypt with` a key. The name given exists, but as something else, so the line cannot \
        mean what was intended. The finding lists the names of the kind that is needed.",
    bad: notes!(
        "\
objectives of notes {
  rpo 2d for loss of disk
}
backup nightly of service notes {
  physical full every day during near
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
