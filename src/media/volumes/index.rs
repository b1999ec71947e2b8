//! Owns what is known of a set: which object lies in which files of which volumes, and how each
//! volume is. Built from the volumes themselves. Must not read or write volumes.

use std::collections::{BTreeMap, BTreeSet};

use super::{Head, MOST_ERRORS, Tail};

/// How a volume is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Health {
    /// It takes data.
    Good,
    /// Its end was reached.
    Full,
    /// An error happened: nothing more is written to it, what it holds can be read.
    Suspect,
    /// Its label is not one of this set: it is not touched.
    Foreign,
}

/// What is known of a volume.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Volume {
    /// Its name.
    pub name: String,
    /// How it is.
    pub health: Health,
    /// Files on it, the label included.
    pub files: u64,
    /// How often it was loaded.
    pub mounts: u64,
    /// Errors while it was written.
    pub write_errors: u32,
    /// Errors while it was read.
    pub read_errors: u32,
    /// Bytes of objects that exist.
    pub live: u64,
}

impl Volume {
    pub(super) fn new(name: &str, health: Health) -> Self {
        Self {
            name: name.to_owned(),
            health,
            files: 0,
            mounts: 0,
            write_errors: 0,
            read_errors: 0,
            live: 0,
        }
    }

    /// Whether it had so many errors that it should not be used again.
    #[must_use]
    pub fn is_worn(&self) -> bool {
        self.write_errors + self.read_errors >= MOST_ERRORS
    }
}

/// One piece of an object.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Piece {
    pub(super) volume: String,
    pub(super) file: u64,
    pub(super) bytes: u64,
    pub(super) hash: String,
}

/// A set as it is known.
#[derive(Debug, Default)]
pub(super) struct Index {
    pub(super) volumes: BTreeMap<String, Volume>,
    pub(super) objects: BTreeMap<String, Vec<Piece>>,
    /// Objects that a note says are gone, with the volume of the note.
    pub(super) gone: BTreeMap<String, String>,
}

/// Files of objects as they are found, before it is known which attempts were whole.
#[derive(Debug, Default)]
pub(super) struct Found {
    attempts: BTreeMap<(String, String), BTreeMap<u32, (Piece, bool)>>,
    gone: BTreeMap<String, (String, BTreeSet<String>)>,
}

impl Found {
    /// Adds a file that lies behind its mark.
    pub(super) fn add(&mut self, head: Head, tail: &Tail, volume: &str, file: u64) {
        if head.gone {
            let entry = self.gone.entry(head.object).or_default();
            volume.clone_into(&mut entry.0);
            // the note names the attempt whose object is gone: the name may be used again later
            entry.1.insert(head.attempt);
            return;
        }
        let piece = Piece {
            volume: volume.to_owned(),
            file,
            bytes: tail.bytes,
            hash: tail.hash.clone(),
        };
        let attempt = self
            .attempts
            .entry((head.object, head.attempt))
            .or_default();
        attempt.insert(head.piece, (piece, tail.more));
    }

    /// The objects of which every piece is there and that are not gone.
    pub(super) fn finish(self, volumes: BTreeMap<String, Volume>) -> Index {
        let mut index = Index {
            volumes,
            ..Index::default()
        };
        for ((object, attempt), pieces) in self.attempts {
            let dead = self
                .gone
                .get(&object)
                .is_some_and(|(_, dead)| dead.contains(&attempt));
            let count = pieces.len();
            let whole = pieces.iter().enumerate().all(|(at, (number, (_, more)))| {
                *number as usize == at && *more == (at + 1 < count)
            });
            if whole && !dead {
                let pieces = pieces.into_values().map(|(piece, _)| piece).collect();
                index.insert(object, attempt, pieces);
            }
        }
        index.gone = self
            .gone
            .into_iter()
            .map(|(object, (volume, _))| (object, volume))
            .collect();
        index
    }
}

impl Index {
    pub(super) fn insert(&mut self, object: String, _attempt: String, pieces: Vec<Piece>) {
        for piece in &pieces {
            if let Some(volume) = self.volumes.get_mut(&piece.volume) {
                volume.live += piece.bytes;
            }
        }
        self.objects.insert(object, pieces);
    }

    /// Forgets an object.
    pub(super) fn remove(&mut self, object: &str) -> Option<Vec<Piece>> {
        let pieces = self.objects.remove(object)?;
        for piece in &pieces {
            if let Some(volume) = self.volumes.get_mut(&piece.volume) {
                volume.live = volume.live.saturating_sub(piece.bytes);
            }
        }
        Some(pieces)
    }

    /// The volume that is written next: the first good one in order of name that was begun, else
    /// the first good one.
    pub(super) fn current(&self) -> Option<String> {
        let good = || {
            self.volumes
                .values()
                .filter(|volume| volume.health == Health::Good)
        };
        let begun = good()
            .filter(|volume| volume.files > 1)
            .max_by_key(|volume| &volume.name);
        begun
            .or_else(|| good().next())
            .map(|volume| volume.name.clone())
    }
}
