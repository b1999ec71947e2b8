//! Owns which tables a transaction may have changed: those whose pages it touched, and those whose
//! files it replaced.

use std::collections::BTreeMap;

use postgres::Client;

use super::Three;
use crate::engine::EngineError;
use crate::engine::postgres::connect::refused;
use crate::engine::postgres::tables::Table;
use crate::engine::undo::Undone;
use crate::graph::step::TouchedPages;

const DEFAULT_TABLESPACE: u32 = 1663;

/// The blocks of a table that are looked at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Blocks {
    /// Its file was replaced: all of it.
    All,
    /// First and last of each run.
    Runs(Vec<(u32, u32)>),
}

/// A table that may have been changed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Suspect {
    /// Its name in the copy before the transaction.
    pub(super) table: Table,
    pub(super) blocks: Blocks,
}

/// The tables by object id; what cannot be taken back is told.
pub(super) fn suspects(
    three: &mut Three,
    pages: &[&TouchedPages],
    undone: &mut Undone,
) -> Result<BTreeMap<u32, Suspect>, EngineError> {
    let mut found = BTreeMap::new();
    let mut catalogs = false;
    for touched in pages {
        match relation(&mut three.before, touched)? {
            Some((oid, kind, table)) if kind == "r" && !is_own(&table) => {
                let blocks = Blocks::Runs(touched.blocks.clone());
                found.insert(oid, Suspect { table, blocks });
            }
            Some((_, _, table)) => catalogs |= table.schema == "pg_catalog",
            None => {}
        }
    }
    replaced(three, &mut found, undone)?;
    if catalogs {
        let told = "it changed definitions or statistics: these stay as they are";
        undone.notes.push(told.to_owned());
    }
    Ok(found)
}

/// The server's own tables.
fn is_own(table: &Table) -> bool {
    table.schema == "information_schema" || table.schema.starts_with("pg_")
}

type Relation = (u32, String, Table);

fn relation(client: &mut Client, touched: &TouchedPages) -> Result<Option<Relation>, EngineError> {
    let query = "select c.oid::int8, c.relkind::text, n.nspname::text, c.relname::text \
                 from pg_class c join pg_namespace n on n.oid = c.relnamespace \
                 where c.oid = pg_filenode_relation($1::int8::oid, $2::int8::oid)";
    let tablespace = match touched.tablespace {
        DEFAULT_TABLESPACE => 0,
        other => i64::from(other),
    };
    let row = client.query_opt(query, &[&tablespace, &i64::from(touched.relation)]);
    let row = row.map_err(|error| refused("name a relation of the copy", &error))?;
    Ok(row.map(|row| {
        let table = Table {
            schema: row.get(2),
            name: row.get(3),
        };
        (
            u32::try_from(row.get::<_, i64>(0)).unwrap_or(0),
            row.get(1),
            table,
        )
    }))
}

type Files = BTreeMap<u32, (Table, i64)>;

/// The files of all tables.
fn files(client: &mut Client) -> Result<Files, EngineError> {
    let query = "select c.oid::int8, n.nspname::text, c.relname::text, \
                 pg_relation_filenode(c.oid)::int8 from pg_class c \
                 join pg_namespace n on n.oid = c.relnamespace \
                 where c.relkind = 'r' and c.relpersistence = 'p' \
                 and n.nspname <> 'information_schema' and n.nspname !~ '^pg_'";
    let rows = client.query(query, &[]);
    let rows = rows.map_err(|error| refused("list the files of the copy", &error))?;
    let file = |row: &postgres::Row| {
        let table = Table {
            schema: row.get(1),
            name: row.get(2),
        };
        let oid = u32::try_from(row.get::<_, i64>(0)).unwrap_or(0);
        (oid, (table, row.get(3)))
    };
    Ok(rows.iter().map(file).collect())
}

/// Tables that the transaction emptied or wrote anew have another file after it.
fn replaced(
    three: &mut Three,
    found: &mut BTreeMap<u32, Suspect>,
    undone: &mut Undone,
) -> Result<(), EngineError> {
    let (before, after) = (files(&mut three.before)?, files(&mut three.after)?);
    for (oid, (table, file)) in &before {
        match after.get(oid) {
            None => undone.conflicts.push(format!(
                "table {}: the transaction dropped it; bring it back with `extract`",
                table.words()
            )),
            Some((_, other)) if other != file => {
                let (table, blocks) = (table.clone(), Blocks::All);
                found.insert(*oid, Suspect { table, blocks });
            }
            Some(_) => {}
        }
    }
    for (oid, (table, _)) in &after {
        if !before.contains_key(oid) {
            let told = format!("table {} was made by it and stays", table.words());
            undone.notes.push(told);
        }
    }
    found.retain(|oid, _| after.contains_key(oid));
    Ok(())
}
