//! Owns reading pieces: forward from where the drive stands when that is possible, else from the
//! begin of the file. Must not decide which volume is loaded.

use std::io;

use super::BLOCK;
use super::drive::MediumError;
use super::drives::{At, Loaded};
use super::index::Piece;

/// Hands out `take` bytes of a piece from `skip` on, in order.
pub(super) fn each(
    loaded: &mut Loaded,
    piece: &Piece,
    skip: u64,
    take: u64,
    sink: &mut dyn FnMut(&[u8]) -> io::Result<()>,
) -> Result<(), MediumError> {
    // after an error nobody knows where the medium stands
    let mut at = match loaded.at.take() {
        Some(at) if at.file == piece.file && at.from <= skip => at,
        _ => begin(loaded, piece.file)?,
    };
    let until = skip + take;
    let mut next = skip;
    while next < until {
        let end = at.from + at.block.len() as u64;
        if next < end {
            let from = usize::try_from(next - at.from).unwrap_or(usize::MAX);
            let length = usize::try_from(until.min(end) - next).unwrap_or(usize::MAX);
            let bytes = at.block.get(from..from.saturating_add(length));
            sink(bytes.unwrap_or_default()).map_err(MediumError::Source)?;
            next = until.min(end);
            continue;
        }
        advance(loaded, &mut at, next)?;
    }
    loaded.at = Some(at);
    Ok(())
}

fn begin(loaded: &mut Loaded, file: u64) -> Result<At, MediumError> {
    loaded.medium.locate(file)?;
    let head = loaded.medium.read()?;
    head.ok_or_else(short)?;
    Ok(At {
        file,
        ..At::default()
    })
}

/// Goes on to the next block; over those that lie whole before `next`.
fn advance(loaded: &mut Loaded, at: &mut At, next: u64) -> Result<(), MediumError> {
    at.from += at.block.len() as u64;
    let blocks = (next - at.from) / BLOCK as u64;
    if blocks > 0 {
        loaded.medium.skip(blocks)?;
        at.from += blocks * BLOCK as u64;
    }
    at.block = loaded.medium.read()?.ok_or_else(short)?;
    if at.block.is_empty() {
        return Err(short());
    }
    Ok(())
}

fn short() -> MediumError {
    MediumError::Read(io::ErrorKind::UnexpectedEof.into())
}
