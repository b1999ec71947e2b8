//! P0201: a name that nothing declares. Found by `resolve`.

use crate::check::rule::Rule;
use crate::check::rules::example::notes;
use crate::diagnostic::{Code, Severity};

pub(super) static RULE: Rule = Rule {
    code: Code(201),
    name: "unknown-name",
    level: Severity::Error,
    allowable: false,
    summary: "a name that nothing declares",
    explanation: "Bare words are names that planc resolves: devices, windows, keys, services and their \
        components, sites, hosts, contacts. One that nothing declares is almost always a slip, \
        and a backup that goes to a device nobody meant, or nowhere, is found when it is \
        needed. The finding lists what there is. Foreign names that planc should not resolve \
        are written in quotes.",
    bad: notes!(
        "\
objectives of notes {
  rpo 1d for loss of disk
}
backup nightly of service notes {
  physical full every day at 04:30
  store on naer
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
  physical full every day at 04:30
  store on near
  retain daily 7
}
"
    ),
};
