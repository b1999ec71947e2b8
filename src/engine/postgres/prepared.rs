//! Owns the prepared transactions that are open in a recovered cluster: they hold their locks until
//! somebody ends them, and a server that may have none does not start.

use super::connect::refused;
use super::instance::Instance;
use crate::engine::EngineError;

/// What is to be done about them; nothing where there are none.
///
/// # Errors
/// What the server says.
pub(super) fn told(instance: &Instance) -> Result<Option<String>, EngineError> {
    let query = "select count(*), string_agg(format('%L in database %I', gid, database), ', ' \
                 order by prepared) from pg_prepared_xacts";
    let row = instance.home()?.query_one(query, &[]);
    let row = row.map_err(|error| refused("look for prepared transactions", &error))?;
    let (count, named): (i64, Option<String>) = (row.get(0), row.get(1));
    Ok(named.map(|named| {
        format!(
            "prepared transactions are open at the target: {named}; start the cluster with \
             max_prepared_transactions of at least {count}, then commit or roll back each"
        )
    }))
}
