//! P1101: an inventory entry that planc does not understand. Found by `facts::inventory`.

use crate::check::rule::Rule;
use crate::diagnostic::{Code, Severity};

pub(super) static RULE: Rule = Rule {
    code: Code(1101),
    name: "unreadable-inventory",
    level: Severity::Error,
    allowable: false,
    summary: "an inventory entry that planc does not understand",
    explanation: "A key that is mistyped is a fact that is missing: a device without its path, a host \
        without its site. Lenient readers drop such keys in silence, and the difference shows \
        in a recovery. planc refuses what it does not know and suggests what may be meant. The \
        same code reports text that is not YAML, and anchors, merge keys and tags, which hide \
        from a reviewer what a line means.",
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
  disk: {host: nas, path: copies, capcity: 4 TiB}
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
  disk: {host: nas, path: copies, capacity: 4 TiB}
",
};
