//! Owns measuring a directory device: a nameless object in `tmp/` is written, made durable,
//! dropped from memory, read and removed.

use std::sync::Arc;
use std::time::Instant;

use super::temp::TempObject;
use super::tree::{TMP, Tree};
use crate::media::{DeviceError, Speed};

const CHUNK: usize = 1 << 20;

/// Writes and reads so many bytes.
pub(super) fn measure(tree: &Arc<Tree>, bytes: u64) -> Result<Speed, DeviceError> {
    let mut object = TempObject::create(Arc::clone(tree))?;
    let mut chunk = noise();
    let begin = Instant::now();
    for count in 0..bytes.div_ceil(CHUNK as u64) {
        // no two chunks are alike, so that nothing below can store them once
        chunk[..8].copy_from_slice(&count.to_le_bytes());
        object.append(&chunk)?;
    }
    object.make_durable(TMP)?;
    let write = begin.elapsed();
    let begin = Instant::now();
    let read = object.read_through(&mut chunk)?;
    let rate = |time: std::time::Duration| float(read) / time.as_secs_f64().max(1e-6);
    Ok(Speed {
        write: rate(write),
        read: rate(begin.elapsed()),
    })
}

/// Bytes that no compression makes smaller: the output of a hash.
fn noise() -> Vec<u8> {
    let mut bytes = vec![0; CHUNK];
    blake3::Hasher::new().finalize_xof().fill(&mut bytes);
    bytes
}

#[expect(clippy::cast_precision_loss, reason = "a rate needs no exact bytes")]
fn float(bytes: u64) -> f64 {
    bytes as f64
}
