//! Owns the step graph as plain data: steps, edges with reasons, lanes.
//! Must not hold petgraph types (`graph::order`), threads or handles.
//!
//! # Form on disk
//! The graph serialises to YAML and JSON alike (`planc-graph/1`). Steps carry stable ids; edges
//! name steps by their index in `steps`, so that a graph of 100 000 steps stays small.

use std::collections::BTreeMap;
use std::fmt;

use jiff::Timestamp;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::facts::holdings::{Method, Position};
use crate::resolve::plan::Codec;
pub use crate::schedule::EdgeKind;

/// Version of the serialised form.
pub const FORMAT: &str = "planc-graph/1";

/// The stable id of a step: the first 64 bits of
/// BLAKE3(plan hash, run id, kind, subject, inputs). Printed as 16 hex digits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct StepId(pub u64);

impl fmt::Display for StepId {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{:016x}", self.0)
    }
}

impl Serialize for StepId {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for StepId {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let text = <std::borrow::Cow<'de, str>>::deserialize(from)?;
        let number = u64::from_str_radix(&text, 16);
        number
            .map(Self)
            .map_err(|_| serde::de::Error::custom("a step id is 16 hex digits"))
    }
}

/// What the user wants done; one compiler, many intents.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "do")]
pub enum Intent {
    /// What is due now.
    Due,
    /// These jobs, whether due or not.
    Jobs {
        /// Names as in the plan.
        names: Vec<String>,
    },
    /// The logs of these archive jobs, beside a run that copies.
    Ship {
        /// Names as in the plan.
        names: Vec<String>,
    },
    /// Read copies back.
    Verify {
        /// Only this device.
        device: Option<String>,
    },
    /// Look at copies more or less closely, those first that were not read for the longest time.
    Scrub {
        /// How closely.
        depth: Depth,
        /// Only this device.
        device: Option<String>,
        /// Only copies that were not read back for so many seconds.
        older: Option<u64>,
        /// At most so many bytes.
        limit: Option<u64>,
    },
    /// Copy what devices still lack, from stored copies; nothing is read from a source.
    CatchUp,
    /// Put chains of stored parts together into parts that stand alone.
    Merge {
        /// Jobs or components by name; empty for all.
        names: Vec<String>,
        /// Only onto this device; else onto all that are to hold a full.
        device: Option<String>,
    },
    /// Put good copies beside damaged ones.
    Repair {
        /// Only on this device.
        device: Option<String>,
    },
    /// Delete what no clause of the plan keeps.
    Expire {
        /// Only on this device.
        device: Option<String>,
        /// Seconds that a tombstone stands before the copy is deleted.
        grace: u64,
    },
    /// An ad-hoc restore of one service.
    Restore(RestoreIntent),
    /// A named recovery of the plan with incident input.
    Recover {
        /// Its name.
        scenario: String,
        /// `k=v` of the command line.
        inputs: BTreeMap<String, String>,
        /// Folder in which the restored service is built; else what the scenario says.
        to: Option<String>,
        /// The history to follow of a service's log that has it; none asks that there be only one.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        incarnation: Option<String>,
    },
    /// Takes back what one transaction did.
    Undo(UndoIntent),
    /// A named switchover of the plan.
    Switchover {
        /// Its name.
        scenario: String,
        /// Seconds that each side may take for what it is told to do.
        patience: u64,
    },
    /// A graph given as a file.
    File,
}

/// What is to be taken back.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct UndoIntent {
    /// The service.
    pub service: String,
    /// The transaction, as people name it.
    pub transaction: u64,
    /// Where its commit ends in the log.
    pub at: Position,
    /// The databases that it changed.
    pub databases: Vec<String>,
    /// The pages that it touched.
    pub pages: Vec<TouchedPages>,
    /// Folder below which the copies are made, absolute.
    pub folder: String,
    /// Is somebody asked before live rows are changed?
    pub ask: bool,
}

/// Pages of one relation, by the numbers of its file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TouchedPages {
    /// Tablespace.
    pub tablespace: u32,
    /// Database; 0 for what all share.
    pub database: u32,
    /// File of the relation.
    pub relation: u32,
    /// First and last of each run of pages.
    pub blocks: Vec<(u32, u32)>,
}

/// How closely a copy is looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Depth {
    /// Its objects are there in full length.
    Exists,
    /// Every byte is read and every hash compared.
    #[default]
    Intact,
}

impl Depth {
    /// True for the default.
    #[must_use]
    pub fn is_intact(&self) -> bool {
        *self == Self::Intact
    }
}

/// What an ad-hoc restore asks.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RestoreIntent {
    /// The service.
    pub service: String,
    /// The folder or file that must not exist yet; empty for a delta.
    pub to: String,
    /// How far the log is replayed.
    pub until: RecoveryTarget,
    /// Read only from this device.
    pub from: Option<String>,
    /// New places of components that lie outside the target, by name: tablespaces.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub relocate: BTreeMap<String, String>,
    /// Databases that are wanted with their content; empty for all.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub only: Vec<String>,
    /// The history to follow, where more than one goes on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub incarnation: Option<String>,
    /// The target is the damaged folder of the stopped service: only what differs is written.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub delta: bool,
}

/// How far a recovery goes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum RecoveryTarget {
    /// The newest state that can be proven.
    Latest,
    /// The last transaction committed at or before this instant.
    Instant(Timestamp),
    /// This transaction, included.
    Transaction(Position),
    /// The state just before this transaction.
    Before(Position),
    /// The state of the newest part, without log.
    Backup,
}

/// The steps, edges and lanes of one intent.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct StepGraph {
    /// [`FORMAT`].
    pub format: String,
    /// Name of the plan.
    pub plan: String,
    /// Environment of the plan; empty when it has none.
    #[serde(default)]
    pub environment: String,
    /// Hash of the plan.
    #[serde(default)]
    pub plan_hash: String,
    /// The run: hash of plan, intent and `now`.
    #[serde(default)]
    pub run: String,
    /// What it is for.
    pub intent: Intent,
    /// The moment it was compiled for.
    pub now: Timestamp,
    /// Lanes with their depth.
    #[serde(default)]
    pub lanes: Vec<Lane>,
    /// Steps in an order in which they could run one after the other.
    pub steps: Vec<Step>,
    /// Edges, by `to`, then `from`.
    #[serde(default)]
    pub edges: Vec<Edge>,
    /// What `finish within` promises.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub limits: Vec<Limit>,
}

/// A bound on how long something may take.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Limit {
    /// The job; none for the whole graph.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub job: Option<String>,
    /// At most this many milliseconds.
    pub within_ms: u64,
}

/// One unit of concurrency: a device's drives, a source disk, a host.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Lane {
    /// `device/nvme`, `disk/pg1/d3`, `host/pg1`, `backup-mode/orders_db`.
    pub name: String,
    /// How many steps may claim it at once; at least 1.
    pub depth: u32,
}

/// One step.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Step {
    /// Stable id.
    pub id: StepId,
    /// What is done.
    #[serde(flatten)]
    pub kind: StepKind,
    /// To what, for people: `notes/database/main -> disk, cloud`.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub subject: String,
    /// Indices into [`StepGraph::lanes`] that it claims while it runs, sorted.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub lanes: Vec<u32>,
    /// How long and how much, as far as known.
    #[serde(default, skip_serializing_if = "Estimate::is_unknown")]
    pub estimate: Estimate,
    /// Why it is here.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub why: String,
    /// What happens when it fails.
    #[serde(default, skip_serializing_if = "OnFailure::is_abort")]
    pub on_failure: OnFailure,
}

/// An estimate; what is unknown stays unknown.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
pub struct Estimate {
    /// Seconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seconds: Option<f64>,
    /// Bytes moved.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bytes: Option<u64>,
}

impl Estimate {
    /// True when nothing is known.
    #[must_use]
    pub fn is_unknown(&self) -> bool {
        self.seconds.is_none() && self.bytes.is_none()
    }
}

/// What happens when a step fails.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum OnFailure {
    /// Steps that need it are skipped.
    #[default]
    Abort,
    /// Tried again up to this many times with back-off when the error may pass.
    Retry(u32),
    /// The step goes on with another device or copy by itself.
    Alternate,
}

impl OnFailure {
    /// True for the default.
    #[must_use]
    pub fn is_abort(&self) -> bool {
        *self == Self::Abort
    }
}

/// The part that a copy of changes builds on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BuildsOn {
    /// Its id.
    pub part: String,
    /// Devices that hold it.
    pub from: Vec<String>,
}

/// What a step does. Matched in `run::worker` only.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "step")]
pub enum StepKind {
    /// Enters backup mode of a component and keeps the session.
    BeginBackup {
        /// Component key.
        component: String,
        /// How it will be copied.
        method: Method,
        /// A job: copied only if it changed since that job's last copy; else the steps of the
        /// bracket do nothing.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        changed_since: Option<String>,
        /// The part that only changes are copied since; none for a copy of everything.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        base: Option<BuildsOn>,
    },
    /// Reads the component once and writes it to every device named.
    CopyPart {
        /// Component key.
        component: String,
        /// Id of the part that comes to be.
        part: String,
        /// How it is copied.
        method: Method,
        /// The part that only changes are copied since; none for a copy of everything.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        base: Option<BuildsOn>,
        /// Devices by name.
        devices: Vec<String>,
        /// Compression.
        codec: Codec,
        /// Key that it is sealed with, by name; none when it is not encrypted.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        key: Option<String>,
        /// Bytes per second at most, or none.
        throttle: Option<u64>,
        /// Bytes of memory that the copies of the job take at most, all together.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        memory: Option<u64>,
    },
    /// Leaves backup mode; reached by an always-edge.
    EndBackup {
        /// Component key.
        component: String,
        /// The part whose bracket it closes.
        part: String,
    },
    /// Writes the manifest: from here on the part exists on the device.
    CommitPart {
        /// Component key.
        component: String,
        /// Id of the part.
        part: String,
        /// Job it belongs to.
        job: String,
        /// Devices by name.
        devices: Vec<String>,
    },
    /// Ships the log committed so far to every device named.
    ArchiveLog {
        /// Service.
        service: String,
        /// Job it belongs to.
        job: String,
        /// Milliseconds that the plan lets log wait, where nothing but the clock asks for it: a
        /// source that ends its log by itself at least as often is not told to.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        within_ms: Option<u64>,
        /// Devices by name.
        devices: Vec<String>,
        /// Compression.
        codec: Codec,
        /// Key that it is sealed with, by name; none when it is not encrypted.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        key: Option<String>,
    },
    /// Puts a chain of stored parts together into one that stands alone; the source is not read.
    MergeStored {
        /// Component key.
        component: String,
        /// The chain: the part that stands alone first, each other one builds on the one before.
        parts: Vec<String>,
        /// Devices that hold each of them, in the same order.
        from: Vec<Vec<String>>,
        /// Id of the part that comes to be.
        part: String,
        /// Job it belongs to.
        job: String,
        /// Devices by name.
        devices: Vec<String>,
        /// Compression.
        codec: Codec,
        /// Key that it is sealed with, by name; none when it is not encrypted.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        key: Option<String>,
    },
    /// Copies a stored part from any of `from` to `to`.
    CopyStored {
        /// Id of the part, or of the log object.
        object: String,
        /// Job it belongs to.
        job: String,
        /// Devices that hold it.
        from: Vec<String>,
        /// Device that gets it.
        to: String,
    },
    /// Reads all of a part or log object back and compares every hash.
    VerifyStored {
        /// Id of the part, or of the log object.
        object: String,
        /// Device by name.
        device: String,
        /// How closely.
        #[serde(default, skip_serializing_if = "Depth::is_intact")]
        depth: Depth,
    },
    /// Puts a tombstone beside a copy that goes.
    Condemn {
        /// Id of the part, or of the log object.
        object: String,
        /// Device by name.
        device: String,
    },
    /// Deletes a copy whose tombstone stood for the grace.
    DeleteStored {
        /// Id of the part, or of the log object.
        object: String,
        /// Device by name.
        device: String,
        /// Seconds.
        grace: u64,
    },
    /// Takes the tombstone of a copy away: it stays after all.
    Reprieve {
        /// Id of the part, or of the log object.
        object: String,
        /// Device by name.
        device: String,
    },
    /// Refuses targets that exist, hold data or are live; claims the staging place.
    PrepareTarget {
        /// Service.
        service: String,
        /// Where the result will be published.
        target: String,
        /// New places of components that lie outside the target, by name.
        #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
        relocate: BTreeMap<String, String>,
        /// Databases that are wanted with their content; empty for all.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        only: Vec<String>,
        /// Is it made of parts in the engine's own words?
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        logical: bool,
    },
    /// Claims one lost component of a stopped service, to be put back where it was.
    PrepareInPlace {
        /// Component key.
        component: String,
        /// The service's own folder.
        target: String,
        /// Where it is put instead; none for its old place.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        relocate: Option<String>,
        /// Only these files, or pages of them; empty for all of it.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        files: Vec<String>,
        /// Where the stored log ends that leads from the copy on without a gap.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        stored: Option<Position>,
    },
    /// Claims the damaged folder of a stopped service: what differs from the copies is written.
    PrepareDelta {
        /// Service.
        service: String,
        /// The service's own folder.
        target: String,
    },
    /// Brings a part from the devices into staging, verifying every byte.
    FetchPart {
        /// Service.
        service: String,
        /// Id of the part.
        part: String,
        /// Devices to read from, nearest first.
        from: Vec<String>,
        /// Where the result will be published.
        target: String,
    },
    /// Replays log onto what was fetched.
    ReplayLog {
        /// Service.
        service: String,
        /// Where the result will be published.
        target: String,
        /// Log objects in order, each with the devices that hold it, nearest first.
        logs: Vec<(String, Vec<String>)>,
        /// How far.
        until: RecoveryTarget,
        /// Is the copy only made to take something out of it? Then nothing of it is synced.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        to_take: bool,
    },
    /// Checks the restored copy by the engine's own means.
    CheckRestored {
        /// Service.
        service: String,
        /// Where the result will be published.
        target: String,
    },
    /// Looks closely at a copy that is thrown away afterwards.
    Examine {
        /// Service.
        service: String,
        /// The restored copy.
        target: String,
    },
    /// Asks the restored copy a question, or the live service behind an extraction.
    Probe {
        /// Service.
        service: String,
        /// Where the result is published or staged; empty for the live service.
        target: String,
        /// The database that is asked; none for the only one.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        database: Option<String>,
        /// The query.
        query: String,
        /// What the answer must be: `is true`, `is false`, `is empty`, `>= 100`.
        expect: String,
    },
    /// Takes tables out of the restored copy into the live service.
    Extract {
        /// Service.
        service: String,
        /// The restored copy.
        target: String,
        /// What is taken: names, patterns, `SCHEMA.*`; empty for the whole database.
        tables: Vec<String>,
        /// The service it goes to.
        into: String,
        /// The database of that service; none for the only one.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        database: Option<String>,
        /// Prefix or schema of the new names, or the new name of the database.
        name: Option<String>,
    },
    /// Merges what a transaction did with the live rows.
    Undo {
        /// Service.
        service: String,
        /// The copy just before the transaction.
        before: String,
        /// The copy with it.
        after: String,
        /// The pages that it touched.
        pages: Vec<TouchedPages>,
        /// Are live rows changed, or is it only told what would be?
        apply: bool,
    },
    /// One act of handing the primary's work over to a standby.
    Switch {
        /// The service whose server is the primary now.
        service: String,
        /// The service whose server takes over.
        standby: String,
        /// What is done.
        act: SwitchAct,
        /// Seconds that it may take.
        patience: u64,
    },
    /// Makes the staged result visible under its name.
    Publish {
        /// Service.
        service: String,
        /// The name.
        target: String,
    },
    /// Waits for a person.
    Approve {
        /// Whose approval.
        by: String,
    },
    /// Tells a contact.
    Notify {
        /// Who.
        contact: String,
    },
    /// Runs a program; only in graphs that the operator hands in as a file.
    Exec {
        /// Program and arguments, no shell.
        argv: Vec<String>,
    },
    /// Does nothing but join.
    Barrier,
}

/// What one step of a switchover does.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum SwitchAct {
    /// Looks whether it can end well; changes nothing.
    Check(SwitchLimits),
    /// Stops the old primary, so that it never again starts as one.
    Fence,
    /// Waits until the standby has applied all that the old primary wrote.
    Drain,
    /// The standby becomes the primary. No way leads back from here.
    Promote,
    /// The old primary takes writes again, unless the standby was told to take over.
    Settle,
    /// Waits until the new primary's log is archived.
    Archive,
    /// The old primary comes back as a standby of the new one.
    Follow,
}

impl SwitchAct {
    /// The word for it in graphs and reports.
    #[must_use]
    pub fn word(&self) -> &'static str {
        match self {
            Self::Check(_) => "check-switch",
            Self::Fence => "fence",
            Self::Drain => "drain",
            Self::Promote => "promote",
            Self::Settle => "settle",
            Self::Archive => "prove-archive",
            Self::Follow => "follow",
        }
    }
}

/// What a switchover requires before it begins.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SwitchLimits {
    /// Bytes of log that the standby may be behind.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lag: Option<u64>,
    /// Milliseconds in which a finished segment of the log must be archived.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub archived_ms: Option<u64>,
    /// No backup may be running on either server.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub idle: bool,
}

/// An edge between two steps, by index into [`StepGraph::steps`].
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Edge {
    /// The step that goes first.
    pub from: u32,
    /// The step that waits.
    pub to: u32,
    /// When it lets go.
    #[serde(default, skip_serializing_if = "EdgeKind::is_success")]
    pub kind: EdgeKind,
    /// Why it is there.
    #[serde(default, skip_serializing_if = "str::is_empty")]
    pub why: std::borrow::Cow<'static, str>,
}
