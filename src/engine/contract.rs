//! Owns the suite that every engine passes, the fake included. It answers with the rule that was
//! broken; it asserts nothing by itself. A subject says how its source is changed and compared.

use std::fs;
use std::path::{Path, PathBuf};

use jiff::{SignedDuration, Timestamp};

use super::memory::{MemoryLog, MemoryPart};
use super::{EndedBackup, Engine, EngineError, LogRange, RestoreSession};
use crate::facts::holdings::{Method, Position};
use crate::graph::step::RecoveryTarget;

/// A source under test.
pub trait Subject {
    /// Its engine; the same value each time.
    fn engine(&self) -> &dyn Engine;
    /// Commits one change that [`Subject::live`] shows.
    fn change(&mut self);
    /// The content of the source, in a form to compare.
    fn live(&self) -> String;
    /// The content of a restored copy in the same form.
    fn restored(&self, path: &Path) -> String;
    /// Where the source lives.
    fn place(&self) -> PathBuf;
}

type Verdict = Result<(), String>;

/// Runs all rules; `scratch` is an empty folder.
///
/// # Errors
/// The rule that was broken, and how.
pub fn hold(subject: &mut dyn Subject, scratch: &Path) -> Result<(), String> {
    subject.change();
    identity_is_stable(subject)?;
    live_target_is_refused(subject, scratch)?;
    methods_match_the_table(subject)?;
    dropped_session_leaves_backup_mode(subject)?;
    copy_is_equal(subject, scratch)?;
    if subject.engine().capabilities().log {
        log_has_no_gap(subject, scratch)?;
    } else {
        no_log_is_said(subject)?;
    }
    Ok(())
}

fn told(rule: &str) -> impl Fn(EngineError) -> String {
    let rule = rule.to_owned();
    move |error| format!("{rule}: {error}")
}

fn same(rule: &str, left: &str, right: &str) -> Verdict {
    if left == right {
        return Ok(());
    }
    Err(format!("{rule}: {left:?} is not {right:?}"))
}

fn at(second: i64) -> Timestamp {
    let seconds = SignedDuration::from_secs(1_800_000_000 + second);
    Timestamp::from_duration(seconds).unwrap_or(Timestamp::UNIX_EPOCH)
}

fn identity_is_stable(subject: &mut dyn Subject) -> Verdict {
    let rule = "the identity stays while the source changes";
    let first = subject.engine().identity().map_err(told(rule))?;
    subject.change();
    let second = subject.engine().identity().map_err(told(rule))?;
    same(rule, &first, &second)
}

fn live_target_is_refused(subject: &dyn Subject, scratch: &Path) -> Verdict {
    let engine = subject.engine();
    if engine.check_target(&subject.place()).is_ok() {
        return Err("the live source is refused as a target".to_owned());
    }
    let full = scratch.join("full");
    fs::create_dir(&full)
        .and_then(|()| fs::write(full.join("file"), "x"))
        .map_err(|error| error.to_string())?;
    if engine.check_target(&full).is_ok() {
        return Err("a target with content is refused".to_owned());
    }
    let fresh = scratch.join("fresh");
    engine
        .check_target(&fresh)
        .map_err(told("a free target is taken"))
}

fn methods_match_the_table(subject: &dyn Subject) -> Verdict {
    let engine = subject.engine();
    for method in [
        Method::PhysicalFull,
        Method::PhysicalIncremental,
        Method::PhysicalDifferential,
        Method::Logical,
    ] {
        let listed = engine.capabilities().methods.contains(&method);
        let answer = engine.begin("c", method, at(0));
        let works = match &answer {
            Ok(_) => true,
            Err(EngineError::Unsupported { .. }) => false,
            Err(error) => return Err(format!("{} can begin: {error}", method.words())),
        };
        if works != listed {
            return Err(format!("{} is as the table says", method.words()));
        }
    }
    Ok(())
}

fn dropped_session_leaves_backup_mode(subject: &mut dyn Subject) -> Verdict {
    let rule = "a dropped session leaves backup mode";
    let session = subject.engine().begin("c", Method::PhysicalFull, at(1));
    drop(session.map_err(told(rule))?);
    subject.change();
    let session = subject.engine().begin("c", Method::PhysicalFull, at(2));
    session
        .map_err(told(rule))?
        .end()
        .map(drop)
        .map_err(told(rule))
}

type Copy = (MemoryPart, EndedBackup);

fn full(engine: &dyn Engine, now: i64) -> Result<Copy, EngineError> {
    let mut session = engine.begin("c", Method::PhysicalFull, at(now))?;
    let mut part = MemoryPart::default();
    session.copy(&mut part)?;
    Ok((part, session.end()?))
}

fn build(
    engine: &dyn Engine,
    copy: &Copy,
    ranges: &[LogRange],
    until: &RecoveryTarget,
    staging: &Path,
) -> Result<Box<dyn RestoreSession>, EngineError> {
    fs::create_dir_all(staging).map_err(EngineError::io("create", staging))?;
    let mut session = engine.restore(staging)?;
    copy.0.play(session.as_mut(), &copy.1)?;
    let mut earlier = ranges.iter().rev().cloned();
    session.foresee(until, &mut || Ok(earlier.next()))?;
    for range in ranges {
        if session.apply(range, until)? {
            break;
        }
    }
    session.check()?;
    Ok(session)
}

fn copy_is_equal(subject: &mut dyn Subject, scratch: &Path) -> Verdict {
    let rule = "a restored copy is equal to the source";
    let wanted = subject.live();
    let copy = full(subject.engine(), 10).map_err(told(rule))?;
    subject.change();
    let until = RecoveryTarget::Backup;
    let session = build(subject.engine(), &copy, &[], &until, &scratch.join("copy"));
    let session = session.map_err(told(rule))?;
    if !session.result().starts_with(scratch.join("copy")) {
        return Err("the result lies in the staging folder".to_owned());
    }
    same(rule, &subject.restored(&session.result()), &wanted)
}

fn no_log_is_said(subject: &dyn Subject) -> Verdict {
    match subject
        .engine()
        .archive(None, at(20), &mut MemoryLog::default())
    {
        Err(EngineError::Unsupported { .. }) => Ok(()),
        other => Err(format!("an engine without log says so: {other:?}")),
    }
}

fn archive(subject: &dyn Subject, now: i64, log: &mut MemoryLog) -> Result<Position, String> {
    let after = log.ranges.last().map(|range| range.until.clone());
    let archived = subject.engine().archive(after.as_ref(), at(now), log);
    let archived = archived.map_err(told("log is archived"))?;
    if let Some(reason) = archived.broken {
        return Err(format!("an unbroken chain is not called broken: {reason}"));
    }
    archived
        .position
        .ok_or_else(|| "an archived log has a position".to_owned())
}

fn log_has_no_gap(subject: &mut dyn Subject, scratch: &Path) -> Verdict {
    let mut log = MemoryLog::default();
    archive(subject, 30, &mut log)?;
    let copy = full(subject.engine(), 31).map_err(told("a full is taken"))?;
    let mut states = vec![subject.live()];
    let mut first = 0;
    for round in 0..3 {
        for _ in 0..2 {
            subject.change();
            states.push(subject.live());
        }
        let reached = archive(subject, 40 + 10 * round, &mut log)?;
        first = reached.value.saturating_sub(states.len() as u64 - 1);
    }
    let joints = log
        .ranges
        .windows(2)
        .all(|pair| pair[0].until == pair[1].from);
    if !joints {
        return Err("ranges join without a gap".to_owned());
    }
    let ranges: Vec<LogRange> = log.ranges.clone();
    let incarnation = match ranges.last() {
        Some(range) => range.until.incarnation.clone(),
        None => return Err("committed log is handed to the sink".to_owned()),
    };
    let position = |value: u64| Position {
        incarnation: incarnation.clone(),
        value,
    };
    let targets = [
        (RecoveryTarget::Latest, 6),
        (RecoveryTarget::Backup, 0),
        (RecoveryTarget::Instant(at(45)), 2),
        (RecoveryTarget::Transaction(position(first + 3)), 3),
        (RecoveryTarget::Before(position(first + 6)), 5),
    ];
    for (number, (until, wanted)) in targets.into_iter().enumerate() {
        let staging = scratch.join(format!("target-{number}"));
        let session = build(subject.engine(), &copy, &ranges, &until, &staging);
        let session = session.map_err(told(&format!("{until:?} is reached")))?;
        let found = subject.restored(&session.result());
        same(&format!("{until:?} is exact"), &found, &states[wanted])?;
    }
    beyond_and_gaps_are_refused(subject, (&copy, &ranges), &position(first + 100), scratch)
}

fn beyond_and_gaps_are_refused(
    subject: &dyn Subject,
    (copy, ranges): (&Copy, &[LogRange]),
    beyond: &Position,
    scratch: &Path,
) -> Verdict {
    let engine = subject.engine();
    let until = RecoveryTarget::Transaction(beyond.clone());
    match build(engine, copy, ranges, &until, &scratch.join("beyond")) {
        Err(EngineError::NotReached(_)) => {}
        _ => return Err("a target beyond the log is not reached".to_owned()),
    }
    let gap = &ranges[ranges.len() - 1..];
    match build(
        engine,
        copy,
        gap,
        &RecoveryTarget::Latest,
        &scratch.join("gap"),
    ) {
        Err(EngineError::ChainBroken { .. }) => Ok(()),
        _ => Err("a gap in the log is refused".to_owned()),
    }
}
