//! Owns what must hold after the promotion: the new primary archives, and the old one follows it.

use rustix::process::Signal;

use super::Pair;
use super::conninfo::redirected;
use crate::engine::EngineError;
use crate::engine::postgres::archive;
use crate::engine::postgres::connect::{self, refused};
use crate::engine::postgres::lsn::Lsn;
use crate::engine::switch::Switched;

const RECEIVES: &str = "\
    select pg_is_in_recovery() and exists \
    (select 1 from pg_stat_wal_receiver where status = 'streaming' and received_tli = $1)";

/// Ends the first segment of the new history, and waits until it is archived.
pub(super) fn archive(pair: &Pair<'_>) -> Result<Switched, EngineError> {
    let archived = archive::switch(pair.standby, pair.patience)?;
    let at = archived.position.map_or(0, |at| at.value);
    Ok(Switched::told(format!("archived up to {}", Lsn(at))))
}

/// Starts the old primary as a standby of the new one, and waits until it streams.
pub(super) fn follow(pair: &Pair<'_>) -> Result<Switched, EngineError> {
    let (mut new, facts) = pair.standby()?;
    if facts.in_recovery {
        return Err(pair.refuse_new("follow", "it is no primary"));
    }
    if !pair.old.is_fenced() {
        let cause = "its fence is gone, so it would start as a second primary; it is left alone";
        return Err(pair.refuse_old("start", cause));
    }
    let row = new.query_one("select current_setting('primary_conninfo')", &[]);
    let what = || format!("ask {} how it reached its primary", pair.standby.service);
    let own: String = row.map_err(|error| refused(what(), &error))?.get(0);
    let there = redirected(&own, &pair.standby.connect).map_err(|error| error.of(what()))?;
    pair.old.follow(&there)?;
    match pair.old.running()? {
        None => pair.old.start(pair)?,
        Some(pid) => pair.old.signal(pid, Signal::HUP)?,
    }
    let timeline = i32::try_from(facts.timeline.number()).unwrap_or(i32::MAX);
    let streams = pair.wait(|| {
        let mut client = connect::open(&pair.spec.service, &pair.spec.connect)?;
        let row = client.query_one(RECEIVES, &[&timeline]);
        Ok(row.map_err(|error| refused(what(), &error))?.get(0))
    })?;
    if !streams {
        let cause = "it runs as a standby and receives nothing yet: look at its log, and at \
                     pg_hba.conf of the new primary";
        return Err(pair.refuse_old("follow with", cause));
    }
    Ok(Switched::told(format!("it streams timeline {timeline}")))
}
