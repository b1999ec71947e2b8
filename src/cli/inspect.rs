//! `planc log inspect`: what one transaction of a PostgreSQL service touched, when, how it ended,
//! and who touched the same after it; read from the stored log, named by the server when it runs.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io::Write;
use std::sync::Arc;

use jiff::Timestamp;
use serde_json::{Value, json};

use crate::check::Purpose;
use crate::cli::args::{NowArgs, PlanArgs};
use crate::cli::exit::{CliError, Exit};
use crate::cli::list::Form;
use crate::cli::log_status;
use crate::cli::site::{Site, known_service};
use crate::engine::postgres::changes::Relation;
use crate::engine::postgres::find;
use crate::engine::postgres::inspect::{Deed, Ended, Ends, Touched};
use crate::engine::postgres::names::{self, Names};
use crate::engine::postgres::rounds;
use crate::engine::postgres::standing::{self, Archive};
use crate::engine::postgres::stream::{Stop, Stream};
use crate::media::{Device, DeviceError};
use crate::run::open;

/// Transactions that came after and are printed by themselves.
const SHOWN: usize = 20;

/// Arguments of `planc log inspect`.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The service.
    service: String,
    /// The transaction, as `pg_current_xact_id()` or a log line tells it.
    transaction: u64,
    /// Begin with the log of this instant instead of the oldest there is.
    #[arg(long, value_name = "INSTANT")]
    since: Option<Timestamp>,
    /// The form of the answer.
    #[arg(long, value_enum, default_value_t = Form::Human)]
    format: Form,
    #[command(flatten)]
    plan: PlanArgs,
}

/// Reads the log and tells; findings when the transaction is not in it.
pub(super) fn run(args: &Args) -> Result<Exit, CliError> {
    let mut site = Site::look(&args.plan, NowArgs::default(), Purpose::Rescue)?;
    site.ask_devices(None)?;
    let spec = log_status::spec(&site, &args.service)?;
    let Inspected { deed, read, .. } =
        deed(&mut site, &args.service, args.transaction, args.since)?;
    // names are a convenience: without the server there are numbers
    let relations = deed.touched.keys().copied().collect::<Vec<_>>();
    let names = names::ask(&spec, &relations).unwrap_or_default();
    let mut out = std::io::stdout().lock();
    match args.format {
        Form::Json => writeln!(out, "{:#}", as_json(args, &deed, &names, &read))?,
        Form::Human => write!(out, "{}", human(args, &deed, &names, &read))?,
    }
    Ok(Exit::Ok)
}

/// A transaction that was found in the stored log.
pub(super) struct Inspected {
    /// What it did.
    pub(super) deed: Deed,
    /// From where to where the log was read.
    read: String,
    /// The history of the log that was read.
    pub(super) history: String,
}

/// What a transaction did.
///
/// # Errors
/// When the log cannot be read or does not hold the transaction.
pub(super) fn deed(
    site: &mut Site,
    service: &str,
    transaction: u64,
    since: Option<Timestamp>,
) -> Result<Inspected, CliError> {
    let (archive, run) = stored(site, service, since)?;
    let mut first = Ends::of(find::in_log(transaction));
    let mut next = None;
    let read = read(&archive, run, |record| {
        next = rounds::told(record).or(next);
        first.add(record);
    })?;
    let mut second = first.then();
    let _ = self::read(&archive, run, |record| second.add(record))?;
    let is_meant = next.is_none_or(|next| rounds::fits(transaction, next));
    let deed = second.found().filter(|_| is_meant).ok_or_else(|| {
        let message = format!("transaction {transaction} is not in the stored log");
        let silent = site.learned.silent.hint();
        let help =
            format!("read was {read}; name an earlier `--since`, or look at `log status`{silent}");
        CliError::failed(message).help(help)
    })?;
    Ok(Inspected {
        deed,
        read,
        history: archive.course().history.timeline.to_string(),
    })
}

/// The stored log of a service, and the newest of it without a gap.
///
/// # Errors
/// When the log cannot be read, or there is none.
pub(super) fn stored(
    site: &mut Site,
    service: &str,
    since: Option<Timestamp>,
) -> Result<(Archive, standing::Run), CliError> {
    let devices = devices(site, service)?;
    let archive = Archive::of(service, &devices).map_err(device_error)?;
    let archive = archive.ok_or_else(|| {
        CliError::refused(format!("no device holds any log of {service}"))
            .help("`planc log status` tells what is archived")
    })?;
    let run = archive.newest_run(since).map_err(device_error)?;
    Ok((archive, run))
}

fn device_error(error: DeviceError) -> CliError {
    let help = error.help();
    CliError::failed(error).help(help)
}

fn devices(site: &mut Site, service: &str) -> Result<Vec<Arc<dyn Device>>, CliError> {
    let plan = site.plan.plan();
    known_service(plan, service)?;
    let (_, all) = open::log_devices(plan, service);
    let opened = all
        .iter()
        .filter_map(|name| open::device(plan, &site.places, &mut site.catalog, name).ok());
    Ok(opened.collect())
}

/// Reads a run of segments and tells from where to where.
pub(super) fn read(
    archive: &Archive,
    run: standing::Run,
    mut each: impl FnMut(&crate::engine::postgres::records::Record),
) -> Result<String, CliError> {
    let failed: RefCell<Option<DeviceError>> = RefCell::new(None);
    let fetch = |segment| match archive.segment(segment) {
        Ok(bytes) => bytes,
        Err(error) => {
            failed.replace(Some(error));
            None
        }
    };
    let damaged = |stop: &Stop| CliError::failed(format!("the stored log cannot be read: {stop}"));
    let course = archive.course();
    let mut stream = Stream::in_segment(course, run.first, fetch).map_err(|stop| damaged(&stop))?;
    let (mut from, mut until) = (None, None);
    let stop = loop {
        match stream.read() {
            Ok(record) => {
                from.get_or_insert(record.lsn);
                until = Some(record.end);
                each(&record);
            }
            Err(stop) => break stop,
        }
    };
    if let Some(error) = failed.into_inner() {
        return Err(device_error(error));
    }
    // the last record may go on in a segment that is not finished yet
    if until.is_none_or(|end| end < run.last_begins) {
        return Err(damaged(&stop));
    }
    let text = |lsn: Option<crate::engine::postgres::lsn::Lsn>| {
        lsn.map_or_else(|| "nothing".to_owned(), |lsn| lsn.to_string())
    };
    Ok(format!("{} to {}", text(from), text(until)))
}

fn state((ended, at): (Ended, Timestamp)) -> String {
    match ended {
        Ended::Committed(lsn) => format!("committed at {at}, {lsn}"),
        Ended::RolledBack(lsn) => format!("rolled back at {at}, {lsn}"),
    }
}

fn human(args: &Args, deed: &Deed, names: &Names, read: &str) -> String {
    let mut out = String::new();
    let place = |lsn: Option<crate::engine::postgres::lsn::Lsn>| {
        lsn.map_or_else(|| "?".to_owned(), |lsn| lsn.to_string())
    };
    let ended = deed.ended.map_or_else(
        || "its end is not in the log that was read".to_owned(),
        state,
    );
    // writing to a string cannot fail
    let _ = writeln!(out, "transaction {}: {ended}", args.transaction);
    let (first, last) = (place(deed.first), place(deed.last));
    let _ = writeln!(out, "  {} records, {first} to {last}", deed.records);
    if !deed.below.is_empty() {
        let _ = writeln!(out, "  with {} subtransactions", deed.below.len());
    }
    let _ = writeln!(out, "touched:");
    for (relation, blocks) in &deed.touched {
        let _ = writeln!(out, "  {}  {} blocks", name(*relation, names), blocks.len());
    }
    if deed.later.is_empty() {
        let _ = writeln!(out, "nobody touched the same pages after it");
    } else {
        let _ = writeln!(
            out,
            "{} transactions touched the same pages after it:",
            deed.later.len()
        );
    }
    for (xid, later) in deed.later.iter().take(SHOWN) {
        let ended = later.ended.map_or_else(|| "no end read".to_owned(), state);
        let _ = writeln!(out, "  {xid}: {ended}; {}", same(&later.same, names));
    }
    if deed.later.len() > SHOWN {
        let _ = writeln!(out, "  and {} more", deed.later.len() - SHOWN);
    }
    let _ = writeln!(out, "read was {read}");
    out
}

fn same(of: &Touched, names: &Names) -> String {
    let parts = of
        .iter()
        .map(|(relation, blocks)| format!("{} blocks of {}", blocks.len(), name(*relation, names)));
    parts.collect::<Vec<_>>().join(", ")
}

/// The name, or the numbers of its file.
pub(super) fn name(relation: Relation, names: &Names) -> String {
    let Relation {
        tablespace,
        database,
        number,
    } = relation;
    match names.get(&relation) {
        Some(name) => name.clone(),
        None => format!("{tablespace}/{database}/{number}"),
    }
}

fn as_json(args: &Args, deed: &Deed, names: &Names, read: &str) -> Value {
    let ended = |ended: Option<(Ended, Timestamp)>| {
        ended.map(|(how, at)| match how {
            Ended::Committed(lsn) => {
                json!({"state": "committed", "at": at, "position": lsn.to_string()})
            }
            Ended::RolledBack(lsn) => {
                json!({"state": "rolled back", "at": at, "position": lsn.to_string()})
            }
        })
    };
    let touched = |of: &Touched| -> Vec<Value> {
        let one = of.iter().map(|(relation, blocks)| {
            json!({
                "relation": name(*relation, names),
                "file": [relation.tablespace, relation.database, relation.number],
                "blocks": blocks.range(0, u32::MAX).collect::<Vec<_>>(),
            })
        });
        one.collect()
    };
    let later: BTreeMap<String, Value> = deed
        .later
        .iter()
        .map(|(xid, later)| {
            let value = json!({"ended": ended(later.ended), "same": touched(&later.same)});
            (xid.to_string(), value)
        })
        .collect();
    json!({
        "format": "planc-log-inspect/1",
        "service": args.service,
        "transaction": args.transaction,
        "ended": ended(deed.ended),
        "first": deed.first.map(|lsn| lsn.to_string()),
        "last": deed.last.map(|lsn| lsn.to_string()),
        "records": deed.records,
        "subtransactions": deed.below,
        "touched": touched(&deed.touched),
        "later": later,
        "read": read,
    })
}
