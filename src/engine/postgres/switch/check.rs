//! Owns what is looked at before a switchover: whatever would make it fail is found while nothing
//! is changed.

use std::time::Duration;

use postgres::Client;

use super::conninfo::redirected;
use super::old::runs_on;
use super::{Pair, applied, position};
use crate::engine::EngineError;
use crate::engine::postgres::connect::refused;
use crate::engine::postgres::server::{ServerFacts, may_call};
use crate::engine::postgres::{archive, instance, space};
use crate::engine::switch::Switched;
use crate::graph::step::SwitchLimits;
use crate::quantity::Bytes;

/// What a standby says of its work; the columns of the receiver are null to a role that may not
/// see them.
const ABOUT: &str = "\
    select (select status from pg_stat_wal_receiver), \
           pg_is_wal_replay_paused(), \
           case when pg_has_role('pg_read_all_settings', 'usage') \
                then current_setting('primary_conninfo') end";

/// Copies that are being made: by `pg_basebackup`, and by sessions in backup mode.
const COPIES: &str = "\
    select (select count(*) from pg_stat_progress_basebackup) \
         + (select count(*) from pg_stat_activity \
            where pid <> pg_backend_pid() and query ilike '%pg_backup_start%' \
              and query not ilike '%pg_stat_activity%')";

const LOGICAL_SLOTS: &str = "\
    select coalesce(string_agg(slot_name::text, ', '), '') from pg_replication_slots \
    where slot_type = 'logical'";

/// Whom the switchover ends a session of.
const SESSIONS: &str = "\
    select count(*) from pg_stat_activity \
    where backend_type = 'client backend' and pid <> pg_backend_pid()";

/// Bytes of log that a server keeps before it makes room by itself.
const KEEPS: &str = "\
    select setting::int8 << 20 from pg_settings where name = 'max_wal_size'";

/// Looks; refuses with what is in the way.
pub(super) fn check(pair: &Pair<'_>, limits: &SwitchLimits) -> Result<Switched, EngineError> {
    if pair.own_note()?.is_some() {
        return Ok(Switched::told(
            "the old primary is fenced by this run already",
        ));
    }
    let (mut old, server) = pair.primary()?;
    primary(pair, &mut old, &server)?;
    let (mut new, standby) = pair.standby()?;
    same(pair, &server, &standby)?;
    ready(pair, &mut new, &standby)?;
    if limits.idle {
        idle(pair, &mut old, &mut new)?;
    }
    if let Some(within) = limits.archived_ms {
        archive::switch(pair.spec, Duration::from_millis(within))?;
    }
    let behind = lag(pair, &mut old, &mut new)?;
    if let Some(most) = limits.lag.filter(|most| behind > *most) {
        let (behind, most) = (Bytes(behind), Bytes(most));
        let cause = format!("it is {behind} behind, the plan allows {most}: wait until it follows");
        return Err(pair.refuse_new("hand over to", cause));
    }
    let notes = [
        room(pair, &mut new, &standby)?,
        sessions(pair, &mut old)?,
        slots(pair, &mut old)?,
    ];
    Ok(Switched {
        told: format!("{} behind", Bytes(behind)),
        notes: notes.into_iter().flatten().collect(),
    })
}

/// The old primary must be one, and be stopped and started from here.
fn primary(pair: &Pair<'_>, client: &mut Client, server: &ServerFacts) -> Result<(), EngineError> {
    if server.in_recovery {
        let cause = "it is a standby: was it switched already? then let the two entries of the \
                     inventory change places";
        return Err(pair.refuse_old("hand over from", cause));
    }
    server.control()?;
    pair.old.is_here(client)?;
    instance::programs(pair.spec.programs.as_deref(), server.version.major).map(drop)
}

fn same(pair: &Pair<'_>, old: &ServerFacts, new: &ServerFacts) -> Result<(), EngineError> {
    let cause = if new.system_identifier != old.system_identifier {
        let (found, wanted) = (new.system_identifier, old.system_identifier);
        format!("it is system {found}, the primary is {wanted}: it is no standby of it")
    } else if !new.in_recovery {
        "it takes writes already: two primaries; stop one of them before anything else".to_owned()
    } else if new.version_num / 10_000 != old.version_num / 10_000 {
        format!(
            "it is version {}, the primary is {}",
            new.version_num, old.version_num
        )
    } else if new.archive_mode == "off" {
        "its archive_mode is off, so its log would be archived nowhere: set it to on and restart it"
            .to_owned()
    } else {
        return Ok(());
    };
    Err(pair.refuse_new("hand over to", cause))
}

fn ready(pair: &Pair<'_>, client: &mut Client, facts: &ServerFacts) -> Result<(), EngineError> {
    let name = &pair.standby.service;
    let what = format!("hand over to {name}");
    let functions = ["pg_promote(boolean, integer)", "pg_switch_wal()"];
    may_call(client, name, what.clone(), &functions)?;
    let row = client.query_one(ABOUT, &[]);
    let row = row.map_err(|error| refused(what, &error))?;
    let (status, own): (Option<&str>, Option<&str>) = (row.get(0), row.get(2));
    let cause = if status != Some("streaming") {
        "it streams from nobody, or the role may not see it: start its receiver, or grant \
         pg_read_all_stats to the role"
    } else if row.get::<_, bool>(1) {
        "its replay is paused: call pg_wal_replay_resume() on it"
    } else if own.is_none() {
        "the role may not read how it reaches its primary: grant pg_read_all_settings to it"
    } else if own.is_some_and(|own| redirected(own, &pair.standby.connect).is_err()) {
        "its primary_conninfo is not in words, as host=fra port=5432: write it so"
    } else if !facts.full_page_writes {
        "its full_page_writes is off: set it to on and reload it"
    } else {
        return Ok(());
    };
    Err(pair.refuse_new("hand over to", cause))
}

fn idle(pair: &Pair<'_>, old: &mut Client, new: &mut Client) -> Result<(), EngineError> {
    for (client, service) in [(old, &pair.spec.service), (new, &pair.standby.service)] {
        let what = format!("hand over while {service} is copied");
        let row = client.query_one(COPIES, &[]);
        let running: i64 = row.map_err(|error| refused(&what, &error))?.get(0);
        if running > 0 {
            let cause = format!("{running} backups run: wait until they have ended");
            return Err(EngineError::refused(what, cause));
        }
    }
    Ok(())
}

/// Bytes that are written and not applied. The standby is asked first, so that it is never told
/// too small.
fn lag(pair: &Pair<'_>, old: &mut Client, new: &mut Client) -> Result<u64, EngineError> {
    let what = format!("measure how far {} is behind", pair.standby.service);
    let applied = applied(new, &what)?;
    let written = position(old, &what, "pg_current_wal_insert_lsn()")?;
    Ok(written.map_or(0, |written| written.0.saturating_sub(applied.0)))
}

/// The new primary must have room for the log that it will keep. On another host it cannot be seen.
fn room(
    pair: &Pair<'_>,
    client: &mut Client,
    facts: &ServerFacts,
) -> Result<Option<String>, EngineError> {
    let name = &pair.standby.service;
    let what = format!("ask {name} for the room that it has");
    if !runs_on(&facts.data_directory, client, &what)? {
        let note = format!("{name} is on another host: see that it has room for its log");
        return Ok(Some(note));
    }
    let row = client.query_one(KEEPS, &[]);
    let keeps: i64 = row.map_err(|error| refused(&what, &error))?.get(0);
    let held = space::held(pair.standby)?;
    let needs = keeps.unsigned_abs().saturating_sub(held.bytes);
    if held.free >= needs {
        return Ok(None);
    }
    let (free, needs) = (Bytes(held.free), Bytes(needs));
    let cause = format!(
        "{free} are free where its log lies, and by its max_wal_size it may take {needs} more: make \
         room, or lower max_wal_size"
    );
    Err(pair.refuse_new("hand over to", cause))
}

/// Who is cut off: planc leads nobody to the new primary.
fn sessions(pair: &Pair<'_>, client: &mut Client) -> Result<Option<String>, EngineError> {
    let row = client.query_one(SESSIONS, &[]);
    let what = || format!("ask {} for its sessions", pair.spec.service);
    let row = row.map_err(|error| refused(what(), &error))?;
    let sessions: i64 = row.get(0);
    let standby = &pair.standby.service;
    Ok((sessions > 0)
        .then(|| format!("sessions of clients that are ended: {sessions}; lead them to {standby}")))
}

/// What does not go over.
fn slots(pair: &Pair<'_>, client: &mut Client) -> Result<Option<String>, EngineError> {
    let row = client.query_one(LOGICAL_SLOTS, &[]);
    let what = || format!("ask {} for its slots", pair.spec.service);
    let names: String = row.map_err(|error| refused(what(), &error))?.get(0);
    if names.is_empty() {
        return Ok(None);
    }
    let standby = &pair.standby.service;
    let note = format!("logical slots do not go over: make them on {standby} again: {names}");
    Ok(Some(note))
}
