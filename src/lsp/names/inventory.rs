//! Walks the inventories of a plan: what they declare, and where one section names another's.

use super::{Found, Kinds, NameKind};
use crate::diagnostic::Diagnostics;
use crate::lsp::unit::Unit;
use crate::source::{FileId, Span};
use crate::yaml::{self, Entry, Node, Value};

/// Sections of names with what they declare.
const SECTIONS: &[(&str, NameKind)] = &[
    ("sites", NameKind::Site),
    ("hosts", NameKind::Host),
    ("services", NameKind::Service),
    ("devices", NameKind::Device),
    ("contacts", NameKind::Contact),
];

/// Fields of services, hosts and devices that name something else.
const FIELDS: &[(&str, NameKind)] = &[
    ("site", NameKind::Site),
    ("host", NameKind::Host),
    ("disk", NameKind::Disk),
];

/// Words of all inventories, each file once.
pub(super) fn all(unit: &Unit) -> Vec<Found> {
    let mut files: Vec<FileId> = Vec::new();
    for (_, path) in &unit.inventories {
        files.extend(unit.sources.find(path).filter(|file| !files.contains(file)));
    }
    let mut out = Out {
        unit,
        list: Vec::new(),
    };
    for file in files {
        let text = unit.sources.file(file).text();
        // what is wrong with it is reported where it is read
        if let Some(root) = yaml::parse(file, text, &mut Diagnostics::new()) {
            out.root(&root);
        }
    }
    out.list
}

struct Out<'u> {
    unit: &'u Unit,
    list: Vec<Found>,
}

impl Out<'_> {
    fn root(&mut self, root: &Node) {
        for (section, kind) in SECTIONS {
            let entries = root.get(section).and_then(Node::entries);
            for entry in entries.unwrap_or_default() {
                self.declare(*kind, entry);
                self.fields(entry);
            }
        }
    }

    fn fields(&mut self, owner: &Entry) {
        for field in owner.value.entries().unwrap_or_default() {
            if let Some((_, kind)) = FIELDS.iter().find(|(name, _)| *name == field.key) {
                self.texts(*kind, &field.value, false);
            }
            match field.key.as_str() {
                "disks" => self.declare_all(NameKind::Disk, &field.value),
                "databases" => self.declare_all(NameKind::Database, &field.value),
                "tablespaces" => {
                    self.declare_all(NameKind::Tablespace, &field.value);
                    for space in field.value.entries().unwrap_or_default() {
                        self.texts(NameKind::Disk, &space.value, false);
                    }
                }
                _ => {}
            }
        }
    }

    /// Keys of a map, or the entries of a list.
    fn declare_all(&mut self, kind: NameKind, node: &Node) {
        for entry in node.entries().unwrap_or_default() {
            self.declare(kind, entry);
        }
        if let Value::List(_) = node.value {
            self.texts(kind, node, true);
        }
    }

    fn declare(&mut self, kind: NameKind, entry: &Entry) {
        self.push(kind, &entry.key, entry.key_span, true);
    }

    /// One text, or each of a list.
    fn texts(&mut self, kind: NameKind, node: &Node, declares: bool) {
        match &node.value {
            Value::Text(text) => self.push(kind, text, node.span, declares),
            Value::List(items) => {
                for one in items {
                    self.texts(kind, one, declares);
                }
            }
            _ => {}
        }
    }

    fn push(&mut self, kind: NameKind, name: &str, span: Span, declares: bool) {
        // a quoted name is told apart from its quotes
        let Some(inside) = self.unit.sources.text(span).find(name) else {
            return;
        };
        let start = span.start as usize + inside;
        self.list.push(Found {
            span: Span::new(span.file, start, start + name.len()),
            name: name.to_owned(),
            kinds: Kinds::One(kind),
            home: FileId(0),
            scopes: Vec::new(),
            declares,
        });
    }
}
