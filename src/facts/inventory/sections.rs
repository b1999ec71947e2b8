//! Owns the fields of each section of the inventory. Must not follow names from one section to
//! another; `resolve` does that when it joins inventory and plan.

use indexmap::IndexMap;

use super::fields::{Fields, Reader};
use super::{Inventory, InventoryDevice, InventoryService, Placed};
use super::{library, secret, store};
use crate::diagnostic::{Code, Diagnostic};
use crate::resolve::plan::{At, DeviceKind, Disk, EngineKind, Host, Site};
use crate::similar;
use crate::source::Span;
use crate::yaml::{Entry, Node, Value};

const ROOT: &[&str] = &[
    "inventory",
    "sites",
    "hosts",
    "services",
    "devices",
    "keys",
    "contacts",
    "facts",
    "state",
    "catalog",
];
const CATALOG: &[&str] = &["postgres"];
const SITE: &[&str] = &["city", "link", "note"];
const HOST: &[&str] = &[
    "site", "address", "disks", "replay", "import", "free", "write", "read", "note",
];
const DISK: &[&str] = &["path", "free", "write", "read", "note"];
const SERVICE: &[&str] = &[
    "engine",
    "version",
    "host",
    "path",
    "programs",
    "disk",
    "connect",
    "tablespaces",
    "databases",
    "labels",
    "note",
];
const CONNECT: &[&str] = &[
    "host",
    "port",
    "socket",
    "user",
    "database",
    "password",
    "sslmode",
    "sslrootcert",
    "sslcert",
    "sslkey",
    "options",
];
const DEVICE: &[&str] = &[
    "host",
    "site",
    "disk",
    "path",
    "s3",
    "azure",
    "gcs",
    "volumes",
    "volume_size",
    "library",
    "capacity",
    "write",
    "read",
    "drives",
    "fetch",
    "append",
    "immutable",
    "reduces",
    "note",
];
const CONTACT: &[&str] = &["pager", "group", "mail", "phone", "chat", "url", "note"];

/// Every table of fields, by what has them.
pub(super) const TABLES: &[(&str, &[&str])] = &[
    ("inventory", ROOT),
    ("catalog", CATALOG),
    ("site", SITE),
    ("host", HOST),
    ("disk", DISK),
    ("service", SERVICE),
    ("connect", CONNECT),
    ("device", DEVICE),
    ("s3", store::S3),
    ("azure", store::AZURE),
    ("gcs", store::GCS),
    ("library", library::LIBRARY),
    ("key", super::keys::KEY),
    ("contact", CONTACT),
];

/// The whole file.
pub(super) fn root(node: &Node, reader: &mut Reader<'_>) -> Inventory {
    let fields = reader.fields(node, "an inventory", ROOT);
    version(fields, reader);
    Inventory {
        file: None,
        sites: named(fields, "sites", reader, |entry, reader| {
            let fields = reader.fields(&entry.value, "a site", SITE);
            Site {
                link: fields.rate("link", reader),
                span: entry.key_span,
            }
        }),
        hosts: named(fields, "hosts", reader, host),
        services: named(fields, "services", reader, service),
        devices: named(fields, "devices", reader, device),
        keys: named(fields, "keys", reader, super::keys::key),
        contacts: named(fields, "contacts", reader, |entry, reader| {
            reader.fields(&entry.value, "a contact", CONTACT);
            entry.key_span
        }),
        facts: fields.name("facts", reader),
        state: fields.name("state", reader),
        catalog: catalog(fields, reader),
        incomplete: false,
    }
}

fn version(fields: Fields<'_>, reader: &mut Reader<'_>) {
    let Some(entry) = fields.find("inventory") else {
        return;
    };
    if entry.value.value != Value::Number("1".into()) {
        let message = "this planc reads inventories of version 1";
        let finding = Diagnostic::new(Code(1101), message, entry.value.span, "");
        reader.refuse(finding.help("write `inventory: 1`"));
    }
}

/// A section that is a map of names.
fn named<T>(
    fields: Fields<'_>,
    section: &'static str,
    reader: &mut Reader<'_>,
    read: impl Fn(&Entry, &mut Reader<'_>) -> T,
) -> IndexMap<String, T> {
    let Some(entry) = fields.find(section) else {
        return IndexMap::new();
    };
    let entries = reader.entries(&entry.value, section);
    let mut found = IndexMap::with_capacity(entries.len());
    for entry in entries {
        found.insert(entry.key.clone(), read(entry, reader));
    }
    found
}

fn host(entry: &Entry, reader: &mut Reader<'_>) -> Host {
    let fields = reader.fields(&entry.value, "a host", HOST);
    fields.text("address", reader);
    Host {
        site: fields.text("site", reader),
        disks: named(fields, "disks", reader, disk),
        replay: fields.rate("replay", reader),
        import: fields.rate("import", reader),
        free: fields.size("free", reader),
        write: fields.rate("write", reader),
        span: entry.key_span,
    }
}

fn disk(entry: &Entry, reader: &mut Reader<'_>) -> Disk {
    let fields = reader.fields(&entry.value, "a disk", DISK);
    Disk {
        path: fields.text("path", reader),
        free: fields.size("free", reader),
        write: fields.rate("write", reader),
        read: fields.rate("read", reader),
    }
}

fn service(entry: &Entry, reader: &mut Reader<'_>) -> InventoryService {
    let fields = reader.fields(&entry.value, "a service", SERVICE);
    InventoryService {
        engine: engine(fields, reader),
        version: fields.text("version", reader),
        host: fields.name("host", reader),
        path: fields.text("path", reader),
        programs: fields.text("programs", reader),
        disk: fields.text("disk", reader),
        connect: connect(fields, reader),
        tablespaces: named(fields, "tablespaces", reader, placed),
        databases: databases(fields, reader),
        labels: fields.texts("labels", reader),
        span: entry.key_span,
    }
}

fn engine(fields: Fields<'_>, reader: &mut Reader<'_>) -> Option<At<EngineKind>> {
    let (word, span) = fields.name("engine", reader)?;
    if let Some(value) = EngineKind::from_word(&word) {
        return Some(At { value, span });
    }
    let known = EngineKind::ALL.map(EngineKind::word);
    let finding = Diagnostic::new(Code(1101), format!("`{word}` is not an engine"), span, "");
    reader.refuse(match similar::nearest(&word, known) {
        Some(near) => finding.help(format!("did you mean `{near}`?")),
        None => finding.help(format!("engines are {}", similar::list(known, known.len()))),
    });
    None
}

fn placed(entry: &Entry, reader: &mut Reader<'_>) -> Placed {
    let disks = match &entry.value.value {
        Value::List(items) => items
            .iter()
            .filter_map(|item| reader.text_of(&entry.key, item))
            .collect(),
        Value::Null => Vec::new(),
        _ => reader
            .text_of(&entry.key, &entry.value)
            .into_iter()
            .collect(),
    };
    Placed {
        disks,
        span: entry.key_span,
    }
}

/// A list of names, or a map whose keys are the names.
fn databases(fields: Fields<'_>, reader: &mut Reader<'_>) -> IndexMap<String, Span> {
    let Some(entry) = fields.find("databases") else {
        return IndexMap::new();
    };
    let Value::List(items) = &entry.value.value else {
        return named(fields, "databases", reader, |entry, reader| {
            reader.fields(&entry.value, "a database", &["note"]);
            entry.key_span
        });
    };
    items
        .iter()
        .filter_map(|item| Some((reader.text_of("databases", item)?, item.span)))
        .collect()
}

/// The server that several hosts share their catalog by.
fn catalog(fields: Fields<'_>, reader: &mut Reader<'_>) -> Option<IndexMap<String, String>> {
    let entry = fields.find("catalog")?;
    let own = reader.fields(&entry.value, "`catalog`", CATALOG);
    if own.find("postgres").is_none() {
        let message = "`catalog` names no server";
        let help = "write `catalog: {postgres: {host: …, database: …}}`, or leave it out";
        let finding = Diagnostic::new(Code(1101), message, entry.key_span, "");
        reader.refuse(finding.help(help));
        return None;
    }
    Some(connection_of(own, "postgres", reader))
}

fn connect(fields: Fields<'_>, reader: &mut Reader<'_>) -> IndexMap<String, String> {
    connection_of(fields, "connect", reader)
}

/// The fields by which a server is reached.
fn connection_of(
    fields: Fields<'_>,
    key: &str,
    reader: &mut Reader<'_>,
) -> IndexMap<String, String> {
    let Some(entry) = fields.find(key) else {
        return IndexMap::new();
    };
    let connect = reader.fields(&entry.value, "`connect`", CONNECT);
    let known = CONNECT.iter().filter_map(|key| connect.find(key));
    known
        .filter_map(|entry| Some((entry.key.clone(), connection(connect, entry, reader)?)))
        .collect()
}

fn connection(fields: Fields<'_>, entry: &Entry, reader: &mut Reader<'_>) -> Option<String> {
    match &entry.value.value {
        Value::Map(_) => source(entry, reader),
        Value::Text(_) | Value::Number(_) if secret::is_secret(&entry.key) => {
            reader.refuse(secret::in_clear_text(entry));
            None
        }
        Value::Number(number) if entry.key == "port" => Some(number.clone()),
        _ => fields.text(&entry.key, reader),
    }
}

/// `{env: NAME}` as `env:NAME`.
pub(super) fn source(entry: &Entry, reader: &mut Reader<'_>) -> Option<String> {
    let fields = reader.fields(&entry.value, "the source of a secret", &secret::SOURCES);
    let source = secret::SOURCES
        .into_iter()
        .find(|source| fields.find(source).is_some())?;
    let locator = fields.text(source, reader)?;
    Some(format!("{source}:{locator}"))
}

fn device(entry: &Entry, reader: &mut Reader<'_>) -> InventoryDevice {
    let fields = reader.fields(&entry.value, "a device", DEVICE);
    let path = fields.text("path", reader);
    let store = store::read(fields, reader);
    let volumes = fields.count("volumes", reader);
    let volume_size = fields.size("volume_size", reader);
    let kinds = [
        ("path", DeviceKind::Directory),
        ("s3", DeviceKind::S3),
        ("azure", DeviceKind::S3),
        ("gcs", DeviceKind::S3),
        ("volumes", DeviceKind::Volumes),
    ];
    let stated: Vec<_> = kinds
        .iter()
        .filter(|(key, _)| fields.find(key).is_some())
        .collect();
    if let [(first, _), (second, _), ..] = stated.as_slice() {
        two_kinds(entry, first, second, reader);
    }
    InventoryDevice {
        kind: stated.first().map(|(_, kind)| *kind),
        site: fields.name("site", reader),
        host: fields.name("host", reader),
        disk: fields.text("disk", reader),
        path,
        store,
        capacity: fields.size("capacity", reader),
        write: fields.rate("write", reader),
        read: fields.rate("read", reader),
        drives: fields.count("drives", reader).unwrap_or(1),
        volumes: volumes.map(|count| (count, volume_size)),
        library: library::read(fields, reader),
        fetch: fields.time("fetch", reader),
        append: fields.flag("append", reader),
        immutable: fields.flag("immutable", reader),
        reduces: fields.flag("reduces", reader),
        span: entry.key_span,
    }
}

fn two_kinds(entry: &Entry, first: &str, second: &str, reader: &mut Reader<'_>) {
    let name = &entry.key;
    let message = format!("device `{name}` has `{first}` and `{second}`, which no device has both");
    reader.refuse(
        Diagnostic::new(Code(1101), message, entry.key_span, "")
            .help(format!(
                "keep one of them: `{first}` makes one kind of device, `{second}` another"
            ))
            .subject(name.clone()),
    );
}
