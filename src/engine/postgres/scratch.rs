//! Owns how a database of a copy is opened that is there only to take something from: what would
//! keep a session out or waiting is taken away. Never asked of a copy that stays.

use postgres::Client;

use super::component::raw;
use super::connect::refused;
use super::instance::Instance;
use super::tables::quoted;
use crate::engine::EngineError;

/// Opens a database; in words, the transactions that were prepared and not committed at the target.
///
/// # Errors
/// What the server says.
pub(super) fn open(copy: &Instance, database: &str) -> Result<(Client, Vec<String>), EngineError> {
    let_in(&mut copy.home()?, database)?;
    let mut client = copy.client(database)?;
    let told = roll_back(&mut client)?;
    Ok((client, told))
}

/// Switches event triggers off that would forbid what is done to the copy. A server from 17 has a
/// setting for that; it is left as it is.
///
/// # Errors
/// What the server says.
pub(super) fn calm(client: &mut Client) -> Result<(), EngineError> {
    let query = "select format('alter event trigger %I disable', evtname) from pg_event_trigger \
                 where evtenabled in ('A', 'R') and current_setting('event_triggers', true) is null";
    let what = "switch event triggers of the copy off";
    let rows = client.query(query, &[]);
    for row in rows.map_err(|error| refused(what, &error))? {
        let done = client.batch_execute(row.get(0));
        done.map_err(|error| refused(what, &error))?;
    }
    Ok(())
}

/// Lets sessions into a database that was closed to them.
fn let_in(client: &mut Client, database: &str) -> Result<(), EngineError> {
    let what = || format!("open database {database} of the copy");
    let query = concat!(
        "select ",
        raw!("datname"),
        ", datallowconn from pg_database order by 1"
    );
    let rows = client.query(query, &[]);
    let rows = rows.map_err(|error| refused(what(), &error))?;
    let name = |row: &postgres::Row| String::from_utf8_lossy(row.get(0)).into_owned();
    let Some(row) = rows.iter().find(|row| name(row) == database) else {
        let known: Vec<String> = rows.iter().map(name).collect();
        let known = known.join(", ");
        let cause = format!("it had none of this name at that moment; it had {known}");
        return Err(EngineError::refused(what(), cause));
    };
    if row.get(1) {
        return Ok(());
    }
    let open = format!("alter database {} allow_connections on", quoted(database));
    let done = client.batch_execute(&open);
    done.map_err(|error| refused(what(), &error))
}

/// Rolls prepared transactions back, whose locks would be waited for without end. None of what they
/// did could be seen at the target.
fn roll_back(copy: &mut Client) -> Result<Vec<String>, EngineError> {
    let query = "select gid, transaction::text, format('rollback prepared %L', gid) \
                 from pg_prepared_xacts where database = current_database() order by 1";
    let rows = copy.query(query, &[]);
    let rows = rows.map_err(|error| refused("list prepared transactions", &error))?;
    let mut told = Vec::new();
    for row in rows {
        let (name, number): (&str, &str) = (row.get(0), row.get(1));
        let done = copy.batch_execute(row.get(2));
        done.map_err(|error| refused(format!("roll back `{name}` in the copy"), &error))?;
        told.push(format!(
            "transaction {number} was prepared as `{name}` and not committed at that moment: \
             nothing that it did came"
        ));
    }
    Ok(told)
}
