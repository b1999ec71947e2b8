//! Owns taking a whole database out of a recovered cluster into the live server: it is loaded under
//! a name of its own and renamed last, so that a half one is never taken for a whole one.

use std::path::Path;
use std::time::Instant;

use postgres::Client;

use super::arrival::{answer, may_make_databases};
use super::brought::{Thing, came, end_earlier, mark_database};
use super::connect::{self, refused};
use super::extract::{EARLIER, load};
use super::logical::{self, run};
use super::tables::{self, quoted};
use super::{PostgresSpec, needs, scratch};
use crate::engine::{EngineError, Extracted};

/// What marks a database that is being loaded.
const MARK: &str = "planc is loading this database";

/// How a database reads texts.
#[derive(Debug)]
struct Manner {
    encoding: String,
    collate: String,
    ctype: String,
    /// `c`, `i` or `b`.
    provider: String,
    locale: Option<String>,
    owner: String,
    /// Has the database itself grants, settings, a comment, a limit or another tablespace?
    settings: bool,
    tables: i64,
    bytes: u64,
    subscriptions: Vec<String>,
}

/// Refuses a name that is taken, and a role that may not make databases; true when an earlier try of
/// the same extraction brought the database.
///
/// # Errors
/// With the next action.
pub(super) fn check(live: &mut Client, new: &str, id: &str) -> Result<bool, EngineError> {
    let taken = format!(
        "the live server has a database {new}: write `as \"NAME\"` for another name, or rename the \
         live one"
    );
    if came(live, Thing::Database(new), id, &taken)? {
        return Ok(true);
    }
    left_over(live, &loading(new))?;
    may_make_databases(live)?;
    Ok(false)
}

/// The name that a database has while it is loaded.
fn loading(new: &str) -> String {
    format!("{new}.loading")
}

/// Takes the database under its old or a new name.
///
/// # Errors
/// When the copy has none, the live server has one of that name that this extraction did not bring,
/// or the tools fail; the live server is as before then.
pub(super) fn extract(
    spec: &PostgresSpec,
    restored: &Path,
    file: &Path,
    (database, new): (&str, &str),
    id: &str,
) -> Result<Extracted, EngineError> {
    let mut live = connect::open(&spec.service, &spec.connect)?;
    end_earlier(&mut live, id)?;
    let came = check(&mut live, new, id)?;
    let mut extracted = Extracted::default();
    let copy = logical::open(spec, restored)?;
    let manner = copy.using(|instance| {
        let (mut old, prepared) = scratch::open(instance, database)?;
        extracted.lost.extend(prepared);
        let manner = manner(&mut old, database)?;
        if came {
            return Ok(manner);
        }
        needs::check_database(&mut old, &mut live, new)?;
        let all = tables::all(&mut old, tables::in_copy(database))?;
        extracted.lost.extend(tables::emptied(&mut old, &all)?);
        drop(old);
        let began = Instant::now();
        let mut command = instance.tool("pg_dump");
        command.args(["--format=custom", "--compress=0", "--no-password"]);
        // they would share a slot with those of the live database, which could not be dropped alone
        command.args(["--no-subscriptions", "--file"]);
        run("pg_dump", command.arg(file).arg("--dbname").arg(database))?;
        extracted.moving = began.elapsed();
        Ok(manner)
    })?;
    if !came {
        let began = Instant::now();
        bring(spec, &mut live, &manner, (new, id), file)?;
        extracted.moving += began.elapsed();
        extracted.bytes = manner.bytes;
    }
    // a role that is no superuser keeps what it made
    let give = format!(
        "alter database {} owner to {}",
        quoted(new),
        quoted(&manner.owner)
    );
    let _ = live.batch_execute(&give);
    let told = format!("database {new} ({} tables)", manner.tables);
    extracted.tables.push(told);
    if came {
        extracted.tables.push(EARLIER.to_owned());
    }
    let not_made = |name| format!("subscription {name}: not made, the live database may have it");
    extracted
        .lost
        .extend(manner.subscriptions.iter().map(not_made));
    if manner.settings {
        let told = format!(
            "grants, settings, comment, limit and tablespace of the database {database} itself \
             were not taken"
        );
        extracted.lost.push(told);
    }
    Ok(extracted)
}

fn exists(live: &mut Client, name: &str) -> Result<bool, EngineError> {
    let query = "select exists (select from pg_database where datname = $1)";
    answer(live, query, &[&name])
}

fn manner(copy: &mut Client, database: &str) -> Result<Manner, EngineError> {
    let what = || format!("look at database {database} of the copy");
    // the column of the locale was renamed in 17
    let query = "select pg_encoding_to_char(encoding)::text, datcollate::text, datctype::text, \
                 datlocprovider::text, coalesce(to_jsonb(d) ->> 'datlocale', \
                 to_jsonb(d) ->> 'daticulocale'), pg_get_userbyid(datdba)::text, \
                 datacl is not null or datconnlimit <> -1 or dattablespace <> 1663 \
                 or shobj_description(d.oid, 'pg_database') is not null \
                 or exists (select from pg_db_role_setting where setdatabase = d.oid), \
                 (select count(*) from pg_class c join pg_namespace n on n.oid = c.relnamespace \
                 where c.relkind in ('r', 'p') and n.nspname !~ '^pg_' \
                 and n.nspname <> 'information_schema'), \
                 pg_database_size(d.oid), \
                 array(select subname::text from pg_subscription where subdbid = d.oid order by 1) \
                 from pg_database d where datname = current_database()";
    let row = copy.query_one(query, &[]);
    let row = row.map_err(|error| refused(what(), &error))?;
    Ok(Manner {
        encoding: row.get(0),
        collate: row.get(1),
        ctype: row.get(2),
        provider: row.get(3),
        locale: row.get(4),
        owner: row.get(5),
        settings: row.get(6),
        tables: row.get(7),
        bytes: u64::try_from(row.get::<_, i64>(8)).unwrap_or(0),
        subscriptions: row.get(9),
    })
}

/// Loads under a name of its own, then gives it the name.
fn bring(
    spec: &PostgresSpec,
    live: &mut Client,
    manner: &Manner,
    (new, id): (&str, &str),
    file: &Path,
) -> Result<(), EngineError> {
    let loading = loading(new);
    clear(live, &loading)?;
    let what = || format!("create database {loading}");
    let made = live.batch_execute(&manner.create(&loading));
    made.map_err(|error| refused(what(), &error))?;
    let mark = format!("comment on database {} is '{MARK}'", quoted(&loading));
    let marked = live.batch_execute(&mark);
    marked.map_err(|error| refused(what(), &error))?;
    if let Err(error) = load(spec, live, (&loading, id), file) {
        clear(live, &loading)?;
        return Err(error);
    }
    name(live, &loading, new, id)
}

/// Gives a loaded database its name. The mark of one that is being loaded becomes the mark of one
/// that was brought.
fn name(live: &mut Client, loading: &str, new: &str, id: &str) -> Result<(), EngineError> {
    let failed = |error| refused(format!("name the new database {new}"), &error);
    let mut work = live.transaction().map_err(failed)?;
    let rename = format!(
        "alter database {} rename to {}",
        quoted(loading),
        quoted(new)
    );
    work.batch_execute(&rename).map_err(failed)?;
    mark_database(&mut work, new, id)?;
    work.commit().map_err(failed)
}

/// Removes what an earlier try left.
fn clear(live: &mut Client, loading: &str) -> Result<(), EngineError> {
    if !left_over(live, loading)? {
        return Ok(());
    }
    let dropped = live.batch_execute(&format!("drop database {}", quoted(loading)));
    dropped.map_err(|error| refused(format!("drop database {loading}"), &error))
}

/// Whether an earlier try left a half database; one that planc did not make is refused.
fn left_over(live: &mut Client, loading: &str) -> Result<bool, EngineError> {
    if !exists(live, loading)? {
        return Ok(false);
    }
    let query = "select coalesce(shobj_description(oid, 'pg_database') = $2, false) \
                 from pg_database where datname = $1";
    if answer(live, query, &[&loading, &MARK])? {
        return Ok(true);
    }
    Err(EngineError::refused(
        format!("load into database {loading}"),
        "there is one of this name that planc did not make: rename or drop it",
    ))
}

impl Manner {
    fn create(&self, name: &str) -> String {
        let text = |text: &str| format!("'{}'", text.replace('\'', "''"));
        let locale = text(self.locale.as_deref().unwrap_or_default());
        let provider = match self.provider.as_str() {
            "i" => format!(" locale_provider icu icu_locale {locale}"),
            "b" => format!(" locale_provider builtin builtin_locale {locale}"),
            _ => String::new(),
        };
        format!(
            "create database {} template template0 encoding {} lc_collate {} lc_ctype {}{provider}",
            quoted(name),
            text(&self.encoding),
            text(&self.collate),
            text(&self.ctype)
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_database_is_made_as_it_was() {
        let mut manner = Manner {
            encoding: "UTF8".to_owned(),
            collate: "C.UTF-8".to_owned(),
            ctype: "C.UTF-8".to_owned(),
            provider: "c".to_owned(),
            locale: None,
            owner: "me".to_owned(),
            settings: false,
            tables: 0,
            bytes: 0,
            subscriptions: Vec::new(),
        };
        let plain = manner.create("a \"b\"");
        assert_eq!(
            plain,
            "create database \"a \"\"b\"\"\" template template0 encoding 'UTF8' \
             lc_collate 'C.UTF-8' lc_ctype 'C.UTF-8'"
        );
        manner.provider = "i".to_owned();
        manner.locale = Some("de-DE".to_owned());
        assert!(manner.create("x").ends_with("icu_locale 'de-DE'"));
    }
}
