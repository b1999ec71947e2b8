//! `planc log status`: how far the stored log reaches without a gap, and what is at risk. For
//! PostgreSQL it asks devices and server, because the server's calls leave the catalog alone.

use std::fmt::Write as _;
use std::io::Write;
use std::sync::Arc;

use jiff::SignedDuration;
use serde_json::{Value, json};

use crate::check::Purpose;
use crate::cli::args::{NowArgs, PlanArgs};
use crate::cli::chains::{Chain, chains};
use crate::cli::exit::{CliError, Exit};
use crate::cli::list::Form;
use crate::cli::site::{Site, known_service};
use crate::cli::stream;
use crate::engine::postgres::PostgresSpec;
use crate::engine::postgres::chains::{State, Stretch, TimelineProof};
use crate::engine::postgres::lsn::{Lsn, Segment, SegmentSize};
use crate::engine::postgres::standing::{self, Standing, Window};
use crate::facts::holdings::{LogHolding, Position};
use crate::media::Device;
use crate::quantity::{Bytes, Duration};
use crate::resolve::plan::EngineKind;
use crate::run::open;

/// The archive of one PostgreSQL service.
struct Looked {
    service: String,
    standing: Option<Standing>,
    /// Devices that cannot be reached, with the cause.
    away: Vec<String>,
    /// Where stored log leads no further though its segment does, by the catalog.
    unlogged: Vec<Position>,
}

/// Prints chains and standings; findings when something is lost, an archive command fails,
/// or a device is away.
pub(super) fn status(form: Form, which: &PlanArgs) -> Result<Exit, CliError> {
    let mut site = Site::look(which, NowArgs::default(), Purpose::Rescue)?;
    let plan = site.plan.plan();
    let services = plan.services.iter();
    let own = services.filter(|one| one.engine == EngineKind::Postgresql);
    // a standby has no archive of its own
    let own = own.filter(|one| !open::log_devices(plan, &one.name).1.is_empty());
    let names: Vec<String> = own.map(|one| one.name.clone()).collect();
    let mut archives = Vec::new();
    for name in &names {
        archives.push(archive(&mut site, name)?);
    }
    let streams = stream::standings(&site);
    let mut logs = site.holdings()?.logs;
    for archive in &mut archives {
        archive.unlogged = unlogged(&logs, archive);
    }
    logs.retain(|log| !names.contains(&log.service));
    let mut out = std::io::stdout().lock();
    match form {
        Form::Json => {
            let chains: Vec<_> = chains(&logs, |_, _| true).iter().map(chain_json).collect();
            let archives: Vec<_> = archives.iter().map(archive_json).collect();
            let value = json!({
                "format": "planc-log-status/1", "chains": chains, "archives": archives,
                "streams": streams
            });
            writeln!(out, "{value:#}")?;
        }
        Form::Human => {
            write!(out, "{}", human(&logs, &archives))?;
            for one in &streams {
                writeln!(out, "{}", one.words())?;
            }
        }
    }
    let lost = archives.iter().filter_map(|one| one.standing.as_ref());
    let lost = lost
        .flat_map(|one| &one.timelines)
        .any(|one| one.count(State::Lost) > 0);
    let servers = archives.iter().filter_map(|one| one.standing.as_ref());
    let mut servers = servers.filter_map(|standing| standing.writing.as_ref().ok());
    let fails = servers.any(|writing| writing.failing.is_some());
    let late = streams.iter().any(|one| one.trouble.is_some());
    // what could not be looked at may be lost
    let away = archives.iter().any(|one| !one.away.is_empty());
    Ok(if lost || fails || late || away {
        Exit::Findings
    } else {
        Exit::Ok
    })
}

fn archive(site: &mut Site, service: &str) -> Result<Looked, CliError> {
    let plan = site.plan.plan();
    let (required, all) = open::log_devices(plan, service);
    let (mut devices, mut away): (Vec<Arc<dyn Device>>, Vec<String>) = (Vec::new(), Vec::new());
    for name in &all {
        match open::device(plan, &site.places, &mut site.catalog, name) {
            Ok(device) => devices.push(device),
            Err(error) => away.push(error.to_string()),
        }
    }
    let spec = spec(site, service)?;
    let now = NowArgs::default().now();
    let standing = standing::look(&spec, &devices, &required, now).map_err(|error| {
        let help = error.help();
        CliError::failed(error).help(help)
    })?;
    Ok(Looked {
        service: service.to_owned(),
        standing,
        away,
        unlogged: Vec::new(),
    })
}

/// Where the server was set to `wal_level = minimal`: stored log ends there, inside a segment.
fn unlogged(logs: &[LogHolding], archive: &Looked) -> Vec<Position> {
    let Some(standing) = &archive.standing else {
        return Vec::new();
    };
    let segment = standing.claim.segment_size.bytes();
    let own = logs.iter().filter(|log| log.service == archive.service);
    let inside = own.filter(|log| !log.until.value.is_multiple_of(segment));
    inside.map(|log| log.until.clone()).collect()
}

/// How to reach the server of a service.
pub(super) fn spec(site: &Site, service: &str) -> Result<PostgresSpec, CliError> {
    known_service(site.plan.plan(), service)?;
    let source = open::source(site.plan.plan(), &site.places, service);
    let spec = source.and_then(|source| PostgresSpec::of(&source));
    spec.map_err(CliError::failed)
}

fn human(logs: &[LogHolding], archives: &[Looked]) -> String {
    let mut out = String::new();
    for chain in chains(logs, |_, _| true) {
        let service = &chain.first.service;
        let (from, until) = (chain.first.from.name(), chain.last.until.reach());
        let (first, last) = (chain.first.first_at, chain.last.last_at);
        let bytes = Bytes(chain.bytes);
        // writing to a string cannot fail
        let _ = writeln!(
            out,
            "{service}  {from} to {until}  {first:.0} to {last:.0}  {bytes}"
        );
    }
    for archive in archives {
        human_archive(&mut out, archive);
    }
    if out.is_empty() {
        out.push_str("no stored log\n");
    }
    out
}

fn human_archive(out: &mut String, archive: &Looked) {
    let service = &archive.service;
    for cause in &archive.away {
        let _ = writeln!(out, "{service}  not looked at: {cause}");
    }
    let Some(standing) = &archive.standing else {
        let said = if archive.away.is_empty() {
            "no server has archived here yet"
        } else {
            "no log lies on the devices that were looked at"
        };
        let _ = writeln!(out, "{service}  {said}");
        return;
    };
    let size = standing.claim.segment_size;
    let system = standing.claim.system_identifier;
    let _ = writeln!(out, "{service}  system {system}");
    for proof in &standing.timelines {
        human_timeline(out, proof, size);
    }
    for at in &archive.unlogged {
        let at = Lsn(at.value);
        let _ = writeln!(
            out,
            "  from {at} on the server ran with wal_level = minimal: not all that it did is in the \
             log, so no copy made before leads beyond"
        );
    }
    match &standing.writing {
        Ok(writing) => {
            let (timeline, position) = (writing.timeline.number(), writing.position);
            let _ = writeln!(out, "  the server writes timeline {timeline} at {position}");
            if let Some(file) = &writing.failing {
                let _ = writeln!(
                    out,
                    "  its archive command fails for {file}: the server's log tells why"
                );
            }
            if let Some(within) = writing.ends_within {
                let within = milliseconds(within);
                let _ = writeln!(
                    out,
                    "  it ends a segment by itself after {within} (archive_timeout): planc ends none \
                     where the plan ships no more often"
                );
            }
        }
        Err(cause) => {
            let _ = writeln!(
                out,
                "  the server cannot be asked, so nothing counts as in flight: {cause}"
            );
        }
    }
    let _ = writeln!(out, "  {}", window_words(&standing.window));
}

fn human_timeline(out: &mut String, proof: &TimelineProof, size: SegmentSize) {
    let number = proof.timeline.number();
    let from = proof.from.map_or_else(String::new, |(timeline, lsn)| {
        format!(", from timeline {} at {lsn}", timeline.number())
    });
    let left = proof
        .left_at
        .map_or_else(String::new, |lsn| format!(", left at {lsn}"));
    let _ = writeln!(out, "  timeline {number}{from}{left}");
    for stretch in &proof.stretches {
        let name = |number: u64| {
            Segment {
                timeline: proof.timeline,
                number,
            }
            .name(size)
        };
        let count = stretch.last - stretch.first + 1;
        let (state, until) = (stretch.state.words(), end_of(stretch, size));
        let missing = missing(stretch);
        let _ = writeln!(
            out,
            "    {state:<9}  {} to {}  {count} segments, until {until}{missing}",
            name(stretch.first),
            name(stretch.last),
        );
    }
}

fn end_of(stretch: &Stretch, size: SegmentSize) -> Lsn {
    Lsn((stretch.last + 1).saturating_mul(size.bytes()))
}

fn missing(stretch: &Stretch) -> String {
    if stretch.state != State::Late {
        return String::new();
    }
    let names: Vec<&str> = stretch.missing_on.iter().map(String::as_str).collect();
    format!(", not on {}", names.join(", "))
}

fn window_words(window: &Window) -> String {
    let now = match (window.bytes_now, window.now) {
        (None, _) => "window of vulnerability: unknown".to_owned(),
        (Some(0), _) => "window of vulnerability: nothing is at risk now".to_owned(),
        (Some(bytes), Some(age)) => {
            format!(
                "window of vulnerability: {} of log, at most {} old",
                Bytes(bytes),
                span(age)
            )
        }
        (Some(bytes), None) => format!("window of vulnerability: {} of log", Bytes(bytes)),
    };
    match window.worst {
        Some(worst) => format!("{now}; worst of the last day {}", span(worst)),
        None => now,
    }
}

fn milliseconds(time: std::time::Duration) -> Duration {
    Duration(u64::try_from(time.as_millis()).unwrap_or(u64::MAX))
}

fn span(time: SignedDuration) -> Duration {
    Duration(u64::try_from(time.as_millis()).unwrap_or(0))
}

fn archive_json(archive: &Looked) -> Value {
    let Some(standing) = &archive.standing else {
        return json!({"service": archive.service, "away": archive.away, "timelines": []});
    };
    let size = standing.claim.segment_size;
    let timelines: Vec<Value> = standing
        .timelines
        .iter()
        .map(|one| timeline_json(one, size))
        .collect();
    let writing = standing.writing.as_ref().ok();
    json!({
        "service": archive.service,
        "away": archive.away,
        "identity": standing.claim.system_identifier.to_string(),
        "timelines": timelines,
        "unlogged_from": unlogged_json(&archive.unlogged),
        "server": writing.map(|one| json!({
            "timeline": one.timeline.number(), "position": one.position.to_string(),
            "failing": one.failing,
            "ends_within_s": one.ends_within.map(|time| time.as_secs()),
        })),
        "window": {
            "bytes_now": standing.window.bytes_now,
            "now_s": standing.window.now.map(|time| time.as_secs_f64()),
            "worst_of_day_s": standing.window.worst.map(|time| time.as_secs_f64()),
        },
    })
}

fn unlogged_json(all: &[Position]) -> Vec<Value> {
    let told = all.iter();
    told.map(|at| json!([at.incarnation, Lsn(at.value).to_string()]))
        .collect()
}

fn timeline_json(proof: &TimelineProof, size: SegmentSize) -> Value {
    let name = |number: u64| {
        Segment {
            timeline: proof.timeline,
            number,
        }
        .name(size)
    };
    let stretches = proof.stretches.iter().map(|one| {
        json!({
            "state": one.state.words(), "first": name(one.first), "last": name(one.last),
            "segments": one.last - one.first + 1, "missing_on": one.missing_on,
        })
    });
    json!({
        "timeline": proof.timeline.number(),
        "from": proof.from.map(|(timeline, lsn)| json!([timeline.number(), lsn.to_string()])),
        "left_at": proof.left_at.map(|lsn| lsn.to_string()),
        "found_until": proof.found_until(size).map(|lsn| lsn.to_string()),
        "stretches": stretches.collect::<Vec<_>>(),
    })
}

fn chain_json(chain: &Chain<'_>) -> serde_json::Value {
    json!({
        "service": chain.first.service,
        "identity": chain.first.identity,
        "from": chain.first.from,
        "until": chain.last.until,
        "first_at": chain.first.first_at,
        "last_at": chain.last.last_at,
        "stored_bytes": chain.bytes,
    })
}
