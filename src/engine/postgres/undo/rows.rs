//! Owns reading rows of a copy as text, and what differs between two of them.

use std::collections::BTreeMap;

use postgres::Client;

use super::pages::Blocks;
use super::shape::Shape;
use crate::engine::EngineError;
use crate::engine::postgres::connect::refused;

/// Rows as the server writes them, by the text of their key.
pub(super) type Rows = BTreeMap<String, String>;

/// What the transaction did to one row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Change {
    /// Text of the key.
    pub(super) key: String,
    /// The row before it; none when it inserted it.
    pub(super) before: Option<String>,
    /// The row after it; none when it deleted it.
    pub(super) after: Option<String>,
}

impl Change {
    /// A row that has the key.
    pub(super) fn sample(&self) -> &str {
        let sample = self.before.as_ref().or(self.after.as_ref());
        sample.map_or("", String::as_str)
    }
}

/// The rows in some blocks of a table.
///
/// # Errors
/// What the server says.
pub(super) fn read(
    client: &mut Client,
    shape: &Shape,
    blocks: &Blocks,
) -> Result<Rows, EngineError> {
    let (table, key) = (shape.before.sql(), shape.key_of("one"));
    let all = format!("select {key}::text, one::text from only {table} one");
    let mut rows = Rows::new();
    let mut take = |query: &str| -> Result<(), EngineError> {
        let found = client.query(query, &[]);
        let what = || format!("read rows of {}", shape.before.words());
        let found = found.map_err(|error| refused(what(), &error))?;
        rows.extend(found.iter().map(|row| (row.get(0), row.get(1))));
        Ok(())
    };
    match blocks {
        Blocks::All => take(&all)?,
        Blocks::Runs(runs) => {
            for (first, last) in runs {
                let until = u64::from(*last) + 1;
                let end = if until > u64::from(u32::MAX - 1) {
                    String::new()
                } else {
                    format!(" and one.ctid < '({until},0)'")
                };
                take(&format!("{all} where one.ctid >= '({first},0)'{end}"))?;
            }
        }
    }
    Ok(rows)
}

/// What differs, in the order of keys.
pub(super) fn compare(before: Rows, mut after: Rows) -> Vec<Change> {
    let mut changes = Vec::new();
    for (key, row) in before {
        let then = after.remove(&key);
        if then.as_ref() != Some(&row) {
            changes.push(Change {
                key,
                before: Some(row),
                after: then,
            });
        }
    }
    changes.extend(after.into_iter().map(|(key, row)| Change {
        key,
        before: None,
        after: Some(row),
    }));
    changes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_differs_is_a_change() {
        let rows = |rows: &[(&str, &str)]| -> Rows {
            let owned = |(key, row): &(&str, &str)| ((*key).to_owned(), (*row).to_owned());
            rows.iter().map(owned).collect()
        };
        let before = rows(&[("(1)", "a"), ("(2)", "b"), ("(3)", "c")]);
        let after = rows(&[("(1)", "a"), ("(2)", "B"), ("(4)", "d")]);
        let told: Vec<String> = compare(before, after)
            .into_iter()
            .map(|one| {
                let text = |row: Option<String>| row.unwrap_or_default();
                format!("{} {}>{}", one.key, text(one.before), text(one.after))
            })
            .collect();
        assert_eq!(told, ["(2) b>B", "(3) c>", "(4) >d"]);
    }
}
