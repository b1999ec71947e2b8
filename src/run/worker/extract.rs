//! Takes tables out of a restored SQLite copy into the live database, under new names, inside one
//! transaction. Existing tables are never touched.

use std::path::Path;

use rusqlite::{Connection, OpenFlags};

use super::{Task, probe};
use crate::graph::step::StepKind;
use crate::resolve::plan::EngineKind;
use crate::run::message::{StepDone, StepFailure};

/// How long a writer of the live database is waited for.
const BUSY_WAIT: std::time::Duration = std::time::Duration::from_secs(30);

/// Copies the tables.
pub(super) fn extract(task: &Task<'_>) -> Result<StepDone, StepFailure> {
    let StepKind::Extract {
        service,
        target,
        tables,
        into,
        name,
    } = &task.step.kind
    else {
        return Err(StepFailure::new("not an extracting step"));
    };
    if task.context.engine(service)?.kind() != EngineKind::Sqlite {
        let cause =
            format!("tables can be extracted from SQLite only; {service} is another engine");
        return Err(StepFailure::new(cause));
    }
    let live = task.context.live_files.get(into);
    let live = live.ok_or_else(|| {
        StepFailure::new(format!(
            "the service {into} has no database file to extract into"
        ))
    })?;
    let restored = probe::restored(task, target);
    let prefix = name.as_deref().unwrap_or("restored");
    let copied = copy(&restored, live, tables, prefix).map_err(|error| {
        let place = live.display();
        StepFailure::new(format!("cannot extract into {place}: {error}"))
            .help("nothing was changed there: all tables come in one transaction")
    })?;
    Ok(StepDone::default().says(copied.join(", ")))
}

/// Copies each table `t` as `PREFIX_t`; returns what came to be with row counts.
fn copy(
    restored: &Path,
    live: &Path,
    tables: &[String],
    prefix: &str,
) -> rusqlite::Result<Vec<String>> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_URI;
    let mut to = Connection::open_with_flags(live, flags)?;
    to.busy_timeout(BUSY_WAIT)?;
    to.execute("ATTACH DATABASE ?1 AS restored", [uri(restored)])?;
    let transaction = to.transaction_with_behavior(rusqlite::TransactionBehavior::Immediate)?;
    let mut copied = Vec::new();
    for table in tables {
        let new = format!("{prefix}_{table}");
        let rows = transaction.execute_batch(&format!(
            "CREATE TABLE main.{} AS SELECT * FROM restored.{}",
            quoted(&new),
            quoted(table)
        ));
        rows?;
        let count = format!("SELECT count(*) FROM main.{}", quoted(&new));
        let rows: i64 = transaction.query_row(&count, [], |row| row.get(0))?;
        copied.push(format!("{new} ({rows} rows)"));
    }
    transaction.commit()?;
    Ok(copied)
}

/// The file as a read-only URI; characters that mean something in a URI are encoded.
fn uri(path: &Path) -> String {
    use std::fmt::Write as _;
    use std::os::unix::ffi::OsStrExt as _;
    let mut text = "file:".to_owned();
    for byte in path.as_os_str().as_bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'/' | b'.' | b'-' | b'_' => {
                text.push(char::from(*byte));
            }
            other => {
                let _ = write!(text, "%{other:02x}");
            }
        }
    }
    text + "?mode=ro"
}

fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn made(path: &Path) {
        let database = Connection::open(path).expect("open");
        let sql = "CREATE TABLE \"a\"\"b\" (x INTEGER, y TEXT);
            INSERT INTO \"a\"\"b\" VALUES (1, 'one'), (2, 'two');";
        database.execute_batch(sql).expect("made");
    }

    #[test]
    fn tables_come_under_new_names_and_existing_ones_stay() {
        let folder = tempfile::tempdir().expect("folder");
        let restored = folder.path().join("re st?red%.db");
        let live = folder.path().join("live.db");
        made(&restored);
        made(&live);
        let table = ["a\"b".to_owned()];
        let copied = copy(&restored, &live, &table, "old").expect("copied");
        assert_eq!(copied, ["old_a\"b (2 rows)"]);
        copy(&restored, &live, &table, "old").expect_err("the name is taken");
        let both = ["nothing".to_owned(), table[0].clone()];
        copy(&restored, &live, &both, "new").expect_err("no such table");
        let database = Connection::open(&live).expect("open");
        let count = database.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0));
        assert_eq!(count, Ok(2i64));
    }
}
