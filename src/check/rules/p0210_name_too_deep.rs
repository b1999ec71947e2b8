//! P0210: a name with more than one import prefix. Found by `resolve`.

use crate::check::rule::Rule;
use crate::diagnostic::{Code, Severity};

pub(super) static RULE: Rule = Rule {
    code: Code(210),
    name: "name-too-deep",
    level: Severity::Error,
    allowable: false,
    summary: "a name with more than one import prefix",
    explanation: "A name from an import is written with that import's prefix, and one prefix only. \
        Reaching through an import into what it imports itself would tie the plan to the inner \
        order of somebody else's file. Import the file that declares the name directly.",
    bad: "\
planc 1
plan notes
timezone Europe/Berlin
environment prod inventory \"inventory.yaml\"
import \"rules.plan\" as rules
objectives of notes {
  rpo 2d for loss of disk
}
backup nightly of service notes {
  physical full every day during rules.times.night
  store on near
  retain daily 7
}
--- rules.plan
planc 1
import \"times.plan\" as times
--- times.plan
planc 1
window night every day 04:00..06:00
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
import \"times.plan\" as times
objectives of notes {
  rpo 2d for loss of disk
}
backup nightly of service notes {
  physical full every day during times.night
  store on near
  retain daily 7
}
--- times.plan
planc 1
window night every day 04:00..06:00
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
