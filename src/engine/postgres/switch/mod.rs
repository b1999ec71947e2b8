//! Handing the primary's work over to a streaming standby: looked at, fenced, drained, promoted,
//! archived and followed, each act by itself and each one repeatable.
//!
//! At no moment two servers take writes: the old primary is promoted past only when it has stopped
//! in order behind its fence, and it is let out again only when the standby was never told to take
//! over and says that it still is one. What cannot be known ends the switch with neither done.

mod after;
mod check;
mod conninfo;
mod old;
mod over;

use std::time::{Duration, Instant};

use postgres::Client;

use super::PostgresSpec;
use super::connect::{self, refused};
use super::lsn::Lsn;
use super::server::ServerFacts;
use crate::engine::switch::{SwitchWish, Switched};
use crate::engine::{EngineError, GoOn};
use crate::graph::step::SwitchAct;
use old::Old;

const PAUSE: Duration = Duration::from_millis(50);

/// Does one act.
///
/// # Errors
/// When the two servers are not as the act needs them; then nothing was promoted by it.
pub(super) fn switch(spec: &PostgresSpec, wish: &SwitchWish<'_>) -> Result<Switched, EngineError> {
    let standby = PostgresSpec::of(wish.standby)?;
    let pair = Pair {
        spec,
        old: Old::of(spec)?,
        standby: &standby,
        run: wish.run,
        patience: wish.patience,
        go_on: wish.go_on,
    };
    match wish.act {
        SwitchAct::Check(limits) => check::check(&pair, limits),
        SwitchAct::Fence => over::fence(&pair),
        SwitchAct::Drain => over::drain(&pair),
        SwitchAct::Promote => over::promote(&pair),
        SwitchAct::Settle => over::settle(&pair),
        SwitchAct::Archive => after::archive(&pair),
        SwitchAct::Follow => after::follow(&pair),
    }
}

/// The two servers of a switchover.
struct Pair<'a> {
    spec: &'a PostgresSpec,
    old: Old<'a>,
    standby: &'a PostgresSpec,
    run: &'a str,
    patience: Duration,
    go_on: &'a GoOn,
}

impl Pair<'_> {
    /// A session with the old primary, and what it says of itself.
    fn primary(&self) -> Result<(Client, ServerFacts), EngineError> {
        session(self.spec)
    }

    /// A session with the standby, and what it says of itself.
    fn standby(&self) -> Result<(Client, ServerFacts), EngineError> {
        session(self.standby)
    }

    /// What this run noted on the fence.
    fn own_note(&self) -> Result<Option<old::Stage>, EngineError> {
        let note = self.old.note()?.filter(|note| note.run == self.run);
        Ok(note.map(|note| note.stage))
    }

    /// Asks until it is so; false when it is not in time, or somebody asked to stop.
    fn wait(
        &self,
        mut reached: impl FnMut() -> Result<bool, EngineError>,
    ) -> Result<bool, EngineError> {
        let deadline = Instant::now() + self.patience;
        while !reached()? {
            if Instant::now() >= deadline || !self.go_on.yes() {
                return Ok(false);
            }
            std::thread::sleep(PAUSE);
        }
        Ok(true)
    }

    /// Why an act on the old side ends.
    fn refuse_old(&self, act: &str, cause: impl Into<String>) -> EngineError {
        EngineError::refused(format!("{act} {}", self.spec.service), cause)
    }

    /// Why an act on the standby ends.
    fn refuse_new(&self, act: &str, cause: impl Into<String>) -> EngineError {
        EngineError::refused(format!("{act} {}", self.standby.service), cause)
    }
}

fn session(spec: &PostgresSpec) -> Result<(Client, ServerFacts), EngineError> {
    let mut client = connect::open(&spec.service, &spec.connect)?;
    let facts = ServerFacts::ask(&mut client, &spec.service, spec.data_directory.as_ref())?;
    Ok((client, facts))
}

/// A position that a server is asked for; none when it has none.
fn position(client: &mut Client, what: &str, query: &str) -> Result<Option<Lsn>, EngineError> {
    let row = client.query_one(&format!("select ({query})::text"), &[]);
    let row = row.map_err(|error| refused(what, &error))?;
    let text: Option<&str> = row.get(0);
    let lsn = text.map(str::parse).transpose();
    lsn.map_err(|error: super::FormatError| error.of(what))
}

/// How far a standby has applied the log.
fn applied(client: &mut Client, what: &str) -> Result<Lsn, EngineError> {
    let found = position(client, what, "pg_last_wal_replay_lsn()")?;
    Ok(found.unwrap_or(Lsn(0)))
}
