//! `planc key`: makes keys, tells which are at hand, proves that they open what is stored, wraps
//! stored secrets for new holders, and writes escrow copies. Prints public halves only.

use std::fs::OpenOptions;
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::check::Purpose;
use crate::cli::args::{NowArgs, PlanArgs};
use crate::cli::exit::{CliError, Exit};
use crate::cli::load::{self, Loaded};
use crate::cli::site::{open_error, places};
use crate::durable;
use crate::media::keys::{KeyError, KeySource, escrow, rewrap};
use crate::media::{Device, DeviceError};
use crate::resolve::plan::Key;
use crate::run::devices;
use crate::run::open::Places;

/// Arguments of `planc key`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, clap::Subcommand)]
enum Action {
    /// Make a key file that only its owner can read, and print its public half.
    New {
        /// The file; it must not exist yet.
        file: PathBuf,
        /// Also write a file with public halves only, for hosts that shall not read copies.
        #[arg(long, value_name = "FILE")]
        public: Option<PathBuf>,
        /// Further holders by their public halves; each can open all copies.
        #[arg(long = "for", value_name = "age1…")]
        holders: Vec<String>,
    },
    /// Tell of each key of the plan where it is, whom copies are sealed for, and whether it opens.
    List {
        #[command(flatten)]
        plan: PlanArgs,
    },
    /// Prove that the keys at hand open everything that is sealed on the devices.
    Check {
        /// Only this device.
        #[arg(long, value_name = "NAME")]
        device: Option<String>,
        #[command(flatten)]
        plan: PlanArgs,
    },
    /// Wrap the secrets of stored copies for the present holders of a key. Adds objects, edits
    /// none.
    Rewrap {
        /// The key.
        #[arg(value_name = "KEY")]
        key: String,
        /// Only on this device.
        #[arg(long, value_name = "NAME")]
        device: Option<String>,
        #[command(flatten)]
        plan: PlanArgs,
    },
    /// Write a copy of a key file that only another holder can open.
    Escrow {
        /// The key.
        #[arg(value_name = "KEY")]
        key: String,
        /// The holder, by the public half.
        #[arg(long = "for", value_name = "age1…")]
        holder: String,
        /// The file; it must not exist yet.
        #[arg(long, value_name = "FILE")]
        to: PathBuf,
        #[command(flatten)]
        plan: PlanArgs,
    },
}

/// Works on keys.
pub(crate) fn run(args: &Args) -> Result<Exit, CliError> {
    match &args.action {
        Action::New {
            file,
            public,
            holders,
        } => new(file, public.as_deref(), holders),
        Action::List { plan } => list(plan),
        Action::Check { device, plan } => check(device.as_deref(), plan),
        Action::Rewrap { key, device, plan } => rewrap_all(key, device.as_deref(), plan),
        Action::Escrow {
            key,
            holder,
            to,
            plan,
        } => escrow_copy(key, holder, to, plan),
    }
}

fn new(file: &Path, public: Option<&Path>, holders: &[String]) -> Result<Exit, CliError> {
    if let Some(wrong) = holders.iter().find(|half| !escrow::is_recipient(half)) {
        let message = format!("`{wrong}` is no public half of a key");
        return Err(CliError::refused(message).help("name holders as age1…"));
    }
    let today = jiff::Timestamp::now()
        .to_zoned(jiff::tz::TimeZone::UTC)
        .date();
    let (text, half) = escrow::generate(&today.to_string(), holders);
    write_new(file, escrow::bytes(&text), 0o600)?;
    if let Some(public) = public {
        let halves = std::iter::once(&half).chain(holders);
        let lines: Vec<String> = halves.map(ToString::to_string).collect();
        write_new(public, (lines.join("\n") + "\n").as_bytes(), 0o644)?;
    }
    let mut out = std::io::stdout().lock();
    writeln!(out, "{half}")?;
    writeln!(
        std::io::stderr(),
        "keep a second copy of {} where the loss of this site does not reach it",
        file.display()
    )?;
    Ok(Exit::Ok)
}

/// Writes a file that nobody has yet, durably.
fn write_new(path: &Path, bytes: &[u8], mode: u32) -> Result<(), CliError> {
    let failed = |cause: std::io::Error| {
        let message = format!("cannot write {}: {cause}", path.display());
        CliError::refused(message).help("name a file that does not exist, in a folder that does")
    };
    let mut options = OpenOptions::new();
    let file = options.write(true).create_new(true).mode(mode).open(path);
    let mut file = file.map_err(failed)?;
    file.write_all(bytes).map_err(failed)?;
    file.sync_all().map_err(failed)?;
    // copies may depend on it from now on
    durable::sync_folder(durable::parent(path)).map_err(failed)
}

fn opened(which: &PlanArgs) -> Result<(Loaded, Places), CliError> {
    let loaded = load::loaded_for(which, NowArgs::default(), Purpose::Rescue)?;
    let places = places(&loaded)?;
    Ok((loaded, places))
}

fn source(key: &Key, places: &Places) -> KeySource {
    KeySource::of(&key.source, &key.locator, &places.base)
}

fn key_error(error: &KeyError) -> CliError {
    CliError::refused(error).help(error.help())
}

/// Lists keys; exit 1 when one cannot be used.
fn list(which: &PlanArgs) -> Result<Exit, CliError> {
    let (loaded, places) = opened(which)?;
    let plan = loaded.plan.plan();
    let ring = devices::keyring(plan, &places);
    let mut out = std::io::stdout().lock();
    let mut exit = Exit::Ok;
    for key in &plan.keys {
        let name = &key.name;
        let escrow = key.escrow.as_deref();
        let escrow = escrow.map_or_else(
            || "no escrow".to_owned(),
            |site| format!("escrow at {site}"),
        );
        match ring.key(name) {
            Ok(found) => {
                let half = if found.can_open() {
                    "opens copies"
                } else {
                    "public half only"
                };
                writeln!(out, "{name}: {}, {half}, {escrow}", source(key, &places))?;
                for recipient in found.recipients() {
                    writeln!(out, "  sealed for {recipient}")?;
                }
            }
            Err(error) => {
                exit = Exit::Findings;
                writeln!(out, "{name}: {error}, {escrow}")?;
            }
        }
    }
    Ok(exit)
}

/// The devices of the plan, or the one that is named.
fn chosen(
    only: Option<&str>,
    loaded: &Loaded,
    places: &Places,
) -> Result<Vec<Arc<dyn Device>>, CliError> {
    let plan = loaded.plan.plan();
    let names = plan.devices.iter().map(|device| device.name.as_str());
    let names: Vec<&str> = only.map_or_else(|| names.collect(), |name| vec![name]);
    let devices = names
        .into_iter()
        .map(|name| devices::open(plan, places, name));
    devices
        .map(|device| device.map_err(|error| open_error(&error)))
        .collect()
}

fn device_error(error: DeviceError) -> CliError {
    let help = error.help();
    CliError::refused(error).help(help)
}

/// Opens the envelope of every set; exit 1 when one stays closed.
fn check(only: Option<&str>, which: &PlanArgs) -> Result<Exit, CliError> {
    let (loaded, places) = opened(which)?;
    let mut out = std::io::stdout().lock();
    let mut exit = Exit::Ok;
    for device in chosen(only, &loaded, &places)? {
        let (found, damaged) = rewrap::envelopes(device.as_ref()).map_err(device_error)?;
        if say_damaged(&mut out, &damaged)? {
            exit = Exit::Findings;
        }
        let mut open = 0;
        for set in &found {
            match rewrap::open(device.as_ref(), &set.object, &set.envelope) {
                Ok(_) => open += 1,
                Err(error @ (DeviceError::Sealed { .. } | DeviceError::Damaged { .. })) => {
                    exit = Exit::Findings;
                    writeln!(out, "{error}\n  help: {}", error.help())?;
                }
                Err(error) => return Err(device_error(error)),
            }
        }
        let all = found.len();
        writeln!(
            out,
            "{}: {open} of {all} sealed sets can be opened",
            device.name()
        )?;
    }
    Ok(exit)
}

/// Tells of damage, which is not the work of keys to mend; true when there is some.
fn say_damaged(out: &mut dyn Write, damaged: &[String]) -> Result<bool, CliError> {
    for cause in damaged {
        writeln!(
            out,
            "{cause}\n  help: `planc verify`, then `planc repair`; then repeat this"
        )?;
    }
    Ok(!damaged.is_empty())
}

fn rewrap_all(name: &str, only: Option<&str>, which: &PlanArgs) -> Result<Exit, CliError> {
    let (loaded, places) = opened(which)?;
    let ring = devices::keyring(loaded.plan.plan(), &places);
    let key = ring.key(name).map_err(|error| key_error(&error))?;
    if !key.can_open() {
        let message = format!("only the public half of `{name}` is here");
        let help = "run this where the secret half is; a public half cannot open what is wrapped";
        return Err(CliError::refused(message).help(help));
    }
    let mut out = std::io::stdout().lock();
    let mut exit = Exit::Ok;
    for device in chosen(only, &loaded, &places)? {
        let done = rewrap::rewrap(device.as_ref(), key).map_err(device_error)?;
        writeln!(
            out,
            "{}: {} sets wrapped for {name}, {} were already",
            device.name(),
            done.added,
            done.known
        )?;
        if say_damaged(&mut out, &done.damaged)? {
            exit = Exit::Findings;
        }
        for object in &done.closed {
            exit = Exit::Findings;
            writeln!(out, "{}: {object} is sealed for other keys", device.name())?;
        }
    }
    Ok(exit)
}

fn escrow_copy(name: &str, holder: &str, to: &Path, which: &PlanArgs) -> Result<Exit, CliError> {
    let (loaded, places) = opened(which)?;
    let plan = loaded.plan.plan();
    let ring = devices::keyring(plan, &places);
    let usable = ring.key(name).map_err(|error| key_error(&error))?;
    if !usable.can_open() {
        let message = format!("only the public half of `{name}` is here, which opens nothing");
        return Err(CliError::refused(message).help("run this where the secret half is"));
    }
    let Some(key) = plan.keys.iter().find(|key| key.name == name) else {
        return Err(key_error(&KeyError::Unknown(name.to_owned())));
    };
    let text = source(key, &places).read().map_err(|cause| {
        let message = format!("key `{name}` cannot be read: {cause}");
        CliError::refused(message)
    })?;
    let sealed = escrow::seal(&text, holder).map_err(|error| key_error(&error))?;
    write_new(to, &sealed, 0o600)?;
    let mut out = std::io::stdout().lock();
    writeln!(
        out,
        "{}: open it with `age -d -i HOLDER'S-KEY`",
        to.display()
    )?;
    Ok(Exit::Ok)
}
