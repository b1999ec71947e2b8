//! Owns writing files to volumes: pieces that span volumes, notes, labels, and what happens when a
//! volume fails in the middle.

use std::io::{self, Read, Seek, SeekFrom};

use super::drive::{Library, Medium, MediumError};
use super::index::{Health, Index, Piece};
use super::{BLOCK, Head, Tail};

/// Writes all of `source` as an object. A volume that fails is frozen and the piece is written again
/// on the next one; a full one is closed and the object goes on.
pub(super) fn write(
    library: &dyn Library,
    index: &mut Index,
    (object, attempt): (&str, &str),
    source: &mut (impl Read + Seek),
) -> Result<Vec<Piece>, MediumError> {
    let length = source.seek(SeekFrom::End(0)).map_err(MediumError::Read)?;
    let mut pieces: Vec<Piece> = Vec::new();
    let mut done = 0;
    loop {
        let Some(name) = index.current() else {
            return Err(MediumError::Full);
        };
        source
            .seek(SeekFrom::Start(done))
            .map_err(MediumError::Read)?;
        let head = Head {
            object: object.to_owned(),
            piece: u32::try_from(pieces.len()).unwrap_or(u32::MAX),
            attempt: attempt.to_owned(),
            gone: false,
        };
        match piece(library, &name, &head, source, length - done) {
            Ok((file, tail, full)) => {
                close(index, &name, file, full);
                done += tail.bytes;
                pieces.push(Piece {
                    volume: name,
                    file,
                    bytes: tail.bytes,
                    hash: tail.hash,
                });
                if !tail.more {
                    return Ok(pieces);
                }
            }
            Err(MediumError::Full) => close_full(index, &name),
            Err(
                error @ (MediumError::Write(_) | MediumError::Absent(_) | MediumError::Read(_)),
            ) => {
                freeze(index, &name, &error);
            }
            Err(error) => return Err(error),
        }
    }
}

/// Writes a note that an object is gone.
pub(super) fn note(
    library: &dyn Library,
    index: &mut Index,
    object: &str,
    attempt: &str,
) -> Result<String, MediumError> {
    loop {
        let Some(name) = index.current() else {
            return Err(MediumError::Full);
        };
        let head = Head {
            object: object.to_owned(),
            piece: 0,
            attempt: attempt.to_owned(),
            gone: true,
        };
        match piece(library, &name, &head, &mut io::empty(), 0) {
            Ok((file, _, full)) => {
                close(index, &name, file, full);
                return Ok(name);
            }
            Err(MediumError::Full) => close_full(index, &name),
            Err(error @ MediumError::Write(_)) => freeze(index, &name, &error),
            Err(error) => return Err(error),
        }
    }
}

fn close(index: &mut Index, name: &str, file: u64, full: bool) {
    if let Some(volume) = index.volumes.get_mut(name) {
        volume.files = file + 1;
        volume.mounts += 1;
        if full {
            volume.health = Health::Full;
        }
    }
}

fn close_full(index: &mut Index, name: &str) {
    if let Some(volume) = index.volumes.get_mut(name) {
        volume.health = Health::Full;
    }
}

fn freeze(index: &mut Index, name: &str, error: &MediumError) {
    if let Some(volume) = index.volumes.get_mut(name) {
        volume.health = Health::Suspect;
        match error {
            MediumError::Read(_) => volume.read_errors += 1,
            _ => volume.write_errors += 1,
        }
    }
}

/// Appends one file; gives its number, its tail, and whether the volume is full now.
fn piece(
    library: &dyn Library,
    volume: &str,
    head: &Head,
    source: &mut dyn Read,
    left: u64,
) -> Result<(u64, Tail, bool), MediumError> {
    let mut medium = library.load(volume)?;
    let file = medium.end()?;
    let mut full = medium.append(&json(head)?)?;
    let mut hash = blake3::Hasher::new();
    let mut bytes = 0;
    let mut block = vec![0; BLOCK];
    while bytes < left && !full {
        let now = usize::try_from(left - bytes).unwrap_or(BLOCK).min(BLOCK);
        source
            .read_exact(&mut block[..now])
            .map_err(MediumError::Read)?;
        full = medium.append(&block[..now])?;
        hash.update(&block[..now]);
        bytes += now as u64;
    }
    if left > 0 && bytes == 0 {
        return Err(MediumError::Full); // not even one block: the file is never marked
    }
    let tail = Tail {
        bytes,
        hash: hash.finalize().to_hex().to_string(),
        more: bytes < left,
    };
    medium.append(&json(&tail)?)?;
    medium.mark()?;
    Ok((file, tail, full))
}

fn json(value: &impl serde::Serialize) -> Result<Vec<u8>, MediumError> {
    serde_json::to_vec(value).map_err(|cause| MediumError::Write(io::Error::other(cause)))
}

/// Reads the head and the tail of a file, without its data in between when that is not wanted.
pub(super) fn outline(medium: &mut dyn Medium, file: u64) -> Result<(Head, Tail), MediumError> {
    medium.locate(file)?;
    let wrong = || MediumError::Read(io::Error::other("the file is none of a volume set"));
    let head = medium.read()?.ok_or_else(wrong)?;
    let head: Head = serde_json::from_slice(&head).map_err(|_| wrong())?;
    let mut last = None;
    while let Some(block) = medium.read()? {
        last = Some(block);
    }
    let tail = last.and_then(|block| serde_json::from_slice(&block).ok());
    Ok((head, tail.ok_or_else(wrong)?))
}
