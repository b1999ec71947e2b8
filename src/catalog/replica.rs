//! Owns the rows of a catalog file as lines of JSON, and which of them were changed: triggers of
//! the open session note it, so that no change can be forgotten. Must not know who takes them.

use rusqlite::{Connection, OptionalExtension, params};

/// Table, key and content of a row; no content when it was deleted.
pub(super) type Line = (String, String, Option<String>);

/// One table.
struct Table {
    name: String,
    columns: Vec<String>,
    keys: Vec<String>,
}

/// The tables of a file that are watched.
pub(super) struct Replica {
    tables: Vec<Table>,
}

/// Where this host remembers what it has seen, and where a session notes changes.
const PREPARE: &str = "
    CREATE TABLE IF NOT EXISTS shared_seen (
        only   INTEGER PRIMARY KEY CHECK (only = 1),
        server TEXT NOT NULL,
        number INTEGER NOT NULL
    ) STRICT;
    CREATE TEMP TABLE changed (kind TEXT NOT NULL, key TEXT NOT NULL, body TEXT);
";

impl Replica {
    /// Begins to note changes of all tables.
    pub(super) fn watch(db: &Connection) -> rusqlite::Result<Self> {
        db.execute_batch(PREPARE)?;
        let sql = "SELECT name FROM main.sqlite_schema WHERE type = 'table'
            AND name NOT LIKE 'sqlite_%' AND name <> 'shared_seen' ORDER BY name";
        let names: rusqlite::Result<Vec<String>> =
            db.prepare(sql)?.query_map([], |row| row.get(0))?.collect();
        let tables: rusqlite::Result<Vec<Table>> = names?
            .into_iter()
            .map(|name| Table::read(db, name))
            .collect();
        let replica = Self { tables: tables? };
        for table in &replica.tables {
            db.execute_batch(&table.triggers())?;
        }
        Ok(replica)
    }

    /// Puts a line into its table.
    pub(super) fn apply(
        &self,
        db: &Connection,
        kind: &str,
        key: &str,
        body: Option<&str>,
    ) -> rusqlite::Result<()> {
        let Some(table) = self.tables.iter().find(|table| table.name == kind) else {
            return Ok(()); // of a table that this version does not have
        };
        db.prepare_cached(&table.delete())?.execute([key])?;
        if let Some(body) = body {
            db.prepare_cached(&table.insert())?.execute([body])?;
        }
        Ok(())
    }

    /// Takes all rows for changed ones.
    pub(super) fn offer_all(&self, db: &Connection) -> rusqlite::Result<()> {
        forget(db)?;
        for table in &self.tables {
            let sql = format!(
                "INSERT INTO temp.changed SELECT '{}', {}, {} FROM main.{}",
                table.name,
                table.key(""),
                table.body(""),
                table.name
            );
            db.execute(&sql, [])?;
        }
        Ok(())
    }
}

/// Takes a row for unchanged.
pub(super) fn take_back(db: &Connection, kind: &str, key: &str) -> rusqlite::Result<()> {
    let sql = "DELETE FROM temp.changed WHERE kind = ?1 AND key = ?2";
    db.prepare_cached(sql)?.execute([kind, key]).map(drop)
}

/// The rows that were changed, each once, as they are now.
pub(super) fn changed(db: &Connection) -> rusqlite::Result<Vec<Line>> {
    let sql = "SELECT kind, key, body FROM temp.changed WHERE rowid IN
        (SELECT max(rowid) FROM temp.changed GROUP BY kind, key) ORDER BY rowid";
    let mut query = db.prepare_cached(sql)?;
    let lines = query.query_map([], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))?;
    lines.collect()
}

/// Takes all rows for unchanged.
pub(super) fn forget(db: &Connection) -> rusqlite::Result<()> {
    db.execute("DELETE FROM temp.changed", []).map(drop)
}

/// Which server was seen last, and up to which number.
pub(super) fn seen(db: &Connection) -> rusqlite::Result<Option<(String, i64)>> {
    let sql = "SELECT server, number FROM shared_seen";
    db.query_row(sql, [], |row| Ok((row.get(0)?, row.get(1)?)))
        .optional()
}

/// Notes what was seen.
pub(super) fn note(db: &Connection, server: &str, number: i64) -> rusqlite::Result<()> {
    let sql = "INSERT OR REPLACE INTO shared_seen VALUES (1, ?1, ?2)";
    db.execute(sql, params![server, number]).map(drop)
}

/// Notes the number of the last change.
pub(super) fn number(db: &Connection, number: i64) -> rusqlite::Result<()> {
    db.execute("UPDATE shared_seen SET number = ?1", [number])
        .map(drop)
}

impl Table {
    fn read(db: &Connection, name: String) -> rusqlite::Result<Self> {
        let sql = "SELECT name, pk FROM pragma_table_info(?1) ORDER BY cid";
        let mut query = db.prepare(sql)?;
        let rows = query.query_map([&name], |row| Ok((row.get(0)?, row.get(1)?)))?;
        let rows: rusqlite::Result<Vec<(String, i64)>> = rows.collect();
        let rows = rows?;
        let keys = rows.iter().filter(|(_, key)| *key > 0);
        Ok(Self {
            keys: keys.map(|(name, _)| name.clone()).collect(),
            columns: rows.into_iter().map(|(name, _)| name).collect(),
            name,
        })
    }

    /// The key of a row; `row` is empty, `NEW.` or `OLD.`.
    fn key(&self, row: &str) -> String {
        let keys = self.keys.iter().map(|key| format!("{row}{key}"));
        format!("json_array({})", keys.collect::<Vec<_>>().join(", "))
    }

    fn body(&self, row: &str) -> String {
        let columns = self.columns.iter();
        let columns = columns.map(|column| format!("'{column}', {row}{column}"));
        format!("json_object({})", columns.collect::<Vec<_>>().join(", "))
    }

    fn triggers(&self) -> String {
        let name = &self.name;
        let trigger = |event: &str, key: String, body: String| {
            format!(
                "CREATE TEMP TRIGGER {event}_{name} AFTER {event} ON main.{name} BEGIN
                    INSERT INTO changed VALUES ('{name}', {key}, {body}); END;"
            )
        };
        [
            trigger("INSERT", self.key("NEW."), self.body("NEW.")),
            trigger("UPDATE", self.key("NEW."), self.body("NEW.")),
            trigger("DELETE", self.key("OLD."), "NULL".to_owned()),
        ]
        .concat()
    }

    fn delete(&self) -> String {
        let keys = self.keys.iter().enumerate();
        let keys = keys.map(|(at, key)| format!("{key} = json_extract(?1, '$[{at}]')"));
        let keys = keys.collect::<Vec<_>>().join(" AND ");
        format!("DELETE FROM main.{} WHERE {keys}", self.name)
    }

    fn insert(&self) -> String {
        let columns = self.columns.join(", ");
        let values = self.columns.iter();
        let values = values.map(|column| format!("json_extract(?1, '$.{column}')"));
        let values = values.collect::<Vec<_>>().join(", ");
        format!("INSERT INTO main.{} ({columns}) SELECT {values}", self.name)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use super::*;

    fn file() -> Connection {
        let db = Connection::open_in_memory().unwrap();
        let sql = "CREATE TABLE a (x TEXT, y INTEGER, z REAL, PRIMARY KEY (x, y)) STRICT;";
        db.execute_batch(sql).unwrap();
        db
    }

    #[test]
    fn what_is_changed_here_is_the_same_there() {
        let (one, two) = (file(), file());
        Replica::watch(&one).unwrap();
        let to = Replica::watch(&two).unwrap();
        let odd = "a \"quoted\" 'ü' \n name";
        one.execute("INSERT INTO a VALUES (?1, ?2, 0.5)", params![odd, i64::MIN])
            .unwrap();
        one.execute("INSERT INTO a VALUES ('b', 1, NULL)", [])
            .unwrap();
        one.execute("UPDATE a SET z = 2 WHERE x = 'b'", []).unwrap();
        one.execute("INSERT OR REPLACE INTO a VALUES ('b', 1, 3)", [])
            .unwrap();
        one.execute("INSERT INTO a VALUES ('c', 1, NULL)", [])
            .unwrap();
        one.execute("DELETE FROM a WHERE x = 'c'", []).unwrap();
        let lines = changed(&one).unwrap();
        assert_eq!(lines.len(), 3, "each row once: {lines:?}");
        two.execute("INSERT INTO a VALUES ('c', 1, 9)", []).unwrap();
        for (kind, key, body) in &lines {
            to.apply(&two, kind, key, body.as_deref()).unwrap();
            to.apply(&two, kind, key, body.as_deref()).unwrap();
        }
        let rows = |db: &Connection| -> Vec<(String, i64, Option<f64>)> {
            let mut query = db.prepare("SELECT x, y, z FROM a ORDER BY x").unwrap();
            let rows = query.query_map([], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)));
            rows.unwrap().map(Result::unwrap).collect()
        };
        assert_eq!(rows(&one), rows(&two));
        assert_eq!(rows(&two).len(), 2);
    }
}
