//! Owns the log that a receiver has of a segment that is not finished: which piece of it is not
//! stored yet, and what of it is needed no more. A segment may take hours to fill; the loss of a
//! server must not cost hours of work.

use std::fs;
use std::io::ErrorKind;
use std::path::Path;
use std::time::{Duration, Instant};

use bytes::Bytes;
use jiff::Timestamp;

use super::archived::Claim;
use super::glance::MINIMAL;
use super::lsn::{Lsn, Segment, Timeline};
use super::push::{self, PushError, PushRequest};
use super::records::Records;
use crate::engine::LogRange;
use crate::media::{Device, DeviceError, name};

/// How often is looked for what came.
const PACE: Duration = Duration::from_secs(1);
/// A long segment takes long to look through: the rest of the time is the receiver's.
const SHARE: u32 = 10;

/// What is known of the segment that is being received. All in bytes from its beginning.
pub(super) struct Tail {
    segment: Option<Segment>,
    stored: usize,
    /// Up to where whole records were seen. What came a moment ago may be half written into the
    /// file, so it is stored when it is looked at the next time.
    seen: usize,
    due: Instant,
}

impl Tail {
    pub(super) fn new() -> Self {
        Self {
            segment: None,
            stored: 0,
            seen: 0,
            due: Instant::now(),
        }
    }

    /// Whether it is time to look.
    pub(super) fn is_due(&self) -> bool {
        Instant::now() >= self.due
    }

    /// Stores what was seen of the segment in this file and is not stored yet; up to where all is
    /// stored then.
    ///
    /// # Errors
    /// When the file cannot be read or a device does not take the piece.
    pub(super) fn store(
        &mut self,
        (segment, path): (Segment, &Path),
        request: &PushRequest,
        claim: Claim,
    ) -> Result<Lsn, PushError> {
        let began = Instant::now();
        if self.segment != Some(segment) {
            (self.segment, self.stored, self.seen) = (Some(segment), 0, 0);
        }
        let start = segment.start(claim.segment_size).0;
        let at = |offset: usize| Lsn(start + offset as u64);
        let bytes = match fs::read(path) {
            Ok(bytes) => Bytes::from(bytes),
            // it was finished a moment ago
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(at(self.stored)),
            Err(cause) => {
                let path = path.to_owned();
                return Err(PushError::Read { path, cause });
            }
        };
        let until = self.seen.min(bytes.len());
        let look = Look::at(&bytes, start, until);
        self.seen = look.until;
        if until > self.stored {
            let piece = LogRange {
                from: segment.timeline.at(at(self.stored)),
                until: segment.timeline.at(at(until)),
                tail: true,
                first_at: look.times.0,
                last_at: look.times.1,
                points: None,
                payload: bytes.slice(self.stored..until),
            };
            push::push_tail(request, claim, piece)?;
            self.stored = until;
        }
        self.due = Instant::now() + PACE.max(began.elapsed() * SHARE);
        Ok(at(self.stored))
    }
}

/// What a segment that is being received holds.
struct Look {
    /// Where its last whole record ends; 0 when it holds none.
    until: usize,
    /// Times of the first and last transaction that ended before a place. When none did, the
    /// oldest time there is: what of a later moment is still to come is not known.
    times: (Timestamp, Timestamp),
}

impl Look {
    fn at(bytes: &[u8], start: u64, place: usize) -> Self {
        let mut until = 0;
        let mut times: Option<(Timestamp, Timestamp)> = None;
        // the header may not have come yet
        for record in Records::new(bytes).into_iter().flatten() {
            // no copy made before leads beyond
            if record.wal_level() == Some(MINIMAL) {
                break;
            }
            let end = record.end.0.saturating_sub(start);
            until = usize::try_from(end).unwrap_or(0).min(bytes.len());
            if let Some((_, at)) = record.ending().filter(|_| until <= place) {
                let (first, last) = times.unwrap_or((at, at));
                times = Some((first.min(at), last.max(at)));
            }
        }
        let none = (Timestamp::UNIX_EPOCH, Timestamp::UNIX_EPOCH);
        Self {
            until,
            times: times.unwrap_or(none),
        }
    }
}

/// The tails of a timeline that a device holds, by where they begin and end.
fn tails(
    device: &dyn Device,
    service: &str,
    claim: Claim,
    timeline: Timeline,
) -> Result<Vec<(u64, u64, String)>, DeviceError> {
    let identity = claim.system_identifier.to_string();
    let any = name::tail(service, &identity, &timeline.at(Lsn(0)), 0);
    let folder = any.rsplit_once('/').map_or("", |(folder, _)| folder);
    let listed = device.list(&format!("{folder}/"))?.into_iter();
    let found = listed.filter_map(|(object, _)| {
        let (from, until) = name::tail_range(&object)?;
        Some((from, until, object))
    });
    let mut found: Vec<_> = found.collect();
    found.sort();
    Ok(found)
}

/// How far the tails on a device lead from a position.
///
/// # Errors
/// When the device cannot be listed.
pub(super) fn reach(
    device: &dyn Device,
    service: &str,
    claim: Claim,
    (timeline, from): (Timeline, Lsn),
) -> Result<Lsn, DeviceError> {
    let tails = tails(device, service, claim, timeline)?;
    let reached = tails.iter().fold(from.0, |reached, (begin, until, _)| {
        let leads = (from.0..=reached).contains(begin);
        if leads { reached.max(*until) } else { reached }
    });
    Ok(Lsn(reached))
}

/// Takes away the tails of a segment that is stored whole now, and those before it. A device that
/// lets go of nothing keeps them: they harm nothing.
pub(super) fn forget(device: &dyn Device, service: &str, claim: Claim, segment: Segment) {
    let end = segment
        .end(claim.segment_size)
        .map_or(u64::MAX, |end| end.0);
    let tails = tails(device, service, claim, segment.timeline);
    for (_, _, object) in tails.unwrap_or_default().iter().filter(|tail| tail.0 < end) {
        let _ = device.delete(object);
    }
}
