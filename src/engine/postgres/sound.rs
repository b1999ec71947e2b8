//! Owns the checks of a recovered cluster while its server is open: every relation that its
//! catalogs name has its file. Reads catalogs and looks at names; pages were judged when they were
//! copied.

use std::collections::BTreeMap;
use std::path::Path;

use postgres::Client;

use super::component::raw;
use super::connect::refused;
use super::instance::Instance;
use crate::engine::EngineError;

/// Missing files that are named at most.
const SHOWN: usize = 5;

/// Checks the databases of a cluster, but for those whose content was left out.
///
/// # Errors
/// [`EngineError::Damaged`] with the first files that are missing.
pub fn check(
    instance: &Instance,
    data: &Path,
    left_out: &BTreeMap<u32, String>,
) -> Result<(), EngineError> {
    let query = concat!(
        "select oid, ",
        raw!("datname"),
        " from pg_database where datallowconn order by oid"
    );
    let rows = instance.home()?.query(query, &[]);
    let rows = rows.map_err(|error| refused("list the recovered databases", &error))?;
    for row in rows {
        let (oid, database): (u32, &[u8]) = (row.get(0), row.get(1));
        // no session can be asked for by a name that is no text
        if let Ok(database) = std::str::from_utf8(database)
            && !left_out.contains_key(&oid)
        {
            check_database(instance, data, database)?;
        }
    }
    Ok(())
}

fn check_database(instance: &Instance, data: &Path, database: &str) -> Result<(), EngineError> {
    let mut client = instance.client(database)?;
    let query = "select oid, pg_relation_filepath(oid) from pg_class \
                 where relkind in ('r', 'i', 'm', 't', 'S') and relpersistence = 'p' \
                 and pg_relation_filepath(oid) is not null";
    let rows = client.query(query, &[]);
    let rows =
        rows.map_err(|error| refused(format!("list the relations of {database}"), &error))?;
    let files = rows
        .iter()
        .map(|row| -> (u32, String) { (row.get(0), row.get(1)) });
    let missing: Vec<(u32, String)> = files
        .filter(|(_, path)| !data.join(path).is_file())
        .collect();
    if missing.is_empty() {
        return Ok(());
    }
    let shown = missing.iter().take(SHOWN);
    let shown: Vec<String> = shown
        .map(|(oid, path)| named(&mut client, *oid, path))
        .collect();
    Err(EngineError::Damaged {
        what: format!("the recovered database {database}"),
        detail: format!(
            "{} relations have no file: {}",
            missing.len(),
            shown.join(", ")
        ),
    })
}

/// A relation by its name, where that is text, and its file.
fn named(client: &mut Client, oid: u32, path: &str) -> String {
    let name = client.query_one("select $1::oid::regclass::text", &[&oid]);
    name.map_or_else(
        |_| path.to_owned(),
        |row| format!("{} ({path})", row.get::<_, String>(0)),
    )
}
