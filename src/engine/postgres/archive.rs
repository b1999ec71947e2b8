//! Owns the interval and size triggers of the log archive: ends the current segment on the server
//! and waits until the server's archive command has acknowledged it. The bytes go through
//! `planc log push`, which the server calls; nothing is read from `pg_wal` here.

use std::time::{Duration, Instant};

use postgres::Client;

use super::connect::{self, refused};
use super::lsn::{Lsn, Segment};
use super::server::ServerFacts;
use super::{PostgresSpec, lsn::WalFile, sender};
use crate::engine::{Archived, EngineError};

const PAUSE: Duration = Duration::from_millis(50);

/// Ends the current segment, on the primary where the server is a standby, and waits at most `patience` until it is archived.
///
/// # Errors
/// When the server archives nothing, its archive command fails, or it is a standby whose primary
/// cannot be asked.
pub fn switch(spec: &PostgresSpec, patience: Duration) -> Result<Archived, EngineError> {
    let mut client = connect::open(&spec.service, &spec.connect)?;
    let mut server = ServerFacts::ask(&mut client, &spec.service, spec.data_directory.as_ref())?;
    if server.in_recovery {
        (client, server) = sender::open(spec, &mut client, &server)?;
    }
    server.check_backup(&spec.service)?;
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
    };
    waiting.until_archived(last, Instant::now() + patience)?;
    Ok(Archived {
        position: Some(server.timeline.at(end)),
        transactions: 0,
        broken: None,
    })
}

struct Waiting<'a> {
    client: Client,
    service: &'a str,
    server: &'a ServerFacts,
}

impl Waiting<'_> {
    fn until_archived(mut self, last: Segment, deadline: Instant) -> Result<(), EngineError> {
        let query = "select last_archived_wal, last_failed_wal, \
                     last_failed_time > coalesce(last_archived_time, '-infinity') \
                     from pg_stat_archiver";
        loop {
            let row = self.client.query_one(query, &[]);
            let what = || format!("ask {} what it archived", self.service);
            let row = row.map_err(|error| refused(what(), &error))?;
            if self.reached(row.get(0), last) {
                return Ok(());
            }
            if Instant::now() >= deadline {
                let failing = row.get::<_, Option<bool>>(2) == Some(true);
                let failed: Option<String> = row.get(1);
                return Err(self.late(last, failed.filter(|_| failing)));
            }
            std::thread::sleep(PAUSE);
        }
    }

    fn reached(&self, archived: Option<&str>, last: Segment) -> bool {
        let file = archived.map(|name| WalFile::parse(name, self.server.segment_size));
        match file {
            Some(Ok(WalFile::Segment(segment) | WalFile::Backup(segment, _))) => segment >= last,
            _ => false,
        }
    }

    fn late(&self, last: Segment, failed: Option<String>) -> EngineError {
        let what = format!("the log archive of {}", self.service);
        if let Some(failed) = failed {
            // it failed all the time that was waited: trying again at once would only wait longer
            let cause = format!("the archive command fails for {failed}; see the server's log");
            return EngineError::Refused { what, cause };
        }
        let name = last.name(self.server.segment_size);
        let cause = format!("segment {name} is not acknowledged yet");
        EngineError::Busy { what, cause }
    }
}
