//! Owns whether the log leads to the state of a cluster that is stopped: what is stored, and what
//! its own folder holds behind that. Changes nothing.

use std::collections::BTreeSet;
use std::path::Path;

use super::files::cannot;
use super::lsn::{Lsn, SegmentSize, WalFile};
use crate::engine::EngineError;

/// Refuses a cluster whose files are newer than the log that leads there. `stored` is where the
/// stored log ends, `wanted` what the files hold.
///
/// # Errors
/// [`EngineError::Refused`] with what is missing.
pub(super) fn check(
    data: &Path,
    stored: Lsn,
    wanted: Lsn,
    size: SegmentSize,
) -> Result<(), EngineError> {
    if stored >= wanted {
        return Ok(());
    }
    let cause = if stored.0.is_multiple_of(size.bytes()) {
        let there = numbers(&data.join("pg_wal"), size)?;
        let last = wanted.0.saturating_sub(1) / size.bytes();
        let mut needed = stored.0 / size.bytes()..=last;
        let Some(lost) = needed.find(|number| !there.contains(number)) else {
            return Ok(());
        };
        format!("pg_wal lacks it from {} on", Lsn(lost * size.bytes()))
    } else {
        "there the server ran with wal_level = minimal".to_owned()
    };
    Err(EngineError::refused(
        "put back what is lost",
        format!(
            "the stored log leads from the copy to {stored}, the other files are at {wanted}, and \
             {cause}: bring the device that holds the rest and run `planc catalog rebuild`, or \
             restore the whole service with `planc restore`"
        ),
    ))
}

/// The numbers of the segments in a folder, of whatever history.
fn numbers(folder: &Path, size: SegmentSize) -> Result<BTreeSet<u64>, EngineError> {
    let listed = match std::fs::read_dir(folder) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(BTreeSet::new()),
        listed => listed.map_err(|error| cannot("list", folder, error))?,
    };
    let mut numbers = BTreeSet::new();
    for entry in listed {
        let name = entry.map_err(|error| cannot("list", folder, error))?;
        let name = name.file_name();
        if let Ok(WalFile::Segment(segment)) = WalFile::parse(&name.to_string_lossy(), size) {
            numbers.insert(segment.number);
        }
    }
    Ok(numbers)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_stored_must_lie_in_the_folder() {
        let data = tempfile::tempdir().expect("a folder");
        let size = SegmentSize::new(1 << 20).expect("a size");
        let wal = data.path().join("pg_wal");
        let check = |stored, wanted| check(data.path(), Lsn(stored), Lsn(wanted), size);
        assert!(check(3 << 20, 3 << 20).is_ok());
        assert!(check(3 << 20, (4 << 20) + 1).is_err());
        std::fs::create_dir(&wal).expect("a folder");
        for name in ["000000010000000000000003", "000000020000000000000004"] {
            std::fs::write(wal.join(name), "").expect("a segment");
        }
        assert!(check(3 << 20, (4 << 20) + 1).is_ok());
        assert!(check(3 << 20, 5 << 20).is_ok());
        let told = check(3 << 20, (5 << 20) + 1).expect_err("lost").to_string();
        assert!(told.contains("pg_wal lacks it from 0/500000"), "{told}");
        // the log inside a segment leads no further, though the folder has it
        let told = check((3 << 20) + 8, 4 << 20)
            .expect_err("minimal")
            .to_string();
        assert!(told.contains("wal_level = minimal"), "{told}");
    }
}
