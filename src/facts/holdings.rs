//! Owns what copies exist, as the planner sees it: parts, log ranges and on which devices.
//! The catalog produces it, `graph` reads it; nothing here opens the catalog.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

pub use super::spoilt::SpoiltFile;
pub use crate::syntax::ast::Method;

/// A point in the log of one source. Ordered only within one incarnation.
///
/// `value` is the engine's own measure: for SQLite the number of transactions committed since
/// the incarnation began, for PostgreSQL the LSN.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Position {
    /// Which history: SQLite incarnation id, PostgreSQL timeline.
    pub incarnation: String,
    /// How far in it.
    pub value: u64,
}

impl Position {
    /// How far, as people write it who know the engine: `16/B374D848` on a timeline of
    /// PostgreSQL, which is eight hexadecimal digits, and the number of transactions elsewhere.
    #[must_use]
    pub fn reach(&self) -> String {
        let digit = |letter: u8| letter.is_ascii_hexdigit();
        if self.incarnation.len() == 8 && self.incarnation.bytes().all(digit) {
            lsn(self.value)
        } else {
            self.value.to_string()
        }
    }

    /// With its history, as `--at` takes it.
    #[must_use]
    pub fn name(&self) -> String {
        format!("{}:{}", self.incarnation, self.reach())
    }
}

/// A position as PostgreSQL writes it.
#[must_use]
pub fn lsn(value: u64) -> String {
    format!("{:X}/{:X}", value >> 32, value & 0xFFFF_FFFF)
}

/// One component copied once, as its manifest says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PartHolding {
    /// Its id.
    pub part: String,
    /// [`crate::resolve::plan::ResolvedPlan::component_key`].
    pub component: String,
    /// The job that took it.
    pub job: String,
    /// The run that took it.
    pub run: String,
    /// How it was taken.
    pub method: Method,
    /// Identity of the source.
    pub identity: String,
    /// The moment it shows.
    pub taken_at: Timestamp,
    /// Log position from which replay must begin.
    pub from: Option<Position>,
    /// Log position up to which replay must go to be consistent.
    pub until: Option<Position>,
    /// The part it builds on, for incrementals.
    pub base: Option<String>,
    /// Bytes of content.
    pub bytes: u64,
    /// Bytes stored on one device.
    pub stored_bytes: u64,
    /// Devices that hold it, by name, sorted.
    pub devices: Vec<String>,
}

/// A gapless range of one source's log, as one object says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LogHolding {
    /// Its id.
    pub log: String,
    /// The service.
    pub service: String,
    /// Identity of the source.
    pub identity: String,
    /// Where it begins, exclusive: replay continues a state at this position.
    pub from: Position,
    /// Where it ends, inclusive; the same incarnation.
    pub until: Position,
    /// Time of the first transaction in it.
    pub first_at: Timestamp,
    /// Time of the last transaction in it.
    pub last_at: Timestamp,
    /// Bytes stored on one device.
    pub stored_bytes: u64,
    /// Devices that hold it, by name, sorted.
    pub devices: Vec<String>,
}

/// When a job last ended well.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct JobHistory {
    /// The job's full name (`instance/name` for policy instances).
    pub job: String,
    /// How it was taken; none for archives and verification.
    pub method: Option<Method>,
    /// When the run that did it began.
    pub began: Timestamp,
    /// Seconds it took.
    pub seconds: f64,
    /// Bytes read from the source.
    pub bytes: u64,
}

/// Under what name it is remembered how fast copies of a service come back from some devices.
#[must_use]
pub fn fetching(service: &str, from: &[String]) -> String {
    format!("restore of {service} from {}", from.join(", "))
}

/// Under what name it is remembered how fast log of a service is replayed.
#[must_use]
pub fn replaying(service: &str) -> String {
    format!("replay of {service}")
}

/// As [`replaying`], onto a copy that is only made to take something out of it: the server that
/// replays there syncs nothing, so it is faster. Where the content of some databases only is wanted,
/// it steps over the log of others, so that is another pace still.
#[must_use]
pub fn replaying_to_take(service: &str, databases: &[String]) -> String {
    match databases.join(", ") {
        all if all.is_empty() => format!("replay of {service} to take from"),
        some => format!("replay of {service} to take {some} from"),
    }
}

/// Under what name it is remembered how fast something is taken out of a copy of a service.
#[must_use]
pub fn extracting(service: &str) -> String {
    format!("extract of {service}")
}

/// Under what name it is remembered how long the check of a restored copy of a service takes.
#[must_use]
pub fn checking(service: &str) -> String {
    format!("check of {service}")
}

/// Under what name it is remembered how long the closer look of a drill takes.
#[must_use]
pub fn examining(service: &str) -> String {
    format!("examination of {service}")
}

/// Under what name it is remembered what such work takes whatever its bytes: a server that is
/// started and stopped.
#[must_use]
pub fn beside(work: &str) -> String {
    format!("{work}, whatever its bytes")
}

/// The devices of a name that [`fetching`] made; none for jobs of the plan.
#[must_use]
pub fn fetched_from(job: &str) -> Option<Vec<&str>> {
    let (_, from) = job.strip_prefix("restore of ")?.split_once(" from ")?;
    Some(from.split(", ").collect())
}

/// All copies of a plan, in order of time.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Holdings {
    /// Parts by `taken_at`, then id.
    pub parts: Vec<PartHolding>,
    /// Log ranges by service, identity, incarnation, `from`.
    pub logs: Vec<LogHolding>,
    /// Last success of each job and method.
    pub jobs: Vec<JobHistory>,
    /// When each (part, device) was last read back whole and found intact.
    pub verified: Vec<(String, String, Timestamp)>,
    /// Copies (object, device) that were last found damaged or lost.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub damaged: Vec<(String, String)>,
    /// How often damaged copies (object, device) were replaced and not found intact since.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tried: Vec<(String, String, u32)>,
    /// Copies (object, device) with a tombstone, and since when it stands.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub condemned: Vec<(String, String, Timestamp)>,
    /// Pages that were damaged at the source when their part was copied, by part and file.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub spoilt: Vec<SpoiltFile>,
    /// Parts and log ranges that runs which did not end work with.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub in_use: Vec<String>,
    /// Histories of logs that continue others, as the devices hold them; looked up when a recovery
    /// is compiled, never in the catalog.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub histories: Vec<LogHistory>,
    /// Pieces of log ranges that are not finished, by where they begin; looked up like the histories.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tails: Vec<LogHolding>,
    /// Points of logs by the names people know them by; looked up like the histories.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub points: Vec<LogPoint>,
}

/// Where one history of a source's log comes from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LogHistory {
    /// The service.
    pub service: String,
    /// The history itself.
    pub incarnation: String,
    /// Those before it, oldest first, each with the value at which it was left.
    pub before: Vec<(String, u64)>,
}

/// A point of a service's log that was looked up by its name.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LogPoint {
    /// The service.
    pub service: String,
    /// A transaction's number as people type it, or `point:NAME` for a named restore point.
    pub name: String,
    /// Where it ends: the state that includes it.
    pub at: Position,
    /// When it was written.
    pub time: Timestamp,
}
