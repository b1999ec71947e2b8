//! Owns the manifest: the commit marker of one part on one device, and the record of one log
//! object. Must not read or write devices; `media::part` and `media::log` do.
//!
//! # Fields of a manifest
//! The body of a sealed object ([`super::sealed`]) is one JSON object. Hashes are BLAKE3, 64 hex
//! digits; moments are RFC 3339 with `Z`; numbers are unsigned 64-bit unless said otherwise, so a
//! reader must not take them as floating point.
//!
//! ```text
//! format        "planc-part/1"; a reader refuses others
//! part          id of the part; the object's name is made of it
//! component     what was copied: "<service>/<kind>/<name>"
//! service       service in the plan
//! engine        "postgresql", "mariadb", "sqlite" or "files"
//! job           job in the plan
//! run           id of the run that made it
//! plan          name of the plan
//! environment   environment of the plan, "" when it has none
//! plan_hash     hash of the plan's texts
//! method        how it was copied, e.g. "physical-full"
//! identity      identity of the source
//! base          part that this one builds on, or null
//! ended         what the engine said at the end:
//!   taken_at      the moment that the copy shows
//!   from, until   positions in the source's log, or null: {"incarnation":…,"value":…}. Log from
//!                 `from` to `until` is needed to make the copy consistent
//!   warnings      sentences for people
//!   notes         words of the engine by name; "damaged-at-source" is a JSON object of files, below
//!                 the folder of the part, and their blocks that had wrong checksums: "7,9-12"
//! codec         compression asked for: "none", "lz4" or {"zstd":<level>}; each frame says its own
//! bytes         bytes of content
//! stored_bytes  bytes of all packs
//! packs         list of {"name":…,"length":…,"hash":…}: name (see [`super::pack`]), length and hash
//! frames        list of rows in the order of the stream:
//!                 [pack: index into packs, offset of the frame in the pack, length of the stored
//!                 frame with its header, length of its plaintext, hash of its plaintext]
//! entries       list of rows in the order of the stream, folders before what is in them:
//!                 [path, kind, mode, uid, gid, [mtime: seconds, signed, nanoseconds], length, hash,
//!                 extents]
//! keys          public halves that the part is sealed for; [] when it is not encrypted
//! more          words of later versions by name; left out when there are none
//! ```
//!
//! *Path* is relative, `/`-separated, without `.` and `..`, `"."` for the folder of the part itself;
//! `%` and bytes outside UTF-8 are written as `%` and two hex digits. *Kind* is `{"type":"file"}`,
//! `{"type":"directory"}`, `{"type":"symlink","target":…}` (written as paths are),
//! `{"type":"hardlink","target":…}` (an earlier path of the same part), `{"type":"fifo"}` or
//! `{"type":"over"}`: a file over the one of the same path in part `base`; what its extents do not
//! cover is as it is there, up to its length. Files have no hash `""`; all others have, and but
//! for those over another they have length 0 and no extents. *Mode* is the lower 12 bits. A part
//! with such files is restored over its base; what it does not name was removed since.
//!
//! *Extents* of a file are rows [offset in the file, index into frames, offset in the frame's
//! plaintext, length], by offset in the file; what they do not cover is zeros, and was a hole. An
//! extent never crosses a border of 1 MiB of the file, and all extents of one such window lie in
//! one frame. The frames of extents never go back: one forward pass restores everything. The
//! hash of a file: [`super::content`].
//!
//! `examples/reader.py` is a reader made from these pages alone.

use std::collections::BTreeMap;

use blake3::Hash;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::content::{LONGEST, WINDOW};
use super::keys::Seal;
use super::{digits, name, pack};
use crate::engine::{EndedBackup, Entry, EntryKind};
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

/// A run of a frame's content that makes up a piece of a file; it never leaves its window of
/// 1 MiB of the file ([`super::content`]). Serialised as a row: at, frame, offset, length.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "ExtentRow", into = "ExtentRow")]
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

/// A file of a part with the places of its content. Serialised as a row: path, kind, mode, uid,
/// gid, mtime, length, hash, extents.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "EntryRow", into = "EntryRow")]
pub struct ManifestEntry {
    /// Name and attributes.
    pub entry: Entry,
    /// Length, holes included; 0 for anything but files, also those over another.
    pub length: u64,
    /// Hash of the content, holes as zeros: the BLAKE3 of a file of up to 1 MiB; for a longer one
    /// the BLAKE3 of the BLAKE3 hashes of its windows of 1 MiB (precisely: [`super::content`]). It
    /// depends on the content alone. None for anything but files.
    pub hash: Option<Hash>,
    /// Content, by `at`; what is not covered is zeros, or as it is in the part below.
    pub extents: Vec<Extent>,
}

/// Where a frame lies. Serialised as a row: pack, offset, stored, plain, hash.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "FrameRow", into = "FrameRow")]
pub struct FrameRef {
    /// Index into [`Manifest::packs`].
    pub pack: u32,
    /// Offset of the frame's header in the pack.
    pub offset: u64,
    /// Length of the stored frame, header included.
    pub stored: u32,
    /// Length of its plaintext.
    pub plain: u32,
    /// BLAKE3 of its plaintext.
    pub hash: Hash,
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
    /// Public halves of the keys that it is sealed for; empty when it is not encrypted.
    pub keys: Vec<String>,
    /// What opens it; never written down.
    #[serde(skip)]
    pub seal: Option<Seal>,
    /// Further fields of later versions; kept, not understood.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub more: BTreeMap<String, String>,
}

/// What a log object says of itself; its payload follows in the same object.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LogRecord {
    /// Id: `<service>.<chain>.<from>.<content>`, where chain stands for identity and incarnation
    /// and content is the beginning of the BLAKE3 of source, range and the payload's own BLAKE3.
    /// The first three give the object's name ([`super::name::log_of_id`]). Of a tail, `<from>` is
    /// `<from>-<until>`.
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
    /// Is it a piece of a range that was not finished when it was stored?
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub tail: bool,
    /// Time of the first transaction.
    pub first_at: Timestamp,
    /// Time of the last transaction.
    pub last_at: Timestamp,
    /// Names of all restore points in it, if the writer looked and they are few.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub points: Option<Vec<String>>,
    /// Bytes of plaintext payload.
    pub bytes: u64,
    /// Bytes of the object; 0 in the object's own header.
    pub stored_bytes: u64,
}

#[derive(Serialize, Deserialize)]
struct ExtentRow(u64, u32, u32, u32);

impl From<ExtentRow> for Extent {
    fn from(ExtentRow(at, frame, offset, length): ExtentRow) -> Self {
        Self {
            at,
            frame,
            offset,
            length,
        }
    }
}

impl From<Extent> for ExtentRow {
    fn from(extent: Extent) -> Self {
        Self(extent.at, extent.frame, extent.offset, extent.length)
    }
}

#[derive(Serialize, Deserialize)]
struct FrameRow(u32, u64, u32, u32, #[serde(with = "digits")] Hash);

impl From<FrameRow> for FrameRef {
    fn from(FrameRow(pack, offset, stored, plain, hash): FrameRow) -> Self {
        Self {
            pack,
            offset,
            stored,
            plain,
            hash,
        }
    }
}

impl From<FrameRef> for FrameRow {
    fn from(frame: FrameRef) -> Self {
        Self(
            frame.pack,
            frame.offset,
            frame.stored,
            frame.plain,
            frame.hash,
        )
    }
}

#[derive(Serialize, Deserialize)]
struct EntryRow(
    String,
    EntryKind,
    u32,
    u32,
    u32,
    (i64, u32),
    u64,
    #[serde(with = "digits::optional")] Option<Hash>,
    Vec<Extent>,
);

impl From<EntryRow> for ManifestEntry {
    fn from(row: EntryRow) -> Self {
        let EntryRow(path, kind, mode, uid, gid, mtime, length, hash, mut extents) = row;
        // most files have one extent, and a list that grew has room for four
        extents.shrink_to_fit();
        Self {
            entry: Entry {
                path,
                kind,
                mode,
                uid,
                gid,
                mtime,
            },
            length,
            hash,
            extents,
        }
    }
}

impl From<ManifestEntry> for EntryRow {
    fn from(file: ManifestEntry) -> Self {
        let entry = file.entry;
        Self(
            entry.path,
            entry.kind,
            entry.mode,
            entry.uid,
            entry.gid,
            entry.mtime,
            file.length,
            file.hash,
            file.extents,
        )
    }
}

impl Manifest {
    /// Checks that everything the manifest refers to makes sense, so that a reader needs no
    /// further bounds: frames fill their packs in order, extents lie inside their frames and
    /// files, in the order of the stream.
    ///
    /// # Errors
    /// The first thing that does not.
    pub fn check(&self) -> Result<(), String> {
        let mut frames = self.frames.as_slice();
        for (index, pack) in self.packs.iter().enumerate() {
            let hash = Hash::from_hex(&pack.hash).map_err(|_| "a pack has no hash")?;
            if name::pack(&hash) != pack.name {
                return Err(format!(
                    "pack {} does not have the name of its hash",
                    pack.name
                ));
            }
            let inside = frames
                .iter()
                .take_while(|frame| frame.pack as usize == index);
            let (own, rest) = frames.split_at(inside.count());
            pack::check_places(own, pack.length, self.seal.as_ref())?;
            frames = rest;
        }
        if !frames.is_empty() {
            return Err("a frame lies in a pack that is not named".into());
        }
        let mut last = 0;
        for file in &self.entries {
            if matches!(file.entry.kind, EntryKind::Over) && self.header.base.is_none() {
                let path = &file.entry.path;
                return Err(format!("{path} goes over a part that is not named"));
            }
            last = self.check_file(file, last)?;
        }
        Ok(())
    }

    /// Checks the extents of one file; `last` is the frame that the stream has reached.
    fn check_file(&self, file: &ManifestEntry, mut last: u32) -> Result<u32, String> {
        let wrong = || format!("the extents of {} are wrong", file.entry.path);
        if file.length > LONGEST {
            return Err(format!("{} is longer than a file can be", file.entry.path));
        }
        let (mut end, mut window) = (0, None);
        for extent in &file.extents {
            let frame = self.frames.get(extent.frame as usize).ok_or_else(wrong)?;
            let inside = u64::from(extent.offset) + u64::from(extent.length);
            let stop = extent
                .at
                .checked_add(u64::from(extent.length))
                .ok_or_else(wrong)?;
            let here = (extent.at / WINDOW, extent.frame);
            let good = extent.length > 0
                && extent.at >= end
                && stop <= file.length
                && inside <= u64::from(frame.plain)
                && (stop - 1) / WINDOW == here.0
                && extent.frame >= last
                && window.is_none_or(|(index, frame)| index != here.0 || frame == here.1);
            if !good {
                return Err(wrong());
            }
            (end, window, last) = (stop, Some(here), extent.frame);
        }
        Ok(last)
    }
}
