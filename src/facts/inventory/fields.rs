//! Owns how single fields are read: texts, names, quantities, counts, yes and no, with the
//! finding each wrong form gets. Must not know which section has which fields.

use indexmap::IndexMap;

use super::secret;
use crate::diagnostic::{Code, Diagnostic, Diagnostics};
use crate::quantity::{self, Amount, Bytes, BytesPerSecond, Duration};
use crate::similar;
use crate::source::Span;
use crate::yaml::{Entry, Node, Value};

/// Where findings go while a file is read.
pub(crate) struct Reader<'o> {
    out: &'o mut Diagnostics,
    missed: bool,
}

impl<'o> Reader<'o> {
    pub(crate) fn new(out: &'o mut Diagnostics) -> Self {
        Self { out, missed: false }
    }

    /// True when something that was written had to be left out.
    pub(crate) fn missed(&self) -> bool {
        self.missed
    }

    /// Reports a value that is left out.
    pub(crate) fn refuse(&mut self, finding: Diagnostic) {
        self.missed = true;
        self.out.push(finding);
    }

    /// The fields of a map; `what` names it with its article, for example `a host`. Keys that
    /// are not `known` are findings.
    pub(crate) fn fields<'n>(
        &mut self,
        node: &'n Node,
        what: &'static str,
        known: &'static [&'static str],
    ) -> Fields<'n> {
        let entries = self.entries(node, what);
        for entry in entries {
            if !known.contains(&entry.key.as_str()) {
                self.unknown(entry, what, known);
            }
        }
        Fields { entries }
    }

    /// The entries of a map of names.
    pub(crate) fn entries<'n>(&mut self, node: &'n Node, what: &str) -> &'n [Entry] {
        node.entries().unwrap_or_else(|| {
            let message = format!("{what} is {} here; fields are needed", node.value.words());
            let help = "write `name: value` lines below it, or `{name: value}` behind it";
            self.refuse(Diagnostic::new(Code(1101), message, node.span, "").help(help));
            &[]
        })
    }

    fn unknown(&mut self, entry: &Entry, what: &str, known: &[&str]) {
        let key = &entry.key;
        if secret::is_secret(key) && matches!(entry.value.value, Value::Text(_)) {
            return self.refuse(secret::in_clear_text(entry));
        }
        if key == "<<" {
            return; // already refused as a merge key
        }
        let message = format!("`{key}` is not a field of {what}");
        let finding = Diagnostic::new(Code(1101), message, entry.key_span, "").subject(key.clone());
        self.refuse(match similar::nearest(key, known.iter().copied()) {
            Some(near) => {
                finding
                    .help(format!("did you mean `{near}`?"))
                    .fix(false, entry.key_span, near)
            }
            None => finding.help(format!(
                "fields are {}",
                similar::list(known.iter().copied(), known.len())
            )),
        });
    }

    fn wrong(&mut self, entry: &Entry, wanted: &str) {
        let message = format!(
            "`{}` is {}; {wanted} is meant",
            entry.key,
            entry.value.value.words()
        );
        let help = format!("write {wanted}");
        self.refuse(Diagnostic::new(Code(1101), message, entry.value.span, "").help(help));
    }

    /// A text; a number or yes/no in its place is P1103. `key` is shown in the finding.
    pub(crate) fn text_of(&mut self, key: &str, node: &Node) -> Option<String> {
        let written = match &node.value {
            Value::Text(text) => return Some(text.clone()),
            Value::Number(number) => number.clone(),
            Value::Bool(value) => value.to_string(),
            other => {
                let message = format!("`{key}` is {}; a text is meant", other.words());
                let finding = Diagnostic::new(Code(1101), message, node.span, "");
                self.refuse(finding.help("write one name or text"));
                return None;
            }
        };
        let read = match written.parse::<f64>() {
            Ok(number) => format!("the number {number}"),
            Err(_) => format!("not the text but the value {written}"),
        };
        let quoted = format!("\"{written}\"");
        self.refuse(
            Diagnostic::new(
                Code(1103),
                format!("`{key}: {written}` is {read}"),
                node.span,
                "",
            )
            .help(format!("quote it: `{quoted}`"))
            .subject(key)
            .fix(true, node.span, quoted.clone()),
        );
        None
    }

    /// A quantity; wrong units get the codes they have in plans.
    pub(crate) fn amount(&mut self, entry: &Entry) -> Option<Amount> {
        let (Value::Text(text) | Value::Number(text)) = &entry.value.value else {
            self.wrong(entry, "a quantity such as `64 MiB`");
            return None;
        };
        let error = match quantity::parse_text(text) {
            Ok(amount) => return Some(amount),
            Err(error) => error,
        };
        let message = format!("`{}`: {}", entry.key, error.message);
        self.refuse(
            Diagnostic::new(error.code, message, entry.value.span, "")
                .help(error.help)
                .subject(entry.key.clone()),
        );
        None
    }

    /// Reports a quantity of another dimension (P0305).
    pub(crate) fn dimension(&mut self, entry: &Entry, amount: Amount, wanted: &str, form: &str) {
        let message = format!(
            "`{}` is a {}; a {wanted} is needed",
            entry.key,
            amount.dimension()
        );
        self.refuse(
            Diagnostic::new(Code(305), message, entry.value.span, "")
                .help(format!("write a {wanted}, for example `{form}`"))
                .subject(entry.key.clone()),
        );
    }
}

/// The fields of one map, each read by name.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Fields<'n> {
    entries: &'n [Entry],
}

impl<'n> Fields<'n> {
    pub(crate) fn find(self, key: &str) -> Option<&'n Entry> {
        self.entries.iter().find(|entry| entry.key == key)
    }

    pub(crate) fn text(self, key: &str, reader: &mut Reader<'_>) -> Option<String> {
        self.name(key, reader).map(|(text, _)| text)
    }

    /// A text with its place.
    pub(crate) fn name(self, key: &str, reader: &mut Reader<'_>) -> Option<(String, Span)> {
        let entry = self.find(key)?;
        if let Some(finding) = secret::in_address(entry) {
            reader.refuse(finding);
        }
        let text = reader.text_of(key, &entry.value)?;
        Some((text, entry.value.span))
    }

    pub(crate) fn size(self, key: &str, reader: &mut Reader<'_>) -> Option<Bytes> {
        let entry = self.find(key)?;
        match reader.amount(entry)? {
            Amount::Bytes(bytes) => Some(bytes),
            other => {
                reader.dimension(entry, other, "size", "3 TiB");
                None
            }
        }
    }

    pub(crate) fn rate(self, key: &str, reader: &mut Reader<'_>) -> Option<BytesPerSecond> {
        let entry = self.find(key)?;
        match reader.amount(entry)? {
            Amount::Rate(rate) if rate.0 > 0.0 => Some(rate),
            Amount::Rate(_) => {
                let message = format!("`{key}` is nothing at all");
                let finding = Diagnostic::new(Code(307), message, entry.value.span, "");
                reader.refuse(finding.help("write the rate that was measured, or leave it out"));
                None
            }
            other => {
                reader.dimension(entry, other, "rate", "400 MiB/s");
                None
            }
        }
    }

    pub(crate) fn time(self, key: &str, reader: &mut Reader<'_>) -> Option<Duration> {
        let entry = self.find(key)?;
        match reader.amount(entry)? {
            Amount::Duration(time) => Some(time),
            other => {
                reader.dimension(entry, other, "duration", "4h");
                None
            }
        }
    }

    /// A whole number of at least 1.
    pub(crate) fn count(self, key: &str, reader: &mut Reader<'_>) -> Option<u32> {
        let entry = self.find(key)?;
        let Value::Number(written) = &entry.value.value else {
            reader.wrong(entry, "a whole number");
            return None;
        };
        match written.parse() {
            Ok(count) if count > 0 => Some(count),
            _ => {
                let message = format!("`{key}: {written}` is not a whole number of 1 or more");
                let finding = Diagnostic::new(Code(307), message, entry.value.span, "");
                reader.refuse(finding.help("write 1 or more, or leave it out"));
                None
            }
        }
    }

    /// A whole number of 0 or more.
    pub(crate) fn number(self, key: &str, reader: &mut Reader<'_>) -> Option<u64> {
        let entry = self.find(key)?;
        if let Value::Number(written) = &entry.value.value
            && let Ok(number) = written.parse()
        {
            return Some(number);
        }
        reader.wrong(entry, "a whole number of 0 or more");
        None
    }

    pub(crate) fn flag(self, key: &str, reader: &mut Reader<'_>) -> bool {
        let Some(entry) = self.find(key) else {
            return false;
        };
        if let Value::Bool(value) = entry.value.value {
            return value;
        }
        reader.wrong(entry, "`true` or `false`");
        false
    }

    /// A map of texts.
    pub(crate) fn texts(self, key: &str, reader: &mut Reader<'_>) -> IndexMap<String, String> {
        let Some(entry) = self.find(key) else {
            return IndexMap::new();
        };
        let entries = reader.entries(&entry.value, key);
        let text = |entry: &Entry, reader: &mut Reader<'_>| {
            let value = reader.text_of(&entry.key, &entry.value)?;
            Some((entry.key.clone(), value))
        };
        entries
            .iter()
            .filter_map(|entry| text(entry, reader))
            .collect()
    }
}
