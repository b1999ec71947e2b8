//! Owns how the statements that made a SQLite table read when the table has another name. The
//! library itself renames it, in an empty copy of the schema in memory.

use rusqlite::Connection;

/// What makes a table and what belongs to it, under its new name.
pub(super) struct Made {
    /// The statement of the table.
    pub(super) table: String,
    /// Kind, former name and statement of each index and trigger.
    pub(super) others: Vec<Other>,
    /// What cannot have another name, with the cause.
    pub(super) lost: Vec<String>,
}

/// An index or a trigger.
pub(super) struct Other {
    /// Its kind in plain words.
    pub(super) kind: String,
    /// Its name in the restored copy.
    pub(super) name: String,
    /// The statement, with the new names.
    pub(super) sql: String,
}

type Object = (String, String, String, String);

/// Reads the schema `restored` of a connection, and rewrites what makes `table`.
///
/// # Errors
/// When there is no such table, or it is no ordinary one.
pub(super) fn renamed(
    from: &Connection,
    table: &str,
    prefix: &str,
    new: &str,
) -> rusqlite::Result<Made> {
    let objects = objects(from, "restored")?;
    let scratch = Connection::open_in_memory()?;
    let mut lost = Vec::new();
    for (kind, name, of, sql) in &objects {
        let wanted = match kind.as_str() {
            "table" => true,
            "view" => false,
            _ => of.eq_ignore_ascii_case(table),
        };
        let made = if wanted {
            scratch.execute_batch(sql)
        } else {
            Ok(())
        };
        match made {
            Err(cause) if kind == "table" && name.eq_ignore_ascii_case(table) => return Err(cause),
            Err(cause) if kind != "table" => lost.push(format!("{kind} {name}: {cause}")),
            _ => {}
        }
    }
    rename(&scratch, &objects, table, new, &mut lost)?;
    let mut made = Made {
        table: String::new(),
        others: Vec::new(),
        lost,
    };
    for (kind, name, of, sql) in self::objects(&scratch, "main")? {
        if kind == "table" && name == new {
            made.table = sql;
        } else if kind != "table" && of == new {
            let sql = with_name(&sql, &format!("{prefix}_{name}"));
            made.others.push(Other { kind, name, sql });
        }
    }
    Ok(made)
}

/// Renames the table, and gives up its triggers when they keep it from being renamed.
fn rename(
    scratch: &Connection,
    objects: &[Object],
    table: &str,
    new: &str,
    lost: &mut Vec<String>,
) -> rusqlite::Result<()> {
    let sql = format!("ALTER TABLE {} RENAME TO {}", quoted(table), quoted(new));
    let Err(cause) = scratch.execute_batch(&sql) else {
        return Ok(());
    };
    let triggers = objects.iter().filter(|one| one.0 == "trigger");
    for (_, name, ..) in triggers.filter(|one| one.2.eq_ignore_ascii_case(table)) {
        scratch.execute_batch(&format!("DROP TRIGGER IF EXISTS {}", quoted(name)))?;
        lost.push(format!("trigger {name}: {cause}"));
    }
    scratch.execute_batch(&sql)
}

/// Kind, name, table and statement of everything that has a statement, in the order it was made.
fn objects(from: &Connection, schema: &str) -> rusqlite::Result<Vec<Object>> {
    let mut query = from.prepare(&format!(
        "SELECT type, name, tbl_name, sql FROM {schema}.sqlite_schema
         WHERE sql IS NOT NULL AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\' ORDER BY rowid"
    ))?;
    let rows = query.query_map([], |row| {
        Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?))
    })?;
    rows.collect()
}

/// The statement of an index or trigger with another name of its own. The library stores such
/// statements with this beginning, whatever was typed.
fn with_name(sql: &str, new: &str) -> String {
    const HEADS: [&str; 3] = ["CREATE UNIQUE INDEX ", "CREATE INDEX ", "CREATE TRIGGER "];
    let split = HEADS
        .iter()
        .find_map(|head| Some((*head, sql.strip_prefix(head)?)));
    let Some((head, rest)) = split else {
        return sql.to_owned();
    };
    let rest = rest.trim_start();
    format!("{head}{}{}", quoted(new), &rest[name_length(rest)..])
}

/// Length of the name at the beginning of a text, quotes included.
fn name_length(text: &str) -> usize {
    let close = match text.chars().next() {
        Some('[') => ']',
        Some(quote @ ('"' | '\'' | '`')) => quote,
        _ => {
            let end = |c: char| !(c.is_alphanumeric() || matches!(c, '_' | '$'));
            return text.find(end).unwrap_or(text.len());
        }
    };
    let mut chars = text.char_indices().skip(1).peekable();
    while let Some((at, c)) = chars.next() {
        let doubled = close != ']' && chars.peek().is_some_and(|(_, next)| *next == close);
        match (c == close, doubled) {
            (true, true) => drop(chars.next()),
            (true, false) => return at + c.len_utf8(),
            _ => {}
        }
    }
    text.len()
}

/// A name as it is written in a statement.
pub(super) fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_end_where_they_end() {
        for (text, name) in [
            ("idx ON t", "idx"),
            ("\"a\"\"b\" ON t", "\"a\"\"b\""),
            ("[a b] ON t", "[a b]"),
            ("`x``y`ON t", "`x``y`"),
            ("größe ON t", "größe"),
            ("'open", "'open"),
            ("", ""),
        ] {
            assert_eq!(&text[..name_length(text)], name);
        }
    }
}
