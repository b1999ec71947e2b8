//! Owns asking the log, and where it leaves a doubt the server's own summaries, which pages changed
//! since a base's start. Most of it is asked before backup mode is entered.

use std::sync::{Arc, Mutex, PoisonError};

use super::base::{Base, folders};
use super::changes::{ChangeSet, Tracking};
use super::component::Place;
use super::control::ControlFile;
use super::history::History;
use super::lsn::{Segment, SegmentSize};
use super::server::ServerFacts;
use super::stream::Course;
use super::{PostgresSpec, connect, control, read, summaries};
use crate::engine::{EngineError, StoredLog};

/// Segments that are read for nothing at most, so that others need not be read again.
const MOST_EARLIER: u64 = 16;

/// The log that was read last. The parts of a run build on bases that are hardly apart: what was
/// read for the first of them serves for the others.
#[derive(Debug, Clone, Default)]
pub struct Tracked(Arc<Mutex<Option<Tracking>>>);

impl Tracked {
    /// What was read, where it serves; else what is to be read.
    fn or(&self, fresh: Tracking) -> Tracking {
        let kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let course = fresh.course();
        let most = MOST_EARLIER * course.size.bytes();
        let kept = kept.as_ref();
        let kept = kept.filter(|kept| kept.covers(course, fresh.from(), most));
        kept.cloned().unwrap_or(fresh)
    }

    fn keep(&self, read: &Tracking) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(read.clone());
    }
}

/// A base, and what changed since.
pub(super) struct Since {
    pub(super) base: Base,
    server: ServerFacts,
    /// What was read before backup mode was entered.
    before: Option<Tracking>,
}

/// That nothing can be told.
pub(super) fn doubt(why: &str) -> ChangeSet {
    let mut changes = ChangeSet::default();
    changes.doubt_all(why);
    changes
}

impl Since {
    /// Reads the log that there is; a server that is not in backup mode yet writes more.
    pub(super) fn before(
        spec: &PostgresSpec,
        base: Base,
        read: &Tracked,
        log: StoredLog<'_>,
    ) -> Result<Self, EngineError> {
        let mut client = connect::open(&spec.service, &spec.connect)?;
        let server = ServerFacts::ask(&mut client, &spec.service, spec.data_directory.as_ref())?;
        let control = control(&server)?;
        let fresh = track(&server, &control, &base).ok();
        let mut before = fresh.map(|fresh| read.or(fresh));
        if let Some(tracking) = &mut before {
            tracking.ahead(segments(&server, control.wal_segment_size, log));
            read.keep(tracking);
        }
        Ok(Self {
            base,
            server,
            before,
        })
    }

    /// Reads the rest, up to the newest checkpoint's start, which is this bracket's own or one
    /// behind it. `apart` are the folders that are parts of their own now.
    pub(super) fn finish(
        &mut self,
        spec: &PostgresSpec,
        apart: &[Place],
        log: StoredLog<'_>,
    ) -> Result<ChangeSet, EngineError> {
        if self.base.apart != folders(apart) {
            let why = "the service was split into other parts when the base was copied";
            return Ok(doubt(why));
        }
        let control = control(&self.server)?;
        if control.checksums && !self.base.checksums {
            // all pages got one, and no log tells
            return Ok(doubt(
                "page checksums were enabled since the base was copied",
            ));
        }
        let fresh = match track(&self.server, &control, &self.base) {
            Ok(fresh) => fresh,
            Err(why) => return Ok(doubt(why)),
        };
        let before = self.before.take();
        let tracking = before.filter(|one| one.course() == fresh.course());
        let tracking = tracking.unwrap_or(fresh);
        let fetch = segments(&self.server, control.wal_segment_size, log);
        let told = tracking.finish(control.redo, fetch);
        if told.doubt_of_all().is_none() {
            return Ok(told);
        }
        let mut client = connect::open(&spec.service, &spec.connect)?;
        let start = self.base.start;
        let range = (start.timeline, start.lsn..control.redo);
        Ok(summaries::ask(&mut client, spec, &range)?.unwrap_or(told))
    }
}

/// The log from a base's start on; or why there is none that leads here.
fn track(
    server: &ServerFacts,
    control: &ControlFile,
    base: &Base,
) -> Result<Tracking, &'static str> {
    if control.system_identifier != base.system_identifier {
        return Err("the base is of another cluster");
    }
    let history = read::history(&server.data_directory, control.timeline);
    let history = history.ok().filter(|history| is_within(base, history));
    let course = Course {
        history: history.ok_or("the base is of another history")?,
        size: control.wal_segment_size,
        system_identifier: control.system_identifier,
    };
    Ok(Tracking::new(course, base.start.lsn))
}

/// Whether a history has all that a base may show: one that was still copied when the history left
/// its timeline holds pages that no log here tells of.
fn is_within(base: &Base, history: &History) -> bool {
    let mut shown = [Some(base.start), base.end].into_iter().flatten();
    shown.all(|at| history.contains(at.timeline, at.lsn))
}

fn control(server: &ServerFacts) -> Result<ControlFile, EngineError> {
    read::control_file(&server.data_directory.join(control::PATH))
}

/// Segments of the server's own folder, else of the stored log.
fn segments<'l>(
    server: &ServerFacts,
    size: SegmentSize,
    log: StoredLog<'l>,
) -> impl FnMut(Segment) -> Option<Vec<u8>> + use<'l> {
    let wal = server.data_directory.join("pg_wal");
    move |segment| {
        let own = std::fs::read(wal.join(segment.name(size))).ok();
        own.or_else(|| log(&segment.timeline.at(segment.start(size))))
    }
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, BTreeSet};

    use super::*;
    use crate::engine::postgres::base::Start;
    use crate::engine::postgres::lsn::{Lsn, Timeline};

    #[test]
    fn a_base_that_was_copied_beyond_a_switch_is_of_another_history() {
        let timeline = |number| Timeline::new(number).expect("valid");
        let history = History::parse(timeline(2), "1\t0/64\tno recovery target specified\n");
        let history = history.expect("a history");
        let at = |lsn| Start {
            timeline: timeline(1),
            lsn: Lsn(lsn),
        };
        let base = |end| Base {
            start: at(40),
            end,
            system_identifier: 1,
            apart: BTreeSet::new(),
            checksums: true,
            files: BTreeMap::new(),
            spoilt: BTreeMap::new(),
        };
        assert!(is_within(&base(Some(at(100))), &history));
        assert!(is_within(&base(None), &history));
        assert!(!is_within(&base(Some(at(101))), &history));
    }

    #[test]
    fn what_was_read_serves_for_changes_since_a_little_later() {
        let size = SegmentSize::new(1 << 20).expect("a size");
        let course = |system_identifier| Course {
            history: History::first(Timeline::new(1).expect("valid")),
            size,
            system_identifier,
        };
        let at = |segments: u64| Lsn(segments * size.bytes());
        let read = Tracked::default();
        read.keep(&Tracking::new(course(7), at(40)));
        let begins = |system, from| read.or(Tracking::new(course(system), from)).from();
        assert_eq!(begins(7, at(40)), at(40));
        assert_eq!(begins(7, at(40 + MOST_EARLIER)), at(40));
        assert_eq!(begins(7, at(41 + MOST_EARLIER)), at(41 + MOST_EARLIER));
        assert_eq!(begins(7, at(39)), at(39), "what lies before was not read");
        assert_eq!(begins(8, at(41)), at(41), "another cluster");
    }
}
