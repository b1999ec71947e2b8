//! P1102: one key twice in a map of the inventory. Found by `facts::inventory`.

use crate::check::rule::Rule;
use crate::diagnostic::{Code, Severity};

pub(super) static RULE: Rule = Rule {
    code: Code(1102),
    name: "duplicated-key",
    level: Severity::Error,
    allowable: false,
    summary: "one key twice in a map of the inventory",
    explanation: "Readers of YAML commonly keep the last of two equal keys and say nothing. In an \
        inventory that means copies going to a device that the first entry describes and the \
        second replaces, often after a merge of two branches. planc shows both places. Remove \
        or rename one.",
    bad: "\
planc 1
plan notes
timezone Europe/Berlin
environment prod inventory \"inventory.yaml\"
objectives of notes {
  rpo 1d for loss of disk
}
backup nightly of service notes {
  physical full every day at 04:30
  store on disk
  retain daily 7
}
--- inventory.yaml
inventory: 1
hosts: {nas: {}}
services:
  notes: {engine: sqlite, host: here, path: notes.db}
devices:
  disk: {host: nas, path: copies}
  disk: {host: nas, path: other}
",
    good: "\
planc 1
plan notes
timezone Europe/Berlin
environment prod inventory \"inventory.yaml\"
objectives of notes {
  rpo 1d for loss of disk
}
backup nightly of service notes {
  physical full every day at 04:30
  store on disk
  retain daily 7
}
--- inventory.yaml
inventory: 1
hosts: {nas: {}}
services:
  notes: {engine: sqlite, host: here, path: notes.db}
devices:
  disk: {host: nas, path: copies}
",
};
