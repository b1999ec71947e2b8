//! Owns the reserve of a directory device: room that is set aside while there is some, and given up
//! when a full device must take the tombstones without which nothing could be deleted from it.

use rustix::fs::{AtFlags, FallocateFlags, Mode, OFlags};

use super::tree::{TMP, Tree};
use crate::media::DeviceError;

/// Its name in `tmp/`.
pub(super) const FILE: &str = "reserve";

/// Bytes that are set aside.
const ROOM: u64 = 1 << 20;

/// It is made only where so many times its bytes are free.
const SHARE: u64 = 64;

/// Sets room aside, where that was not done before. That it cannot be done is no failure: then
/// a full device has to be freed by hand.
pub(super) fn keep(tree: &Tree) -> Result<(), DeviceError> {
    let tmp = tree.make_folder(TMP)?;
    if tree.space()?.free < ROOM * SHARE {
        return Ok(());
    }
    let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::CLOEXEC;
    let Ok(file) = rustix::fs::openat(&tmp, FILE, flags, Mode::RUSR | Mode::WUSR) else {
        return Ok(());
    };
    if rustix::fs::fallocate(&file, FallocateFlags::empty(), 0, ROOM).is_err() {
        // what was not set aside is made again the next time
        let _ = rustix::fs::unlinkat(&tmp, FILE, AtFlags::empty());
    }
    Ok(())
}

/// Gives the room up; true when there was some.
pub(super) fn give_up(tree: &Tree) -> Result<bool, DeviceError> {
    let tmp = tree.make_folder(TMP)?;
    Ok(rustix::fs::unlinkat(&tmp, FILE, AtFlags::empty()).is_ok())
}
