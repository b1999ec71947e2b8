//! Owns asking a running server how the files of relations are called. The names are those of now:
//! a relation that was rewritten or dropped since has none.

use std::collections::{BTreeMap, BTreeSet};

use super::PostgresSpec;
use super::changes::Relation;
use super::component;
use super::connect;
use crate::engine::EngineError;

/// `database.schema.name` by file.
pub type Names = BTreeMap<Relation, String>;

const DEFAULT_TABLESPACE: u32 = 1663;

/// Asks for the names of these files; what has none is left out.
///
/// # Errors
/// When the server cannot be asked.
pub fn ask(spec: &PostgresSpec, relations: &[Relation]) -> Result<Names, EngineError> {
    let mut names = Names::new();
    let mut client = connect::open(&spec.service, &spec.connect)?;
    let databases = component::names(&mut client, &spec.service)?.databases;
    let wanted: BTreeSet<u32> = relations.iter().map(|one| one.database).collect();
    for (oid, database) in databases {
        if wanted.contains(&oid) {
            let own = relations.iter().filter(|one| one.database == oid);
            names.extend(of_database(spec, &database, own));
        }
    }
    Ok(names)
}

/// The names of databases; those that are gone have none.
///
/// # Errors
/// When the server cannot be asked.
pub fn databases(spec: &PostgresSpec, oids: &BTreeSet<u32>) -> Result<Vec<String>, EngineError> {
    let mut client = connect::open(&spec.service, &spec.connect)?;
    let mut databases = component::names(&mut client, &spec.service)?.databases;
    databases.retain(|oid, _| oids.contains(oid));
    let mut names: Vec<String> = databases.into_values().collect();
    names.sort();
    Ok(names)
}

/// A database that the role may not enter has no names.
fn of_database<'a>(
    spec: &PostgresSpec,
    database: &str,
    relations: impl Iterator<Item = &'a Relation>,
) -> Names {
    let mut to = spec.connect.clone();
    to.insert("database".to_owned(), database.to_owned());
    let Ok(mut client) = connect::open(&spec.service, &to) else {
        return Names::new();
    };
    let query = "select n.nspname || '.' || c.relname from pg_class c \
                 join pg_namespace n on n.oid = c.relnamespace \
                 where c.oid = pg_filenode_relation($1::int8::oid, $2::int8::oid)";
    let mut names = Names::new();
    for relation in relations {
        let tablespace = match relation.tablespace {
            DEFAULT_TABLESPACE => 0,
            other => i64::from(other),
        };
        let number = i64::from(relation.number);
        if let Ok(Some(row)) = client.query_opt(query, &[&tablespace, &number]) {
            names.insert(*relation, format!("{database}.{}", row.get::<_, &str>(0)));
        }
    }
    names
}
