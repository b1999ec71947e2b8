//! Owns what the inventory gives: each of its values, with its line. The file is read once more
//! as YAML, because only there every single field has a place.

use std::collections::BTreeMap;

use super::{Block, From, Origin, Sources, Value, clause};
use crate::diagnostic::Diagnostics;
use crate::source::FileId;
use crate::yaml::{self, Node};

/// The inventory's tree.
pub(super) struct Stock {
    root: Option<Node>,
}

impl Stock {
    pub(super) fn of(sources: &Sources<'_>) -> Self {
        let root = file(sources).and_then(|file| {
            let text = sources.texts.file(file).text();
            // what is wrong with it was found when the plan was compiled
            yaml::parse(file, text, &mut Diagnostics::new())
        });
        Self { root }
    }

    /// Sites, hosts and contacts, and what stands at the top of the file.
    pub(super) fn places(&self, sources: &Sources<'_>) -> Vec<Block> {
        let mut blocks = vec![self.top(sources)];
        for (section, kind) in [
            ("sites", "site"),
            ("hosts", "host"),
            ("contacts", "contact"),
        ] {
            blocks.extend(self.section(sources, section, kind));
        }
        blocks
    }

    fn top(&self, sources: &Sources<'_>) -> Block {
        let entries = self.root.iter().filter_map(Node::entries).flatten();
        let single = entries.filter(|entry| entry.value.entries().is_none());
        let mut values = Vec::new();
        for entry in single {
            flatten(sources, &entry.key, &entry.value, &mut values);
        }
        let says = |key: &str| values.iter().any(|value| value.key == key);
        if !says("state") {
            values.push(super::defaults::state(&sources.plan.state_dir));
        }
        block("inventory", "", values)
    }

    /// The entries of a section, a block each.
    fn section(&self, sources: &Sources<'_>, section: &str, kind: &str) -> Vec<Block> {
        let section = self.root.as_ref().and_then(|root| root.get(section));
        let entries = section.and_then(Node::entries).unwrap_or_default();
        let blocks = entries.iter().map(|entry| {
            let mut values = Vec::new();
            flatten(sources, "", &entry.value, &mut values);
            if values.is_empty() {
                values.push(value(sources, "declared", "", &entry.value));
            }
            block(kind, &entry.key, values)
        });
        blocks.collect()
    }

    /// The fields of all entries of a section, by name.
    pub(super) fn fields(
        &self,
        sources: &Sources<'_>,
        section: &str,
    ) -> BTreeMap<String, Vec<Value>> {
        let blocks = self.section(sources, section, section);
        blocks
            .into_iter()
            .map(|block| (block.name, block.values))
            .collect()
    }
}

/// The inventory's file: that of the environment's statement.
fn file(sources: &Sources<'_>) -> Option<FileId> {
    let main = sources.asts.first()?;
    let from = sources.texts.file(main.file).path();
    let all = crate::resolve::inventories_of(main).into_iter();
    let mut own = all.filter(|(name, ..)| *name == sources.plan.environment);
    let (_, written, _) = own.next()?;
    sources
        .texts
        .find(&crate::resolve::relative(from, &written))
}

pub(super) fn block(kind: &str, name: &str, values: Vec<Value>) -> Block {
    Block {
        kind: kind.to_owned(),
        name: name.to_owned(),
        policy: None,
        instance: None,
        values,
    }
}

/// The scalars below a node, with dotted keys.
fn flatten(sources: &Sources<'_>, key: &str, node: &Node, out: &mut Vec<Value>) {
    match (&node.value, node.entries()) {
        (yaml::Value::Null, _) => {}
        (_, Some(entries)) => {
            for entry in entries {
                let key = match key {
                    "" => entry.key.clone(),
                    above => format!("{above}.{}", entry.key),
                };
                if entry.value.entries().is_some_and(<[_]>::is_empty) {
                    out.push(value(sources, &key, "", &entry.value));
                }
                flatten(sources, &key, &entry.value, out);
            }
        }
        _ => out.push(value(sources, key, &words(node), node)),
    }
}

fn value(sources: &Sources<'_>, key: &str, value: &str, node: &Node) -> Value {
    Value {
        key: key.to_owned(),
        value: value.to_owned(),
        origin: Origin {
            from: From::Inventory,
            place: Some(clause::place(sources, node.span)),
            params: Vec::new(),
        },
    }
}

fn words(node: &Node) -> String {
    match &node.value {
        yaml::Value::Bool(yes) => yes.to_string(),
        yaml::Value::Number(text) | yaml::Value::Text(text) => text.clone(),
        yaml::Value::List(nodes) => nodes.iter().map(words).collect::<Vec<_>>().join(", "),
        yaml::Value::Null | yaml::Value::Map(_) => String::new(),
    }
}
