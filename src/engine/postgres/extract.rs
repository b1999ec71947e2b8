//! Owns taking tables or a schema out of a recovered cluster into a live database: the recovered
//! one is changed so that `pg_dump` gives exactly what is wanted, `pg_restore` brings it in one
//! transaction. What exists in the live database is never touched.

use std::path::Path;
use std::time::Instant;

use postgres::Client;
use postgres::error::SqlState;

use super::arrival::{self, has_table, refuse_schema, refuse_table, whole_schema};
use super::brought::{Thing, end_earlier, mark, session};
use super::connect::{self, refused};
use super::instance::Instance;
use super::logical::{self, run};
use super::needs::{self, Brought};
use super::parents::{self, Tie};
use super::statistics::{self, Statistics};
use super::tables::{self, Link, Table, quoted};
use super::{PostgresSpec, dumps, scratch, whole};
use crate::engine::{EngineError, Extracted, Extraction};

/// Said behind what an earlier try brought.
pub(super) const EARLIER: &str = "brought by an earlier try";

/// What is taken of one database.
#[derive(Debug, Default)]
struct Taken {
    /// Every table, those of the schema included.
    tables: Vec<Table>,
    /// Names among several that the copy has no table for, in words.
    gone: Vec<String>,
    /// Sequences that defaults of the tables use, with the value they had; only those that the
    /// live database lacks are taken.
    sequences: Vec<(Table, i64)>,
    /// A schema that is taken with all that is in it.
    schema: Option<String>,
    /// Did an earlier try bring all of it?
    came: bool,
}

/// Takes tables, a schema or a database out of a restored copy. What an earlier try of the same
/// extraction brought is found, not brought twice.
///
/// # Errors
/// When something is missing in the copy, a name is taken in the live database, or the tools fail;
/// the live database is unchanged then.
pub fn extract(
    spec: &PostgresSpec,
    restored: &Path,
    folder: &Path,
    wish: &Extraction,
) -> Result<Extracted, EngineError> {
    let database = arrival::database(spec, wish);
    if wish.tables.is_empty() {
        let new = wish.name.as_deref().unwrap_or(&database);
        let file = folder.join("database.dump");
        return whole::extract(spec, restored, &file, (&database, new), &wish.id);
    }
    let named = wish.name.as_deref();
    let mut live = connect::open_database(&spec.service, &spec.connect, &database)?;
    end_earlier(&mut live, &wish.id)?;
    let file = folder.join("tables.dump");
    let mut extracted = Extracted::default();
    let copy = logical::open(spec, restored)?;
    let (taken, around) = copy.using(|instance| {
        let (mut old, prepared) = scratch::open(instance, &database)?;
        scratch::calm(&mut old)?;
        extracted.lost.extend(prepared);
        let mut taken = Taken::find(&mut old, &database, wish)?;
        extracted.lost.append(&mut taken.gone);
        taken.came = came(&mut live, &taken, wish)?;
        taken.keep_lacking(&mut live, &mut extracted)?;
        extracted.lost.extend(taken.gather(&mut old)?);
        let around = Around::find(&mut old, restored, &taken)?;
        extracted
            .lost
            .extend(tables::apart(&mut old, &taken.tables)?);
        extracted
            .lost
            .extend(tables::emptied(&mut old, &taken.tables)?);
        if !taken.came {
            extracted.bytes = tables::bytes(&mut old, &taken.tables)?;
            prepare(&mut old, &taken, &around.links, wish)?;
            let brought = taken.brought(named);
            needs::check(&mut old, &mut live, &brought, &database)?;
            drop(old);
            let began = Instant::now();
            dump(instance, &database, &brought, &file)?;
            extracted.moving = began.elapsed();
        }
        Ok((taken, around))
    })?;
    if !taken.came {
        let began = Instant::now();
        make_schema(&mut live, new_schema(&taken, named))?;
        load(spec, &mut live, (&database, &wish.id), &file)?;
        extracted.moving += began.elapsed();
    }
    for table in moved(&taken.tables, named) {
        extracted.tables.push(count(&mut live, &table)?);
    }
    if taken.came {
        extracted.tables.push(EARLIER.to_owned());
    }
    extracted.lost.extend(around.again(&mut live, named));
    Ok(extracted)
}

/// What stands around tables in a copy and is made again around those that came.
struct Around {
    links: Vec<Link>,
    ties: Vec<Tie>,
    statistics: Vec<Statistics>,
}

impl Around {
    /// Finds it, and cuts the tables of the copy off from their parents.
    fn find(old: &mut Client, restored: &Path, taken: &Taken) -> Result<Self, EngineError> {
        let ties = parents::cut(old, &taken.tables)?;
        let mut links = tables::links(old, &taken.tables)?;
        links.extend(leading_out(restored, &taken.tables)?);
        // with a schema they come by themselves
        let statistics = match taken.schema {
            None => statistics::find(old, &taken.tables)?,
            Some(_) => Vec::new(),
        };
        Ok(Self {
            links,
            ties,
            statistics,
        })
    }

    /// Makes it; what was in the way, in words.
    fn again(&self, live: &mut Client, named: Option<&str>) -> Vec<String> {
        let mut told = Vec::new();
        told.extend(self.links.iter().filter_map(|one| again(live, one, named)));
        told.extend(
            self.statistics
                .iter()
                .filter_map(|one| one.again(live, named)),
        );
        told.extend(self.ties.iter().filter_map(|one| one.again(live, named)));
        told
    }
}

impl Taken {
    fn find(old: &mut Client, database: &str, wish: &Extraction) -> Result<Self, EngineError> {
        let names = &wish.tables;
        let place = tables::in_copy(database);
        let schema = whole_schema(names);
        let schema = schema.map(|schema| in_copy(old, schema)).transpose()?;
        let schema = schema.flatten();
        let meant = tables::find(old, place, names)?;
        let tables = meant.tables;
        let mut sequences = Vec::new();
        if schema.is_none() {
            for sequence in tables::loose_sequences(old, &tables)? {
                let value = last_value(old, &sequence)?;
                sequences.push((sequence, value));
            }
        }
        Ok(Self {
            tables,
            sequences,
            gone: meant.gone,
            schema,
            came: false,
        })
    }

    /// Moves what belongs to tables of a schema that is taken, and lies elsewhere, into it; in words.
    fn gather(&mut self, old: &mut Client) -> Result<Vec<String>, EngineError> {
        let mut told = Vec::new();
        let Some(schema) = &self.schema else {
            return Ok(told);
        };
        let others = self.tables.iter_mut();
        for table in others.filter(|table| table.schema != *schema) {
            let (name, words) = (table.sql(), table.words());
            let done =
                old.batch_execute(&format!("alter table {name} set schema {}", quoted(schema)));
            done.map_err(|error| refused(format!("move {name} in the copy"), &error))?;
            told.push(format!("table {words} came into the schema of its parent"));
            table.schema.clone_from(schema);
        }
        Ok(told)
    }

    /// Leaves sequences alone that the live database has; tells of those that lag behind.
    fn keep_lacking(
        &mut self,
        live: &mut Client,
        extracted: &mut Extracted,
    ) -> Result<(), EngineError> {
        let mut lacking = Vec::new();
        for (sequence, value) in std::mem::take(&mut self.sequences) {
            if !has_table(live, &sequence)? {
                lacking.push((sequence, value));
                continue;
            }
            let now = last_value(live, &sequence)?;
            if now < value {
                extracted.lost.push(format!(
                    "sequence {} stands at {now}, and the tables that came use values up to \
                     {value}: set it with setval",
                    sequence.words()
                ));
            }
        }
        self.sequences = lacking;
        Ok(())
    }
}

impl Taken {
    /// All of it under the names it gets.
    fn brought(&self, named: Option<&str>) -> Brought {
        if let Some(schema) = &self.schema {
            let schema = named.unwrap_or(schema).to_owned();
            return Brought::Schema(schema);
        }
        let sequences: Vec<Table> = self.sequences.iter().map(|(one, _)| one.clone()).collect();
        let all = moved(&self.tables, named).into_iter();
        let all = all.chain(moved(&sequences, named));
        Brought::Tables {
            names: all.map(|table| table.sql()).collect(),
            into: named.map(str::to_owned),
        }
    }
}

/// The schema, when the copy has it.
fn in_copy(old: &mut Client, schema: &str) -> Result<Option<String>, EngineError> {
    let query = "select nspname::text from pg_namespace where nspname = $1";
    let row = old.query_opt(query, &[&schema]);
    let row = row.map_err(|error| refused(format!("find schema {schema} in the copy"), &error))?;
    Ok(row.map(|row| row.get(0)))
}

fn last_value(client: &mut Client, sequence: &Table) -> Result<i64, EngineError> {
    let query = format!("select last_value from {}", sequence.sql());
    let row = client.query_one(&query, &[]);
    let row = row.map_err(|error| refused(format!("read {}", sequence.words()), &error))?;
    Ok(row.get(0))
}

/// Foreign keys that a copy made of dumps cannot have, because it lacks the other table.
fn leading_out(restored: &Path, tables: &[Table]) -> Result<Vec<Link>, EngineError> {
    let all = dumps::outside(restored)?;
    let mut links = Vec::new();
    for link in all {
        if !link.own || tables.contains(&link.from) {
            links.push(link);
        }
    }
    Ok(links)
}

/// The tables under the names they get.
fn moved(tables: &[Table], named: Option<&str>) -> Vec<Table> {
    let moved = |table: &Table| Table {
        schema: named.map_or_else(|| table.schema.clone(), str::to_owned),
        name: table.name.clone(),
    };
    tables.iter().map(moved).collect()
}

/// The schema that must be made before single tables can come.
fn new_schema<'a>(taken: &Taken, named: Option<&'a str>) -> Option<&'a str> {
    named.filter(|_| taken.schema.is_none())
}

/// No name that the live database has is taken, but for what an earlier try of this extraction
/// brought; true when it brought all.
fn came(live: &mut Client, taken: &Taken, wish: &Extraction) -> Result<bool, EngineError> {
    let named = wish.name.as_deref();
    if let Some(schema) = &taken.schema {
        return refuse_schema(live, named.unwrap_or(schema), &wish.id);
    }
    let mut new = moved(&taken.tables, named);
    new.sort();
    if let Some(twice) = new.windows(2).find(|pair| pair[0] == pair[1]) {
        return Err(EngineError::refused(
            format!("bring back {}", twice[0].sql()),
            "tables of this name come from several schemas: take them one after the other",
        ));
    }
    let (mut there, mut gone) = (None, None);
    for table in &new {
        let came = refuse_table(live, table, &wish.id)?;
        let seen = if came { &mut there } else { &mut gone };
        *seen = Some(table);
    }
    let (Some(there), Some(gone)) = (there, gone) else {
        return Ok(there.is_some());
    };
    Err(EngineError::refused(
        format!("bring back {}", gone.sql()),
        format!(
            "an earlier try brought it, and it is gone since; {} is still there: drop that too, \
             and all comes again",
            there.sql()
        ),
    ))
}

/// Changes the copy so that a dump holds what is wanted: under the new schema, without foreign keys
/// to what stays behind, and with the marks of this extraction.
fn prepare(
    old: &mut Client,
    taken: &Taken,
    links: &[Link],
    wish: &Extraction,
) -> Result<(), EngineError> {
    let named = wish.name.as_deref();
    let mut statements = Vec::new();
    for link in links {
        let (table, name) = (link.from.sql(), quoted(&link.name));
        statements.push(format!(
            "alter table if exists {table} drop constraint if exists {name}"
        ));
    }
    match (named.map(quoted), &taken.schema) {
        (Some(new), Some(schema)) => {
            statements.push(format!("alter schema {} rename to {new}", quoted(schema)));
        }
        (Some(new), None) => {
            statements.push(format!("create schema if not exists {new}"));
            for table in &taken.tables {
                statements.push(format!("alter table {} set schema {new}", table.sql()));
            }
            for (sequence, _) in &taken.sequences {
                statements.push(format!(
                    "alter sequence {} set schema {new}",
                    sequence.sql()
                ));
            }
        }
        (None, _) => {}
    }
    let done = old.batch_execute(&statements.join("; "));
    done.map_err(|error| refused("prepare the tables in the copy", &error))?;
    if let Some(schema) = &taken.schema {
        return mark(old, Thing::Schema(named.unwrap_or(schema)), &wish.id);
    }
    let mut tables = moved(&taken.tables, named).into_iter();
    tables.try_for_each(|table| mark(old, Thing::Table(&table), &wish.id))
}

fn dump(
    instance: &Instance,
    database: &str,
    brought: &Brought,
    file: &Path,
) -> Result<(), EngineError> {
    let mut command = instance.tool("pg_dump");
    command.args(["--format=custom", "--compress=0", "--no-password", "--file"]);
    command.arg(file).arg("--dbname").arg(database);
    match brought {
        Brought::Schema(schema) => {
            command.arg("--schema").arg(quoted(schema));
        }
        Brought::Tables { names, .. } => {
            for name in names {
                command.arg("--table").arg(name);
            }
        }
    }
    run("pg_dump", &mut command)
}

fn make_schema(live: &mut Client, schema: Option<&str>) -> Result<(), EngineError> {
    let Some(schema) = schema else {
        return Ok(());
    };
    let done = live.batch_execute(&format!("create schema if not exists {}", quoted(schema)));
    done.map_err(|error| refused(format!("create schema {schema}"), &error))
}

/// Loads the dump of an extraction in one transaction, with owners where the role may give them.
///
/// # Errors
/// When the program fails; nothing of the dump is there then.
pub(super) fn load(
    spec: &PostgresSpec,
    live: &mut Client,
    (database, id): (&str, &str),
    file: &Path,
) -> Result<(), EngineError> {
    let mut command = connect::tool(spec, database, "pg_restore")?;
    command.env("PGAPPNAME", session(id));
    command.args([
        "--single-transaction",
        "--exit-on-error",
        "--no-password",
        "--dbname",
    ]);
    command.arg(database);
    if !arrival::answer(live, "select current_setting('is_superuser') = 'on'", &[])? {
        command.args(["--no-owner", "--no-privileges"]);
    }
    command.arg(file);
    run("pg_restore", &mut command)
}

fn count(live: &mut Client, table: &Table) -> Result<String, EngineError> {
    let query = format!("select count(*) from {}", table.sql());
    let row = live.query_one(&query, &[]);
    let row = row.map_err(|error| refused("count what came", &error))?;
    let rows: i64 = row.get(0);
    Ok(format!("{} ({rows} rows)", table.words()))
}

/// Makes a foreign key again where the table came back under its old name; says what could not be.
fn again(live: &mut Client, link: &Link, named: Option<&str>) -> Option<String> {
    let (table, name) = (link.from.sql(), quoted(&link.name));
    let words = format!("foreign key {} of {table}: {}", link.name, link.definition);
    if named.is_some() {
        return link
            .own
            .then(|| format!("{words}: not made for a copy under another name"));
    }
    let make = link.sql();
    let made = match is_there(live, link) {
        // an earlier try made it, and may not have come to check it
        Ok(true) => Ok(()),
        _ => live.batch_execute(&format!("{make} not valid")),
    };
    if let Err(error) = made {
        // of a partitioned table it is checked at once or not made at all
        let partitioned = error.code() == Some(&SqlState::WRONG_OBJECT_TYPE);
        let error = if partitioned {
            live.batch_execute(&make).err()?
        } else {
            error
        };
        return Some(format!("{words}: {}", refused("add it", &error)));
    }
    let prove = format!("alter table {table} validate constraint {name}");
    let proved = live.batch_execute(&prove);
    let error = proved.err()?;
    Some(format!(
        "{words}: it holds for new rows only, {}",
        refused("check the old ones", &error)
    ))
}

fn is_there(live: &mut Client, link: &Link) -> Result<bool, EngineError> {
    let query = "select exists (select from pg_constraint \
                 where conrelid = to_regclass($1) and conname = $2 and contype = 'f')";
    arrival::answer(live, query, &[&link.from.sql(), &link.name])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tables_move_to_the_new_schema() {
        let table = Table {
            schema: "public".to_owned(),
            name: "Orders".to_owned(),
        };
        let moved = moved(&[table], Some("new"));
        assert_eq!(moved[0].sql(), "\"new\".\"Orders\"");
    }
}
