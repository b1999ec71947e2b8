//! P1103: a number or yes/no where text is meant. Found by `facts::inventory`.

use crate::check::rule::Rule;
use crate::diagnostic::{Code, Severity};

pub(super) static RULE: Rule = Rule {
    code: Code(1103),
    name: "number-where-text-is-meant",
    level: Severity::Error,
    allowable: false,
    summary: "a number or yes/no where text is meant",
    explanation: "YAML decides by spelling what a value is: `17.10` is the number 17.1, `0o17` is 15 and \
        `true` is no word. For versions, names and labels the text is meant, and it is lost \
        before any program sees it. Put such values in quotes.",
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
  notes: {engine: sqlite, host: here, path: notes.db, version: 3.50}
devices:
  disk: {host: nas, path: copies}
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
  notes: {engine: sqlite, host: here, path: notes.db, version: \"3.50\"}
devices:
  disk: {host: nas, path: copies}
",
};
