//! Owns YAML: text to a tree of our own in which every key and value has its place, and values
//! of ours to text. The only file that knows the YAML library; opens nothing.
//!
//! The library reads; `places` then walks text and tree together and adds what the library does
//! not give: places, the spelling of numbers, duplicate keys. Anchors, aliases,
//! merge keys and tags are refused, because a reviewer of the file could not see what they do.

mod places;

use std::fmt;

use serde::de::{self, DeserializeOwned, DeserializeSeed, Deserializer, MapAccess, SeqAccess};
use serde::{Deserialize, Serialize};

use crate::diagnostic::{Code, Diagnostic, Diagnostics};
use crate::source::{FileId, Span};

/// A value with its place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Node {
    /// The value.
    pub value: Value,
    /// Where it stands; of an empty value, its key.
    pub span: Span,
}

/// What a [`Node`] holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Value {
    /// Nothing, `~` or `null`.
    Null,
    /// `true` or `false`.
    Bool(bool),
    /// A number as it is spelled, for example `17.10`.
    Number(String),
    /// Text.
    Text(String),
    /// A list.
    List(Vec<Node>),
    /// A map in the order written, without repeated keys.
    Map(Vec<Entry>),
}

/// One `key: value` of a map.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// The key as text.
    pub key: String,
    /// Where the key stands.
    pub key_span: Span,
    /// The value.
    pub value: Node,
}

impl Value {
    /// What it is, with its article, for messages.
    #[must_use]
    pub fn words(&self) -> &'static str {
        match self {
            Self::Null => "nothing",
            Self::Bool(_) => "a yes or no",
            Self::Number(_) => "a number",
            Self::Text(_) => "a text",
            Self::List(_) => "a list",
            Self::Map(_) => "a map",
        }
    }
}

impl Node {
    /// The entries of a map; empty for nothing at all, none for other values.
    #[must_use]
    pub fn entries(&self) -> Option<&[Entry]> {
        match &self.value {
            Value::Map(entries) => Some(entries),
            Value::Null => Some(&[]),
            _ => None,
        }
    }

    /// The value of a key of a map.
    #[must_use]
    pub fn get(&self, key: &str) -> Option<&Node> {
        let found = self.entries()?.iter().find(|entry| entry.key == key)?;
        Some(&found.value)
    }
}

/// Reads a YAML document. An empty one is [`Value::Null`].
///
/// A syntax error becomes one finding and no tree. Repeated keys, anchors, aliases, merge keys
/// and tags become findings; the tree then keeps the first of repeated keys.
pub fn parse(file: FileId, text: &str, out: &mut Diagnostics) -> Option<Node> {
    if text.lines().all(is_blank) {
        let span = Span::new(file, 0, 0);
        return Some(Node {
            value: Value::Null,
            span,
        });
    }
    let seed = Seed {
        span: Span::new(file, 0, text.len()),
    };
    match seed.deserialize(serde_yaml::Deserializer::from_str(text)) {
        Ok(mut node) => {
            places::locate(file, text, &mut node, out);
            Some(node)
        }
        Err(error) => {
            out.push(syntax_error(file, text, &error));
            None
        }
    }
}

fn is_blank(line: &str) -> bool {
    let line = line.trim();
    line.is_empty() || line.starts_with('#') || line == "---"
}

/// A value as YAML text.
///
/// # Errors
/// When a value cannot be written as YAML, for example a map whose keys are maps.
pub fn to_string(value: &impl Serialize) -> Result<String, YamlError> {
    serde_yaml::to_string(value).map_err(|error| YamlError(error.to_string()))
}

/// A value from YAML text written by [`to_string`].
///
/// # Errors
/// When the text is not YAML or does not have the form of the type; the message names the place.
pub fn from_str<T: DeserializeOwned>(text: &str) -> Result<T, YamlError> {
    serde_yaml::from_str(text).map_err(|error| YamlError(error.to_string()))
}

/// Why YAML could not be written or read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct YamlError(String);

fn syntax_error(file: FileId, text: &str, error: &serde_yaml::Error) -> Diagnostic {
    let place = error.location();
    let at = place.map_or(0, |place| byte_at(text, place.line(), place.column()));
    let said = error.to_string();
    // the library ends its messages with the place, which the finding shows itself
    let cause = said.split(" at line ").next().unwrap_or(&said);
    let width = text.get(at..).and_then(|rest| rest.chars().next());
    let end = at + width.filter(|c| *c != '\n').map_or(0, char::len_utf8);
    Diagnostic::new(
        Code(1101),
        format!("this is not readable YAML: {cause}"),
        Span::new(file, at, end),
        "",
    )
    .help("look at the indentation, the colons and the quotes of this line and the one before")
}

/// The byte of a line and column (from 1, in characters), inside the text.
fn byte_at(text: &str, line: usize, column: usize) -> usize {
    let mut lines = text.split_inclusive('\n');
    let before: usize = lines
        .clone()
        .take(line.saturating_sub(1))
        .map(str::len)
        .sum();
    let line = lines.nth(line.saturating_sub(1)).unwrap_or("").trim_end();
    let within = line.char_indices().nth(column.saturating_sub(1));
    (before + within.map_or(line.len(), |(at, _)| at)).min(text.len())
}

/// Builds nodes straight from the library's events; places are filled in afterwards.
#[derive(Clone, Copy)]
struct Seed {
    span: Span,
}

impl Seed {
    fn node(self, value: Value) -> Node {
        Node {
            value,
            span: self.span,
        }
    }
}

impl<'de> DeserializeSeed<'de> for Seed {
    type Value = Node;

    fn deserialize<D: Deserializer<'de>>(self, from: D) -> Result<Node, D::Error> {
        from.deserialize_any(self)
    }
}

impl<'de> de::Visitor<'de> for Seed {
    type Value = Node;

    fn expecting(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        to.write_str("a text, a list or a map")
    }

    fn visit_unit<E>(self) -> Result<Node, E> {
        Ok(self.node(Value::Null))
    }

    fn visit_bool<E>(self, value: bool) -> Result<Node, E> {
        Ok(self.node(Value::Bool(value)))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Node, E> {
        Ok(self.node(Value::Number(value.to_string())))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Node, E> {
        Ok(self.node(Value::Number(value.to_string())))
    }

    fn visit_i128<E>(self, value: i128) -> Result<Node, E> {
        Ok(self.node(Value::Number(value.to_string())))
    }

    fn visit_u128<E>(self, value: u128) -> Result<Node, E> {
        Ok(self.node(Value::Number(value.to_string())))
    }

    fn visit_f64<E>(self, value: f64) -> Result<Node, E> {
        Ok(self.node(Value::Number(value.to_string())))
    }

    fn visit_str<E>(self, value: &str) -> Result<Node, E> {
        Ok(self.node(Value::Text(value.to_owned())))
    }

    fn visit_string<E>(self, value: String) -> Result<Node, E> {
        Ok(self.node(Value::Text(value)))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Node, A::Error> {
        let mut list = Vec::new();
        while let Some(item) = items.next_element_seed(self)? {
            list.push(item);
        }
        Ok(self.node(Value::List(list)))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Node, A::Error> {
        let mut map = Vec::new();
        while let Some(Key(key)) = entries.next_key()? {
            let value = entries.next_value_seed(self)?;
            map.push(Entry {
                key,
                key_span: self.span,
                value,
            });
        }
        Ok(self.node(Value::Map(map)))
    }

    fn visit_enum<A: de::EnumAccess<'de>>(self, _tagged: A) -> Result<Node, A::Error> {
        Err(de::Error::custom(
            "tags such as `!name` are not used here; take it out",
        ))
    }
}

/// A key, always as the text that is written.
struct Key(String);

impl<'de> Deserialize<'de> for Key {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        struct Text;
        impl de::Visitor<'_> for Text {
            type Value = Key;

            fn expecting(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
                to.write_str("a key that is a text")
            }

            fn visit_str<E>(self, key: &str) -> Result<Key, E> {
                Ok(Key(key.to_owned()))
            }
        }
        from.deserialize_str(Text)
    }
}
