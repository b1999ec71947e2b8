//! Owns what must be known of a table before its rows can be told apart and put back: its key, its
//! columns, and what follows its rows.

use postgres::Client;

use super::Three;
use super::pages::Suspect;
use crate::engine::EngineError;
use crate::engine::postgres::connect::refused;
use crate::engine::postgres::tables::{Table, quoted};
use crate::engine::undo::Undone;

/// A column.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Column {
    name: String,
    kind: String,
    /// Computed from others.
    generated: bool,
    /// Counted by the server alone: no update sets it.
    counted: bool,
}

/// Another table whose rows would go or change with the rows of this one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Follower {
    /// The table, for SQL.
    pub(super) table: String,
    /// Its columns that refer.
    pub(super) from: Vec<String>,
    /// The columns that they refer to.
    pub(super) to: Vec<String>,
    /// Does a change of these columns change it, too?
    pub(super) on_update: bool,
    /// Does it lose or change rows when a row here is deleted?
    pub(super) on_delete: bool,
}

/// A table in its three states.
#[derive(Debug, Clone)]
pub(super) struct Shape {
    /// Name in the copy before.
    pub(super) before: Table,
    /// Name in the live database.
    pub(super) live: Table,
    /// Columns of the primary key.
    pub(super) key: Vec<String>,
    /// Columns that are written when a row is inserted.
    pub(super) written: Vec<String>,
    /// Columns that are written when a row is updated.
    pub(super) updated: Vec<String>,
    pub(super) followers: Vec<Follower>,
}

impl Shape {
    /// Looks at a table; none when it cannot be merged, which is told.
    ///
    /// # Errors
    /// When it has no primary key: its rows cannot be told apart.
    pub(super) fn of(
        three: &mut Three,
        oid: u32,
        suspect: &Suspect,
        undone: &mut Undone,
    ) -> Result<Option<Self>, EngineError> {
        let words = suspect.table.words();
        let Some(live) = live(&mut three.live, oid)? else {
            let told = "it was dropped since; bring its rows back with `extract`";
            undone.conflicts.push(format!("table {words}: {told}"));
            return Ok(None);
        };
        let before = columns(&mut three.before, oid)?;
        let same = before == columns(&mut three.after, oid)?;
        if !same || before != columns(&mut three.live, oid)? {
            let when = if same { "since" } else { "by it" };
            let told = format!("table {words}: its columns were changed {when}");
            undone.conflicts.push(told);
            return Ok(None);
        }
        let key = key(&mut three.before, oid)?;
        if key.is_empty() || key != self::key(&mut three.live, oid)? {
            return Err(EngineError::refused(
                format!("take back what was done to {words}"),
                "it has no primary key, or another one now, so its rows cannot be told apart: \
                 bring the table back beside the live one with `extract … as \"NAME\"`",
            ));
        }
        let written = before.iter().filter(|column| !column.generated);
        let updated = written
            .clone()
            .filter(|column| !column.counted && !key.contains(&column.name));
        let names = |column: &Column| column.name.clone();
        Ok(Some(Self {
            before: suspect.table.clone(),
            live,
            written: written.map(names).collect(),
            updated: updated.map(names).collect(),
            key,
            followers: followers(&mut three.live, oid)?,
        }))
    }

    /// The key of a row that is called `row`, in SQL.
    pub(super) fn key_of(&self, row: &str) -> String {
        let columns: Vec<String> = self
            .key
            .iter()
            .map(|name| format!("{row}.{}", quoted(name)))
            .collect();
        format!("row({})", columns.join(", "))
    }
}

fn live(client: &mut Client, oid: u32) -> Result<Option<Table>, EngineError> {
    let query = "select n.nspname::text, c.relname::text from pg_class c \
                 join pg_namespace n on n.oid = c.relnamespace \
                 where c.oid = $1::int8::oid and c.relkind = 'r'";
    let row = client.query_opt(query, &[&i64::from(oid)]);
    let row = row.map_err(|error| refused("find the table in the live database", &error))?;
    Ok(row.map(|row| Table {
        schema: row.get(0),
        name: row.get(1),
    }))
}

fn columns(client: &mut Client, oid: u32) -> Result<Vec<Column>, EngineError> {
    let query = "select attname::text, format_type(atttypid, atttypmod), attgenerated <> '', \
                 attidentity = 'a' \
                 from pg_attribute where attrelid = $1::int8::oid and attnum > 0 \
                 and not attisdropped order by attnum";
    let rows = client.query(query, &[&i64::from(oid)]);
    let rows = rows.map_err(|error| refused("list the columns of a table", &error))?;
    let column = |row: &postgres::Row| Column {
        name: row.get(0),
        kind: row.get(1),
        generated: row.get(2),
        counted: row.get(3),
    };
    Ok(rows.iter().map(column).collect())
}

fn key(client: &mut Client, oid: u32) -> Result<Vec<String>, EngineError> {
    let query = "select a.attname::text from pg_index i \
                 cross join lateral unnest(i.indkey::int2[]) with ordinality k(number, place) \
                 join pg_attribute a on a.attrelid = i.indrelid and a.attnum = k.number \
                 where i.indrelid = $1::int8::oid and i.indisprimary \
                 and k.place <= i.indnkeyatts order by k.place";
    let rows = client.query(query, &[&i64::from(oid)]);
    let rows = rows.map_err(|error| refused("find the key of a table", &error))?;
    Ok(rows.iter().map(|row| row.get(0)).collect())
}

fn followers(client: &mut Client, oid: u32) -> Result<Vec<Follower>, EngineError> {
    let query = "select format('%I.%I', n.nspname, c.relname), \
                 (select array_agg(a.attname::text order by u.place) from \
                 unnest(k.conkey) with ordinality u(number, place) join pg_attribute a \
                 on a.attrelid = k.conrelid and a.attnum = u.number), \
                 (select array_agg(a.attname::text order by u.place) from \
                 unnest(k.confkey) with ordinality u(number, place) join pg_attribute a \
                 on a.attrelid = k.confrelid and a.attnum = u.number), \
                 k.confupdtype in ('c', 'n', 'd'), k.confdeltype in ('c', 'n', 'd') \
                 from pg_constraint k join pg_class c on c.oid = k.conrelid \
                 join pg_namespace n on n.oid = c.relnamespace \
                 where k.contype = 'f' and k.confrelid = $1::int8::oid \
                 and (k.confupdtype in ('c', 'n', 'd') or k.confdeltype in ('c', 'n', 'd'))";
    let rows = client.query(query, &[&i64::from(oid)]);
    let rows = rows.map_err(|error| refused("list what refers to a table", &error))?;
    let follower = |row: &postgres::Row| Follower {
        table: row.get(0),
        from: row.get(1),
        to: row.get(2),
        on_update: row.get(3),
        on_delete: row.get(4),
    };
    Ok(rows.iter().map(follower).collect())
}
