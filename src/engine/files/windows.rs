//! Owns reading a file of which a base knows windows: those that the base has alike are read and
//! left out. Must not judge by times.

use std::fs::File;
use std::io::Read;
use std::path::Path;

use crate::engine::{EngineError, PartSink};
use crate::media::content::WINDOW;

/// Hands on the windows of a file whose hashes are not `known`; answers how far the file came. What
/// is left out stands in the sink as a hole.
pub(super) fn changed(
    file: &mut File,
    length: u64,
    known: &[Option<blake3::Hash>],
    path: &Path,
    sink: &mut dyn PartSink,
) -> Result<u64, EngineError> {
    let mut window = Vec::new();
    let mut at = 0;
    let mut known = known.iter();
    while at < length {
        window.clear();
        let most = WINDOW.min(length - at);
        let read = file.by_ref().take(most).read_to_end(&mut window);
        let read = read.map_err(EngineError::io("read", path))? as u64;
        let alike = known.next().copied().flatten();
        if read > 0 && alike == Some(blake3::hash(&window)) {
            sink.hole(read)?;
        } else {
            sink.read_from(&mut window.as_slice(), read, path)?;
        }
        at += read;
        if read < most {
            break;
        }
    }
    Ok(at)
}
