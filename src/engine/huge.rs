//! Owns taking a whole file into memory that the system hands out in large pages: what is read and
//! dropped once costs less to read than ordinary memory costs to be handed out. Must not know what
//! the bytes are.

use std::fs::File;
use std::io::{self, Read, Seek};
use std::os::unix::fs::FileExt;
use std::sync::{Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use memmap2::{Advice, MmapMut, MmapOptions};
use rayon::prelude::*;

use super::large;

/// Shorter files are not worth a large page.
const WORTH: usize = 2 << 20;

/// Bytes that one core reads: to be handed a large page takes longer than to fill it.
const SHARE: usize = 2 << 20;

/// Reads what is left of a file that is known to hold `length` bytes.
///
/// # Errors
/// What the system says; also when the file grows meanwhile.
pub(crate) fn read(file: &mut File, length: usize) -> io::Result<Bytes> {
    if length < WORTH {
        let mut bytes = Vec::with_capacity(length);
        file.read_to_end(&mut bytes)?;
        return Ok(bytes.into());
    }
    let begin = file.stream_position()?;
    let mut memory = memory_of(length)?;
    let shares = memory.par_chunks_mut(SHARE).enumerate();
    let at = |number: usize| begin + (number * SHARE) as u64;
    let filled: io::Result<usize> = shares
        .map(|(number, share)| large::fill(file, share, at(number)))
        .sum();
    let filled = filled?;
    if filled == length && file.read_at(&mut [0], begin + length as u64)? > 0 {
        return Err(io::Error::other("it grew while it was read"));
    }
    Ok(Bytes::from_owner(Lent(Some(memory))).slice(..filled))
}

/// What a file that is done with leaves to the next one of its length.
static SPARE: Mutex<Vec<MmapMut>> = Mutex::new(Vec::new());

/// Files whose memory is kept: those that are read at the same time.
const SPARES: usize = 4;

fn spare() -> MutexGuard<'static, Vec<MmapMut>> {
    SPARE.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Memory for one file; where it was in use before, the system does not have to clear it again.
fn memory_of(length: usize) -> io::Result<MmapMut> {
    let used = spare().pop();
    if let Some(used) = used.filter(|used| used.len() == length) {
        return Ok(used);
    }
    let memory = MmapOptions::new().len(length).map_anon()?;
    // ordinary pages do as well
    let _ = memory.advise(Advice::HugePage);
    Ok(memory)
}

/// Memory that is kept for the next file when nobody needs it any more.
struct Lent(Option<MmapMut>);

impl AsRef<[u8]> for Lent {
    fn as_ref(&self) -> &[u8] {
        self.0.as_deref().unwrap_or_default()
    }
}

impl Drop for Lent {
    fn drop(&mut self) {
        let mut spare = spare();
        if spare.len() < SPARES {
            spare.extend(self.0.take());
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    /// What is read of a file of `there` bytes when it is taken for one of `known`.
    fn read_of(there: usize, known: usize) -> io::Result<Bytes> {
        let mut file = tempfile::NamedTempFile::new().expect("file");
        let bytes: Vec<u8> = (0..=250).cycle().take(there).collect();
        file.write_all(&bytes).expect("written");
        let read = read(&mut file.reopen().expect("opened"), known)?;
        assert!(read == bytes, "{there} of {known}");
        Ok(read)
    }

    #[test]
    fn all_of_a_file_is_read_and_no_more_than_its_length() {
        for length in [0, 1, WORTH - 1, WORTH, WORTH + 1, 3 * WORTH] {
            read_of(length, length).expect("read");
        }
        for known in [WORTH + 5, 2 * SHARE + WORTH] {
            read_of(WORTH, known).expect("a file that shrank");
        }
        // memory that was in use shows nothing of what it held
        read_of(2 * SHARE, 2 * SHARE).expect("read");
        read_of(WORTH, 2 * SHARE).expect("a file that shrank");
        let grown = read_of(WORTH + 5, WORTH).expect_err("a file that grew");
        assert!(grown.to_string().contains("grew"), "{grown}");
    }
}
