//! Owns the manifest: the commit marker of one part on one device, and the record of one log
//! object. Must not read or write devices; `media::part` and `media::log` do.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::engine::{EndedBackup, Entry};
use crate::facts::holdings::{Method, Position};
use crate::resolve::plan::{Codec, EngineKind};

/// Version of the serialised form of [`Manifest`] and [`LogRecord`].
pub const FORMAT: &str = "planc-part/1";

/// What the planner knows of a part before it is copied.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PartHeader {
    /// Id of the part.
    pub part: String,
    /// Component key.
    pub component: String,
    /// Service.
    pub service: String,
    /// Engine.
    pub engine: EngineKind,
    /// Job.
    pub job: String,
    /// Run.
    pub run: String,
    /// Plan name.
    pub plan: String,
    /// Environment.
    pub environment: String,
    /// Hash of the plan.
    pub plan_hash: String,
    /// How it is copied.
    pub method: Method,
    /// Identity of the source (R11).
    pub identity: String,
    /// The part it builds on.
    pub base: Option<String>,
}

/// A run of frames' content that makes up a piece of a file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Extent {
    /// Offset in the file.
    pub at: u64,
    /// Index into [`Manifest::frames`].
    pub frame: u32,
    /// Offset in the frame's plaintext.
    pub offset: u32,
    /// Length.
    pub length: u32,
}

/// A file of a part with the places of its content.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ManifestEntry {
    /// Name and attributes.
    #[serde(flatten)]
    pub entry: Entry,
    /// Length, holes included; 0 for anything but files.
    pub length: u64,
    /// BLAKE3 of the content, holes as zeros; empty for anything but files.
    pub hash: String,
    /// Content, by `at`; what is not covered is zeros.
    pub extents: Vec<Extent>,
}

/// Where a frame lies.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FrameRef {
    /// Index into [`Manifest::packs`].
    pub pack: u32,
    /// Offset of the frame's header in the pack.
    pub offset: u64,
    /// Length of the stored frame, header included.
    pub stored: u32,
    /// Length of its plaintext.
    pub plain: u32,
    /// BLAKE3 of its plaintext, 64 hex digits.
    pub hash: String,
}

/// A pack that the part's frames lie in.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PackRef {
    /// Name of the object.
    pub name: String,
    /// Its length.
    pub length: u64,
    /// BLAKE3 of all its bytes.
    pub hash: String,
}

/// The commit marker of one part: everything a restore needs to know.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Manifest {
    /// [`FORMAT`].
    pub format: String,
    /// What it is a copy of.
    #[serde(flatten)]
    pub header: PartHeader,
    /// Positions, moment and notes of the bracket.
    pub ended: EndedBackup,
    /// Compression that was asked for.
    pub codec: Codec,
    /// Bytes of content.
    pub bytes: u64,
    /// Bytes of all packs.
    pub stored_bytes: u64,
    /// Packs.
    pub packs: Vec<PackRef>,
    /// Frames, in the order of the stream.
    pub frames: Vec<FrameRef>,
    /// Files, in the order of the stream.
    pub entries: Vec<ManifestEntry>,
    /// Ids of the keys needed; empty while copies are not encrypted.
    pub keys: Vec<String>,
    /// Further fields of later versions; kept, not understood.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub more: BTreeMap<String, String>,
}

/// What a log object says of itself; its payload follows in the same object.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LogRecord {
    /// Id: BLAKE3 of service, identity, range and payload, 32 hex digits.
    pub log: String,
    /// Service.
    pub service: String,
    /// Engine.
    pub engine: EngineKind,
    /// Job.
    pub job: String,
    /// Identity of the source.
    pub identity: String,
    /// Where it begins, exclusive.
    pub from: Position,
    /// Where it ends, inclusive.
    pub until: Position,
    /// Time of the first transaction.
    pub first_at: Timestamp,
    /// Time of the last transaction.
    pub last_at: Timestamp,
    /// Bytes of plaintext payload.
    pub bytes: u64,
    /// Bytes of the object.
    pub stored_bytes: u64,
}
