//! Owns the words for taking back what one transaction did: what is asked, and what came of it.

use crate::graph::step::TouchedPages;

/// What is to be taken back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UndoWish {
    /// The pages that the transaction touched.
    pub pages: Vec<TouchedPages>,
    /// Change the live rows; else only tell what would be done.
    pub apply: bool,
}

/// What was, or would be, taken back.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Undone {
    /// Rows that were put back as they were before, by table.
    pub rows: Vec<(String, u64)>,
    /// Rows that are as they were before already.
    pub already: u64,
    /// Rows and tables that a person must decide on, in words.
    pub conflicts: Vec<String>,
    /// What else people should know.
    pub notes: Vec<String>,
}

impl Undone {
    /// The outcome in one line.
    #[must_use]
    pub fn words(&self) -> String {
        let tables: Vec<String> = self
            .rows
            .iter()
            .filter(|(_, count)| *count > 0)
            .map(|(table, count)| format!("{count} of {table}"))
            .collect();
        let tables = if tables.is_empty() {
            "none".to_owned()
        } else {
            tables.join(", ")
        };
        let (already, conflicts) = (self.already, self.conflicts.len());
        format!(
            "rows unchanged since: {tables}; as before already: {already}; conflicts: {conflicts}"
        )
    }
}
