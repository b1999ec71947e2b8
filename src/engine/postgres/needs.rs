//! Owns what brought things use and do not bring themselves: types, functions, extensions, roles,
//! tablespaces. The copy tells what they are, the live server is asked for each before anything is
//! brought. Changes nothing.

use postgres::Client;
use postgres::error::SqlState;
use postgres::types::ToSql;

use super::arrival::answer;
use super::connect::refused;
use super::tables::quoted;
use crate::engine::EngineError;

/// All that is brought with tables ($1) or with a schema ($2): what depends on them as a part of
/// them. An extension and its members come with no schema.
const OWN: &str = "with recursive own(classid, objid) as ( \
       select 'pg_class'::regclass::oid, name::regclass::oid from unnest($1::text[]) name \
       union select 'pg_namespace'::regclass::oid, oid from pg_namespace where nspname = $2 \
       union select d.classid, d.objid from own join pg_depend d \
         on d.refclassid = own.classid and d.refobjid = own.objid \
         where (d.deptype in ('a', 'i') \
             or d.deptype = 'n' and own.classid = 'pg_namespace'::regclass) \
           and d.classid <> 'pg_extension'::regclass \
           and not exists (select from pg_depend e where e.classid = d.classid \
             and e.objid = d.objid and e.deptype = 'e'))";

/// What these use besides each other, by the address that another database knows it by, with the
/// extension that it belongs to. An array stands for its elements, a column for its table; a
/// publication is not brought.
const USED: &str = ", used(class, id) as ( \
       select distinct d.refclassid, case when d.refclassid = 'pg_type'::regclass \
         then coalesce((select typelem from pg_type where oid = d.refobjid \
           and typcategory = 'A' and typelem <> 0), d.refobjid) else d.refobjid end \
       from own join pg_depend d on d.classid = own.classid and d.objid = own.objid \
       where d.deptype in ('n', 'a') and d.refclassid <> 'pg_publication'::regclass) \
     select x.extname::text, a.type, a.object_names, a.object_args, \
       format('%s %s', a.type, i.identity) \
     from used cross join lateral pg_identify_object_as_address(class, id, 0) a \
     cross join lateral pg_identify_object(class, id, 0) i \
     left join pg_depend e on e.classid = class and e.objid = id and e.deptype = 'e' \
     left join pg_extension x on x.oid = e.refobjid \
     where not exists (select from own where classid = class and objid = id) order by 1, 5";

/// As [`OWN`], for all of the copy's database.
const EVERYTHING: &str = "with own(classid, objid) as ( \
       select distinct classid, objid from pg_shdepend s \
         join pg_database d on d.oid = s.dbid and d.datname = current_database() \
       union select 'pg_class'::regclass, oid from pg_class where not relisshared)";

/// Roles that own these, have rights to them, or are named by rules for their rows.
const ROLES: &str = "select distinct pg_get_userbyid(s.refobjid)::text from own \
     join pg_shdepend s on s.classid = own.classid and s.objid = own.objid \
     join pg_database d on d.oid = s.dbid and d.datname = current_database() \
     where s.refclassid = 'pg_authid'::regclass";

/// Tablespaces that these lie in.
const TABLESPACES: &str = "select distinct spcname::text from own \
     join pg_class c on own.classid = 'pg_class'::regclass and c.oid = own.objid \
     join pg_tablespace t on t.oid = c.reltablespace order by 1";

/// What is brought, by its names in the copy.
#[derive(Debug)]
pub(super) enum Brought {
    /// Tables and sequences.
    Tables {
        /// Names in SQL.
        names: Vec<String>,
        /// The schema that they are brought into, and that is made where it is missing.
        into: Option<String>,
    },
    /// A schema with all that is in it.
    Schema(String),
}

/// Refuses what the live database lacks.
///
/// # Errors
/// With all that is lacking, and what to do about each.
pub(super) fn check(
    old: &mut Client,
    live: &mut Client,
    brought: &Brought,
    database: &str,
) -> Result<(), EngineError> {
    let (tables, schema) = match brought {
        Brought::Tables { names, .. } => (names.as_slice(), None),
        Brought::Schema(name) => (&[][..], Some(name)),
    };
    let mut lacking = Vec::new();
    for used in used(old, tables, schema)? {
        if !used.is_made(brought) {
            lacking.extend(used.lacks(live)?);
        }
    }
    let roles = names(old, &roles(OWN, live)?, &[&tables, &schema])?;
    lacking.extend(lack(live, Shared::Role, roles)?);
    let tablespaces = format!("{OWN} {TABLESPACES}");
    let tablespaces = names(old, &tablespaces, &[&tables, &schema])?;
    lacking.extend(lack(live, Shared::Tablespace, tablespaces)?);
    told(database, &lacking)
}

/// As [`check`], for all of a database: its extensions are made with it, but for those that every
/// new database has.
///
/// # Errors
/// As [`check`].
pub(super) fn check_database(
    old: &mut Client,
    live: &mut Client,
    database: &str,
) -> Result<(), EngineError> {
    let mut lacking = Vec::new();
    let extensions = "select extname::text from pg_extension where oid >= 16384 order by 1";
    for extension in names(old, extensions, &[])? {
        if !is_installed(live, &extension)? {
            lacking.push(format!("extension {extension} ({INSTALL})"));
        } else if !may_make(live, &extension)? {
            lacking.push(format!(
                "the right to make extension {extension} ({SUPERUSER})"
            ));
        }
    }
    let roles = names(old, &roles(EVERYTHING, live)?, &[])?;
    lacking.extend(lack(live, Shared::Role, roles)?);
    let tablespaces = names(old, &format!("{EVERYTHING} {TABLESPACES}"), &[])?;
    lacking.extend(lack(live, Shared::Tablespace, tablespaces)?);
    told(database, &lacking)
}

/// Asks for the roles of these; owners and rights are not brought by a role that may not give them.
fn roles(own: &str, live: &mut Client) -> Result<String, EngineError> {
    let gives = answer(live, "select current_setting('is_superuser') = 'on'", &[])?;
    let which = if gives { "" } else { " and s.deptype = 'r'" };
    Ok(format!("{own} {ROLES}{which}"))
}

fn told(database: &str, lacking: &[String]) -> Result<(), EngineError> {
    if lacking.is_empty() {
        return Ok(());
    }
    let lacking = lacking.join(", ");
    Err(EngineError::refused(
        format!("bring anything into database {database}"),
        format!("the live server lacks what it uses: {lacking}"),
    ))
}

const INSTALL: &str = "install its files on the live server";
const SUPERUSER: &str = "name a superuser in `connect` of the inventory";

/// Something that is used.
struct Used {
    extension: Option<String>,
    kind: String,
    names: Vec<String>,
    arguments: Vec<String>,
    words: String,
}

/// What is used of the copy's database.
fn used(
    old: &mut Client,
    tables: &[String],
    schema: Option<&String>,
) -> Result<Vec<Used>, EngineError> {
    let rows = old.query(&format!("{OWN} {USED}"), &[&tables, &schema]);
    let rows = rows.map_err(|error| refused("list what the tables use", &error))?;
    let used = |row: &postgres::Row| Used {
        extension: row.get(0),
        kind: row.get(1),
        names: row.get(2),
        arguments: row.get(3),
        words: row.get(4),
    };
    Ok(rows.iter().map(used).collect())
}

impl Used {
    /// Whether it is the schema that is made for the tables.
    fn is_made(&self, brought: &Brought) -> bool {
        let Brought::Tables { into, .. } = brought else {
            return false;
        };
        self.kind == "schema" && self.names.first() == into.as_ref()
    }

    /// What the live database lacks of it, and what to do.
    fn lacks(&self, live: &mut Client) -> Result<Option<String>, EngineError> {
        if let Some(extension) = &self.extension {
            let there = "select exists (select from pg_extension where extname = $1)";
            if !answer(live, there, &[extension])? {
                let installed = is_installed(live, extension)?;
                let make = format!("`create extension {}`", quoted(extension));
                let next = if installed {
                    make
                } else {
                    format!("{INSTALL}, then {make}")
                };
                return Ok(Some(format!("extension {extension} ({next})")));
            }
        }
        let query = "select pg_get_object_address($1, $2, $3)::text";
        let found = live.query_one(query, &[&self.kind, &self.names, &self.arguments]);
        match found {
            Ok(_) => Ok(None),
            Err(error) if is_absence(&error) => {
                Ok(Some(format!("{} (create it as it was)", self.words)))
            }
            // of some kinds the server tells no address; the import itself will tell
            Err(error) if error.code() == Some(&SqlState::INVALID_PARAMETER_VALUE) => Ok(None),
            Err(error) => Err(refused(format!("look for {}", self.words), &error)),
        }
    }
}

/// Whether an answer means that there is no such thing.
fn is_absence(error: &postgres::Error) -> bool {
    let absent = [
        SqlState::UNDEFINED_OBJECT,
        SqlState::UNDEFINED_TABLE,
        SqlState::UNDEFINED_FUNCTION,
        SqlState::INVALID_SCHEMA_NAME,
        SqlState::WRONG_OBJECT_TYPE,
    ];
    error.code().is_some_and(|code| absent.contains(code))
}

fn is_installed(live: &mut Client, extension: &String) -> Result<bool, EngineError> {
    let query = "select exists (select from pg_available_extensions where name = $1)";
    answer(live, query, &[extension])
}

/// Whether the role may make an extension in a database of its own.
fn may_make(live: &mut Client, extension: &String) -> Result<bool, EngineError> {
    let query = "select exists (select from pg_available_extension_versions where name = $1 \
                 and (not superuser or trusted or current_setting('is_superuser') = 'on'))";
    answer(live, query, &[extension])
}

/// What all databases of a server share.
#[derive(Clone, Copy)]
enum Shared {
    Role,
    Tablespace,
}

/// Those of the names that the live server does not have, and what to do.
fn lack(live: &mut Client, kind: Shared, names: Vec<String>) -> Result<Vec<String>, EngineError> {
    let (word, query) = match kind {
        Shared::Role => (
            "role",
            "select exists (select from pg_roles where rolname = $1)",
        ),
        Shared::Tablespace => (
            "tablespace",
            "select exists (select from pg_tablespace where spcname = $1)",
        ),
    };
    let mut lacking = Vec::new();
    for name in names {
        if !answer(live, query, &[&name])? {
            let make = format!("`create {word} {}`", quoted(&name));
            lacking.push(format!("{word} {name} ({make})"));
        }
    }
    Ok(lacking)
}

/// Names that the copy answers with.
fn names(
    old: &mut Client,
    query: &str,
    about: &[&(dyn ToSql + Sync)],
) -> Result<Vec<String>, EngineError> {
    let rows = old.query(query, about);
    let rows = rows.map_err(|error| refused("list what the tables use", &error))?;
    Ok(rows.iter().map(|row| row.get(0)).collect())
}
