//! P0309: a time zone that does not exist. Found by `resolve`.

use crate::check::rule::Rule;
use crate::diagnostic::{Code, Severity};

pub(super) static RULE: Rule = Rule {
    code: Code(309),
    name: "unknown-time-zone",
    level: Severity::Error,
    allowable: false,
    summary: "a time zone that does not exist",
    explanation: "Every clock time in a plan is in the plan's zone, so a wrong zone moves every job and \
        every window. Zones are names of the IANA database, such as `Europe/Berlin` or `UTC`; \
        abbreviations such as `CEST` stand for one half of the year only and are refused.",
    bad: "\
planc 1
plan notes
timezone Europe/Berln
environment prod inventory \"inventory.yaml\"
objectives of notes {
  rpo 1d for loss of disk
}
backup nightly of service notes {
  physical full every day at 04:30
  store on near
  retain daily 7
}
--- inventory.yaml
inventory: 1
sites: {here: {}, there: {}}
hosts:
  desk: {site: here, disks: {d1: {}}}
  vault: {site: here}
  cellar: {site: here}
  depot: {site: there}
services:
  notes: {engine: sqlite, host: desk, path: /srv/notes.db}
devices:
  near: {host: vault, path: /srv/copies, write: 200 MiB/s}
  twin: {host: vault, path: /mnt/copies}
  spare: {host: cellar, path: /srv/copies}
  far: {host: depot, path: /srv/copies}
contacts: {owner: {mail: owner@example.org}}
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
  store on near
  retain daily 7
}
--- inventory.yaml
inventory: 1
sites: {here: {}, there: {}}
hosts:
  desk: {site: here, disks: {d1: {}}}
  vault: {site: here}
  cellar: {site: here}
  depot: {site: there}
services:
  notes: {engine: sqlite, host: desk, path: /srv/notes.db}
devices:
  near: {host: vault, path: /srv/copies, write: 200 MiB/s}
  twin: {host: vault, path: /mnt/copies}
  spare: {host: cellar, path: /srv/copies}
  far: {host: depot, path: /srv/copies}
contacts: {owner: {mail: owner@example.org}}
",
};
