//! `planc log stream`: receives the log of a PostgreSQL service as it is written. It stays in the
//! foreground, for a supervisor of services to keep running.

use std::io::Write;
use std::time::{Duration, Instant};

use crate::cli::args::{NowArgs, PlanArgs};
use crate::cli::exit::{CliError, Exit};
use crate::cli::load;
use crate::cli::log_status;
use crate::cli::site::{self, Site};
use crate::cli::wal;
use crate::engine::postgres::receive::{self, Lag, ReceiveRequest};
use crate::media::name;
use crate::quantity::Bytes;
use crate::run::Stop;

/// Arguments of `planc log stream`.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The service.
    service: String,
    /// The slot on the server; `planc_SERVICE` when nothing is said.
    #[arg(long, value_name = "NAME")]
    slot: Option<String>,
    /// Folder for what is not on the devices yet; in the state folder when nothing is said.
    #[arg(long, value_name = "FOLDER")]
    folder: Option<std::path::PathBuf>,
    /// Say every so many seconds how far behind the stream is.
    #[arg(long, value_name = "SECONDS", default_value_t = 60)]
    every: u64,
    #[command(flatten)]
    plan: PlanArgs,
}

/// Receives until a signal comes.
pub(super) fn run(args: &Args) -> Result<Exit, CliError> {
    let stop = Stop::on_signals(Exit::Resumable.code())
        .map_err(|error| CliError::refused(format!("cannot watch for signals: {error}")))?;
    let loaded = load::loaded_without_facts(&args.plan, NowArgs::default())?;
    let push = wal::streamed(&args.service, &loaded)?;
    let state = site::places(&loaded)?.state;
    let bound = bound(&args.service, &loaded);
    let site = Site::of(loaded, NowArgs::default())?;
    let spec = log_status::spec(&site, &args.service)?;
    let folder = state.join("streams").join(name::escape(&args.service));
    let slot = args.slot.clone().unwrap_or_else(|| slot_of(&args.service));
    let request = ReceiveRequest {
        spec,
        push,
        folder: args.folder.clone().unwrap_or(folder),
        slot,
    };
    let mut last: Option<(Instant, Option<String>)> = None;
    let every = Duration::from_secs(args.every);
    let mut tell = |lag: &Lag| {
        let due = last.as_ref().is_none_or(|(at, _)| at.elapsed() >= every);
        let changed = last
            .as_ref()
            .is_some_and(|(_, trouble)| *trouble != lag.trouble);
        if due || changed {
            // when stderr is gone there is nobody left to tell
            let _ = writeln!(std::io::stderr(), "{}", words(&args.service, lag, bound));
            last = Some((Instant::now(), lag.trouble.clone()));
        }
    };
    let lag = receive::receive(&request, &|| stop.asked(), &mut tell).map_err(|error| {
        let help = error.help();
        CliError::failed(error).help(help)
    })?;
    writeln!(std::io::stderr(), "{}", words(&args.service, &lag, bound))?;
    Ok(Exit::Ok)
}

/// The lag that the plan allows.
fn bound(service: &str, loaded: &load::Loaded) -> Option<u64> {
    let plan = loaded.plan.plan();
    let archives = plan.archives.iter();
    let own = archives.filter(|one| plan.service(one.service).name == service);
    let bounds = own.flat_map(|one| &one.streams).filter_map(|one| one.lag);
    bounds.map(|lag| lag.0).min()
}

fn words(service: &str, lag: &Lag, bound: Option<u64>) -> String {
    let late = match bound {
        Some(bound) if lag.bytes > bound => format!(", more than the {} allowed", Bytes(bound)),
        _ => String::new(),
    };
    let trouble = lag.trouble.as_ref();
    let trouble = trouble.map_or_else(String::new, |cause| format!("; trouble: {cause}"));
    format!(
        "{service}: {} behind{late}, at most {} so far, {} segments stored, {} restarts{trouble}",
        Bytes(lag.bytes),
        Bytes(lag.worst),
        lag.stored,
        lag.restarts
    )
}

/// Slots have names of lower-case letters, digits and underscores.
fn slot_of(service: &str) -> String {
    let plain = |c: char| {
        if c.is_ascii_alphanumeric() {
            c.to_ascii_lowercase()
        } else {
            '_'
        }
    };
    format!("planc_{}", service.chars().map(plain).collect::<String>())
}
