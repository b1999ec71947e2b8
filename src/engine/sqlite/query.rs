//! Owns read-only questions to a restored database. Must not change the copy or anything else.

use std::path::Path;

use rusqlite::hooks::{AuthAction, AuthContext, Authorization};
use rusqlite::types::ValueRef;

use super::connection::{beside, failed, open_copy, open_used};
use crate::engine::entry::encode;
use crate::engine::{EngineError, store};

/// Most rows that are answered.
const MAX_ROWS: usize = 100_000;

/// Rows as text; NULL is none, a blob is its hex digits.
pub(super) fn query(restored: &Path, sql: &str) -> Result<Vec<Vec<Option<String>>>, EngineError> {
    let used = beside(restored, "-wal").exists() || beside(restored, "-journal").exists();
    let mut connection = if used {
        open_used(restored)?
    } else {
        open_copy(restored)?
    };
    let error = failed(restored, "query");
    connection
        .execute_batch("PRAGMA query_only=ON")
        .map_err(&error)?;
    connection.authorizer(Some(judge)).map_err(&error)?;
    let mut statement = connection.prepare(sql).map_err(&error)?;
    if !statement.readonly() || statement.column_count() == 0 {
        return Err(EngineError::refused(
            format!("query {}", restored.display()),
            "only a statement that reads and answers rows is allowed",
        ));
    }
    let columns = statement.column_count();
    let mut rows = statement.query([]).map_err(&error)?;
    let mut answer = Vec::new();
    while let Some(row) = rows.next().map_err(&error)? {
        if answer.len() == MAX_ROWS {
            return Err(EngineError::refused(
                format!("query {}", restored.display()),
                format!("it answers more than {MAX_ROWS} rows; count or limit them"),
            ));
        }
        let cell = |at: usize| row.get_ref(at).map(text);
        let cells: rusqlite::Result<Vec<_>> = (0..columns).map(cell).collect();
        answer.push(cells.map_err(&error)?);
    }
    Ok(answer)
}

/// No other file is opened.
fn judge(context: AuthContext<'_>) -> Authorization {
    match context.action {
        AuthAction::Attach { .. } => Authorization::Deny,
        _ => Authorization::Allow,
    }
}

fn text(value: ValueRef<'_>) -> Option<String> {
    match value {
        ValueRef::Null => None,
        ValueRef::Integer(number) => Some(number.to_string()),
        ValueRef::Real(number) => Some(number.to_string()),
        ValueRef::Text(bytes) => Some(match std::str::from_utf8(bytes) {
            Ok(text) => text.to_owned(),
            Err(_) => encode(bytes),
        }),
        ValueRef::Blob(bytes) => Some(store::hex(bytes).to_uppercase()),
    }
}
