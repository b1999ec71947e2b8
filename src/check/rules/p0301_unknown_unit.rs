//! P0301: a unit that planc does not know. Found by `resolve`.

use crate::check::rule::Rule;
use crate::check::rules::example::notes;
use crate::diagnostic::{Code, Severity};

pub(super) static RULE: Rule = Rule {
    code: Code(301),
    name: "unknown-unit",
    level: Severity::Error,
    allowable: false,
    summary: "a unit that planc does not know",
    explanation: "Units are spelled one way only, so that two readers never see two values: `ms s min h \
        d w`, `mo y` in retention, `B KiB MiB GiB TiB PiB`, and rates such as `MiB/s`, `%/day` \
        or `Mbit/s`. The finding says which unit is most likely meant.",
    bad: notes!(
        "\
objectives of notes {
  rpo 24hours for loss of disk
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
objectives of notes {
  rpo 24h for loss of disk
}
backup nightly of service notes {
  physical full every day at 04:30
  store on near
  retain daily 7
}
"
    ),
};
