//! Owns writing files to volumes: pieces that span volumes, notes, and what happens when a volume
//! fails in the middle. Which volume is written is decided in `shelf`.

use std::io::{self, Read, Seek, SeekFrom};

use jiff::Timestamp;

use super::drive::{Medium, MediumError};
use super::index::{Health, Piece};
use super::register::Learnt;
use super::set::Set;
use super::{BLOCK, Head, Tail};

/// Writes all of `source` as an object. A volume that fails is frozen and the piece is written again
/// on the next one; a full one is closed and the object goes on.
pub(super) fn write(
    set: &Set,
    (object, attempt): (&str, &str),
    source: &mut (impl Read + Seek),
) -> Result<(), MediumError> {
    let length = source.seek(SeekFrom::End(0)).map_err(MediumError::Source)?;
    let (mut number, mut done) = (0, 0);
    loop {
        source
            .seek(SeekFrom::Start(done))
            .map_err(MediumError::Source)?;
        let head = Head {
            object: object.to_owned(),
            piece: number,
            attempt: attempt.to_owned(),
            gone: false,
        };
        let (volume, file, tail) = append(set, &head, source, length - done)?;
        let more = tail.more;
        done += tail.bytes;
        number += 1;
        let piece = Piece {
            volume,
            file,
            bytes: tail.bytes,
            hash: tail.hash,
        };
        set.learn(&[Learnt::Piece {
            object: head.object,
            attempt: head.attempt,
            number: head.piece,
            piece,
            more,
        }]);
        if !more {
            return Ok(());
        }
    }
}

/// Writes a note that a writing is gone.
pub(super) fn note(set: &Set, object: &str, attempt: &str) -> Result<(), MediumError> {
    let head = Head {
        object: object.to_owned(),
        piece: 0,
        attempt: attempt.to_owned(),
        gone: true,
    };
    let (volume, _, _) = append(set, &head, &mut io::empty(), 0)?;
    set.learn(&[Learnt::gone(head.object, head.attempt, &volume)]);
    Ok(())
}

/// Appends a file to whichever volume takes it.
fn append(
    set: &Set,
    head: &Head,
    source: &mut (impl Read + Seek),
    left: u64,
) -> Result<(String, u64, Tail), MediumError> {
    let begin = if left == 0 {
        0
    } else {
        source.stream_position().map_err(MediumError::Source)?
    };
    loop {
        let writing = set.pick_for_writing()?;
        let name = writing.volume().to_owned();
        let written = set.load(&name).and_then(|mut drive| {
            set.catch_up(&mut drive, &name)?;
            let loaded = drive.loaded()?;
            let written = piece(loaded.medium.as_mut(), head, source, left);
            loaded.at = None;
            written
        });
        match written {
            Ok((file, tail, full)) => {
                close(set, &name, file + 1, full);
                return Ok((name, file, tail));
            }
            Err(MediumError::Full) => set.learn(&[health(&name, Health::Full)]),
            Err(error @ (MediumError::Library(_) | MediumError::Source(_))) => return Err(error),
            Err(MediumError::Absent(_)) => set.is_absent(&name),
            Err(error) => freeze(set, &name, &error),
        }
        if left > 0 {
            source
                .seek(SeekFrom::Start(begin))
                .map_err(MediumError::Source)?;
        }
    }
}

fn close(set: &Set, volume: &str, files: u64, full: bool) {
    let mut learnt = vec![Learnt::Files {
        volume: volume.to_owned(),
        files,
        at: Some(Timestamp::now()),
    }];
    if full {
        learnt.push(health(volume, Health::Full));
    }
    set.learn(&learnt);
}

fn health(volume: &str, health: Health) -> Learnt {
    Learnt::Health {
        volume: volume.to_owned(),
        health,
    }
}

/// A volume that failed takes nothing more.
fn freeze(set: &Set, volume: &str, error: &MediumError) {
    let known = set.volume(volume).map(|known| known.health);
    if known == Some(Health::Foreign) {
        return; // its label said so; that is no fault of the volume
    }
    set.learn(&[
        Learnt::Failed {
            volume: volume.to_owned(),
            writing: matches!(error, MediumError::Write(_)),
        },
        health(volume, Health::Suspect),
    ]);
}

/// Appends one file; gives its number, its tail, and whether the volume is full now.
fn piece(
    medium: &mut dyn Medium,
    head: &Head,
    source: &mut dyn Read,
    left: u64,
) -> Result<(u64, Tail, bool), MediumError> {
    let file = medium.end()?;
    let mut full = medium.append(&json(head)?)?;
    let mut hash = blake3::Hasher::new();
    let mut bytes = 0;
    let mut block = vec![0; BLOCK];
    while bytes < left && !full {
        let now = usize::try_from(left - bytes).unwrap_or(BLOCK).min(BLOCK);
        source
            .read_exact(&mut block[..now])
            .map_err(MediumError::Source)?;
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
    serde_json::to_vec(value).map_err(|cause| MediumError::Source(io::Error::other(cause)))
}

/// Reads the head and the tail of a file.
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
