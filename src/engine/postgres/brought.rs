//! Owns the marks on what an extraction brings into a live server. A mark is made in the
//! transaction that brings the thing, as the first line of its comment, and is taken off when it is
//! written down that the extraction is done. So a try that was cut off between the two knows its
//! own work. What bears no mark is somebody else's. The session that brings it bears one, too: its
//! program outlives a planc that was killed.

use postgres::{Client, GenericClient};

use super::connect::{self, refused};
use super::tables::{Table, quoted};
use super::{PostgresSpec, arrival};
use crate::engine::{EngineError, Extraction};

/// Begins a mark; the id of the extraction follows.
const MARK: &str = "planc brings this back: ";

/// How long a session may take to end, in milliseconds.
const PATIENCE: i64 = 60_000;

/// Tables and schemas that bear a mark, in SQL, with their comments.
const INSIDE: &str = "select 'table ' || objoid::regclass, description from pg_description \
     where classoid = 'pg_class'::regclass and objsubid = 0 and starts_with(description, $1) \
     union all select 'schema ' || objoid::regnamespace, description from pg_description \
     where classoid = 'pg_namespace'::regclass and starts_with(description, $1)";

/// As [`INSIDE`], databases.
const DATABASES: &str = "select format('database %I', datname), comment from pg_database, \
     shobj_description(oid, 'pg_database') comment where starts_with(comment, $1)";

/// What can be brought and has a name.
#[derive(Debug, Clone, Copy)]
pub(super) enum Thing<'a> {
    Table(&'a Table),
    Schema(&'a str),
    Database(&'a str),
}

impl Thing<'_> {
    /// In SQL, with its kind.
    fn sql(self) -> String {
        match self {
            Self::Table(table) => format!("table {}", table.sql()),
            Self::Schema(name) => format!("schema {}", quoted(name)),
            Self::Database(name) => format!("database {}", quoted(name)),
        }
    }

    /// For people.
    fn words(self) -> String {
        match self {
            Self::Table(table) => table.sql(),
            Self::Schema(name) => format!("schema {name}"),
            Self::Database(name) => format!("database {name}"),
        }
    }

    /// Its comment; none when there is no such thing.
    fn comment(self, client: &mut Client) -> Result<Option<String>, EngineError> {
        let (query, name) = match self {
            Self::Table(table) => (
                "select coalesce(obj_description(oid, 'pg_class'), '') from \
                 to_regclass($1) oid where oid is not null",
                table.sql(),
            ),
            Self::Schema(name) => (
                "select coalesce(obj_description(oid, 'pg_namespace'), '') from pg_namespace \
                 where nspname = $1",
                name.to_owned(),
            ),
            Self::Database(name) => (
                "select coalesce(shobj_description(oid, 'pg_database'), '') from pg_database \
                 where datname = $1",
                name.to_owned(),
            ),
        };
        let row = client.query_opt(query, &[&name]);
        let row = row.map_err(|error| refused(format!("look for {}", self.words()), &error))?;
        Ok(row.map(|row| row.get(0)))
    }
}

/// The name of the session that brings what an extraction takes.
pub(super) fn session(id: &str) -> String {
    format!("planc {id}")
}

/// Ends the sessions that an earlier try left at work; what they have not committed is gone then.
///
/// # Errors
/// When the server refuses, or one does not end.
pub(super) fn end_earlier(live: &mut Client, id: &str) -> Result<(), EngineError> {
    let what = "end what an earlier try left at work";
    let query = "select pid, pg_terminate_backend(pid, $2) from pg_stat_activity \
                 where application_name = $1";
    let rows = live.query(query, &[&session(id), &PATIENCE]);
    for row in rows.map_err(|error| refused(what, &error))? {
        if !row.get::<_, bool>(1) {
            let pid: i32 = row.get(0);
            let cause = format!("process {pid} of the live server goes on: wait until it ends");
            return Err(EngineError::refused(what, cause));
        }
    }
    Ok(())
}

/// Marks a thing in the copy that it is taken from; its own comment stays behind the mark.
///
/// # Errors
/// What the server says.
pub(super) fn mark(copy: &mut Client, thing: Thing<'_>, id: &str) -> Result<(), EngineError> {
    let own = thing.comment(copy)?.filter(|own| !own.is_empty());
    let mark = match own {
        Some(own) => format!("{}\n{own}", line(id)),
        None => line(id),
    };
    say(copy, &thing.sql(), Some(&mark))
}

/// Marks a database; those that are brought have no comment of their own.
///
/// # Errors
/// What the server says.
pub(super) fn mark_database(
    live: &mut impl GenericClient,
    name: &str,
    id: &str,
) -> Result<(), EngineError> {
    say(live, &Thing::Database(name).sql(), Some(&line(id)))
}

/// Whether an earlier try of the same extraction brought a thing; it is free when not.
///
/// # Errors
/// With `taken` as the cause when it is somebody else's, and with the next action when another
/// extraction brought it.
pub(super) fn came(
    live: &mut Client,
    thing: Thing<'_>,
    id: &str,
    taken: &str,
) -> Result<bool, EngineError> {
    let Some(comment) = thing.comment(live)? else {
        return Ok(false);
    };
    let first = comment.lines().next().unwrap_or_default();
    if first == line(id) {
        return Ok(true);
    }
    let cause = if first.starts_with(MARK) {
        "another recovery brought it and could not write that down: `planc recover --resume` ends \
         that one; or drop what it brought, or write `as \"NAME\"` for another name"
    } else {
        taken
    };
    Err(EngineError::refused(
        format!("bring back {}", thing.words()),
        cause,
    ))
}

/// Takes the marks of an extraction off, and gives what it brought its own comments back.
///
/// # Errors
/// When the server cannot be reached or refuses.
pub(super) fn settle(spec: &PostgresSpec, wish: &Extraction) -> Result<(), EngineError> {
    let (mut live, query) = if wish.tables.is_empty() {
        (connect::open(&spec.service, &spec.connect)?, DATABASES)
    } else {
        let database = arrival::database(spec, wish);
        let live = connect::open_database(&spec.service, &spec.connect, &database)?;
        (live, INSIDE)
    };
    let marked = live.query(query, &[&line(&wish.id)]);
    let marked = marked.map_err(|error| refused("look for the marks of planc", &error))?;
    for row in marked {
        let (thing, comment): (String, String) = (row.get(0), row.get(1));
        say(&mut live, &thing, unmarked(&comment))?;
    }
    Ok(())
}

fn line(id: &str) -> String {
    format!("{MARK}{id}")
}

/// The comment that a thing had before it was marked.
fn unmarked(comment: &str) -> Option<&str> {
    comment.split_once('\n').map(|(_, own)| own)
}

fn say(
    client: &mut impl GenericClient,
    thing: &str,
    comment: Option<&str>,
) -> Result<(), EngineError> {
    let failed = |error| refused(format!("comment on {thing}"), &error);
    // only the server knows how it reads a text with backslashes
    let query = "select format('comment on %s is %L', $1::text, $2::text)";
    let row = client.query_one(query, &[&thing, &comment]);
    let statement: String = row.map_err(failed)?.get(0);
    client.batch_execute(&statement).map_err(failed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_comment_is_given_back_as_it_was() {
        assert_eq!(unmarked(&line("7")), None);
        assert_eq!(unmarked(&format!("{}\na\nb", line("7"))), Some("a\nb"));
    }
}
