//! Owns the contract of log archiving: ranges, where they go, and what people see of them.

use bytes::Bytes;
use jiff::Timestamp;
use serde::Serialize;

use super::EngineError;
use crate::facts::holdings::Position;

/// How much log a source holds that it cannot forget yet, or has not yet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LogHeld {
    /// Bytes of it.
    pub bytes: u64,
    /// Bytes that are free where it lies.
    pub free: u64,
    /// Bytes by which it grows.
    pub piece: u64,
}

/// A gapless range of log, ready to be stored as one object.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogRange {
    /// Where it begins, exclusive.
    pub from: Position,
    /// Where it ends, inclusive.
    pub until: Position,
    /// Is it a piece of a range that is not finished? It is stored apart from the range.
    pub tail: bool,
    /// Time of the first transaction.
    pub first_at: Timestamp,
    /// Time of the last transaction.
    pub last_at: Timestamp,
    /// Names of all restore points in it; none when nobody looked, or they are too many to tell.
    pub points: Option<Vec<String>>,
    /// The engine's own encoding.
    pub payload: Bytes,
}

/// Takes log. Returns only after the range is durable on every required device.
pub trait LogSink {
    /// Stores one range.
    ///
    /// # Errors
    /// Then nothing may be forgotten at the source.
    fn put(&mut self, range: LogRange) -> Result<(), EngineError>;
}

/// What an archive call did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Archived {
    /// The source's log position now, all of it stored.
    pub position: Option<Position>,
    /// Transactions stored by this call.
    pub transactions: u64,
    /// Bytes of a range, where the engine's ranges all have one size.
    pub unit: Option<u64>,
    /// Set when the chain was found broken and a new incarnation begins: a full is needed now.
    pub broken: Option<String>,
}

/// A summary of one transaction in the log, for people who look for the bad one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct TransactionSummary {
    /// Its position: `until` of the state that includes it.
    pub position: Position,
    /// When it was committed, as exactly as the log tells.
    pub at: Timestamp,
    /// Pages it wrote.
    pub pages: u64,
}
