//! `planc catalog`: the cache of what copies exist, rebuilt from devices or written out.

use std::io::Write;

use crate::catalog::Catalog;
use crate::check::Purpose;
use crate::cli::args::{NowArgs, PlanArgs};
use crate::cli::catalog_file::{catalog_path, open_catalog};
use crate::cli::exit::{CliError, Exit};
use crate::cli::load;
use crate::cli::site::{self, OnBusy, Site, catalog_error, lock, open_error, places};
use crate::durable;
use crate::media::Device;
use crate::run::Stop;
use crate::run::devices;
use std::path::Path;
use std::sync::Arc;

/// Arguments of `planc catalog`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, clap::Subcommand)]
enum Action {
    /// Make the catalog anew from what lies on devices. Nothing is written to a device.
    Rebuild {
        /// Devices of the plan to read; one complete device is enough.
        #[arg(long, value_name = "DEVICE", required = true, num_args = 1..)]
        from: Vec<String>,
        #[command(flatten)]
        plan: PlanArgs,
    },
    /// Print what the catalog knows, in an order that depends on the copies alone.
    Dump {
        /// Also say which devices hold each copy, and by which identity each device is known. Equal
        /// for equal devices; one device alone cannot tell it.
        #[arg(long)]
        devices: bool,
        #[command(flatten)]
        plan: PlanArgs,
    },
}

/// Rebuilds or prints the catalog.
pub(crate) fn run(args: &Args) -> Result<Exit, CliError> {
    match &args.action {
        Action::Rebuild { from, plan } => rebuild(from, plan),
        Action::Dump { devices, plan } => {
            let site = Site::look(plan, NowArgs::default(), Purpose::Rescue)?;
            let dump = if *devices {
                site.catalog.dump_with_devices()
            } else {
                site.catalog.canonical_dump()
            };
            let dump = dump.map_err(catalog_error)?;
            write!(std::io::stdout().lock(), "{dump}")?;
            Ok(Exit::Ok)
        }
    }
}

/// Builds the new catalog beside the old one, which is replaced only when the new one is whole.
fn rebuild(from: &[String], which: &PlanArgs) -> Result<Exit, CliError> {
    let loaded = load::loaded_for(which, NowArgs::default(), Purpose::Rescue)?;
    let places = places(&loaded)?;
    let _lock = lock(&places.state, &Stop::new(), OnBusy::Refuse)?;
    let mut opened: Vec<Arc<dyn Device>> = Vec::new();
    for name in from {
        let device = devices::open(loaded.plan.plan(), &places, name);
        let device = device.map_err(|error| open_error(&error))?;
        devices::check_apart(device.as_ref(), &opened).map_err(|error| open_error(&error))?;
        opened.push(device);
    }
    let new = places.state.join("catalog.rebuilt");
    forget(&new)?;
    let plan = loaded.plan.plan();
    let rebuilt = Catalog::rebuild(&new, &opened, &site::owner_of(plan));
    let (catalog, unread) = rebuilt.map_err(catalog_error)?;
    let (parts, logs) = catalog.counts().map_err(catalog_error)?;
    drop(catalog);
    replace(&new, &catalog_path(&places))?;
    // a shared catalog learns what it lacks
    drop(open_catalog(plan, &places, true)?);
    let mut out = std::io::stdout().lock();
    writeln!(out, "catalog rebuilt: {parts} parts, {logs} ranges of log")?;
    for text in &unread {
        writeln!(out, "not read: {text}")?;
    }
    let others = plan.devices.iter().map(|device| device.name.as_str());
    let others: Vec<&str> = others
        .filter(|name| !from.iter().any(|read| read == name))
        .collect();
    if !others.is_empty() {
        let others = others.join(", ");
        writeln!(
            out,
            "not looked at: {others}; a restore asks them for what they hold besides"
        )?;
    }
    Ok(if unread.is_empty() {
        Exit::Ok
    } else {
        Exit::Findings
    })
}

/// Removes a database with the files SQLite keeps beside it.
fn forget(path: &Path) -> Result<(), CliError> {
    for suffix in ["", "-wal", "-shm", "-journal"] {
        let mut file = path.as_os_str().to_owned();
        file.push(suffix);
        match std::fs::remove_file(&file) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                let file = Path::new(&file).display();
                return Err(CliError::refused(format!("cannot remove {file}: {error}")));
            }
            _ => {}
        }
    }
    Ok(())
}

fn replace(new: &Path, old: &Path) -> Result<(), CliError> {
    forget(old)?;
    let renamed = std::fs::rename(new, old);
    let renamed = renamed.and_then(|()| durable::sync_folder(durable::parent(old)));
    renamed.map_err(|error| {
        let old = old.display();
        site::catalog_place_error(&format!("cannot put the new catalog to {old}: {error}"))
    })
}
