//! P0111: the version of the language is missing or unknown. The finding is made in `syntax`; this
//! is its page.

use crate::check::rule::Rule;
use crate::diagnostic::{Code, Severity};

pub(super) static RULE: Rule = Rule {
    code: Code(111),
    name: "language-version",
    level: Severity::Error,
    allowable: false,
    summary: "the version of the language is missing or unknown",
    explanation: "The first line says which version of the language the plan is written in. A plan \
        either means the same under another version or is refused, so that an upgrade of \
        planc never changes what is kept.",
    bad: "\
planc 3
plan notes
timezone Europe/Berlin
environment prod inventory \"inventory.yaml\"
objectives of notes {
  rpo 1d for loss of disk
}
backup nightly of service notes {
  physical full every day at 03:30
  store on near
  retain daily 7
}
--- inventory.yaml
inventory: 1
sites: {here: {}}
hosts:
  desk: {site: here, disks: {d1: {}}}
  vault: {site: here}
services:
  notes: {engine: sqlite, host: desk, path: /srv/notes.db}
devices:
  near: {host: vault, path: /srv/copies}
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
  physical full every day at 03:30
  store on near
  retain daily 7
}
--- inventory.yaml
inventory: 1
sites: {here: {}}
hosts:
  desk: {site: here, disks: {d1: {}}}
  vault: {site: here}
services:
  notes: {engine: sqlite, host: desk, path: /srv/notes.db}
devices:
  near: {host: vault, path: /srv/copies}
",
};
