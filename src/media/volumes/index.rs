//! Owns what is known of a set: which object lies in which files of which volumes, and how and
//! where each volume is. Must not read or write volumes.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::media::name::RUNS;

/// How a volume is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Health {
    /// It takes data.
    Good,
    /// Its end was reached.
    Full,
    /// An error happened: nothing more is written to it, what it holds can be read.
    Suspect,
    /// Its label is not one of this set: it is not touched.
    Foreign,
    /// It has no label yet: `planc media label` gives it one.
    Blank,
}

impl fmt::Display for Health {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(match self {
            Self::Good => "good",
            Self::Full => "full",
            Self::Suspect => "suspect",
            Self::Foreign => "foreign",
            Self::Blank => "blank",
        })
    }
}

/// Where a volume is, as people last said.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Place {
    /// In a slot or drive of the library.
    #[default]
    Library,
    /// On a shelf beside it.
    Shelf,
    /// On its way to a site.
    Transit(String),
    /// At a site.
    Site(String),
    /// Nobody knows: what it holds cannot be read.
    Lost,
    /// Taken out of use for good.
    Retired,
}

impl Place {
    /// Whether nobody counts on what is there any more.
    #[must_use]
    pub fn is_forever(&self) -> bool {
        matches!(self, Self::Lost | Self::Retired)
    }
}

impl fmt::Display for Place {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Library => out.write_str("in the library"),
            Self::Shelf => out.write_str("on the shelf"),
            Self::Transit(site) => write!(out, "on its way to {site}"),
            Self::Site(site) => write!(out, "at {site}"),
            Self::Lost => out.write_str("lost"),
            Self::Retired => out.write_str("retired"),
        }
    }
}

/// When a volume is not used again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// After so many errors.
    pub errors: u32,
    /// After it was loaded so often.
    pub mounts: Option<u64>,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            errors: 3,
            mounts: None,
        }
    }
}

/// What is known of a volume.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Volume {
    /// Its name.
    pub name: String,
    /// How it is.
    pub health: Health,
    /// Where it is.
    pub place: Place,
    /// Since when it is there.
    pub since: Option<Timestamp>,
    /// When its label was written.
    pub labelled: Option<Timestamp>,
    /// When it was first written since its label, or since it came back.
    pub begun: Option<Timestamp>,
    /// Files on it, the label included.
    pub files: u64,
    /// How often it was loaded.
    pub mounts: u64,
    /// Errors while it was written.
    pub write_errors: u32,
    /// Errors while it was read.
    pub read_errors: u32,
    /// Bytes of all pieces on it.
    pub used: u64,
    /// Bytes of objects that exist.
    pub live: u64,
}

impl Volume {
    pub(super) fn new(name: &str, health: Health) -> Self {
        Self {
            name: name.to_owned(),
            health,
            place: Place::Library,
            since: None,
            labelled: None,
            begun: None,
            files: 0,
            mounts: 0,
            write_errors: 0,
            read_errors: 0,
            used: 0,
            live: 0,
        }
    }

    /// Whether it had so many errors, or was loaded so often, that it should not be used again.
    #[must_use]
    pub fn is_worn(&self, limits: Limits) -> bool {
        self.write_errors.saturating_add(self.read_errors) >= limits.errors
            || limits.mounts.is_some_and(|most| self.mounts >= most)
    }
}

/// One piece of an object.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Piece {
    pub(super) volume: String,
    pub(super) file: u64,
    pub(super) bytes: u64,
    pub(super) hash: String,
}

/// An object as it lies on volumes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Stored {
    pub(super) attempt: String,
    pub(super) pieces: Vec<Piece>,
}

impl Stored {
    pub(super) fn bytes(&self) -> u64 {
        self.pieces.iter().map(|piece| piece.bytes).sum()
    }
}

/// What is left of a writing that is gone.
#[derive(Debug, Default, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Remains {
    /// Volumes on which pieces of it lie.
    pub(super) on: BTreeSet<String>,
    /// Volumes with a note that it is gone.
    pub(super) notes: BTreeSet<String>,
}

/// Object and attempt: one writing of one object.
pub(super) type Writing = (String, String);

/// A set as it is known.
#[derive(Debug, Default, Clone)]
pub(super) struct Index {
    pub(super) volumes: BTreeMap<String, Volume>,
    /// The objects that exist.
    pub(super) objects: BTreeMap<String, Stored>,
    /// Writings that a note says are gone.
    pub(super) gone: BTreeMap<Writing, Remains>,
    /// The pieces of all writings that are not gone, whole or not.
    pub(super) writings: BTreeMap<Writing, BTreeMap<u32, (Piece, bool)>>,
}

impl Index {
    /// Adds a piece that lies behind its mark; the object exists when all its pieces are known.
    pub(super) fn add(&mut self, writing: &Writing, number: u32, piece: Piece, more: bool) {
        if let Some(volume) = self.volumes.get_mut(&piece.volume) {
            volume.used = volume.used.saturating_add(piece.bytes);
        }
        if let Some(remains) = self.gone.get_mut(writing) {
            remains.on.insert(piece.volume);
            return;
        }
        let pieces = self.writings.entry(writing.clone()).or_default();
        pieces.insert(number, (piece, more));
        self.settle(&writing.0);
    }

    /// Learns that a writing is gone, and where remains and notes of it lie.
    pub(super) fn remove(&mut self, writing: &Writing, known: &Remains) {
        let pieces = self.writings.remove(writing).unwrap_or_default();
        let volumes = pieces.into_values().map(|(piece, _)| piece.volume);
        let remains = self.gone.entry(writing.clone()).or_default();
        remains.on.extend(volumes.chain(known.on.iter().cloned()));
        remains.notes.extend(known.notes.iter().cloned());
        self.settle(&writing.0);
    }

    /// Writings that are gone, of which pieces still lie on volumes and which no note tells.
    pub(super) fn unnoted(&self) -> Vec<Writing> {
        let gone = self.gone.iter();
        let unnoted = gone.filter(|(_, remains)| remains.notes.is_empty());
        unnoted.map(|(writing, _)| writing.clone()).collect()
    }

    /// A volume was moved: of objects that lie on several, the writing that can be read counts.
    pub(super) fn moved(&mut self, volume: &str) {
        let here = |pieces: &BTreeMap<u32, (Piece, bool)>| {
            pieces.values().any(|(piece, _)| piece.volume == volume)
        };
        let touched = self.writings.iter().filter(|(_, pieces)| here(pieces));
        let touched: BTreeSet<String> = touched.map(|((object, _), _)| object.clone()).collect();
        for object in touched {
            self.settle(&object);
        }
    }

    fn can_be_read(&self, pieces: &BTreeMap<u32, (Piece, bool)>) -> bool {
        pieces.values().all(|(piece, _)| {
            let volume = self.volumes.get(&piece.volume);
            volume.is_some_and(|volume| volume.place == Place::Library)
        })
    }

    fn is_lost(&self, pieces: &BTreeMap<u32, (Piece, bool)>) -> bool {
        pieces.values().any(|(piece, _)| {
            let volume = self.volumes.get(&piece.volume);
            volume.is_some_and(|volume| volume.place.is_forever())
        })
    }

    /// An object is its whole writing; of two, which are equal in content, one that can be read.
    /// What lies on a volume that never comes back is not there.
    fn settle(&mut self, object: &str) {
        let from = (object.to_owned(), String::new());
        let writings = self.writings.range(from..);
        let own = writings.take_while(|((name, _), _)| name == object);
        let whole = own.filter(|(_, pieces)| is_whole(pieces) && !self.is_lost(pieces));
        let whole = whole.max_by_key(|(_, pieces)| self.can_be_read(pieces));
        let stored = whole.map(|((_, attempt), pieces)| Stored {
            attempt: attempt.clone(),
            pieces: pieces.values().map(|(piece, _)| piece.clone()).collect(),
        });
        match stored {
            Some(stored) => drop(self.objects.insert(object.to_owned(), stored)),
            None => drop(self.objects.remove(object)),
        }
    }

    /// A volume got a new label: nothing that was on it counts any more. An object of which a piece
    /// lay on it is whole no longer.
    pub(super) fn relabelled(&mut self, name: &str, at: Timestamp) {
        let mut touched = BTreeSet::new();
        for ((object, _), pieces) in &mut self.writings {
            let before = pieces.len();
            pieces.retain(|_, (piece, _)| piece.volume != name);
            if pieces.len() < before {
                touched.insert(object.clone());
            }
        }
        self.writings.retain(|_, pieces| !pieces.is_empty());
        for object in touched {
            self.settle(&object);
        }
        self.gone.retain(|_, remains| {
            let was_here = remains.on.remove(name);
            remains.notes.remove(name);
            // of a note alone it is not known what else it speaks of
            !remains.on.is_empty() || (!was_here && !remains.notes.is_empty())
        });
        let fresh = || Volume::new(name, Health::Good);
        let volume = self.volumes.entry(name.to_owned()).or_insert_with(fresh);
        volume.health = Health::Good;
        (volume.files, volume.used) = (1, 0);
        (volume.labelled, volume.begun) = (Some(at), None);
    }

    /// Bytes on each volume that are needed: of objects that exist and of writings that are on
    /// their way. The run log does not count: it is written again when its volume is used again.
    pub(super) fn live(&self, on_their_way: &BTreeSet<Writing>) -> BTreeMap<&str, u64> {
        let mut live: BTreeMap<&str, u64> = BTreeMap::new();
        let written = on_their_way
            .iter()
            .filter_map(|writing| self.writings.get(writing));
        let written = written.flat_map(|pieces| pieces.values().map(|(piece, _)| piece));
        let stored = self
            .objects
            .iter()
            .filter(|(object, _)| !object.starts_with(RUNS));
        let stored = stored.flat_map(|(_, stored)| &stored.pieces);
        for piece in stored.chain(written) {
            let bytes = live.entry(&piece.volume).or_default();
            *bytes = bytes.saturating_add(piece.bytes);
        }
        live
    }
}

impl Index {
    /// The objects of the run log of which pieces lie on a volume.
    pub(super) fn runs_on(&self, volume: &str) -> Vec<(String, Stored)> {
        let runs = self.objects.range(RUNS.to_owned()..);
        let runs = runs.take_while(|(object, _)| object.starts_with(RUNS));
        let here = runs.filter(|(_, stored)| stored.pieces.iter().any(|one| one.volume == volume));
        here.map(|(object, stored)| (object.clone(), stored.clone()))
            .collect()
    }

    /// Whether pieces lie on a volume of which the others are not known: a writing that was given
    /// up, or one of another process.
    pub(super) fn is_unsure(&self, volume: &str) -> bool {
        let here = |(piece, _): &(Piece, bool)| piece.volume == volume;
        let mut writings = self.writings.values();
        writings.any(|pieces| !is_whole(pieces) && pieces.values().any(here))
    }
}

/// All pieces from the first to the last are there.
fn is_whole(pieces: &BTreeMap<u32, (Piece, bool)>) -> bool {
    let count = pieces.len();
    let mut pieces = pieces.iter().enumerate();
    pieces.all(|(at, (number, (_, more)))| *number as usize == at && *more == (at + 1 < count))
}
