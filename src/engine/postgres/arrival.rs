//! Owns what a live server must offer to what is brought into it: sessions that write, rights, free
//! names. Asked before anything is restored, and of names again later. Changes nothing.

use postgres::Client;
use postgres::types::ToSql;

use super::brought::{Thing, came};
use super::connect::{self, refused};
use super::tables::{Table, quoted};
use super::{PostgresSpec, whole};
use crate::engine::{EngineError, Extraction};
use crate::facts::sizes;

/// Where a right is missing, an operator has two ways.
const OTHER_ROLE: &str = "or name another role in `connect` of the inventory";

/// The live database that something is taken into.
pub(super) fn database(spec: &PostgresSpec, wish: &Extraction) -> String {
    let named = wish.database.as_ref();
    let named = named.or_else(|| spec.connect.get("database"));
    named.map_or_else(|| "postgres".to_owned(), Clone::clone)
}

/// Refuses what can be seen to fail before the copy is there. Patterns mean what the copy holds,
/// and are judged with it.
///
/// # Errors
/// With what is missing or in the way, and the next action.
pub(super) fn check(spec: &PostgresSpec, wish: &Extraction) -> Result<(), EngineError> {
    let database = database(spec, wish);
    if wish.tables.is_empty() {
        let mut live = connect::open(&spec.service, &spec.connect)?;
        writes(&mut live, &spec.service)?;
        let new = wish.name.as_deref().unwrap_or(&database);
        return whole::check(&mut live, new, &wish.id).map(drop);
    }
    let mut live = connect::open_database(&spec.service, &spec.connect, &database)?;
    writes(&mut live, &spec.service)?;
    connect::tool(spec, &database, "pg_restore")?;
    let named = wish.name.as_deref();
    if let Some(schema) = whole_schema(&wish.tables) {
        if refuse_schema(&mut live, named.unwrap_or(schema), &wish.id)? {
            return Ok(());
        }
        return may_make_schemas(&mut live, &database);
    }
    match named {
        Some(schema) => beside(&mut live, &database, wish, schema),
        None => under_old_names(&mut live, &database, wish),
    }
}

/// The schema that is taken with all that is in it, where the names mean one.
pub(super) fn whole_schema(names: &[String]) -> Option<&str> {
    match names {
        [one] => one.strip_suffix(".*"),
        _ => None,
    }
}

/// A standby, and a session that is told to read only, take nothing.
fn writes(live: &mut Client, service: &str) -> Result<(), EngineError> {
    let query = "select pg_is_in_recovery(), current_setting('transaction_read_only')::bool";
    let row = live.query_one(query, &[]);
    let row = row.map_err(|error| refused("look into the live database", &error))?;
    let cause = match (row.get(0), row.get(1)) {
        (true, _) => {
            "its server is a standby and takes no writes: name the primary in `connect` of the \
             inventory"
        }
        (_, true) => {
            "its sessions only read: take `default_transaction_read_only` away from the server, \
             the database or the role"
        }
        _ => return Ok(()),
    };
    Err(EngineError::refused(
        format!("bring anything into {service}"),
        cause,
    ))
}

/// Into a schema beside the live ones.
fn beside(
    live: &mut Client,
    database: &str,
    wish: &Extraction,
    schema: &str,
) -> Result<(), EngineError> {
    if !has_schema(live, schema)? {
        return may_make_schemas(live, database);
    }
    may_create_in(live, schema)?;
    for name in single(wish) {
        let bare = name.rsplit('.').next().unwrap_or(name);
        let table = Table {
            schema: schema.to_owned(),
            name: bare.to_owned(),
        };
        refuse_table(live, &table, &wish.id)?;
    }
    Ok(())
}

/// Into the schemas that the tables were in. One that is named without a schema is looked for where
/// tables are made unless something else is said.
fn under_old_names(
    live: &mut Client,
    database: &str,
    wish: &Extraction,
) -> Result<(), EngineError> {
    for name in single(wish) {
        let bare = name.strip_prefix(&format!("{database}."));
        let name = bare.unwrap_or(name);
        let (schema, table) = name.split_once('.').unwrap_or(("public", name));
        let table = Table {
            schema: schema.to_owned(),
            name: table.to_owned(),
        };
        refuse_table(live, &table, &wish.id)?;
        if name.contains('.') {
            takes_tables(live, database, schema)?;
        }
    }
    Ok(())
}

/// The tables that are named, not meant by a pattern.
fn single(wish: &Extraction) -> impl Iterator<Item = &String> {
    let names = wish.tables.iter();
    names.filter(|name| !sizes::is_pattern(name))
}

/// A schema that is there, and in which the role may make tables.
fn takes_tables(live: &mut Client, database: &str, schema: &str) -> Result<(), EngineError> {
    if has_schema(live, schema)? {
        return may_create_in(live, schema);
    }
    Err(EngineError::refused(
        format!("bring tables back into schema {schema}"),
        format!(
            "the live database {database} has none of this name: create it, or write \
             `as \"NAME\"` for one beside the others"
        ),
    ))
}

pub(super) fn has_table(live: &mut Client, relation: &Table) -> Result<bool, EngineError> {
    yes(live, "select to_regclass($1) is not null", &relation.sql())
}

fn has_schema(live: &mut Client, schema: &str) -> Result<bool, EngineError> {
    let query = "select to_regnamespace($1) is not null";
    yes(live, query, &quoted(schema))
}

/// Refuses a table of which the live database has one already that this extraction did not bring;
/// true when it did.
///
/// # Errors
/// With the next action.
pub(super) fn refuse_table(
    live: &mut Client,
    table: &Table,
    id: &str,
) -> Result<bool, EngineError> {
    let taken = "the live database has a table of this name: write `as \"NAME\"` for a schema beside \
                 it, rename the live one, or name the schema of the table that is meant";
    came(live, Thing::Table(table), id, taken)
}

/// As [`refuse_table`], a schema.
///
/// # Errors
/// With the next action.
pub(super) fn refuse_schema(
    live: &mut Client,
    schema: &str,
    id: &str,
) -> Result<bool, EngineError> {
    let taken = "the live database has a schema of this name: write `as \"NAME\"` for one beside it, \
                 or rename the live one";
    came(live, Thing::Schema(schema), id, taken)
}

fn may_make_schemas(live: &mut Client, database: &str) -> Result<(), EngineError> {
    let query = "select has_database_privilege($1, 'CREATE')";
    if yes(live, query, database)? {
        return Ok(());
    }
    let what = format!("make a schema in database {database}");
    let grant = |role: &str| format!("grant create on database {} to {role}", quoted(database));
    Err(lacks(live, what, grant))
}

fn may_create_in(live: &mut Client, schema: &str) -> Result<(), EngineError> {
    let query = "select has_schema_privilege($1, 'CREATE')";
    if yes(live, query, schema)? {
        return Ok(());
    }
    let what = format!("make a table in schema {schema}");
    let grant = |role: &str| format!("grant create on schema {} to {role}", quoted(schema));
    Err(lacks(live, what, grant))
}

/// Refuses a role that may not make databases.
///
/// # Errors
/// With the next action.
pub(super) fn may_make_databases(live: &mut Client) -> Result<(), EngineError> {
    let query = "select rolsuper or rolcreatedb from pg_roles where rolname = current_user";
    if answer(live, query, &[])? {
        return Ok(());
    }
    let grant = |role: &str| format!("alter role {role} createdb");
    Err(lacks(live, "make a database".to_owned(), grant))
}

/// A right that the role has not, with the statement that gives it.
fn lacks(live: &mut Client, what: String, grant: impl Fn(&str) -> String) -> EngineError {
    let role = match live.query_one("select current_user::text", &[]) {
        Ok(row) => row.get::<_, String>(0),
        Err(error) => return refused(what, &error),
    };
    let statement = grant(&quoted(&role));
    let cause = format!("the role {role} may not: `{statement}`, {OTHER_ROLE}");
    EngineError::refused(what, cause)
}

/// A question about one name.
fn yes(live: &mut Client, query: &str, name: &str) -> Result<bool, EngineError> {
    answer(live, query, &[&name])
}

/// A question whose answer is yes or no.
///
/// # Errors
/// What the server says.
pub(super) fn answer(
    live: &mut Client,
    query: &str,
    about: &[&(dyn ToSql + Sync)],
) -> Result<bool, EngineError> {
    let row = live.query_one(query, about);
    let row = row.map_err(|error| refused("look into the live database", &error))?;
    Ok(row.get(0))
}
