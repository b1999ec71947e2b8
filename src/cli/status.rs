//! `planc status`: the catalog against the plan. Silence is a fault (R34), so the age of the last
//! good copy of every service stands first.

use std::collections::BTreeSet;
use std::io::Write;

use jiff::Timestamp;
use serde::Serialize;

use crate::check::Purpose;
use crate::cli::args::{NowArgs, PlanArgs};
use crate::cli::device;
use crate::cli::exit::{CliError, Exit};
use crate::cli::list::Form;
use crate::cli::load;
use crate::cli::rehearsed::{self, DrillStatus};
use crate::cli::run_log;
use crate::cli::site::{Site, graph_error};
use crate::cli::spoilt::SpoiltCopy;
use crate::cli::strays;
use crate::cli::stream::{self, StreamStatus};
use crate::facts::facts_file::MeasuredFacts;
use crate::facts::holdings::{Holdings, PartHolding, Position};
use crate::facts::instance::Instance;
use crate::graph::{Hole, behind_holes, next_due};
use crate::quantity::Duration;
use crate::resolve::plan::{Keeping, ResolvedPlan};
use crate::run::{self, Family, open};

/// Arguments of `planc status`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The form of the answer.
    #[arg(long, value_enum, default_value_t = Form::Human)]
    format: Form,
    #[command(flatten)]
    plan: PlanArgs,
    #[command(flatten)]
    now: NowArgs,
}

/// What is known of a plan's copies.
#[derive(Debug, Serialize)]
struct Status {
    format: &'static str,
    /// Errors of the plan; for most of them `planc run` makes no copies.
    plan_errors: usize,
    /// Allowances that end soon: then `planc run` makes no copies either.
    ending: Vec<String>,
    components: Vec<ComponentStatus>,
    logs: Vec<LogStatus>,
    /// Components whose newest copy the stored log continues no more.
    holes: Vec<HoleStatus>,
    streams: Vec<StreamStatus>,
    jobs: Vec<JobStatus>,
    drills: Vec<DrillStatus>,
    devices: Vec<DeviceStatus>,
    /// The process that works on the plan now, in words.
    at_work: Option<String>,
    unfinished: Vec<UnfinishedRun>,
    damaged: Vec<DamagedCopy>,
    /// Newest copies that hold pages as they were damaged at the source.
    spoilt: Vec<SpoiltCopy>,
    run_log: Vec<String>,
    /// What the catalog knows of devices and jobs that the plan does not have, in words.
    left_over: Vec<String>,
}

#[derive(Debug, Serialize)]
struct DamagedCopy {
    object: String,
    device: String,
    tries: u32,
}

#[derive(Debug, Serialize)]
struct ComponentStatus {
    component: String,
    last: Option<Timestamp>,
    devices: Vec<String>,
    unverified: usize,
}

#[derive(Debug, Serialize)]
struct LogStatus {
    service: String,
    position: Option<Position>,
    /// The position as the engine writes it.
    until: Option<String>,
    last: Option<Timestamp>,
    /// The server ends a segment by itself after so long, as the facts say.
    ends_within_s: Option<f64>,
}

#[derive(Debug, Serialize)]
struct HoleStatus {
    component: String,
    /// Between which positions log is missing, in words.
    hole: String,
}

#[derive(Debug, Serialize)]
struct JobStatus {
    job: String,
    next: Option<Timestamp>,
}

#[derive(Debug, Serialize)]
struct UnfinishedRun {
    run: String,
    began: Timestamp,
    resume: &'static str,
}

#[derive(Debug, Serialize)]
struct DeviceStatus {
    device: String,
    trouble: Option<String>,
}

/// Tells how things stand; exit 1 when a component has no copy, a device is away, a drill failed
/// and none passed since, or errors of the plan keep copies from being made.
pub(crate) fn run(args: &Args) -> Result<Exit, CliError> {
    let loaded = load::loaded_for(&args.plan, args.now, Purpose::Rescue)?;
    let measured = loaded.measured.clone().unwrap_or_default();
    let (errors, ending) = (loaded.errors, loaded.ending.clone());
    let mut site = Site::of(loaded, args.now)?;
    let now = args.now.now();
    let status = Status {
        plan_errors: errors,
        ending,
        ..gather(&mut site, &measured, now)?
    };
    let mut out = std::io::stdout().lock();
    match args.format {
        Form::Human => write!(out, "{}", human(&status, now))?,
        Form::Json => {
            let text = serde_json::to_string_pretty(&status);
            let text =
                text.map_err(|error| CliError::failed(format!("cannot write it: {error}")))?;
            writeln!(out, "{text}")?;
        }
    }
    let good = status.plan_errors == 0
        && status.components.iter().all(|one| one.last.is_some())
        && status.devices.iter().all(|one| one.trouble.is_none())
        && status.streams.iter().all(|one| one.trouble.is_none())
        && !status.drills.iter().any(DrillStatus::has_failed)
        && status.holes.is_empty()
        && status.damaged.is_empty()
        && status.spoilt.is_empty()
        && status.run_log.is_empty();
    Ok(if good { Exit::Ok } else { Exit::Findings })
}

fn gather(site: &mut Site, measured: &MeasuredFacts, now: Timestamp) -> Result<Status, CliError> {
    let mut holdings = site.holdings()?;
    let due = next_due(&site.plan, &holdings, now).map_err(|error| graph_error(&error))?;
    let strays = strays::take_out(site.plan.plan(), &mut holdings);
    let jobs = due.into_iter().map(|(job, next)| JobStatus { job, next });
    let holes = behind_holes(&site.plan, &holdings, now).map_err(|error| graph_error(&error))?;
    let hole = |(component, hole): (String, Hole)| HoleStatus {
        component,
        hole: hole.words(),
    };
    let told = run_log::told(site)?;
    Ok(Status {
        format: "planc-status/1",
        plan_errors: 0,
        ending: Vec::new(),
        components: components(site, &holdings),
        logs: logs(site, &holdings, measured),
        holes: holes.into_iter().map(hole).collect(),
        streams: stream::standings(site),
        jobs: jobs.collect(),
        drills: rehearsed::standings(site, &told.drills, now)?,
        devices: devices(site),
        at_work: run::at_work(&site.places.state),
        unfinished: unfinished(site)?,
        damaged: damaged(&holdings),
        spoilt: spoilt(site, &holdings),
        run_log: told.findings,
        left_over: strays::words(site.plan.plan(), &strays, &holdings.parts),
    })
}

/// Copies that were found damaged, and how often a good one was put beside them in vain.
fn damaged(holdings: &Holdings) -> Vec<DamagedCopy> {
    let tries = |object: &str, device: &str| {
        let mut tried = holdings.tried.iter();
        let found = tried.find(|(id, holder, _)| id == object && holder == device);
        found.map_or(0, |(_, _, tries)| *tries)
    };
    let copies = holdings.damaged.iter().map(|(object, device)| DamagedCopy {
        tries: tries(object, device),
        object: object.clone(),
        device: device.clone(),
    });
    copies.collect()
}

/// Of each component of the plan, what the newest copy holds so.
fn spoilt(site: &Site, holdings: &Holdings) -> Vec<SpoiltCopy> {
    let plan = site.plan.plan();
    let keys = component_keys(plan).into_iter();
    let newest = keys.filter_map(|component| newest(holdings, &component));
    newest
        .filter_map(|part| SpoiltCopy::of(plan, holdings, part))
        .collect()
}

fn unfinished(site: &Site) -> Result<Vec<UnfinishedRun>, CliError> {
    let mut runs = Vec::new();
    for family in Family::ALL {
        let found = site.unfinished(family)?;
        runs.extend(found.map(|found| UnfinishedRun {
            run: found.graph.run,
            began: found.began,
            resume: family.command(),
        }));
    }
    Ok(runs)
}

/// Every component that a backup of the plan names.
fn components(site: &Site, holdings: &Holdings) -> Vec<ComponentStatus> {
    let keys = component_keys(site.plan.plan());
    let verified: BTreeSet<(&str, &str)> = holdings
        .verified
        .iter()
        .map(|(object, device, _)| (object.as_str(), device.as_str()))
        .collect();
    let statuses = keys.into_iter().map(|component| {
        let parts = holdings
            .parts
            .iter()
            .filter(|part| part.component == component);
        let parts: Vec<_> = parts.filter(|part| !part.devices.is_empty()).collect();
        let copies = parts.iter().flat_map(|part| {
            let devices = part.devices.iter();
            devices.map(|device| (part.part.as_str(), device.as_str()))
        });
        let unverified = copies.filter(|copy| !verified.contains(copy)).count();
        let newest = newest(holdings, &component);
        ComponentStatus {
            last: newest.map(|part| part.taken_at),
            devices: newest.map_or_else(Vec::new, |part| part.devices.clone()),
            component,
            unverified,
        }
    });
    statuses.collect()
}

fn component_keys(plan: &ResolvedPlan) -> BTreeSet<String> {
    let targets = plan.backups.iter().flat_map(|backup| &backup.targets);
    targets.map(|id| plan.component_key(*id)).collect()
}

/// The newest copy of a component that is stored.
fn newest<'h>(holdings: &'h Holdings, component: &str) -> Option<&'h PartHolding> {
    let stored = |part: &&PartHolding| part.component == component && !part.devices.is_empty();
    let parts = holdings.parts.iter().filter(stored);
    parts.max_by_key(|part| part.taken_at)
}

fn logs(site: &Site, holdings: &Holdings, measured: &MeasuredFacts) -> Vec<LogStatus> {
    let plan = site.plan.plan();
    let services = plan.archives.iter().map(|archive| archive.service);
    let services: BTreeSet<_> = services.collect();
    let statuses = services.into_iter().map(|id| {
        let service = plan.service(id).name.clone();
        let stored = holdings.logs.iter().filter(|log| log.service == service);
        let newest = stored.max_by_key(|log| (log.last_at, log.until.value));
        LogStatus {
            until: newest.map(|log| log.until.reach()),
            position: newest.map(|log| log.until.clone()),
            last: newest.map(|log| log.last_at),
            ends_within_s: measured
                .instances
                .get(&service)
                .and_then(Instance::ends_log_within)
                .map(Duration::as_secs),
            service,
        }
    });
    statuses.collect()
}

fn devices(site: &mut Site) -> Vec<DeviceStatus> {
    let plan = site.plan.plan();
    let used = used_devices(plan);
    let used = plan
        .devices
        .iter()
        .filter(|one| used.contains(one.name.as_str()));
    let (places, catalog) = (&site.places, &mut site.catalog);
    let statuses = used.map(|device| {
        let opened = open::device(plan, places, catalog, &device.name);
        DeviceStatus {
            device: device.name.clone(),
            trouble: opened.err().map(|error| error.to_string()),
        }
    });
    statuses.collect()
}

/// The devices on which the jobs of the plan keep copies, and those it declares.
fn used_devices(plan: &ResolvedPlan) -> BTreeSet<&str> {
    let backups = plan.backups.iter().map(|job| &job.keeping);
    let keepings = backups.chain(plan.archives.iter().map(|job| &job.keeping));
    let kept = keepings.flat_map(Keeping::devices);
    let logs = plan.archives.iter().flat_map(|job| {
        let ships = job.ships.iter().map(|ship| ship.device);
        ships.chain(job.streams.iter().map(|stream| stream.device))
    });
    let names = kept.chain(logs).map(|id| plan.device(id).name.as_str());
    let declared = plan.devices.iter().filter(|device| device.declared);
    names
        .chain(declared.map(|device| device.name.as_str()))
        .collect()
}

/// What is wrong with copies, their log, sources, plan and run log.
fn faults(status: &Status) -> Vec<String> {
    let mut lines = Vec::new();
    for one in &status.holes {
        let (component, hole) = (&one.component, &one.hole);
        lines.push(format!(
            "LOG LOST: the stored log has a hole {hole}; {component} cannot be recovered to what \
             came behind before `planc run` has made a fresh full"
        ));
    }
    for one in &status.damaged {
        let (object, device, tries) = (&one.object, &one.device, one.tries);
        lines.push(match tries {
            0 => format!("DAMAGED: {object} on {device}; the next run puts a good copy beside it"),
            _ => format!("DAMAGED: {object} on {device}; repaired in vain {tries} times"),
        });
    }
    for one in &status.spoilt {
        lines.push(format!("DAMAGED SOURCE: {}", one.words()));
    }
    for ending in &status.ending {
        lines.push(format!(
            "PLAN: {ending}; from the next day on `planc run` refuses: fix the cause or renew it"
        ));
    }
    for finding in &status.run_log {
        lines.push(format!("RUN LOG: {finding}"));
    }
    lines
}

fn human(status: &Status, now: Timestamp) -> String {
    let mut lines = Vec::new();
    for one in &status.components {
        let component = &one.component;
        lines.push(match one.last {
            None => format!("{component}: NO COPY"),
            Some(last) => {
                let (age, devices) = (age(last, now), one.devices.join(", "));
                let unverified = match one.unverified {
                    0 => String::new(),
                    n => format!("; {n} copies never read back"),
                };
                format!("{component}: last copy {age} ago on {devices}{unverified}")
            }
        });
    }
    lines.extend(faults(status));
    for one in &status.logs {
        let service = &one.service;
        lines.push(match (&one.until, one.last) {
            (Some(until), Some(last)) => {
                let age = age(last, now);
                format!("log of {service}: stored up to {until}, {age} ago")
            }
            _ => format!("log of {service}: NOTHING STORED"),
        });
        if let Some(within) = one.ends_within_s {
            lines.push(format!(
                "log of {service}: the server ends a segment by itself after {within}s \
                 (archive_timeout)"
            ));
        }
    }
    lines.extend(status.streams.iter().map(StreamStatus::words));
    for one in &status.jobs {
        lines.push(match one.next {
            None => format!("job {}: never due", one.job),
            Some(next) if next <= now => format!("job {}: due now", one.job),
            Some(next) => format!("job {}: due {next:.0}", one.job),
        });
    }
    let drills = status.drills.iter();
    lines.extend(drills.map(|drill| drill.words(now, &|at| age(at, now).to_string())));
    for one in &status.devices {
        let state = one.trouble.as_deref().unwrap_or("reachable");
        lines.push(device::said_of(&one.device, state));
    }
    lines.extend(status.left_over.iter().cloned());
    lines.extend(status.at_work.iter().map(|who| format!("at work: {who}")));
    for one in &status.unfinished {
        let (run, began, resume) = (&one.run, one.began, one.resume);
        lines.push(match status.at_work {
            // it may be the one that is at work
            Some(_) => format!("run {run}, begun {began:.0}, has not ended yet"),
            None => {
                format!("run {run}, begun {began:.0}, did not end: `{resume}` goes on with it")
            }
        });
    }
    lines.join("\n") + "\n"
}

/// The age of something, in words; what lies ahead has none.
fn age(at: Timestamp, now: Timestamp) -> Duration {
    let millis = now.as_millisecond().saturating_sub(at.as_millisecond());
    Duration(u64::try_from(millis).unwrap_or(0))
}
