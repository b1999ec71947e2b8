//! Owns the checks of a recovered cluster while its server is open: every relation that its
//! catalogs name has its file. Reads catalogs and looks at names; pages were judged when they were
//! copied.

use std::collections::BTreeMap;
use std::path::Path;

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
    let mut client = instance.client("postgres")?;
    let query = "select oid, datname::text from pg_database where datallowconn order by oid";
    let rows = client.query(query, &[]);
    let rows = rows.map_err(|error| refused("list the recovered databases", &error))?;
    for row in rows {
        let (oid, database): (u32, String) = (row.get(0), row.get(1));
        if !left_out.contains_key(&oid) {
            check_database(instance, data, &database)?;
        }
    }
    Ok(())
}

fn check_database(instance: &Instance, data: &Path, database: &str) -> Result<(), EngineError> {
    let mut client = instance.client(database)?;
    let query = "select oid::regclass::text, pg_relation_filepath(oid) from pg_class \
                 where relkind in ('r', 'i', 'm', 't', 'S') and relpersistence = 'p' \
                 and pg_relation_filepath(oid) is not null";
    let rows = client.query(query, &[]);
    let rows =
        rows.map_err(|error| refused(format!("list the relations of {database}"), &error))?;
    let files = rows
        .iter()
        .map(|row| -> (String, String) { (row.get(0), row.get(1)) });
    let missing: Vec<String> = files
        .filter(|(_, path)| !data.join(path).is_file())
        .map(|(name, path)| format!("{name} ({path})"))
        .collect();
    if missing.is_empty() {
        return Ok(());
    }
    let shown = missing.iter().take(SHOWN).cloned().collect::<Vec<_>>();
    Err(EngineError::Damaged {
        what: format!("the recovered database {database}"),
        detail: format!(
            "{} relations have no file: {}",
            missing.len(),
            shown.join(", ")
        ),
    })
}
