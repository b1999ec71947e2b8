//! Owns the subscriptions of a recovered cluster: they go on where the copy is started, and take what
//! the original's publisher would hand to it.

use super::connect::refused;
use super::instance::Instance;
use crate::engine::EngineError;

/// What is to be done before a copy is started beside its original, for each subscription that is
/// enabled.
///
/// # Errors
/// What the server says.
pub(super) fn told(instance: &Instance) -> Result<Vec<String>, EngineError> {
    let query = "select subname::text, datname::text from pg_subscription \
                 join pg_database d on d.oid = subdbid where subenabled order by 2, 1";
    let rows = instance.home()?.query(query, &[]);
    let rows = rows.map_err(|error| refused("look for subscriptions", &error))?;
    let told = rows.iter().map(|row| {
        let (name, database): (String, String) = (row.get(0), row.get(1));
        format!(
            "subscription {name} of database {database} goes on once the copy is started: where \
             the original still runs, start it with max_logical_replication_workers = 0 and \
             disable it first"
        )
    });
    Ok(told.collect())
}
