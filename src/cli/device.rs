//! `planc device`: claims folders as devices, and tells which are there.

use std::collections::BTreeMap;
use std::io::Write;

use crate::check::Purpose;
use crate::cli::args::{NowArgs, PlanArgs};
use crate::cli::exit::{CliError, Exit};
use crate::cli::load::{self, Loaded};
use crate::cli::site::{open_error, places};
use crate::cli::survey;
use crate::media::certify::{self, Verdict};
use crate::media::{DeviceError, patient};
use crate::run::devices;
use crate::run::open::Places;

/// Arguments of `planc device`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, clap::Subcommand)]
enum Action {
    /// Claim the empty folder of a device: from then on planc writes there, and only there.
    Init {
        /// Devices of the plan; all that are not claimed yet with `--all`.
        #[arg(value_name = "NAME", required_unless_present = "all")]
        names: Vec<String>,
        /// All devices of the plan.
        #[arg(long)]
        all: bool,
        #[command(flatten)]
        plan: PlanArgs,
    },
    /// Prove on a device itself what planc relies on, and write the result into the facts.
    Certify {
        /// Devices of the plan.
        #[arg(value_name = "NAME", required = true, num_args = 1..)]
        names: Vec<String>,
        #[command(flatten)]
        plan: PlanArgs,
    },
    /// Tell of each device whether it is there.
    List {
        #[command(flatten)]
        plan: PlanArgs,
    },
}

/// Claims or lists devices.
pub(crate) fn run(args: &Args) -> Result<Exit, CliError> {
    match &args.action {
        Action::Init { names, all, plan } => init(names, *all, plan),
        Action::Certify { names, plan } => certify_all(names, plan),
        Action::List { plan } => list(plan),
    }
}

fn opened(which: &PlanArgs) -> Result<(Loaded, Places), CliError> {
    let loaded = load::loaded_for(which, NowArgs::default(), Purpose::Rescue)?;
    let places = places(&loaded)?;
    Ok((loaded, places))
}

fn init(names: &[String], all: bool, which: &PlanArgs) -> Result<Exit, CliError> {
    let (loaded, places) = opened(which)?;
    let plan = loaded.plan.plan();
    let mut out = std::io::stdout().lock();
    let every: Vec<String> = plan
        .devices
        .iter()
        .map(|device| device.name.clone())
        .collect();
    let wanted = if all { &every } else { names };
    let mut done = Vec::new();
    for name in wanted {
        let open = all
            .then(|| devices::open(plan, &places, name).ok())
            .flatten();
        let is_new = open.is_none();
        let device = open.map_or_else(|| devices::init(plan, &places, name), Ok);
        let device = device.map_err(|error| open_error(&error))?;
        devices::check_apart(device.as_ref(), &done).map_err(|error| open_error(&error))?;
        let shown = devices::place(plan, &places, name);
        let identity = device.identity().map_err(device_error)?;
        if is_new {
            writeln!(out, "{name}: claimed {shown}, identity {identity}")?;
        } else {
            writeln!(
                out,
                "{name}: {shown} is claimed already, identity {identity}"
            )?;
        }
        done.push(device);
    }
    Ok(Exit::Ok)
}

/// Certifies devices; exit 1 when a property does not hold.
fn certify_all(names: &[String], which: &PlanArgs) -> Result<Exit, CliError> {
    let (loaded, places) = opened(which)?;
    let plan = loaded.plan.plan();
    let mut out = std::io::stdout().lock();
    let mut exit = Exit::Ok;
    let mut certified = BTreeMap::new();
    for name in names {
        let device = devices::open_writable(plan, &places, name);
        let device = device.map_err(|error| open_error(&error))?;
        let now = jiff::Timestamp::now();
        let token = format!("{}-{}", std::process::id(), now.as_nanosecond());
        let proofs = patient::watched(device.as_ref(), |device| {
            Ok(certify::certify(device, &token))
        });
        let proofs = proofs.map_err(device_error)?;
        let place = devices::place(plan, &places, name);
        writeln!(out, "{name}: {place}")?;
        let mut lines = BTreeMap::from([
            ("at".to_owned(), now.strftime("%Y-%m-%d").to_string()),
            ("place".to_owned(), place),
        ]);
        for proof in proofs {
            if proof.verdict == Verdict::Failed {
                exit = Exit::Findings;
            }
            writeln!(
                out,
                "  {:7} {}: {}",
                proof.verdict, proof.name, proof.detail
            )?;
            lines.insert(proof.name.to_owned(), proof.verdict.to_string());
        }
        certified.insert(name.clone(), lines);
    }
    let path = survey::update(loaded.facts.as_deref(), |facts| {
        facts.certified.extend(certified);
    })?;
    writeln!(out, "wrote {}", path.display())?;
    Ok(exit)
}

fn device_error(error: DeviceError) -> CliError {
    let help = error.help();
    CliError::refused(error).help(help)
}

/// Lists devices; exit 1 when one cannot be used.
fn list(which: &PlanArgs) -> Result<Exit, CliError> {
    let (loaded, places) = opened(which)?;
    let plan = loaded.plan.plan();
    let mut out = std::io::stdout().lock();
    let mut exit = Exit::Ok;
    for device in &plan.devices {
        let opened = devices::open(plan, &places, &device.name);
        let identity = opened.and_then(|device| Ok(device.identity()?));
        let opened = identity.map_err(|error| error.to_string()).map(|identity| {
            let place = devices::place(plan, &places, &device.name);
            format!("{place}, identity {identity}")
        });
        let site = device.site.as_deref().unwrap_or("no site");
        match opened {
            Ok(place) => writeln!(out, "{}: {place}, {site}", device.name)?,
            Err(cause) => {
                exit = Exit::Findings;
                writeln!(out, "{}: {cause}", device.name)?;
            }
        }
    }
    Ok(exit)
}

/// What is said of a device; most errors name it themselves.
pub(crate) fn said_of(name: &str, text: &str) -> String {
    let named = format!("device {name}");
    match text.strip_prefix(&named) {
        Some(_) => text.to_owned(),
        None => format!("{named}: {text}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_device_is_named_once() {
        let full = "device nas is full: no room";
        assert_eq!(said_of("nas", full), full);
        assert_eq!(said_of("nas", "reachable"), "device nas: reachable");
    }
}
