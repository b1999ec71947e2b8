//! `planc log list` of a PostgreSQL service: what was committed in the newest stored log, so that
//! the transaction that did harm is found by its time, its size and what it removed.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::io::Write;

use jiff::{RoundMode, Timestamp, TimestampRound, Unit};
use serde_json::{Value, json};

use crate::cli::exit::{CliError, Exit};
use crate::cli::inspect;
use crate::cli::list::Form;
use crate::cli::log::Choice;
use crate::cli::log_status;
use crate::cli::site::Site;
use crate::engine::postgres::commits::{Commit, Commits};
use crate::engine::postgres::names::{self, Names};

/// So many segments are read unless an instant is named.
const SEGMENTS: u64 = 64;

/// Lists what was committed.
pub(super) fn list(
    site: &mut Site,
    service: &str,
    choice: Choice,
    form: Form,
) -> Result<Exit, CliError> {
    let (archive, mut run) = inspect::stored(site, service, choice.since)?;
    if choice.since.is_none() {
        run = archive.at_most(run, SEGMENTS);
    }
    let mut commits = Commits::default();
    let read = inspect::read(&archive, run, |record| commits.add(record))?;
    let mut found = commits.found();
    if let Some(since) = choice.since {
        found.retain(|one| one.at >= since);
    }
    choice.keep(&mut found, |one| one.pages);
    let wanted: BTreeSet<_> = found.iter().filter_map(|one| one.most).collect();
    let spec = log_status::spec(site, service)?;
    // names are a convenience: without the server there are numbers
    let names = names::ask(&spec, &wanted.into_iter().collect::<Vec<_>>()).unwrap_or_default();
    let mut out = std::io::stdout().lock();
    match form {
        Form::Json => writeln!(out, "{:#}", as_json(service, &found, &names, &read))?,
        Form::Human => write!(out, "{}", human(service, &found, &names, &read))?,
    }
    Ok(Exit::Ok)
}

/// Rounded up, so that the time as it is printed is one at which the transaction is there.
pub(super) fn committed_at(at: Timestamp) -> String {
    let up = TimestampRound::new()
        .smallest(Unit::Millisecond)
        .mode(RoundMode::Ceil);
    format!("{:.3}", at.round(up).unwrap_or(at))
}

fn human(service: &str, found: &[Commit], names: &Names, read: &str) -> String {
    let mut out = String::new();
    for one in found {
        let (transaction, at, pages) = (one.transaction, committed_at(one.at), one.pages);
        // writing to a string cannot fail
        let _ = write!(out, "  {transaction}  {at}  {pages} pages");
        if let Some(most) = one.most {
            let _ = write!(out, ", most of {}", inspect::name(most, names));
        }
        match one.removed_files {
            0 => {}
            1 => out.push_str("; removes 1 file"),
            files => {
                let _ = write!(out, "; removes {files} files");
            }
        }
        for oid in &one.dropped_databases {
            let _ = write!(out, "; drops database {oid}");
        }
        if let Some(until) = one.whole_until {
            let _ = write!(out, ", whole with `--at {until}`");
        }
        out.push('\n');
    }
    let _ = writeln!(
        out,
        "read was {read}; `--since INSTANT` begins earlier, and `planc log inspect {service} NUMBER` \
         tells what one touched"
    );
    out
}

fn as_json(service: &str, found: &[Commit], names: &Names, read: &str) -> Value {
    let one = |one: &Commit| {
        json!({
            "transaction": one.transaction.to_string(),
            "position": one.end.to_string(),
            "at": one.at,
            "pages": one.pages,
            "most": one.most.map(|most| inspect::name(most, names)),
            "removed_files": one.removed_files,
            "dropped_databases": one.dropped_databases,
            "whole_until": one.whole_until.map(|until| until.to_string()),
        })
    };
    let transactions: Vec<Value> = found.iter().map(one).collect();
    json!({
        "format": "planc-log/1", "service": service, "transactions": transactions, "read": read,
    })
}
