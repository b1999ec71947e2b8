//! Owns the way over: the old primary is fenced and stopped, the standby applies the rest and is
//! promoted; and the way back while it was not. Holds that there is one primary at most.

use rustix::process::Signal;

use super::old::Stage;
use super::{Pair, applied};
use crate::engine::EngineError;
use crate::engine::postgres::connect::{self, refused};
use crate::engine::postgres::control::{ClusterState, ControlFile};
use crate::engine::postgres::lsn::Lsn;
use crate::engine::switch::Switched;

/// A server's last record ends within a page of where it begins.
const LAST_RECORD: u64 = 8192;

/// Puts the fence up, then stops the old primary in order.
pub(super) fn fence(pair: &Pair<'_>) -> Result<Switched, EngineError> {
    match pair.own_note()? {
        Some(Stage::Promoting) => {
            return Ok(Switched::told(
                "it is fenced, and the standby was told to take over",
            ));
        }
        // an earlier try got as far as this
        Some(Stage::Fenced) => {}
        None => put_up(pair)?,
    }
    if let Some(pid) = pair.old.running()? {
        pair.old.signal(pid, Signal::INT)?;
        if !pair.wait(|| Ok(pair.old.running()?.is_none()))? {
            let cause = format!(
                "it has not stopped within {}s: a standby that lags or a process that hangs holds \
                 it; look at its log",
                pair.patience.as_secs()
            );
            return Err(pair.refuse_old("stop", cause));
        }
    }
    let control = fenced(pair)?;
    let at = control.checkpoint;
    Ok(Switched::told(format!(
        "stopped at {at}, starts as a standby only"
    )))
}

/// Puts the fence up around a primary that works on this host.
fn put_up(pair: &Pair<'_>) -> Result<(), EngineError> {
    let (mut client, server) = pair.primary()?;
    pair.old.is_here(&mut client)?;
    if server.in_recovery {
        return Err(pair.refuse_old("fence", "it is a standby"));
    }
    // what is written now need not be written while nobody can work; a role that may not does
    // without
    let _ = client.batch_execute("checkpoint");
    pair.old.fence(pair.run, Stage::Fenced)
}

/// The old primary's last words: it has stopped in order behind this run's fence.
fn fenced(pair: &Pair<'_>) -> Result<ControlFile, EngineError> {
    if pair.own_note()?.is_none() {
        let cause = "its fence is gone: somebody let it out; begin again";
        return Err(pair.refuse_old("pass over", cause));
    }
    if pair.old.running()?.is_some() {
        let cause = "it runs again: stop it, then go on with `planc switchover --resume`";
        return Err(pair.refuse_old("pass over", cause));
    }
    let control = pair.old.control()?;
    if control.state != ClusterState::ShutDown {
        let cause = format!(
            "it did not stop in order ({}), so the standby may lack what it wrote last",
            control.state.words()
        );
        return Err(pair.refuse_old("pass over", cause));
    }
    Ok(control)
}

/// Waits until the standby has applied the record with which the old primary stopped.
pub(super) fn drain(pair: &Pair<'_>) -> Result<Switched, EngineError> {
    if pair.own_note()? == Some(Stage::Promoting) {
        return Ok(Switched::told("it was drained"));
    }
    let last = fenced(pair)?;
    let what = format!("drain into {}", pair.standby.service);
    let mut found = Lsn(0);
    let drained = pair.wait(|| {
        let mut client = connect::open(&pair.standby.service, &pair.standby.connect)?;
        found = applied(&mut client, &what)?;
        Ok(found > last.checkpoint)
    })?;
    if !drained {
        let last = last.checkpoint;
        let cause =
            format!("it has applied the log up to {found} only, the primary stopped at {last}");
        return Err(EngineError::refused(what, cause));
    }
    compare(pair, &last, found)?;
    Ok(Switched::told(format!(
        "applied up to {found}, which is all of it"
    )))
}

/// The standby ends where the old primary ended, no further.
fn compare(pair: &Pair<'_>, last: &ControlFile, found: Lsn) -> Result<(), EngineError> {
    if found > last.checkpoint && found.0 - last.checkpoint.0 <= LAST_RECORD {
        return Ok(());
    }
    let last = last.checkpoint;
    let cause =
        format!("it stands at {found}, the primary stopped at {last}: they are not one history");
    Err(pair.refuse_new("promote", cause))
}

/// Promotes the standby, after a last look at both sides.
pub(super) fn promote(pair: &Pair<'_>) -> Result<Switched, EngineError> {
    let what = format!("promote {}", pair.standby.service);
    let (mut client, facts) = pair.standby()?;
    // then it does not matter any more how the old primary fares behind its fence
    if !facts.in_recovery {
        return opened(pair, facts.timeline.number());
    }
    let last = fenced_or_following(pair)?.ok_or_else(|| {
        pair.refuse_old(
            "pass over",
            "it runs again although nothing was promoted: stop it",
        )
    })?;
    compare(pair, &last, applied(&mut client, &what)?)?;
    pair.old.fence(pair.run, Stage::Promoting)?;
    let seconds = i32::try_from(pair.patience.as_secs())
        .unwrap_or(i32::MAX)
        .max(1);
    let row = client.query_one("select pg_promote(true, $1)", &[&seconds]);
    let open: bool = row.map_err(|error| refused(&what, &error))?.get(0);
    if !open {
        return Err(closed(pair));
    }
    let (_, facts) = pair.standby()?;
    opened(pair, facts.timeline.number())
}

fn opened(pair: &Pair<'_>, timeline: u32) -> Result<Switched, EngineError> {
    match pair.own_note()? {
        Some(Stage::Promoting) => Ok(Switched::told(format!("it writes timeline {timeline}"))),
        _ => Err(pair.refuse_new(
            "promote",
            "somebody else promoted it: the old primary stays fenced; look before you go on",
        )),
    }
}

/// As [`fenced`]; none when it runs behind its fence already, as a standby.
fn fenced_or_following(pair: &Pair<'_>) -> Result<Option<ControlFile>, EngineError> {
    let promoting = pair.own_note()? == Some(Stage::Promoting);
    if promoting && pair.old.running()?.is_some() {
        return Ok(None);
    }
    fenced(pair).map(Some)
}

fn closed(pair: &Pair<'_>) -> EngineError {
    let (old, new) = (&pair.spec.service, &pair.standby.service);
    let cause = format!(
        "it has not opened within {}s, and may still do so; neither takes writes. Look at its log, \
         then go on with `planc switchover --resume`; or stop {new} for good, remove \
         standby.signal from the data directory of {old}, and start {old}",
        pair.patience.as_secs()
    );
    pair.refuse_new("promote", cause)
}

/// Lets the old primary out again when this run fenced it and never told the standby to take over.
pub(super) fn settle(pair: &Pair<'_>) -> Result<Switched, EngineError> {
    match pair.own_note()? {
        None => return Ok(Switched::told("nothing to undo")),
        Some(Stage::Promoting) => {
            return Ok(Switched::told(
                "the standby was told to take over: it stays fenced",
            ));
        }
        Some(Stage::Fenced) => {}
    }
    still_standby(pair)?;
    // a stop that was asked for cannot be taken back: it is waited for
    let stopped = pair.wait(|| Ok(pair.old.running()?.is_none()))?;
    pair.old.open()?;
    if !stopped {
        let cause = "it has not stopped yet: start it when it has; its fence is gone";
        return Err(pair.refuse_old("start", cause));
    }
    pair.old.start(pair)?;
    let (_, server) = pair.primary()?;
    if server.in_recovery {
        let cause = "it came back as a standby: look at its recovery settings";
        return Err(pair.refuse_old("start", cause));
    }
    Ok(Switched::told(
        "it takes writes again; nothing was promoted",
    ))
}

/// A standby that was promoted by hand, or cannot be asked, keeps the old primary fenced.
fn still_standby(pair: &Pair<'_>) -> Result<(), EngineError> {
    let old = &pair.spec.service;
    let by_hand = format!(
        "when it is sure that it is and stays a standby, remove standby.signal from the data \
         directory of {old} and start {old}"
    );
    match pair.standby() {
        Ok((_, facts)) if facts.in_recovery => Ok(()),
        Ok(_) => Err(pair.refuse_old("let out", "the standby takes writes: it stays fenced")),
        Err(error) => {
            let cause =
                format!("whether the standby was promoted cannot be known ({error}); {by_hand}");
            Err(pair.refuse_old("let out", cause))
        }
    }
}
