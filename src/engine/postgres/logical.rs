//! Owns taking tables out of a recovered cluster into a live database: the recovered one is
//! changed so that `pg_dump` gives exactly what is wanted, `pg_restore` brings it in one
//! transaction. Tables that exist in the live database are never touched.

use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::time::Duration;

use postgres::Client;

use super::connect::{self, refused};
use super::instance::{Instance, InstanceSpec};
use super::{PostgresSpec, instance};
use crate::engine::{EngineError, Extracted, Extraction, Rows};

/// How long a recovered server may take to open.
const PATIENCE: Duration = Duration::from_mins(10);

/// Starts a server on a restored copy: a data directory, or the folder that holds one.
///
/// # Errors
/// When it does not open.
pub fn open(spec: &PostgresSpec, restored: &Path) -> Result<Instance, EngineError> {
    let inside = restored.join("data");
    let data = if inside.join("PG_VERSION").is_file() {
        inside
    } else {
        restored.to_owned()
    };
    let text = std::fs::read_to_string(data.join("PG_VERSION"));
    let text = text.map_err(|error| super::files::cannot("read", &data, error))?;
    let major = text.trim().parse().unwrap_or(0);
    let user = spec.connect.get("user").cloned();
    let mut instance = Instance::start(InstanceSpec {
        programs: instance::programs(spec.programs.as_deref(), major)?,
        data,
        user: user.unwrap_or_else(|| "postgres".to_owned()),
        log: None,
        settings: Vec::new(),
    })?;
    drop(instance.wait_open(PATIENCE)?);
    Ok(instance)
}

/// Asks one question; the session cannot write.
///
/// # Errors
/// What the server says.
pub fn ask(client: &mut Client, sql: &str) -> Result<Rows, EngineError> {
    let what = || format!("ask `{}`", sql.trim());
    client
        .batch_execute("set default_transaction_read_only = on; reset search_path")
        .map_err(|error| refused(what(), &error))?;
    let answered = client.simple_query(sql);
    let answered = answered.map_err(|error| refused(what(), &error))?;
    let rows = answered.iter().filter_map(|message| match message {
        postgres::SimpleQueryMessage::Row(row) => {
            let cells = 0..row.len();
            Some(cells.map(|at| row.get(at).map(str::to_owned)).collect())
        }
        _ => None,
    });
    Ok(rows.collect())
}

/// A table as the recovered cluster knows it.
#[derive(Debug, Clone)]
struct Table {
    schema: String,
    name: String,
}

impl Table {
    fn sql(&self) -> String {
        format!("{}.{}", quoted(&self.schema), quoted(&self.name))
    }
}

/// Takes tables out of a restored copy.
///
/// # Errors
/// When a table is missing in the copy, its name is taken in the live database, or the tools fail;
/// the live database is unchanged then.
pub fn extract(
    spec: &PostgresSpec,
    restored: &Path,
    wish: &Extraction,
) -> Result<Extracted, EngineError> {
    let database = wish.database.clone();
    let database = database.unwrap_or_else(|| {
        let named = spec.connect.get("database").cloned();
        named.unwrap_or_else(|| "postgres".to_owned())
    });
    let mut live = connect::open_database(&spec.service, &spec.connect, &database)?;
    let instance = open(spec, restored)?;
    let mut old = instance.client(&database)?;
    let mut tables = Vec::new();
    for name in &wish.tables {
        tables.push(find(&mut old, &database, name)?);
    }
    let named = wish.name.as_deref();
    refuse_taken(&mut live, &tables, named)?;
    let links = links(&mut old, &tables)?;
    prepare(&mut old, &tables, &links, named)?;
    drop(old);
    let file = wish.scratch.join("tables.dump");
    dump(&instance, &database, &moved(&tables, named), &file)?;
    instance.stop()?;
    bring(spec, &mut live, &database, named, &file)?;
    let mut extracted = Extracted::default();
    for table in moved(&tables, named) {
        extracted.tables.push(count(&mut live, &table)?);
    }
    for link in &links {
        extracted.lost.extend(again(&mut live, link, named));
    }
    Ok(extracted)
}

/// Finds a table by `name`, `schema.name` or `database.name`.
fn find(old: &mut Client, database: &str, name: &str) -> Result<Table, EngineError> {
    let bare = name.strip_prefix(&format!("{database}."));
    let (schema, table) = match name.split_once('.') {
        Some((schema, table)) => (Some(schema), table),
        None => (None, name),
    };
    let query = "select n.nspname::text, c.relname::text from pg_class c \
                 join pg_namespace n on n.oid = c.relnamespace \
                 where c.relkind in ('r', 'p') and c.relname = $1 \
                 and ($2::text is null or n.nspname = $2) \
                 and n.nspname not in ('pg_catalog', 'information_schema') order by 1";
    let mut look = |schema: Option<&str>, table: &str| {
        let rows = old.query(query, &[&table, &schema]);
        rows.map_err(|error| refused(format!("find table {name} in the copy"), &error))
    };
    let mut rows = look(schema, table)?;
    if rows.is_empty()
        && let Some(bare) = bare
    {
        rows = look(None, bare)?;
    }
    match rows.as_slice() {
        [row] => Ok(Table {
            schema: row.get(0),
            name: row.get(1),
        }),
        [] => Err(EngineError::refused(
            format!("find table {name} in the copy"),
            format!("database {database} had none at that moment; choose another moment"),
        )),
        many => {
            let schemas: Vec<String> = many.iter().map(|row| row.get(0)).collect();
            Err(EngineError::refused(
                format!("find table {name} in the copy"),
                format!("it is in the schemas {}: say which", schemas.join(", ")),
            ))
        }
    }
}

/// The tables under the names they get.
fn moved(tables: &[Table], named: Option<&str>) -> Vec<Table> {
    let moved = |table: &Table| Table {
        schema: named.map_or_else(|| table.schema.clone(), str::to_owned),
        name: table.name.clone(),
    };
    tables.iter().map(moved).collect()
}

/// No name that the live database has is taken.
fn refuse_taken(
    live: &mut Client,
    tables: &[Table],
    named: Option<&str>,
) -> Result<(), EngineError> {
    for table in moved(tables, named) {
        let query = "select to_regclass($1) is not null";
        let row = live.query_one(query, &[&table.sql()]);
        let row = row.map_err(|error| refused("look into the live database", &error))?;
        if row.get(0) {
            return Err(EngineError::refused(
                format!("bring back {}", table.sql()),
                "the live database has a table of this name: write `as \"NAME\"` for a schema \
                 beside it, or rename the live one",
            ));
        }
    }
    Ok(())
}

/// A foreign key from or to one of the tables.
#[derive(Debug, Clone)]
struct Link {
    /// The table that refers, as the old cluster names it.
    from: Table,
    name: String,
    definition: String,
    /// Does one of the tables refer, or is it referred to?
    own: bool,
}

/// Foreign keys of the tables and to them, other than among themselves.
fn links(old: &mut Client, tables: &[Table]) -> Result<Vec<Link>, EngineError> {
    let query = "select n.nspname::text, c.relname::text, k.conname::text, \
                 pg_get_constraintdef(k.oid), k.conrelid = any($1::text[]::regclass[]::oid[]) \
                 from pg_constraint k join pg_class c on c.oid = k.conrelid \
                 join pg_namespace n on n.oid = c.relnamespace where k.contype = 'f' \
                 and k.conparentid = 0 \
                 and (k.conrelid = any($1::text[]::regclass[]::oid[])) \
                 <> (k.confrelid = any($1::text[]::regclass[]::oid[])) order by 1, 2, 3";
    let names: Vec<String> = tables.iter().map(Table::sql).collect();
    // definitions must name schemas, wherever they are read
    let set = old.batch_execute("set search_path = pg_catalog");
    set.map_err(|error| refused("prepare the copy", &error))?;
    let rows = old.query(query, &[&names]);
    let rows = rows.map_err(|error| refused("list the foreign keys of the copy", &error))?;
    let link = |row: &postgres::Row| Link {
        from: Table {
            schema: row.get(0),
            name: row.get(1),
        },
        name: row.get(2),
        definition: row.get(3),
        own: row.get(4),
    };
    Ok(rows.iter().map(link).collect())
}

/// Changes the copy so that a dump of the tables holds what is wanted: under the new schema, and
/// without foreign keys to what stays behind.
fn prepare(
    old: &mut Client,
    tables: &[Table],
    links: &[Link],
    named: Option<&str>,
) -> Result<(), EngineError> {
    let mut statements = vec!["set default_transaction_read_only = off".to_owned()];
    for link in links {
        let (table, name) = (link.from.sql(), quoted(&link.name));
        statements.push(format!("alter table {table} drop constraint {name}"));
    }
    if let Some(schema) = named {
        let schema = quoted(schema);
        statements.push(format!("create schema if not exists {schema}"));
        for table in tables {
            statements.push(format!("alter table {} set schema {schema}", table.sql()));
        }
    }
    let done = old.batch_execute(&statements.join("; "));
    done.map_err(|error| refused("prepare the tables in the copy", &error))
}

fn dump(
    instance: &Instance,
    database: &str,
    tables: &[Table],
    file: &Path,
) -> Result<(), EngineError> {
    let mut command = instance.tool("pg_dump");
    command.args(["--format=custom", "--compress=0", "--no-password", "--file"]);
    command.arg(file).arg("--dbname").arg(database);
    for table in tables {
        command.arg("--table").arg(table.sql());
    }
    run("pg_dump", &mut command)
}

/// Brings the dump into the live database, all or nothing.
fn bring(
    spec: &PostgresSpec,
    live: &mut Client,
    database: &str,
    named: Option<&str>,
    file: &Path,
) -> Result<(), EngineError> {
    if let Some(schema) = named {
        let statement = format!("create schema if not exists {}", quoted(schema));
        let done = live.batch_execute(&statement);
        done.map_err(|error| refused(format!("create schema {schema}"), &error))?;
    }
    let mut command = connect::tool(spec, database, "pg_restore")?;
    command.args([
        "--single-transaction",
        "--exit-on-error",
        "--no-password",
        "--dbname",
    ]);
    command.arg(database);
    let row = live.query_one("select current_setting('is_superuser') = 'on'", &[]);
    let row = row.map_err(|error| refused("look into the live database", &error))?;
    if !row.get::<_, bool>(0) {
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
    Ok(format!("{}.{} ({rows} rows)", table.schema, table.name))
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
    let definition = link.definition.trim_end_matches(" NOT VALID");
    let make = format!("alter table {table} add constraint {name} {definition} not valid");
    if let Err(error) = live.batch_execute(&make) {
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

fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

/// Runs a client program to its end.
///
/// # Errors
/// With its last words.
pub(super) fn run(name: &str, command: &mut Command) -> Result<(), EngineError> {
    let output = command.stdin(Stdio::null()).output();
    let program = Path::new(command.get_program()).to_owned();
    let output = output.map_err(|error| super::files::cannot("start", &program, error))?;
    if output.status.success() {
        return Ok(());
    }
    Err(EngineError::refused(
        format!("run {name}"),
        last_words(&output),
    ))
}

fn last_words(output: &Output) -> String {
    let text = String::from_utf8_lossy(&output.stderr);
    let lines: Vec<&str> = text.lines().rev().take(3).collect();
    lines.into_iter().rev().collect::<Vec<_>>().join("; ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_quoted() {
        let table = Table {
            schema: "my \"own\"".to_owned(),
            name: "Orders".to_owned(),
        };
        assert_eq!(table.sql(), "\"my \"\"own\"\"\".\"Orders\"");
        assert_eq!(moved(&[table], Some("new"))[0].sql(), "\"new\".\"Orders\"");
    }

    #[test]
    fn a_program_that_fails_says_why() {
        let error = run(
            "sh",
            Command::new("sh").args(["-c", "echo no such thing >&2; exit 3"]),
        );
        let told = error.expect_err("it fails").to_string();
        assert!(told.contains("no such thing"), "{told}");
    }
}
