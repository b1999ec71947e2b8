//! Owns how far the receivers of a server's log are behind, as the server's slots tell it.

use postgres::Client;

use super::PostgresSpec;
use super::connect::{self, refused};
use crate::engine::EngineError;

/// What a slot tells.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SlotLag {
    /// Does a receiver use it now?
    pub active: bool,
    /// Bytes that the server has durably and the receiver has not reported as durable; none when
    /// the slot keeps nothing yet.
    pub bytes: Option<u64>,
    /// The server has let go of log that the receiver still needs.
    pub lost: bool,
}

/// Of a receiver that may not be seen only the slot's start is known: then the lag is told too
/// large, never too small.
const QUESTION: &str = "\
    select s.active, \
           (case when pg_is_in_recovery() then pg_last_wal_receive_lsn() \
            else pg_current_wal_flush_lsn() end - coalesce(r.flush_lsn, s.restart_lsn))::int8, \
           coalesce(s.wal_status = 'lost', false) \
    from pg_replication_slots s left join pg_stat_replication r on r.pid = s.active_pid \
    where s.slot_name = $1";

/// Asks in a session of its own; none when the server has no such slot.
///
/// # Errors
/// When the server cannot be asked.
pub fn look(spec: &PostgresSpec, slot: &str) -> Result<Option<SlotLag>, EngineError> {
    let mut client = connect::open(&spec.service, &spec.connect)?;
    ask(&mut client, &spec.service, slot)
}

/// Asks; none when the server has no such slot.
///
/// # Errors
/// When the server refuses.
pub(super) fn ask(
    client: &mut Client,
    service: &str,
    slot: &str,
) -> Result<Option<SlotLag>, EngineError> {
    let row = client.query_opt(QUESTION, &[&slot]);
    let row = row.map_err(|error| refused(format!("measure the stream of {service}"), &error))?;
    Ok(row.map(|row| SlotLag {
        active: row.get(0),
        bytes: row
            .get::<_, Option<i64>>(1)
            .map(|bytes| u64::try_from(bytes).unwrap_or(0)),
        lost: row.get(2),
    }))
}
