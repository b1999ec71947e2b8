//! Owns merging what a transaction did with the live rows: what is unchanged since is put back, in
//! one transaction; a row that was changed since, or that the server does not take back, is told.

use postgres::{Client, Transaction};

use super::rows::{Change, Rows};
use super::shape::Shape;
use crate::engine::EngineError;
use crate::engine::postgres::connect::refused;
use crate::engine::postgres::tables::quoted;
use crate::engine::undo::Undone;

/// How long tables are waited for that others have locked.
const LOCK: &str = "set local lock_timeout = '30s'; set constraints all immediate";
/// Rows that are asked for at a time.
const BATCH: usize = 500;

/// One table with what was done to it.
pub(super) struct Merge {
    shape: Shape,
    changes: Vec<Change>,
}

/// A row that is to be put back.
struct Due {
    table: usize,
    change: Change,
}

impl Merge {
    pub(super) fn new(shape: Shape, changes: Vec<Change>) -> Self {
        Self { shape, changes }
    }
}

/// Merges all tables of a database.
///
/// # Errors
/// When the server refuses; nothing is changed then.
pub(super) fn run(
    live: &mut Client,
    merges: &[Merge],
    apply: bool,
    undone: &mut Undone,
) -> Result<(), EngineError> {
    let failed = |error: &postgres::Error| refused("merge with the live rows", error);
    let begun = live.build_transaction().read_only(!apply).start();
    let mut work = begun.map_err(|error| failed(&error))?;
    if apply {
        lock(&mut work, merges)?;
    }
    let mut due = Vec::new();
    for (table, merge) in merges.iter().enumerate() {
        let open = judge(&mut work, &merge.shape, &merge.changes, undone)?;
        due.extend(open.into_iter().map(|change| Due { table, change }));
    }
    let mut counts = vec![0; merges.len()];
    if apply {
        put_back(&mut work, merges, due, &mut counts, undone)?;
    } else {
        for one in &due {
            counts[one.table] += 1;
        }
    }
    let names = merges.iter().map(|merge| merge.shape.live.words());
    undone.rows.extend(names.zip(counts));
    work.commit().map_err(|error| failed(&error))
}

/// Nobody writes to the tables meanwhile.
fn lock(work: &mut Transaction<'_>, merges: &[Merge]) -> Result<(), EngineError> {
    let mut statements = vec![LOCK.to_owned()];
    for merge in merges {
        let table = merge.shape.live.sql();
        statements.push(format!("lock table {table} in share row exclusive mode"));
    }
    let locked = work.batch_execute(&statements.join("; "));
    locked.map_err(|error| refused("lock the live tables", &error))
}

/// Sorts out what is as before already, and what was changed since; the rest is left.
fn judge(
    work: &mut Transaction<'_>,
    shape: &Shape,
    changes: &[Change],
    undone: &mut Undone,
) -> Result<Vec<Change>, EngineError> {
    let mut open = Vec::new();
    for batch in changes.chunks(BATCH) {
        let now = current(work, shape, batch)?;
        for change in batch {
            let live = now.get(&change.key);
            if live == change.before.as_ref() {
                undone.already += 1;
            } else if live == change.after.as_ref() {
                open.push(change.clone());
            } else {
                undone.conflicts.push(conflict(shape, change, live));
            }
        }
    }
    Ok(open)
}

/// The live rows of some keys.
fn current(
    work: &mut Transaction<'_>,
    shape: &Shape,
    batch: &[Change],
) -> Result<Rows, EngineError> {
    let samples: Vec<&str> = batch.iter().map(Change::sample).collect();
    let table = shape.live.sql();
    let same = same_key(shape, &format!("(given.text::{table})"));
    let key = shape.key_of("live");
    let query = format!(
        "select {key}::text, live::text from unnest($1::text[]) given(text) \
         join only {table} live on {same}"
    );
    let rows = work.query(&query, &[&samples]);
    let what = || format!("read live rows of {}", shape.live.words());
    let rows = rows.map_err(|error| refused(what(), &error))?;
    Ok(rows.iter().map(|row| (row.get(0), row.get(1))).collect())
}

/// `live.k = OTHER.k and …`
fn same_key(shape: &Shape, other: &str) -> String {
    let columns = shape.key.iter().map(|name| {
        let name = quoted(name);
        format!("live.{name} = {other}.{name}")
    });
    columns.collect::<Vec<_>>().join(" and ")
}

fn conflict(shape: &Shape, change: &Change, live: Option<&String>) -> String {
    let text = |row: Option<&String>| row.map_or("no row", String::as_str).to_owned();
    format!(
        "{} {}: before {}, after {}, now {}",
        shape.live.words(),
        change.key,
        text(change.before.as_ref()),
        text(change.after.as_ref()),
        text(live)
    )
}

/// Puts rows back until nothing moves any more: one row may wait for another that it refers to.
fn put_back(
    work: &mut Transaction<'_>,
    merges: &[Merge],
    mut due: Vec<Due>,
    counts: &mut [u64],
    undone: &mut Undone,
) -> Result<(), EngineError> {
    let mut refusals = Vec::new();
    loop {
        let before = due.len();
        let mut left = Vec::new();
        refusals.clear();
        for one in due {
            let shape = &merges[one.table].shape;
            match put_one(work, shape, &one.change)? {
                Ok(None) => counts[one.table] += 1,
                Ok(Some(note)) => {
                    counts[one.table] += 1;
                    undone.notes.push(note);
                }
                Err(cause) => {
                    refusals.push(cause);
                    left.push(one);
                }
            }
        }
        if left.is_empty() || left.len() == before {
            due = left;
            break;
        }
        due = left;
    }
    for (one, cause) in due.iter().zip(refusals) {
        let shape = &merges[one.table].shape;
        let told = conflict(shape, &one.change, one.change.after.as_ref());
        undone.conflicts.push(format!("{told}: {cause}"));
    }
    Ok(())
}

/// Puts one row back; a note when the server made something else of it, else why it refuses.
fn put_one(
    work: &mut Transaction<'_>,
    shape: &Shape,
    change: &Change,
) -> Result<Result<Option<String>, String>, EngineError> {
    let failed = |error: &postgres::Error| refused("put a row back", error);
    if let Some(cause) = followed(work, shape, change)? {
        return Ok(Err(cause));
    }
    if change.before.is_some() && change.after.is_some() && shape.updated.is_empty() {
        return Ok(Err("the server alone fills what differs".to_owned()));
    }
    let mut step = work.savepoint("row").map_err(|error| failed(&error))?;
    let done = step.execute(&statement(shape, change), &[&change.sample()]);
    match done {
        Ok(1) => {
            step.commit().map_err(|error| failed(&error))?;
            told_apart(work, shape, change).map(Ok)
        }
        Ok(count) => {
            step.rollback().map_err(|error| failed(&error))?;
            Ok(Err(match count {
                0 => "a trigger or a rule of the table keeps it away".to_owned(),
                count => format!("{count} rows have its key"),
            }))
        }
        Err(error) => {
            step.rollback().map_err(|error| failed(&error))?;
            Ok(Err(refused("put it back", &error).to_string()))
        }
    }
}

fn statement(shape: &Shape, change: &Change) -> String {
    let table = shape.live.sql();
    let given = format!("(select ($1::text::{table}).*) given");
    let same = same_key(shape, "given");
    let list = |names: &[String]| names.join(", ");
    match (&change.before, &change.after) {
        (Some(_), Some(_)) => {
            let columns = shape.updated.iter().map(|name| {
                let name = quoted(name);
                format!("{name} = given.{name}")
            });
            let columns: Vec<String> = columns.collect();
            format!(
                "update only {table} live set {} from {given} where {same}",
                list(&columns)
            )
        }
        (Some(_), None) => {
            let own: Vec<String> = shape.written.iter().map(|name| quoted(name)).collect();
            let from = own.iter().map(|name| format!("given.{name}"));
            format!(
                "insert into {table} ({}) overriding system value select {} from {given}",
                list(&own),
                list(&from.collect::<Vec<_>>())
            )
        }
        (None, _) => format!("delete from only {table} live using {given} where {same}"),
    }
}

/// Why rows of other tables would go or change with this one.
fn followed(
    work: &mut Transaction<'_>,
    shape: &Shape,
    change: &Change,
) -> Result<Option<String>, EngineError> {
    let (deletes, updates) = (change.before.is_none(), change.after.is_some());
    for other in &shape.followers {
        let key_only = other.to.iter().all(|name| shape.key.contains(name));
        let matters = if deletes {
            other.on_delete
        } else {
            updates && other.on_update && !key_only
        };
        if !matters {
            continue;
        }
        let columns = |names: &[String], of: &str| {
            let names = names.iter().map(|name| format!("{of}.{}", quoted(name)));
            names.collect::<Vec<_>>().join(", ")
        };
        let table = shape.live.sql();
        let query = format!(
            "select exists (select from {} other, (select ($1::text::{table}).*) given \
             where ({}) = ({}))",
            other.table,
            columns(&other.from, "other"),
            columns(&other.to, "given")
        );
        let live = change.after.as_deref().unwrap_or_default();
        let row = work.query_one(&query, &[&live]);
        let row = row.map_err(|error| refused("look for rows that refer to it", &error))?;
        if row.get(0) {
            let cause = format!(
                "rows of {} refer to it and would change with it",
                other.table
            );
            return Ok(Some(cause));
        }
    }
    Ok(None)
}

/// A trigger may have made something else of the row.
fn told_apart(
    work: &mut Transaction<'_>,
    shape: &Shape,
    change: &Change,
) -> Result<Option<String>, EngineError> {
    let now = current(work, shape, std::slice::from_ref(change))?;
    let now = now.get(&change.key);
    if now == change.before.as_ref() {
        return Ok(None);
    }
    let words = shape.live.words();
    let now = now.map_or("no row", String::as_str);
    Ok(Some(format!(
        "{words} {}: a trigger or a computed column made {now} of it",
        change.key
    )))
}
