//! Owns what a drill leaves behind as evidence: plain data of an entry of the run log. Must not
//! hold rows of a database: the run log is not sealed, so answers of probes stay out.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// A drill that came to its end, well or not.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rehearsal {
    /// The drill's full name in the plan.
    pub drill: String,
    /// True when every step was done, every probe held and all was in time.
    pub passed: bool,
    /// The run.
    pub run: String,
    /// When it began.
    pub began: Timestamp,
    /// How long it took, in milliseconds.
    pub took_ms: u64,
    /// Who ran it, and where.
    pub by: String,
    /// Ids of the parts that were read back.
    pub restored: Vec<String>,
    /// What was replayed, checked and asked, and held.
    pub held: Vec<String>,
    /// What failed or came too late.
    pub failed: Vec<String>,
}
