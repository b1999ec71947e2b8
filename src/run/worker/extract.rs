//! Takes tables out of a restored SQLite copy into the live database, under new names, inside one
//! transaction. Existing tables are never touched.

use std::path::Path;

use rusqlite::config::DbConfig;
use rusqlite::{Connection, OpenFlags};

use super::{Task, probe, schema};
use crate::graph::step::StepKind;
use crate::resolve::plan::EngineKind;
use crate::run::extraction::extraction;
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
        ..
    } = &task.step.kind
    else {
        return Err(StepFailure::new("not an extracting step"));
    };
    if task.context.engine(service)?.kind() != EngineKind::Sqlite {
        return by_engine(task, service, target);
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
    for lost in copied.lost {
        task.warn(format!("was not made anew: {lost}"));
    }
    Ok(StepDone::default().says(copied.tables.join(", ")))
}

/// Lets the engine move the tables.
fn by_engine(task: &Task<'_>, service: &str, target: &str) -> Result<StepDone, StepFailure> {
    let wish = extraction(task.graph, &task.step.kind)?;
    let scratch = tempfile::tempdir()
        .map_err(|error| StepFailure::new(format!("cannot make a scratch folder: {error}")))?;
    let engine = task.context.engine(service)?;
    let extracted = engine.extract(&probe::restored(task, target), scratch.path(), &wish)?;
    for lost in extracted.lost {
        task.warn(lost);
    }
    let moved = StepDone::moved(extracted.bytes).paced(extracted.moving);
    Ok(moved.says(extracted.tables.join(", ")))
}

/// What came to be in the live database.
#[derive(Debug, Default)]
struct Copied {
    // the new tables, in words
    tables: Vec<String>,
    // indexes and triggers that could not be made, with the cause
    lost: Vec<String>,
}

/// Copies each table `t` as `PREFIX_t`.
fn copy(restored: &Path, live: &Path, tables: &[String], prefix: &str) -> rusqlite::Result<Copied> {
    let mut to = open_live(live)?;
    to.execute("ATTACH DATABASE ?1 AS restored", [uri(restored)])?;
    let transaction = to.transaction_with_behavior(rusqlite::TransactionBehavior::Immediate)?;
    let mut copied = Copied::default();
    if already_there(&transaction, tables, prefix)? {
        // a process that was killed right behind its commit had no time to write it down
        copied.tables = tables
            .iter()
            .map(|table| format!("{prefix}_{table} (was there already, with the same rows)"))
            .collect();
        return Ok(copied);
    }
    for table in tables {
        copy_table(&transaction, table, prefix, &mut copied)?;
    }
    transaction.commit()?;
    Ok(copied)
}

/// Opens the live database. Its log must stay as it is: a checkpoint that planc did not plan
/// would break the chain of the archived log.
fn open_live(live: &Path) -> rusqlite::Result<Connection> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_URI;
    let to = Connection::open_with_flags(live, flags)?;
    to.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true)?;
    to.busy_timeout(BUSY_WAIT)?;
    to.pragma_update(None, "wal_autocheckpoint", 0)?;
    // a row may refer to another one that is gone; it comes back as it was
    to.pragma_update(None, "foreign_keys", false)?;
    Ok(to)
}

/// True when every new table is there and holds exactly the rows that would be put into it. They
/// come in one transaction, so a part of them is not ours.
fn already_there(to: &Connection, tables: &[String], prefix: &str) -> rusqlite::Result<bool> {
    for table in tables {
        if !has_same_rows(to, table, &format!("{prefix}_{table}"))? {
            return Ok(false);
        }
    }
    Ok(!tables.is_empty())
}

fn has_same_rows(to: &Connection, table: &str, new: &str) -> rusqlite::Result<bool> {
    let columns = |schema: &str, table: &str| -> rusqlite::Result<Vec<String>> {
        let sql = format!("SELECT name FROM pragma_table_xinfo(?1, '{schema}') WHERE hidden = 0");
        to.prepare(&sql)?
            .query_map([table], |row| row.get(0))?
            .collect()
    };
    let own = columns("main", new)?;
    if own.is_empty() || own != columns("restored", table)? {
        return Ok(false);
    }
    // a value is told from every other by its literal, whatever the column's collation
    let literals = own
        .iter()
        .map(|name| format!("quote({})", schema::quoted(name)));
    let literals = literals.collect::<Vec<_>>().join(", ");
    let rows = |schema: &str, table: &str| {
        let table = schema::quoted(table);
        let numbers: Vec<String> = (1..=own.len()).map(|n| n.to_string()).collect();
        let numbers = numbers.join(", ");
        format!("SELECT {literals}, count(*) FROM {schema}.{table} GROUP BY {numbers}")
    };
    let (there, wanted) = (rows("main", new), rows("restored", table));
    let sql = format!(
        "SELECT EXISTS (SELECT * FROM ({there}) EXCEPT SELECT * FROM ({wanted}))
             OR EXISTS (SELECT * FROM ({wanted}) EXCEPT SELECT * FROM ({there}))"
    );
    to.query_row(&sql, [], |row| row.get::<_, bool>(0))
        .map(|differs| !differs)
}

/// Makes the table by its own statement, fills it, then makes its indexes and triggers.
fn copy_table(
    to: &Connection,
    table: &str,
    prefix: &str,
    copied: &mut Copied,
) -> rusqlite::Result<()> {
    let new = format!("{prefix}_{table}");
    let made = schema::renamed(to, table, prefix, &new)?;
    to.execute_batch(&made.table)?;
    let columns = columns(to, table)?;
    let (into, from) = (schema::quoted(&new), schema::quoted(table));
    let sql = format!("INSERT INTO main.{into} ({columns}) SELECT {columns} FROM restored.{from}");
    let rows = to.execute(&sql, [])?;
    let mut with = Vec::new();
    copied.lost.extend(made.lost);
    for other in made.others {
        let done = to
            .execute_batch(&other.sql)
            .and_then(|()| usable(to, &new, &other, prefix));
        match done {
            Ok(()) => with.push(format!("{} {prefix}_{}", other.kind, other.name)),
            Err(cause) => {
                let (kind, name) = (other.kind, other.name);
                copied.lost.push(format!("{kind} {name}: {cause}"));
            }
        }
    }
    with.insert(0, format!("{rows} rows"));
    copied.tables.push(format!("{new} ({})", with.join(", ")));
    Ok(())
}

/// A trigger may name tables that the live database has not: it would spoil every change of the
/// new table, and is taken away again.
fn usable(
    to: &Connection,
    table: &str,
    made: &schema::Other,
    prefix: &str,
) -> rusqlite::Result<()> {
    if made.kind != "trigger" {
        return Ok(());
    }
    let into = schema::quoted(table);
    let column: String = to.query_row(
        "SELECT name FROM pragma_table_info(?1, 'main') LIMIT 1",
        [table],
        |row| row.get(0),
    )?;
    let column = schema::quoted(&column);
    let changes = [
        format!("INSERT INTO main.{into} DEFAULT VALUES"),
        format!("UPDATE main.{into} SET {column} = {column}"),
        format!("DELETE FROM main.{into}"),
    ];
    let tried = changes.iter().try_for_each(|sql| to.prepare(sql).map(drop));
    if tried.is_err() {
        let name = schema::quoted(&format!("{prefix}_{}", made.name));
        to.execute_batch(&format!("DROP TRIGGER main.{name}"))?;
    }
    tried
}

/// The columns that hold values of their own: computed ones compute themselves.
fn columns(to: &Connection, table: &str) -> rusqlite::Result<String> {
    let sql = "SELECT name FROM pragma_table_xinfo(?1, 'restored') WHERE hidden = 0";
    let mut query = to.prepare(sql)?;
    let names = query.query_map([table], |row| row.get::<_, String>(0))?;
    let names: rusqlite::Result<Vec<String>> = names
        .map(|name| name.map(|name| schema::quoted(&name)))
        .collect();
    Ok(names?.join(", "))
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
        assert_eq!(copied.tables, ["old_a\"b (2 rows)"]);
        let again = copy(&restored, &live, &table, "old").expect("a repeated step");
        assert_eq!(
            again.tables,
            ["old_a\"b (was there already, with the same rows)"]
        );
        let sql = "UPDATE \"old_a\"\"b\" SET y = 'ONE' WHERE x = 1";
        let database = Connection::open(&live).expect("open");
        database.execute_batch(sql).expect("changed");
        copy(&restored, &live, &table, "old").expect_err("the name is taken");
        let both = ["nothing".to_owned(), table[0].clone()];
        copy(&restored, &live, &both, "new").expect_err("no such table");
        let count = database.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0));
        assert_eq!(count, Ok(2i64));
    }

    #[test]
    fn a_table_keeps_its_rules_its_indexes_and_its_triggers() {
        let folder = tempfile::tempdir().expect("folder");
        let (restored, live) = (folder.path().join("old.db"), folder.path().join("live.db"));
        let sql = "CREATE TABLE log (what TEXT);
            CREATE TABLE gone (what TEXT);
            CREATE TABLE t (
              id INTEGER PRIMARY KEY AUTOINCREMENT, up INTEGER REFERENCES t (id),
              n INTEGER NOT NULL DEFAULT 7 CHECK (t.n > 0),
              twice INTEGER AS (n * 2) STORED, UNIQUE (n)
            ) STRICT;
            CREATE UNIQUE INDEX [by n] ON t (n DESC) WHERE n > 1;
            CREATE TRIGGER told AFTER INSERT ON t BEGIN INSERT INTO log VALUES (NEW.n); END;
            CREATE TRIGGER lost AFTER DELETE ON t BEGIN INSERT INTO gone VALUES (OLD.n); END;
            INSERT INTO t (id, up, n) VALUES (5, NULL, 1), (9, 5, 2);";
        Connection::open(&restored)
            .and_then(|database| database.execute_batch(sql))
            .expect("made");
        let database = Connection::open(&live).expect("open");
        let sql = "PRAGMA journal_mode = wal; CREATE TABLE log (what TEXT);";
        database.execute_batch(sql).expect("made");
        let copied = copy(&restored, &live, &["t".to_owned()], "old").expect("copied");
        let said = &copied.tables[0];
        for part in ["old_t (2 rows", "index old_by n", "trigger old_told"] {
            assert!(said.contains(part), "{part}: {said}");
        }
        let sum = "SELECT sum(twice), (SELECT count(*) FROM log) FROM old_t";
        let sum = database.query_row(sum, [], |row| Ok((row.get(0)?, row.get(1)?)));
        assert_eq!(sum, Ok((6i64, 0i64)), "rows come without their triggers");
        for bad in ["(n) VALUES (0)", "(n) VALUES (2)", "(n) VALUES ('x')"] {
            let sql = format!("INSERT INTO old_t {bad}");
            database.execute_batch(&sql).expect_err(bad);
        }
        assert_eq!(copied.lost.len(), 1, "{:?}", copied.lost);
        assert!(copied.lost[0].contains("trigger lost"), "{:?}", copied.lost);
        let sql = "INSERT INTO old_t (n) VALUES (3); DELETE FROM old_t WHERE n = 3;";
        database.execute_batch(sql).expect("the table is usable");
        let next = database.query_row("SELECT seq FROM sqlite_sequence", [], |row| row.get(0));
        assert_eq!(next, Ok(10i64));
    }
}
