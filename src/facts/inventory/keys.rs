//! Owns the fields of keys in the inventory: where a key of the plan is read on this host, and
//! what is known of its age and its escrow. Must not read keys.

use jiff::civil::Date;

use super::fields::{Fields, Reader};
use super::secret::SOURCES;
use crate::diagnostic::{Code, Diagnostic};
use crate::quantity::{Amount, Duration};
use crate::source::Span;
use crate::yaml::Entry;

pub(super) const KEY: &[&str] = &[
    "env",
    "file",
    "vault",
    "command",
    "since",
    "replace_after",
    "escrow_until",
    "note",
];

/// Seconds of a month of a quantity such as `12 months`.
const MONTH: u64 = 30 * 86_400;

/// A key of the inventory.
#[derive(Debug, Clone)]
pub struct InventoryKey {
    /// Word of the source and variable or path; the plan's own when none is stated.
    pub source: Option<(String, String)>,
    /// Since when it is in use.
    pub since: Option<Date>,
    /// For how long a key may be used.
    pub replace_after: Option<Duration>,
    /// Until when its escrow is promised.
    pub escrow_until: Option<Date>,
    /// Its name in the file.
    pub span: Span,
}

/// One entry of the section.
pub(super) fn key(entry: &Entry, reader: &mut Reader<'_>) -> InventoryKey {
    let fields = reader.fields(&entry.value, "a key", KEY);
    let stated = SOURCES.into_iter().find(|word| fields.find(word).is_some());
    let source = stated.and_then(|word| Some((word.to_owned(), fields.text(word, reader)?)));
    InventoryKey {
        source,
        since: date(fields, "since", reader),
        replace_after: duration(fields, "replace_after", reader),
        escrow_until: date(fields, "escrow_until", reader),
        span: entry.key_span,
    }
}

fn date(fields: Fields<'_>, name: &str, reader: &mut Reader<'_>) -> Option<Date> {
    let (text, span) = fields.name(name, reader)?;
    let date = text.parse().ok();
    if date.is_none() {
        let message = format!("`{name}: {text}` is no day");
        let finding = Diagnostic::new(Code(1101), message, span, "");
        reader.refuse(finding.help("write a day such as \"2026-03-01\""));
    }
    date
}

fn duration(fields: Fields<'_>, name: &str, reader: &mut Reader<'_>) -> Option<Duration> {
    let entry = fields.find(name)?;
    match reader.amount(entry)? {
        Amount::Duration(duration) => Some(duration),
        Amount::Months(months) => Some(Duration::from_secs(u64::from(months) * MONTH)),
        other => {
            reader.dimension(entry, other, "duration", "365d");
            None
        }
    }
}
