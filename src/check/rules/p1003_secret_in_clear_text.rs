//! P1003: a secret written out in the inventory. Found by `facts::inventory`.

use crate::check::rule::Rule;
use crate::diagnostic::{Code, Severity};

pub(super) static RULE: Rule = Rule {
    code: Code(1003),
    name: "secret-in-clear-text",
    level: Severity::Error,
    allowable: false,
    summary: "a secret written out in the inventory",
    explanation: "The inventory is committed, reviewed, copied to build machines and printed in logs. A \
        password in it is known to all who can read any of those, and it stays in the history \
        after it is removed: change it as well. Name the source of a secret instead: `{env: \
        …}`, `{file: …}`, `{vault: …}` or `{command: …}`.",
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
  notes: {engine: sqlite, host: here, path: notes.db, connect: {password: hunter2}}
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
  notes: {engine: sqlite, host: here, path: notes.db, connect: {password: {env: NOTES_PW}}}
devices:
  disk: {host: nas, path: copies}
",
};
