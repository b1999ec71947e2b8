//! `planc log stream`: receives the log of a PostgreSQL service as it is written. It stays in the
//! foreground, for a supervisor of services to keep running.

use std::collections::BTreeSet;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use serde::Serialize;

use crate::cli::args::{NowArgs, PlanArgs};
use crate::cli::exit::{CliError, Exit};
use crate::cli::load;
use crate::cli::log_status;
use crate::cli::site::{self, Site};
use crate::cli::wal;
use crate::durable;
use crate::engine::postgres::receive::{self, Lag, ReceiveRequest};
use crate::engine::postgres::slots::{self, SlotLag};
use crate::media::name;
use crate::quantity::Bytes;
use crate::resolve::plan::{ResolvedPlan, Stream};
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
    folder: Option<PathBuf>,
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
    let (plan, service) = (args.plan.clone(), args.service.clone());
    let anew = move || {
        let loaded = load::loaded_without_facts(&plan, NowArgs::default()).ok()?;
        wal::streamed(&service, &loaded).ok()
    };
    let state = site::places(&loaded)?.state;
    let bound = bound(loaded.plan.plan(), &args.service);
    let tails = streamed_to(loaded.plan.plan(), &args.service);
    let site = Site::of(loaded, NowArgs::default())?;
    let spec = log_status::spec(&site, &args.service)?;
    let folder = state.join("streams").join(name::escape(&args.service));
    let slot = args.slot.clone().unwrap_or_else(|| slot_of(&args.service));
    note_slot(&state, &args.service, &slot)?;
    let request = ReceiveRequest {
        spec,
        push,
        anew: Box::new(anew),
        tails,
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

fn streams<'a>(plan: &'a ResolvedPlan, service: &str) -> impl Iterator<Item = &'a Stream> {
    let archives = plan.archives.iter();
    let own = archives.filter(move |one| plan.service(one.service).name == service);
    own.flat_map(|one| &one.streams)
}

/// The lag that the plan allows.
fn bound(plan: &ResolvedPlan, service: &str) -> Option<u64> {
    let bounds = streams(plan, service).filter_map(|one| one.lag);
    bounds.map(|lag| lag.0).min()
}

/// Names of the devices that the plan streams to.
fn streamed_to(plan: &ResolvedPlan, service: &str) -> BTreeSet<String> {
    let devices = streams(plan, service).map(|one| plan.device(one.device).name.clone());
    devices.collect()
}

/// How the stream of a service stands.
#[derive(Debug, Serialize)]
pub(super) struct StreamStatus {
    service: String,
    slot: String,
    /// Bytes that the receiver has not durably.
    behind: Option<u64>,
    /// The lag that the plan allows.
    allowed: Option<u64>,
    /// What is wrong with it.
    pub(super) trouble: Option<String>,
}

impl StreamStatus {
    pub(super) fn words(&self) -> String {
        let (service, slot) = (&self.service, &self.slot);
        let behind = self
            .behind
            .map_or("unknown".to_owned(), |bytes| Bytes(bytes).to_string());
        match &self.trouble {
            None => format!("stream of {service}: {behind} behind on slot {slot}"),
            Some(trouble) => format!("stream of {service}: {trouble}"),
        }
    }
}

/// The file in the state folder that names the slot of a service's last stream.
fn slot_note(state: &Path, service: &str) -> PathBuf {
    let name = format!("{}.slot", name::escape(service));
    state.join("streams").join(name)
}

/// Notes on which slot a stream receives, for those who ask how it stands.
fn note_slot(state: &Path, service: &str, slot: &str) -> Result<(), CliError> {
    let path = slot_note(state, service);
    let made = durable::make_folder(durable::parent(&path), durable::OPEN);
    let written = made.and_then(|()| {
        durable::replace(&path, |file| {
            file.write_all(slot.as_bytes())?;
            // who asks may be another user
            file.set_permissions(std::os::unix::fs::PermissionsExt::from_mode(0o644))
        })
    });
    written.map_err(|error| CliError::failed(format!("cannot write {}: {error}", path.display())))
}

/// The slot of the last stream of a service from here; the one that a stream takes when it is told
/// no other, when there was none.
fn noted_slot(state: &Path, service: &str) -> String {
    let noted = std::fs::read_to_string(slot_note(state, service)).unwrap_or_default();
    match noted.trim() {
        "" => slot_of(service),
        slot => slot.to_owned(),
    }
}

/// Asks the server of every service whose log the plan streams, by the slot of its last stream.
pub(super) fn standings(site: &Site) -> Vec<StreamStatus> {
    let plan = site.plan.plan();
    let streamed = plan.archives.iter().filter(|one| !one.streams.is_empty());
    let services: BTreeSet<&str> = streamed
        .map(|one| plan.service(one.service).name.as_str())
        .collect();
    services
        .into_iter()
        .map(|service| standing(site, service))
        .collect()
}

fn standing(site: &Site, service: &str) -> StreamStatus {
    let slot = noted_slot(&site.places.state, service);
    let allowed = bound(site.plan.plan(), service);
    let found = log_status::spec(site, service)
        .map_err(|error| error.message)
        .and_then(|spec| slots::look(&spec, &slot).map_err(|error| error.to_string()));
    let (behind, trouble) = judged(service, &slot, found, allowed);
    StreamStatus {
        service: service.to_owned(),
        slot,
        behind,
        allowed,
        trouble,
    }
}

/// The lag, and what is wrong.
fn judged(
    service: &str,
    slot: &str,
    found: Result<Option<SlotLag>, String>,
    allowed: Option<u64>,
) -> (Option<u64>, Option<String>) {
    let chosen = if slot == slot_of(service) {
        String::new()
    } else {
        format!(" --slot {slot}")
    };
    let start = format!("start `planc log stream {service}{chosen}`");
    match found {
        Err(cause) => (None, Some(format!("it cannot be asked: {cause}"))),
        Ok(None) => (
            None,
            Some(format!("the server has no slot {slot}: {start}")),
        ),
        Ok(Some(lag)) => {
            let bytes = Bytes(lag.bytes.unwrap_or(0));
            let trouble = if lag.lost {
                let words = "the server has let go of log that it needs; drop the slot";
                Some(format!(
                    "slot {slot}: {words}, then {start} and take a new full"
                ))
            } else if !lag.active {
                Some(format!(
                    "nobody receives on slot {slot}, {bytes} behind: {start}"
                ))
            } else {
                let late = allowed.filter(|most| bytes.0 > *most).map(Bytes);
                late.map(|most| format!("{bytes} behind, the plan allows {most}"))
            };
            (lag.bytes, trouble)
        }
    }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stream_is_judged_by_its_slot() {
        let slot = |active, bytes, lost| SlotLag {
            active,
            bytes: Some(bytes),
            lost,
        };
        let cases = [
            (Err("down".to_owned()), Some("cannot be asked: down")),
            (
                Ok(None),
                Some("no slot planc_shop: start `planc log stream shop`"),
            ),
            (Ok(Some(slot(false, 0, false))), Some("nobody receives")),
            (Ok(Some(slot(false, 9, true))), Some("has let go of log")),
            (
                Ok(Some(slot(true, 11, false))),
                Some("the plan allows 10 B"),
            ),
            (Ok(Some(slot(true, 10, false))), None),
        ];
        let (_, other) = judged("shop", "mine", Ok(None), None);
        let other = other.expect("there is no slot");
        assert!(
            other.contains("start `planc log stream shop --slot mine`"),
            "{other}"
        );
        for (found, words) in cases {
            let (_, trouble) = judged("shop", "planc_shop", found, Some(10));
            match (trouble, words) {
                (Some(told), Some(words)) => assert!(told.contains(words), "{told}"),
                (None, None) => {}
                (told, words) => panic!("{told:?} {words:?}"),
            }
        }
    }
}
