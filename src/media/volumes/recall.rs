//! Owns reading many objects in one forward pass a volume: what is expected to be read is brought
//! to files in the order in which it lies, and given from there. What cannot be brought is read
//! from its volume when it is asked for.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom, Write};

use super::index::Piece;
use super::set::Set;

/// A place in the set: volume and file.
type Spot = (String, u64);

/// What is expected, and what was brought.
#[derive(Default)]
pub(super) struct Recall {
    expected: BTreeMap<String, BTreeMap<u64, Piece>>,
    brought: BTreeMap<Spot, File>,
    passes: BTreeSet<String>,
}

impl Set {
    /// Objects that will be read soon.
    pub(super) fn expect(&self, objects: &[String]) {
        let known = self.known();
        let stored = objects
            .iter()
            .filter_map(|name| known.index.objects.get(name));
        let pieces: Vec<Piece> = stored.flat_map(|stored| stored.pieces.clone()).collect();
        drop(known);
        let mut recall = self.recalled();
        for piece in pieces {
            let files = recall.expected.entry(piece.volume.clone()).or_default();
            files.insert(piece.file, piece);
        }
    }

    /// Bytes of a piece that was brought; the volume is passed over when it was not yet.
    pub(super) fn brought(&self, piece: &Piece, skip: u64, take: u64) -> Option<Vec<u8>> {
        let mut recall = self.recalled();
        if let Some(files) = recall.expected.remove(&piece.volume) {
            if files.contains_key(&piece.file) {
                self.pass(&mut recall, &piece.volume, files);
            } else {
                recall.expected.insert(piece.volume.clone(), files);
            }
        }
        let file = recall
            .brought
            .get_mut(&(piece.volume.clone(), piece.file))?;
        read(file, skip, take).ok()
    }

    /// How many volumes were passed over.
    pub(super) fn passes(&self) -> usize {
        self.recalled().passes.len()
    }

    fn recalled(&self) -> std::sync::MutexGuard<'_, Recall> {
        let recall = self.recall.lock();
        recall.unwrap_or_else(std::sync::PoisonError::into_inner)
    }

    /// One forward pass: the files in the order in which they lie.
    fn pass(&self, recall: &mut Recall, volume: &str, files: BTreeMap<u64, Piece>) {
        recall.passes.insert(volume.to_owned());
        for piece in files.into_values() {
            // what cannot be brought is asked for once more, and then says why
            if let Ok(file) = self.bring(&piece) {
                recall.brought.insert((piece.volume, piece.file), file);
            }
        }
    }

    fn bring(&self, piece: &Piece) -> io::Result<File> {
        let mut file = self.spool()?;
        let mut hash = blake3::Hasher::new();
        let read = self.read_piece(piece, (0, piece.bytes), &mut |bytes| {
            hash.update(bytes);
            file.write_all(bytes)
        });
        read.map_err(io::Error::other)?;
        if hash.finalize().to_hex().as_str() == piece.hash {
            Ok(file)
        } else {
            Err(io::Error::other("it is not what was written"))
        }
    }
}

fn read(file: &mut File, skip: u64, take: u64) -> io::Result<Vec<u8>> {
    file.seek(SeekFrom::Start(skip))?;
    let mut out = Vec::new();
    file.take(take).read_to_end(&mut out)?;
    if out.len() as u64 == take {
        Ok(out)
    } else {
        Err(io::ErrorKind::UnexpectedEof.into())
    }
}
