//! Owns fetching archived segments before a recovering server asks for them. What lies ready only
//! makes an answer "found" faster; "absent" is always asked of the devices anew, because a guess
//! about the end of the log would let a server open too early (R7).

use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use super::fetch::{self, FetchRequest, Fetched};
use super::lsn::{Segment, SegmentSize, WalFile};
use super::push::cluster_of;
use super::spool::Spool;

const PAUSE: Duration = Duration::from_millis(20);

/// What the worker needs.
pub struct ReadAheadRequest {
    /// Everything but name and place.
    pub fetch: FetchRequest,
    /// The folder that files are put in, of the cluster that asks.
    pub folder: PathBuf,
    /// The segment that was asked for last.
    pub after: Segment,
    /// Bytes of a segment.
    pub size: SegmentSize,
    /// How many segments lie ready at most.
    pub depth: usize,
    /// How many are fetched at once.
    pub workers: usize,
    /// It ends after so long without one being taken.
    pub idle: Duration,
}

/// Takes a file that lies ready for the cluster that asks: true when `to` is there now.
///
/// # Errors
/// When it lies there and cannot be moved; the long way is open still.
pub fn take(spool: &Spool, name: &str, to: &Path) -> io::Result<bool> {
    let Some(ready) = folder_for(spool, to) else {
        return Ok(false);
    };
    let ready = ready.join(name);
    match std::fs::rename(&ready, to) {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        // the spool lies on another file system
        Err(error) if error.kind() == io::ErrorKind::CrossesDevices => {
            let mut beside = to.as_os_str().to_owned();
            beside.push(".planc");
            std::fs::copy(&ready, &beside)?;
            std::fs::rename(&beside, to)?;
            std::fs::remove_file(&ready)?;
            Ok(true)
        }
        Err(error) => Err(error),
    }
}

/// The folder of the cluster that asks for a file; none when it cannot be told which one asks.
#[must_use]
pub fn folder_for(spool: &Spool, to: &Path) -> Option<PathBuf> {
    let cluster = cluster_of(to).ok()?;
    spool.fetched(cluster.system_identifier)
}

/// Bytes of a segment and the segment of a name, when it is one of the cluster that asks.
#[must_use]
pub fn segment_of(name: &str, to: &Path) -> Option<(Segment, SegmentSize)> {
    let size = cluster_of(to).ok()?.segment_size;
    match WalFile::parse(name, size) {
        Ok(WalFile::Segment(segment)) => Some((segment, size)),
        _ => None,
    }
}

/// Fetches segments in order until the log ends, a device fails, or nobody takes any; how many.
///
/// # Errors
/// When the folder cannot be used.
pub fn work(request: &ReadAheadRequest) -> io::Result<u64> {
    std::fs::create_dir_all(&request.folder)?;
    clear(request)?;
    let next = AtomicU64::new(request.after.number + 1);
    let (ended, fetched) = (AtomicBool::new(false), AtomicU64::new(0));
    std::thread::scope(|scope| {
        for _ in 0..request.workers.max(1) {
            scope.spawn(|| {
                while !ended.load(Ordering::Relaxed) && has_room(request) {
                    let number = next.fetch_add(1, Ordering::Relaxed);
                    if one(request, number) {
                        fetched.fetch_add(1, Ordering::Relaxed);
                    } else {
                        ended.store(true, Ordering::Relaxed);
                    }
                }
                ended.store(true, Ordering::Relaxed);
            });
        }
    });
    Ok(fetched.into_inner())
}

/// Removes what lies there from before the place that was asked for: nobody asks for it again.
fn clear(request: &ReadAheadRequest) -> io::Result<()> {
    let from = request.after.name(request.size);
    for entry in std::fs::read_dir(&request.folder)? {
        let entry = entry?;
        let old = |name: &str| name <= from.as_str() || name.contains('.');
        if entry.file_name().to_str().is_none_or(old) {
            std::fs::remove_file(entry.path())?;
        }
    }
    Ok(())
}

/// Waits until fewer than `depth` lie ready; false when nobody takes any.
fn has_room(request: &ReadAheadRequest) -> bool {
    let count = || std::fs::read_dir(&request.folder).map(Iterator::count).ok();
    let (mut before, mut since) = (count(), Instant::now());
    loop {
        let now = count();
        match now {
            None => return false,
            Some(ready) if ready < request.depth => return true,
            _ => {}
        }
        if now != before {
            (before, since) = (now, Instant::now());
        }
        if since.elapsed() >= request.idle {
            return false;
        }
        std::thread::sleep(PAUSE);
    }
}

/// Fetches one segment; false when there is none or it cannot be told.
fn one(request: &ReadAheadRequest, number: u64) -> bool {
    let segment = Segment {
        number,
        ..request.after
    };
    let name = segment.name(request.size);
    let to = request.folder.join(&name);
    if to.exists() {
        return true;
    }
    let fetch = FetchRequest {
        name,
        to,
        ..request.fetch.clone()
    };
    matches!(fetch::fetch(&fetch), Ok(Fetched::Found))
}
