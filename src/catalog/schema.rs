//! Owns the tables of the catalog and their version.

/// Version of the tables, kept in `user_version`.
pub(super) const VERSION: i64 = 2;

/// Makes the tables of an empty file.
pub(super) const CREATE: &str = "
CREATE TABLE device (
    name     TEXT PRIMARY KEY,
    identity TEXT NOT NULL
) STRICT;

CREATE TABLE part (
    part              TEXT PRIMARY KEY,
    component         TEXT NOT NULL,
    service           TEXT NOT NULL,
    engine            TEXT NOT NULL,
    job               TEXT NOT NULL,
    run               TEXT NOT NULL,
    method            TEXT NOT NULL,
    identity          TEXT NOT NULL,
    taken_at          TEXT NOT NULL,
    from_incarnation  TEXT,
    from_value        INTEGER,
    until_incarnation TEXT,
    until_value       INTEGER,
    base              TEXT,
    bytes             INTEGER NOT NULL,
    stored_bytes      INTEGER NOT NULL,
    content           TEXT NOT NULL
) STRICT;

CREATE TABLE log (
    log          TEXT PRIMARY KEY,
    service      TEXT NOT NULL,
    engine       TEXT NOT NULL,
    job          TEXT NOT NULL,
    identity     TEXT NOT NULL,
    incarnation  TEXT NOT NULL,
    from_value   INTEGER NOT NULL,
    until_incarnation TEXT NOT NULL,
    until_value  INTEGER NOT NULL,
    first_at     TEXT NOT NULL,
    last_at      TEXT NOT NULL,
    bytes        INTEGER NOT NULL,
    stored_bytes INTEGER NOT NULL
) STRICT;

CREATE INDEX log_order ON log (service, identity, incarnation, from_value);

CREATE TABLE held (
    object TEXT NOT NULL,
    device TEXT NOT NULL,
    PRIMARY KEY (object, device)
) STRICT, WITHOUT ROWID;

CREATE TABLE verified (
    object TEXT NOT NULL,
    device TEXT NOT NULL,
    at     TEXT NOT NULL,
    intact INTEGER NOT NULL,
    PRIMARY KEY (object, device)
) STRICT, WITHOUT ROWID;

CREATE TABLE job (
    job     TEXT NOT NULL,
    method  TEXT NOT NULL,
    began   TEXT NOT NULL,
    seconds REAL NOT NULL,
    bytes   INTEGER NOT NULL,
    PRIMARY KEY (job, method)
) STRICT, WITHOUT ROWID;

CREATE TABLE condemned (
    object TEXT NOT NULL,
    device TEXT NOT NULL,
    at     TEXT NOT NULL,
    PRIMARY KEY (object, device)
) STRICT, WITHOUT ROWID;

CREATE TABLE tried (
    object TEXT NOT NULL,
    device TEXT NOT NULL,
    tries  INTEGER NOT NULL,
    PRIMARY KEY (object, device)
) STRICT, WITHOUT ROWID;

CREATE TABLE run_log (
    only   INTEGER PRIMARY KEY CHECK (only = 1),
    number INTEGER NOT NULL,
    hash   TEXT NOT NULL
) STRICT;
";

/// Makes what was added since, which a reader of the same version need not know.
pub(super) const ADDED: &str = "
CREATE TABLE IF NOT EXISTS spoilt (
    part   TEXT NOT NULL,
    file   TEXT NOT NULL,
    blocks TEXT NOT NULL,
    PRIMARY KEY (part, file)
) STRICT, WITHOUT ROWID;
";

/// Finds parts by component and by service.
pub(super) const INDEX: &str = "
CREATE INDEX IF NOT EXISTS part_component ON part (component);
CREATE INDEX IF NOT EXISTS part_service ON part (service);
CREATE INDEX IF NOT EXISTS held_device ON held (device, object);
";

/// Takes the ways to find parts away while very many are added.
pub(super) const NO_INDEX: &str = "
DROP INDEX IF EXISTS part_component;
DROP INDEX IF EXISTS part_service;
DROP INDEX IF EXISTS held_device;
";

/// Brings the tables of version 1 to version 2.
pub(super) const FROM_1: &str = "
CREATE TABLE condemned (
    object TEXT NOT NULL,
    device TEXT NOT NULL,
    at     TEXT NOT NULL,
    PRIMARY KEY (object, device)
) STRICT, WITHOUT ROWID;

CREATE TABLE tried (
    object TEXT NOT NULL,
    device TEXT NOT NULL,
    tries  INTEGER NOT NULL,
    PRIMARY KEY (object, device)
) STRICT, WITHOUT ROWID;

CREATE TABLE run_log (
    only   INTEGER PRIMARY KEY CHECK (only = 1),
    number INTEGER NOT NULL,
    hash   TEXT NOT NULL
) STRICT;
PRAGMA user_version = 2;
";
