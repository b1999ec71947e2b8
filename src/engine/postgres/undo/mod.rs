//! Taking back what one transaction did: the rows just before it and just after it come from two
//! recovered copies, the live rows are merged with them three ways. What is unchanged since is put
//! back; what was changed since is told and left alone.

mod merge;
mod pages;
mod rows;
mod shape;

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use postgres::Client;

use super::connect::{self, refused};
use super::{PostgresSpec, logical, scratch};
use crate::engine::undo::{UndoWish, Undone};
use crate::engine::{EngineError, postgres::instance::Instance};
use merge::Merge;
use pages::{Blocks, Suspect};
use rows::Change;
use shape::Shape;

/// Every session reads and writes values in the same form.
const FORM: &str = "set datestyle = 'ISO, YMD'; set timezone = 'UTC'; \
     set intervalstyle = 'postgres'; set bytea_output = 'hex'; set extra_float_digits = 1; \
     set lc_monetary = 'C'; set xmloption = 'content'; set search_path = pg_catalog; \
     set row_security = off";

/// Two recovered copies: just before the transaction, and with it.
struct Copies<'a> {
    before: &'a Instance,
    after: &'a Instance,
}

/// One database in its three states.
struct Three {
    before: Client,
    after: Client,
    live: Client,
}

/// Compares, and where it is wished puts back what is unchanged since.
///
/// # Errors
/// When a copy does not open, a table has no primary key, or a server refuses; the live rows are as
/// they were then.
pub(super) fn undo(
    spec: &PostgresSpec,
    before: &Path,
    after: &Path,
    wish: &UndoWish,
) -> Result<Undone, EngineError> {
    let (before, after) = (logical::open(spec, before)?, logical::open(spec, after)?);
    before.using(|before| after.using(|after| merged(spec, &Copies { before, after }, wish)))
}

fn merged(
    spec: &PostgresSpec,
    copies: &Copies<'_>,
    wish: &UndoWish,
) -> Result<Undone, EngineError> {
    let mut undone = Undone::default();
    let databases: BTreeSet<u32> = wish.pages.iter().map(|one| one.database).collect();
    for oid in databases {
        if oid == 0 {
            let told = "it changed what all databases share (roles, databases): that stays";
            undone.notes.push(told.to_owned());
            continue;
        }
        let names = [
            database(&mut copies.before.home()?, oid)?,
            database(&mut copies.after.home()?, oid)?,
            database(&mut connect::open(&spec.service, &spec.connect)?, oid)?,
        ];
        let [Some(before), Some(after), Some(live)] = &names else {
            undone.conflicts.push(gone(oid, &names));
            continue;
        };
        let mut three = Three::open(spec, copies, [before, after, live])?;
        let own: Vec<_> = wish
            .pages
            .iter()
            .filter(|one| one.database == oid)
            .collect();
        let suspects = pages::suspects(&mut three, &own, &mut undone)?;
        one_database(&mut three, &suspects, wish.apply, &mut undone)?;
    }
    Ok(undone)
}

/// The name that a database has in one of the states: it may be renamed between them.
fn database(client: &mut Client, oid: u32) -> Result<Option<String>, EngineError> {
    let query = "select datname::text from pg_database where oid = $1::int8::oid";
    let row = client.query_opt(query, &[&i64::from(oid)]);
    let row = row.map_err(|error| refused("name the database of the transaction", &error))?;
    Ok(row.map(|row| row.get(0)))
}

/// A database that one of the states lacks.
fn gone(oid: u32, names: &[Option<String>; 3]) -> String {
    match names {
        [None, ..] => format!("database {oid} was made by it and stays"),
        [Some(name), None, _] => format!("database {name} was dropped by it"),
        [Some(name), ..] => {
            format!("database {name} was dropped since: bring it back with `extract`")
        }
    }
}

impl Three {
    fn open(
        spec: &PostgresSpec,
        copies: &Copies<'_>,
        [before, after, live]: [&str; 3],
    ) -> Result<Self, EngineError> {
        let mut three = Self {
            before: scratch::open(copies.before, before)?.0,
            after: scratch::open(copies.after, after)?.0,
            live: connect::open_database(&spec.service, &spec.connect, live)?,
        };
        for client in [&mut three.before, &mut three.after, &mut three.live] {
            let done = client.batch_execute(FORM);
            done.map_err(|error| refused("agree on the form of values", &error))?;
        }
        Ok(three)
    }
}

/// All tables of one database in one transaction.
fn one_database(
    three: &mut Three,
    suspects: &BTreeMap<u32, Suspect>,
    apply: bool,
    undone: &mut Undone,
) -> Result<(), EngineError> {
    let mut merges = Vec::new();
    for (oid, suspect) in suspects {
        let Some(shape) = Shape::of(three, *oid, suspect, undone)? else {
            continue;
        };
        let changes = changes(three, &shape, &suspect.blocks)?;
        if !changes.is_empty() {
            merges.push(Merge::new(shape, changes));
        }
    }
    merge::run(&mut three.live, &merges, apply, undone)
}

/// What the transaction did to a table.
fn changes(three: &mut Three, shape: &Shape, blocks: &Blocks) -> Result<Vec<Change>, EngineError> {
    let before = rows::read(&mut three.before, shape, blocks)?;
    let after = rows::read(&mut three.after, shape, blocks)?;
    Ok(rows::compare(before, after))
}
