//! Owns the interval and size triggers of the log archive: ends the current segment on the server
//! and waits until the server's archive command has acknowledged it. The bytes go through
//! `planc log push`, which the server calls; nothing is read from `pg_wal` here.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use postgres::Client;

use super::archiver::Watch;
use super::connect::{self, refused};
use super::lsn::{Lsn, Segment, SegmentSize};
use super::server::ServerFacts;
use super::{PostgresSpec, archiver, lsn::WalFile, sender};
use crate::engine::{Archived, EngineError};

const PAUSE: Duration = Duration::from_millis(50);
/// A server calls its archive command as often for a segment, then leaves it alone for a minute.
const TRIES: i64 = 3;

/// Ends the current segment, on the primary where the server is a standby, and waits at most
/// `patience` until it is archived.
///
/// # Errors
/// When the server archives nothing, its archive command fails, or it is a standby whose primary
/// cannot be asked.
pub fn switch(spec: &PostgresSpec, patience: Duration) -> Result<Archived, EngineError> {
    let mut client = connect::open(&spec.service, &spec.connect)?;
    let mut server = ServerFacts::ask(&mut client, &spec.service, spec.data_directory.as_ref())?;
    let here = !server.in_recovery;
    if !here {
        (client, server) = sender::open(spec, &mut client, &server)?;
    }
    server.check_backup(&spec.service)?;
    if here {
        archiver::check_program(&mut client, &spec.service)?;
    }
    let before = standing(&mut client, &spec.service)?;
    let what = || format!("end a log segment of {}", spec.service);
    let switched = client.query_one("select pg_switch_wal()::text", &[]);
    let switched = switched.map_err(|error| refused(what(), &error))?;
    let end: Lsn = switched
        .get::<_, &str>(0)
        .parse()
        .map_err(|error: super::FormatError| error.of(what()))?;
    let last = Segment::ending(server.timeline, end, server.segment_size);
    let waiting = Waiting {
        client,
        service: &spec.service,
        server: &server,
        enough: before.enough(),
        noted: here.then(|| noted(&server, last)),
        archiver: here.then(|| Watch::over(&server.data_directory)),
    };
    waiting.until_archived(last, Instant::now() + patience)?;
    Ok(acknowledged(&server, end))
}

/// How far a server archived that ends its segments by itself (`archive_timeout`), at least as
/// often as `within` says: all that it ended by now. None where it must be told to end one: it is
/// slower, it is a standby, or it ended none of this timeline yet.
///
/// # Errors
/// When the server cannot be asked, or does not archive within `patience` what it ended.
pub fn by_itself(
    spec: &PostgresSpec,
    within: Duration,
    patience: Duration,
) -> Result<Option<Archived>, EngineError> {
    let mut client = connect::open(&spec.service, &spec.connect)?;
    let own = ends_within(&mut client, &spec.service)?;
    if own.is_none_or(|own| own > within) {
        return Ok(None);
    }
    let server = ServerFacts::ask(&mut client, &spec.service, spec.data_directory.as_ref())?;
    if server.in_recovery {
        return Ok(None);
    }
    server.check_backup(&spec.service)?;
    archiver::check_program(&mut client, &spec.service)?;
    let what = || format!("ask {} how far its log reaches", spec.service);
    let row = client.query_one("select pg_current_wal_flush_lsn()::text", &[]);
    let row = row.map_err(|error| refused(what(), &error))?;
    let at = row.get::<_, &str>(0).parse();
    let at: Lsn = at.map_err(|error: super::FormatError| error.of(what()))?;
    let standing = standing(&mut client, &spec.service)?;
    let current = Segment::holding(server.timeline, at, server.segment_size);
    let own = archived(standing.archived.as_deref(), server.segment_size);
    let begun = own.is_some_and(|segment| segment.timeline == current.timeline);
    let last = current.number.checked_sub(1).filter(|_| begun);
    let Some(number) = last else { return Ok(None) };
    let last = Segment { number, ..current };
    let end = Lsn(current.number * server.segment_size.bytes());
    let waiting = Waiting {
        client,
        service: &spec.service,
        server: &server,
        enough: standing.enough(),
        noted: Some(noted(&server, last)),
        archiver: Some(Watch::over(&server.data_directory)),
    };
    waiting.until_archived(last, Instant::now() + patience)?;
    Ok(Some(acknowledged(&server, end)))
}

/// All that was written up to a position is archived.
fn acknowledged(server: &ServerFacts, end: Lsn) -> Archived {
    Archived {
        position: Some(server.timeline.at(end)),
        transactions: 0,
        unit: Some(server.segment_size.bytes()),
        broken: None,
    }
}

/// The longest that a server lets log wait before it ends the segment; none when it lets it wait
/// for ever.
///
/// # Errors
/// When the server refuses.
pub(super) fn ends_within(
    client: &mut Client,
    service: &str,
) -> Result<Option<Duration>, EngineError> {
    let query = "select setting::int8 from pg_settings where name = 'archive_timeout'";
    let row = client.query_one(query, &[]);
    let row = row.map_err(|error| refused(format!("ask {service} for archive_timeout"), &error))?;
    let seconds = u64::try_from(row.get::<_, i64>(0)).unwrap_or(0);
    Ok((seconds > 0).then(|| Duration::from_secs(seconds)))
}

/// The segment that a server archived last, by the file that it names.
pub(super) fn archived(name: Option<&str>, size: SegmentSize) -> Option<Segment> {
    match WalFile::parse(name?, size).ok()? {
        WalFile::Segment(segment) | WalFile::Backup(segment, _) => Some(segment),
        _ => None,
    }
}

/// What a server says of its archive.
struct Standing {
    archived: Option<String>,
    /// The segment that could not be archived, when nothing was since.
    failing: Option<String>,
    /// Calls of the archive command that failed.
    failures: i64,
}

impl Standing {
    /// The count of failures that is too much. Where the last call failed already, one more shows
    /// that it still does.
    fn enough(&self) -> i64 {
        self.failures + if self.failing.is_some() { 1 } else { TRIES }
    }
}

fn standing(client: &mut Client, service: &str) -> Result<Standing, EngineError> {
    let query = "select last_archived_wal, \
                 case when last_failed_time > coalesce(last_archived_time, '-infinity') \
                      then last_failed_wal end, failed_count \
                 from pg_stat_archiver";
    let row = client.query_one(query, &[]);
    let row = row.map_err(|error| refused(format!("ask {service} what it archived"), &error))?;
    Ok(Standing {
        archived: row.get(0),
        failing: row.get(1),
        failures: row.get(2),
    })
}

/// The file for which a server's archive command failed last, when nothing was archived since.
///
/// # Errors
/// When the server refuses.
pub(super) fn failing(client: &mut Client, service: &str) -> Result<Option<String>, EngineError> {
    Ok(standing(client, service)?.failing)
}

struct Waiting<'a> {
    client: Client,
    service: &'a str,
    server: &'a ServerFacts,
    /// Failed calls of the archive command at which it is waited no longer.
    enough: i64,
    /// What the server makes once the segment is archived, where its folder can be looked at.
    noted: Option<PathBuf>,
    /// The process that calls the archive command, where it can be looked at.
    archiver: Option<Watch>,
}

/// Where a server notes that a segment is archived.
fn noted(server: &ServerFacts, last: Segment) -> PathBuf {
    let name = format!("{}.done", last.name(server.segment_size));
    let status = server.data_directory.join("pg_wal/archive_status");
    status.join(name)
}

impl Waiting<'_> {
    fn until_archived(mut self, last: Segment, deadline: Instant) -> Result<(), EngineError> {
        loop {
            let now = standing(&mut self.client, self.service)?;
            let own = archived(now.archived.as_deref(), self.server.segment_size);
            // the file that tells of a copy may be archived after a newer segment, and is the last
            // one then: statistics alone would be waited for until there is more to archive
            let noted = self.noted.as_ref().is_some_and(|file| file.exists());
            if noted || own.is_some_and(|segment| segment >= last) {
                return Ok(());
            }
            let given_up = now.failing.is_some() && now.failures >= self.enough;
            if given_up || Instant::now() >= deadline {
                return Err(self.late(last, now.failing));
            }
            let archiver = self.archiver.as_mut();
            if archiver.is_some_and(|archiver| archiver.is_dead(PAUSE)) {
                return Err(self.dead(last));
            }
            std::thread::sleep(PAUSE);
        }
    }

    fn late(&self, last: Segment, failed: Option<String>) -> EngineError {
        let what = format!("the log archive of {}", self.service);
        if let Some(failed) = failed {
            // it failed all the time that was waited: trying again at once would only wait longer
            let cause = format!(
                "the archive command fails for {failed}: the server's log tells why, or call it by \
                 hand as the server's user with pg_wal/{failed} for %p"
            );
            return EngineError::Refused { what, cause };
        }
        let name = last.name(self.server.segment_size);
        let cause = format!(
            "segment {name} is not acknowledged yet; the server's log tells what its archive_command \
             answers"
        );
        EngineError::Busy { what, cause }
    }

    fn dead(&self, last: Segment) -> EngineError {
        let name = last.name(self.server.segment_size);
        EngineError::Refused {
            what: format!("the log archive of {}", self.service),
            cause: format!(
                "the server's archiver dies at {name}: the program of archive_command is not \
                 found, cannot be executed or is killed. Name it by its whole path, and call it by \
                 hand as the server's user to see why"
            ),
        }
    }
}
