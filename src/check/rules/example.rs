//! Owns the surroundings of the example plans on rule pages, so that a page shows what it is
//! about. Must not hold anything that a rule could complain of.

/// One SQLite file with a device on another host: `$body` is the plan after its first lines.
macro_rules! notes {
    ($body:literal) => {
        concat!(
            "planc 1\nplan notes\ntimezone Europe/Berlin\n",
            "environment prod inventory \"inventory.yaml\"\n",
            $body,
            "--- inventory.yaml\n",
            "inventory: 1\n",
            "sites: {here: {}, there: {}}\n",
            "hosts:\n",
            "  desk: {site: here, replay: 100 MiB/s, disks: {d1: {write: 400 MiB/s}}}\n",
            "  vault: {site: here, replay: 100 MiB/s, write: 400 MiB/s}\n",
            "  cellar: {site: here}\n",
            "  depot: {site: there}\n",
            "services:\n",
            "  notes: {engine: sqlite, host: desk, disk: d1, path: /srv/notes.db}\n",
            "devices:\n",
            "  near: {host: vault, path: /srv/copies, write: 200 MiB/s}\n",
            "  twin: {host: vault, path: /mnt/copies}\n",
            "  spare: {host: cellar, path: /srv/copies}\n",
            "  far: {host: depot, path: /srv/copies}\n",
            "keys:\n",
            "  old_key: {since: \"2020-01-01\", replace_after: 365d}\n",
            "  brief_key: {escrow_until: \"2027-06-30\"}\n",
            "  new_key: {since: \"2026-01-01\", escrow_until: \"2050-12-31\"}\n",
            "contacts: {owner: {mail: owner@example.org}}\n",
            "facts: facts.yaml\n",
            "--- facts.yaml\n",
            "services: {notes: {log_rate: 4 MiB/h, log_peak: 1 MiB/s}}\n",
            "devices:\n",
            "  near: {write: 200 MiB/s, read: 200 MiB/s}\n",
            "  twin: {write: 200 MiB/s, read: 200 MiB/s}\n",
            "  spare: {write: 200 MiB/s, read: 200 MiB/s}\n",
            "  far: {write: 50 MiB/s, read: 50 MiB/s}\n",
        )
    };
}

/// A PostgreSQL instance with one tablespace: `$body` is the plan after its first lines, `$facts`
/// what was measured beside sizes and rates.
macro_rules! orders {
    ($body:literal) => {
        orders!($body, "")
    };
    ($body:literal, $facts:literal) => {
        concat!(
            "planc 1\nplan orders\ntimezone Europe/Berlin\n",
            "environment prod inventory \"inventory.yaml\"\n",
            $body,
            "--- inventory.yaml\n",
            "inventory: 1\n",
            "sites: {fra: {}, dub: {}}\n",
            "hosts:\n",
            "  pg1: {site: fra, disks: {d3: {}, d4: {path: /mnt/d4}, d5: {path: /mnt/d5}}}\n",
            "  bk1: {site: fra}\n",
            "  bk2: {site: fra}\n",
            "  scratch: {site: fra, free: 6 TiB}\n",
            "  dub_spare: {site: dub, free: 6 TiB}\n",
            "services:\n",
            "  orders_db: {engine: postgresql, version: \"17.4\", host: pg1, path: /srv/pg17, ",
            "tablespaces: {hot: d3}}\n",
            "devices:\n",
            "  nvme: {host: bk1, path: /srv/backup, append: true}\n",
            "  local: {host: pg1, disk: d3, path: /srv/backup}\n",
            "  vault: {host: bk2, path: /srv/vault, immutable: true}\n",
            "  tapes: {host: bk2, volumes: 24, volume_size: 6 TiB}\n",
            "  bucket: {site: dub, s3: {endpoint: https://s3.example.org, bucket: orders}}\n",
            "  attic: {site: fra, s3: {endpoint: https://s3.example.org, bucket: attic}}\n",
            "contacts: {owner: {mail: owner@example.org}}\n",
            "facts: facts.yaml\n",
            "--- facts.yaml\n",
            "components:\n",
            "  orders_db/base/base: {size: 20 GiB, change: 2%/day}\n",
            "  orders_db/tablespace/hot: {size: 900 GiB, change: 6%/day}\n",
            "services: {orders_db: {log_rate: 4 GiB/h, log_peak: 30 GiB/h}}\n",
            "devices:\n",
            "  nvme: {write: 2 GiB/s, read: 3 GiB/s}\n",
            "  vault: {write: 500 MiB/s, read: 500 MiB/s}\n",
            "  tapes: {write: 300 MiB/s, read: 280 MiB/s}\n",
            "  bucket: {write: 250 MiB/s, read: 250 MiB/s}\n",
            "  attic: {write: 250 MiB/s, read: 250 MiB/s}\n",
            $facts,
        )
    };
}

pub(super) use {notes, orders};
