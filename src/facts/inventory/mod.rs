//! Owns the inventory: where things are and how fast they are, typed, with places.
//! Must not open files, and must not know the plan; `resolve` joins the two.
//!
//! ```yaml
//! inventory: 1
//! sites:    {fra: {city: Frankfurt, link: 1 Gbit/s}}
//! hosts:    {bk1: {site: fra, address: bk1.example.org, disks: {d3: {free: 3 TiB}}}}
//! services: {notes: {engine: sqlite, host: here, path: data/notes.db, labels: {tier: gold}}}
//! devices:  {disk: {host: here, path: backup/disk, capacity: 20 TiB, write: 2 GiB/s}}
//! keys:     {shop: {file: shop.key, since: "2026-01-01", replace_after: 365d}}
//! contacts: {dba_oncall: {pager: orders-dba}}
//! facts:    prod.facts.yaml   # measured by `planc survey`
//! state:    .planc            # catalog and journals
//! ```
//!
//! Paths are relative to the inventory file. The host `here` is the machine planc runs on and
//! needs no entry. Quantities are written as in plans; secrets are named by their source.

pub(in crate::facts) mod fields;
mod keys;
mod library;
mod secret;
mod sections;
mod store;

pub use keys::InventoryKey;
pub use library::Library;
pub use store::{Provider, Setting, Store};

use indexmap::IndexMap;

use crate::diagnostic::Diagnostics;
use crate::quantity::{Bytes, BytesPerSecond, Duration};
use crate::resolve::plan::{At, DeviceKind, EngineKind, Host, Site};
use crate::source::{FileId, Span};
use crate::yaml;
use fields::Reader;

/// The inventory of one environment. Everything in it is optional: a plan may declare sites,
/// devices and services itself.
#[derive(Debug, Clone, Default)]
pub struct Inventory {
    /// The file it was read from; none for the empty inventory of a plan without environments.
    pub file: Option<FileId>,
    /// Places, by name.
    pub sites: IndexMap<String, Site>,
    /// Machines, by name.
    pub hosts: IndexMap<String, Host>,
    /// Services, by name.
    pub services: IndexMap<String, InventoryService>,
    /// Devices, by name.
    pub devices: IndexMap<String, InventoryDevice>,
    /// Keys, by name.
    pub keys: IndexMap<String, InventoryKey>,
    /// People and groups, by name.
    pub contacts: IndexMap<String, Span>,
    /// Path of the measured facts, relative to the inventory file.
    pub facts: Option<(String, Span)>,
    /// Folder of run state, relative to the inventory file.
    pub state: Option<(String, Span)>,
    /// Connection fields of the server by which several hosts share their catalog; of a secret only
    /// its source.
    pub catalog: Option<IndexMap<String, String>>,
    /// True when a part could not be read: then nothing may be concluded from an absence.
    pub incomplete: bool,
}

/// A service of the inventory.
#[derive(Debug, Clone)]
pub struct InventoryService {
    /// Its engine, when stated and known.
    pub engine: Option<At<EngineKind>>,
    /// Version as text.
    pub version: Option<String>,
    /// Its host, with the place that says it.
    pub host: Option<(String, Span)>,
    /// Path of a SQLite file, file tree or data directory.
    pub path: Option<String>,
    /// Folder with the programs of the server's version.
    pub programs: Option<String>,
    /// The disk a SQLite file or file tree lies on.
    pub disk: Option<String>,
    /// Connection fields; of a secret only its source, as `env:NAME`.
    pub connect: IndexMap<String, String>,
    /// Tablespaces with the disks they lie on.
    pub tablespaces: IndexMap<String, Placed>,
    /// Databases by name.
    pub databases: IndexMap<String, Span>,
    /// Labels for `where`.
    pub labels: IndexMap<String, String>,
    /// Its name in the file.
    pub span: Span,
}

/// A tablespace on its disks.
#[derive(Debug, Clone)]
pub struct Placed {
    /// Disks by name.
    pub disks: Vec<String>,
    /// Its name in the file.
    pub span: Span,
}

/// A device of the inventory.
#[derive(Debug, Clone)]
pub struct InventoryDevice {
    /// Told from its fields: `path`, `s3` or `volumes`.
    pub kind: Option<DeviceKind>,
    /// Its site, with the place that says it.
    pub site: Option<(String, Span)>,
    /// Its host, with the place that says it.
    pub host: Option<(String, Span)>,
    /// The disk of its host.
    pub disk: Option<String>,
    /// Folder of a directory device.
    pub path: Option<String>,
    /// What is known of an object store.
    pub store: Option<Store>,
    /// Total space.
    pub capacity: Option<Bytes>,
    /// Write rate.
    pub write: Option<BytesPerSecond>,
    /// Read rate.
    pub read: Option<BytesPerSecond>,
    /// Concurrent writers.
    pub drives: u32,
    /// Number and size of volumes.
    pub volumes: Option<(u32, Option<Bytes>)>,
    /// What keeps its volumes.
    pub library: Option<Library>,
    /// How long it takes at most to bring its volumes back from where they are rotated to.
    pub fetch: Option<Duration>,
    /// True when it can append to an object.
    pub append: bool,
    /// True when it forbids deletion.
    pub immutable: bool,
    /// True when it compresses or deduplicates by itself.
    pub reduces: bool,
    /// Its name in the file.
    pub span: Span,
}

/// The names of all fields, by what has them: `host`, `device` …, for schemas and editors.
#[must_use]
pub fn field_tables() -> &'static [(&'static str, &'static [&'static str])] {
    sections::TABLES
}

/// Reads an inventory; what cannot be understood becomes a finding and is left out.
#[must_use]
pub fn read(file: FileId, text: &str, out: &mut Diagnostics) -> Inventory {
    let Some(root) = yaml::parse(file, text, out) else {
        return Inventory {
            file: Some(file),
            incomplete: true,
            ..Inventory::default()
        };
    };
    let mut reader = Reader::new(out);
    let inventory = sections::root(&root, &mut reader);
    let incomplete = reader.missed();
    Inventory {
        file: Some(file),
        incomplete,
        ..inventory
    }
}

#[cfg(test)]
mod tests;
