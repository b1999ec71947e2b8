//! P0207: an import or inventory that is missing, circular, or holds jobs. Found by `resolve`.

use crate::check::rule::Rule;
use crate::diagnostic::{Code, Severity};

pub(super) static RULE: Rule = Rule {
    code: Code(207),
    name: "import-unusable",
    level: Severity::Error,
    allowable: false,
    summary: "an import or inventory that is missing, circular, or holds jobs",
    explanation: "An import brings declarations: devices, windows, keys, policies. It may not hold jobs, \
        so that importing never starts anything, and files may not import each other in a \
        circle. The same code reports an import or an inventory that cannot be read, with the \
        cause; names that would come from it then raise nothing more.",
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
  physical full every day during rules.night
  store on near
  retain daily 7
}
--- rules.plan
planc 1
window night every day 04:00..06:00
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
import \"rules.plan\" as rules
objectives of notes {
  rpo 2d for loss of disk
}
backup nightly of service notes {
  physical full every day during rules.night
  store on near
  retain daily 7
}
--- rules.plan
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
