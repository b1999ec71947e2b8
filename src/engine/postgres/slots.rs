//! Owns the two slots of a stream on its server, and how far the stream is behind by them.
//!
//! The slot that people name is moved by planc alone, to what the devices hold durably: the server
//! keeps all log behind it. The receiver works on a copy of that slot, made anew each time it is
//! started, so what the receiver says it has written lets go of nothing.

use std::time::{Duration, Instant};

use postgres::Client;
use postgres::error::SqlState;

use super::PostgresSpec;
use super::connect::{self, refused};
use super::lsn::Lsn;
use crate::engine::EngineError;

/// How long is waited for a receiver that was ended to leave its slot.
const PATIENCE: Duration = Duration::from_secs(5);
const PAUSE: Duration = Duration::from_millis(50);

/// What the slots tell.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SlotLag {
    /// Does a receiver work now?
    pub active: bool,
    /// Bytes that the server has durably and the devices do not hold; none when the slot keeps
    /// nothing yet.
    pub bytes: Option<u64>,
    /// The server has let go of log that is not stored.
    pub lost: bool,
}

const QUESTION: &str = "\
    select coalesce(r.active, false), \
           (case when pg_is_in_recovery() then pg_last_wal_receive_lsn() \
            else pg_current_wal_flush_lsn() end - s.restart_lsn)::int8, \
           coalesce(s.wal_status = 'lost', false) \
    from pg_replication_slots s left join pg_replication_slots r on r.slot_name = $2 \
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
    let row = client.query_opt(QUESTION, &[&slot, &of_receiver(slot)]);
    let row = row.map_err(|error| refused(format!("measure the stream of {service}"), &error))?;
    Ok(row.map(|row| SlotLag {
        active: row.get(0),
        bytes: row
            .get::<_, Option<i64>>(1)
            .map(|bytes| u64::try_from(bytes).unwrap_or(0)),
        lost: row.get(2),
    }))
}

/// The slot that the receiver of a stream works on.
#[must_use]
pub fn of_receiver(slot: &str) -> String {
    format!("{slot}_receiver")
}

/// Makes the slot of a stream when it is not there: from then on the server keeps its log for it.
///
/// # Errors
/// When the server refuses.
pub(super) fn make(client: &mut Client, slot: &str) -> Result<(), EngineError> {
    let make = "select pg_create_physical_replication_slot($1, true) \
                where not exists (select from pg_replication_slots where slot_name = $1)";
    let made = client.execute(make, &[&slot]);
    made.map(drop).map_err(|error| cannot("make", slot, &error))
}

/// Makes the receiver's slot anew, where the stream's own stands; where that is.
///
/// # Errors
/// When the server refuses: no slot is left, or another receiver works on it.
pub(super) fn renew(client: &mut Client, slot: &str) -> Result<Lsn, EngineError> {
    let receiver = of_receiver(slot);
    drop_receivers(client, slot)?;
    let copy = "select pg_copy_physical_replication_slot($1, $2)";
    let stands = "select restart_lsn::text from pg_replication_slots where slot_name = $1";
    let stands = client
        .execute(copy, &[&slot, &receiver])
        .and_then(|_| client.query_opt(stands, &[&receiver]))
        .map_err(|error| cannot("make", &receiver, &error))?;
    let stands: Option<String> = stands.and_then(|row| row.get(0));
    let stands = stands.and_then(|text| text.parse().ok());
    let none = || EngineError::refused(format!("make the slot {receiver}"), "it keeps no log");
    stands.ok_or_else(none)
}

/// Takes the receiver's slot away, once the receiver has left it.
///
/// # Errors
/// When the server refuses; [`EngineError::Busy`] while another receiver works on it.
pub(super) fn drop_receivers(client: &mut Client, slot: &str) -> Result<(), EngineError> {
    let receiver = of_receiver(slot);
    let until = Instant::now() + PATIENCE;
    let leave = "select pg_drop_replication_slot(slot_name) from pg_replication_slots \
                 where slot_name = $1";
    loop {
        match client.execute(leave, &[&receiver]) {
            Ok(_) => return Ok(()),
            Err(error) if is_in_use(&error) && Instant::now() < until => std::thread::sleep(PAUSE),
            Err(error) => return Err(cannot("drop", &receiver, &error)),
        }
    }
}

/// Moves the slot of a stream to a position up to which the devices hold all log; never back. To
/// be called now and then even when nothing is new: a server may drop slots that nobody uses.
///
/// # Errors
/// When the server refuses.
pub(super) fn advance(client: &mut Client, slot: &str, to: Lsn) -> Result<(), EngineError> {
    let advance = "select pg_replication_slot_advance(slot_name, greatest(restart_lsn, $2::text::pg_lsn)) \
                   from pg_replication_slots where slot_name = $1";
    let moved = client.execute(advance, &[&slot, &to.to_string()]);
    moved
        .map(drop)
        .map_err(|error| cannot("move", slot, &error))
}

fn is_in_use(error: &postgres::Error) -> bool {
    error.code() == Some(&SqlState::OBJECT_IN_USE)
}

fn cannot(action: &str, slot: &str, error: &postgres::Error) -> EngineError {
    let what = format!("{action} the slot {slot}");
    match error.as_db_error() {
        Some(answer) if is_in_use(error) => EngineError::Busy {
            what,
            cause: format!("{}; does another stream use it?", answer.message()),
        },
        Some(answer) if *answer.code() == SqlState::CONFIGURATION_LIMIT_EXCEEDED => {
            EngineError::refused(
                what,
                format!(
                    "{}; a stream takes two slots: raise max_replication_slots",
                    answer.message()
                ),
            )
        }
        _ => refused(what, error),
    }
}
