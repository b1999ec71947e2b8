//! P0303: a unit that means different things to different people. Found by `resolve`.

use crate::check::rule::Rule;
use crate::check::rules::example::notes;
use crate::diagnostic::{Code, Severity};

pub(super) static RULE: Rule = Rule {
    code: Code(303),
    name: "ambiguous-unit",
    level: Severity::Error,
    allowable: false,
    summary: "a unit that means different things to different people",
    explanation: "`MB` is 1000² bytes to makers of disks and 1024² to PostgreSQL; `m` is minutes here \
        and months there. At a terabyte the two readings are a tenth apart, enough for a \
        device to fill up. Write `MiB` or `GiB`, and `min` or `mo`.",
    bad: notes!(
        "\
objectives of notes {
  rpo 1d for loss of disk
}
backup nightly of service notes {
  physical full every day at 04:30
  store on near
  retain daily 7
  throttle 100 MB/s
}
"
    ),
    good: notes!(
        "\
objectives of notes {
  rpo 1d for loss of disk
}
backup nightly of service notes {
  physical full every day at 04:30
  store on near
  retain daily 7
  throttle 100 MiB/s
}
"
    ),
};
