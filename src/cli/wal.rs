//! `planc log push` and `planc log fetch`: what a PostgreSQL server calls to archive its log and to
//! get it back. They read the plan and open devices; the catalog and the lock are left alone, so
//! that no run can make a server wait.

use std::ffi::OsString;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use crate::cli::args::{NowArgs, PlanArgs};
use crate::cli::exit::{CliError, Exit};
use crate::cli::load;
use crate::cli::site::{self, open_error};
use crate::engine::postgres::fetch::{self, FetchRequest, Fetched};
use crate::engine::postgres::push::{self, PushRequest};
use crate::media::Device;
use crate::media::directory::DirectoryDevice;
use crate::resolve::plan::{Codec, Encrypt, ResolvedPlan};
use crate::run::open::{self, Places};

/// Arguments of `planc log push`.
#[derive(Debug, clap::Args)]
pub(crate) struct PushArgs {
    /// The file (`%p`).
    file: PathBuf,
    /// The service whose log it is.
    #[arg(long, value_name = "NAME")]
    service: String,
    /// Give up after so many seconds; the server keeps the file and asks again.
    #[arg(long, value_name = "SECONDS", default_value_t = 60)]
    deadline: u64,
    #[command(flatten)]
    plan: PlanArgs,
}

/// Arguments of `planc log fetch`.
#[derive(Debug, clap::Args)]
pub(crate) struct FetchArgs {
    /// The file's name (`%f`).
    name: String,
    /// Where to write it (`%p`).
    to: PathBuf,
    /// The service whose log it is.
    #[arg(long, value_name = "NAME")]
    service: String,
    /// Ask a failing device again for so many seconds.
    #[arg(long, value_name = "SECONDS", default_value_t = 60)]
    deadline: u64,
    #[command(flatten)]
    plan: PlanArgs,
}

/// Archives one file: 0 when every required device holds it, else 1 or 2.
pub(crate) fn push(args: &PushArgs) -> Result<Exit, CliError> {
    let loaded = load::loaded(&args.plan, NowArgs::default())?;
    let places = site::places(&loaded)?;
    let plan = loaded.plan.plan();
    let (needed, _) = open::log_devices(plan, &args.service);
    let devices = needed
        .iter()
        .map(|name| device(plan, &places, name))
        .collect::<Result<_, _>>()?;
    let archive = plan
        .archives
        .iter()
        .find(|archive| plan.service(archive.service).name == args.service);
    if archive.is_some_and(|archive| matches!(archive.keeping.encrypt, Encrypt::With(..))) {
        let message = format!("the log of {} is to be encrypted", args.service);
        let help = "this version of planc cannot encrypt: write `encrypt none` or wait";
        return Err(CliError::refused(message).help(help));
    }
    let request = PushRequest {
        file: args.file.clone(),
        service: args.service.clone(),
        job: archive.map_or_else(String::new, |archive| archive.name.clone()),
        devices,
        codec: archive.map_or(Codec::Lz4, |archive| archive.keeping.codec),
        deadline: Duration::from_secs(args.deadline),
    };
    push::push(&request).map_err(CliError::failed)?;
    Ok(Exit::Ok)
}

/// Fetches one file: 0 found, 1 surely absent, 126 when that cannot be told.
pub(crate) fn fetch(args: &FetchArgs) -> Result<Exit, CliError> {
    // even a defect must not read as "absent", which would let the server open too early
    let answer = catch_unwind(AssertUnwindSafe(|| try_fetch(args)));
    let answer = answer.unwrap_or_else(|_| Err(CliError::failed("the program failed")));
    answer.map_err(|error| CliError {
        exit: Exit::Undecided,
        ..error
    })
}

fn try_fetch(args: &FetchArgs) -> Result<Exit, CliError> {
    let loaded = load::loaded(&args.plan, NowArgs::default())?;
    let places = site::places(&loaded)?;
    let plan = loaded.plan.plan();
    let (_, all) = open::log_devices(plan, &args.service);
    let (mut devices, mut away) = (Vec::new(), None);
    for name in &all {
        match device(plan, &places, name) {
            Ok(device) => devices.push(device),
            Err(error) => away = Some(error),
        }
    }
    let request = FetchRequest {
        name: args.name.clone(),
        to: args.to.clone(),
        service: args.service.clone(),
        devices,
        deadline: Duration::from_secs(args.deadline),
    };
    match (fetch::fetch(&request).map_err(CliError::failed)?, away) {
        (Fetched::Found, _) => Ok(Exit::Ok),
        // a device that is away may hold it
        (Fetched::Absent, Some(error)) => Err(error),
        (Fetched::Absent, None) => Ok(Exit::Findings),
    }
}

fn device(plan: &ResolvedPlan, places: &Places, name: &str) -> Result<Arc<dyn Device>, CliError> {
    let path = open::device_path(plan, places, name).map_err(|error| open_error(&error))?;
    let device = DirectoryDevice::open(name, &path, None).map_err(|error| {
        let help = error.help();
        CliError::failed(error).help(help)
    })?;
    Ok(Arc::new(device))
}

/// True for `planc log fetch …`, whose wrong use must not read as "absent" either.
pub(crate) fn is_fetch(words: &[OsString]) -> bool {
    words.get(1).is_some_and(|word| word == "log")
        && words.get(2).is_some_and(|word| word == "fetch")
}
