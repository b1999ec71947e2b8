//! `planc log push` and `planc log fetch`: what a PostgreSQL server calls to archive its log and to
//! get it back. They read the plan and open devices; the catalog and the lock are left alone, so
//! that no run can make a server wait. Measured facts are left alone too: what they say of sizes
//! must not keep a server from archiving.

use std::ffi::OsString;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use crate::cli::args::{NowArgs, PlanArgs};
use crate::cli::exit::{CliError, Exit};
use crate::cli::load::{self, Loaded};
use crate::cli::site;
use crate::cli::worker;
use crate::engine::postgres::ahead::{self, AheadRequest};
use crate::engine::postgres::fetch::{self, FetchRequest, Fetched};
use crate::engine::postgres::push::{self, PushRequest};
use crate::engine::postgres::readahead::{self, ReadAheadRequest};
use crate::engine::postgres::spool::Spool;
use crate::media::Device;
use crate::resolve::plan::{Codec, ResolvedPlan};
use crate::run::devices;
use crate::run::open::{self, Places};

fn workers() -> clap::builder::RangedI64ValueParser<u8> {
    clap::value_parser!(u8).range(1..=32)
}

/// Arguments that both share.
#[derive(Debug, clap::Args)]
pub(crate) struct Shared {
    /// The service whose log it is.
    #[arg(long, value_name = "NAME")]
    service: String,
    /// Try for so many seconds; then a server that archives keeps the file and asks again, and one
    /// that recovers stops.
    #[arg(long, value_name = "SECONDS", default_value_t = 60)]
    deadline: u64,
    /// Work ahead of the server's calls with the help of this folder on the server's host.
    #[arg(long, value_name = "FOLDER")]
    spool: Option<PathBuf>,
    /// How many files at once with `--spool`.
    #[arg(long, value_name = "N", default_value_t = 2, value_parser = workers())]
    workers: u8,
    /// How long a worker waits for more to do, in seconds.
    #[arg(long, value_name = "SECONDS", default_value_t = 10, hide = true)]
    idle: u64,
    /// Set for the process that works ahead.
    #[arg(long, hide = true)]
    ahead: bool,
    #[command(flatten)]
    plan: PlanArgs,
}

/// Arguments of `planc log push`.
#[derive(Debug, clap::Args)]
pub(crate) struct PushArgs {
    /// The file (`%p`).
    file: PathBuf,
    #[command(flatten)]
    shared: Shared,
}

/// Arguments of `planc log fetch`.
#[derive(Debug, clap::Args)]
pub(crate) struct FetchArgs {
    /// The file's name (`%f`).
    name: String,
    /// Where to write it (`%p`).
    to: PathBuf,
    /// How many segments are fetched in advance with `--spool`.
    #[arg(long, value_name = "N", default_value_t = 16)]
    depth: usize,
    #[command(flatten)]
    shared: Shared,
}

impl Shared {
    /// The spool of this call; only a plan that is named can be told apart from others.
    fn spool(&self) -> Option<Spool> {
        let plan = std::path::absolute(self.plan.plan.as_ref()?).ok()?;
        let environment = self.plan.env.as_deref().unwrap_or("");
        let call = [plan.to_str()?, environment, &self.service];
        Some(Spool::new(self.spool.as_ref()?, call))
    }

    /// The plan, and the spool made ready for it. A worker's spool is bound to the texts that its
    /// plan was read from: they are known after a first reading only, so it reads twice.
    fn load(&self) -> Result<(Loaded, Option<Spool>), CliError> {
        let read = || load::loaded_without_facts(&self.plan, NowArgs::default());
        let loaded = read()?;
        let Some(spool) = self.spool() else {
            return Ok((loaded, None));
        };
        let failed = |error: std::io::Error| {
            CliError::failed(format!("cannot use the spool: {error}"))
                .help("make `--spool` a folder that the server's user may write")
        };
        spool.prepare(&loaded.texts).map_err(failed)?;
        if !self.ahead {
            return Ok((loaded, Some(spool)));
        }
        let bound = spool.freeze();
        Ok((read()?, bound.filter(Spool::is_current)))
    }

    fn deadline(&self) -> Duration {
        Duration::from_secs(self.deadline)
    }
}

/// Archives one file: 0 when every required device holds it, else 1 or 2.
pub(crate) fn push(args: &PushArgs) -> Result<Exit, CliError> {
    let shared = &args.shared;
    let began = SystemTime::now();
    // the usual case of a busy server: a worker stored it before the server asked
    if !shared.ahead
        && shared
            .spool()
            .is_some_and(|spool| spool.is_acknowledged(&args.file))
    {
        return Ok(Exit::Ok);
    }
    let (loaded, spool) = shared.load()?;
    let request = push_request(args, &loaded)?;
    match (spool, folder_of_wal(&args.file)) {
        (Some(spool), Some(wal)) if shared.ahead => work_ahead(args, request, wal, &spool),
        // a worker whose plan changed while it was read: the call that waits does the work
        _ if shared.ahead => Ok(Exit::Ok),
        (Some(spool), Some(_)) if worker::start(&spool, "push").is_ok() => {
            wait_for(args, &request, &spool, began)
        }
        _ => {
            push::push(&request).map_err(CliError::failed)?;
            Ok(Exit::Ok)
        }
    }
}

fn push_request(args: &PushArgs, loaded: &Loaded) -> Result<PushRequest, CliError> {
    let request = streamed(&args.shared.service, loaded)?;
    Ok(PushRequest {
        file: args.file.clone(),
        deadline: args.shared.deadline(),
        ..request
    })
}

/// How the log of a service is stored; the file is named later.
pub(super) fn streamed(service: &str, loaded: &Loaded) -> Result<PushRequest, CliError> {
    let places = site::places(loaded)?;
    let plan = loaded.plan.plan();
    let (needed, _) = open::log_devices(plan, service);
    let devices = needed
        .iter()
        .map(|name| device(plan, &places, name))
        .collect::<Result<_, _>>()?;
    let archive = plan
        .archives
        .iter()
        .find(|archive| plan.service(archive.service).name == service);
    Ok(PushRequest {
        file: PathBuf::new(),
        service: service.to_owned(),
        job: archive.map_or_else(String::new, |archive| archive.name.clone()),
        devices,
        key: archive.and_then(|archive| plan.key_name(&archive.keeping)),
        codec: archive.map_or(Codec::Lz4, |archive| archive.keeping.codec),
        cluster: None,
        deadline: Duration::from_mins(1),
    })
}

/// The server's `pg_wal`, when the file lies in one.
fn folder_of_wal(file: &Path) -> Option<PathBuf> {
    let wal = std::path::absolute(file).ok()?.parent()?.to_owned();
    wal.join("archive_status").is_dir().then_some(wal)
}

fn work_ahead(
    args: &PushArgs,
    push: PushRequest,
    wal: PathBuf,
    spool: &Spool,
) -> Result<Exit, CliError> {
    let failed = |error: std::io::Error| CliError::failed(format!("the worker ends: {error}"));
    let Some(_right) = spool.lock_patiently("push").map_err(failed)? else {
        return Ok(Exit::Ok);
    };
    let request = AheadRequest {
        push,
        wal,
        workers: usize::from(args.shared.workers),
        idle: Duration::from_secs(args.shared.idle),
    };
    ahead::work(&request, spool).map_err(failed)?;
    Ok(Exit::Ok)
}

/// Waits until the worker noted the file. When no worker takes care of it, it is stored here.
fn wait_for(
    args: &PushArgs,
    request: &PushRequest,
    spool: &Spool,
    began: SystemTime,
) -> Result<Exit, CliError> {
    let deadline = Instant::now() + args.shared.deadline();
    let name = args.file.file_name().and_then(|name| name.to_str());
    let mut pause = Duration::from_millis(1);
    while Instant::now() < deadline {
        if spool.is_acknowledged(&args.file) {
            return Ok(Exit::Ok);
        }
        if let Some(cause) = name.and_then(|name| spool.failure(name, began)) {
            return Err(CliError::failed(cause));
        }
        std::thread::sleep(pause);
        pause = (pause * 2).min(Duration::from_millis(20));
        let starting = began.elapsed().is_ok_and(|time| time < worker::START);
        if !starting && worker::is_free(spool, "push") && !spool.is_acknowledged(&args.file) {
            push::push(request).map_err(CliError::failed)?;
            return Ok(Exit::Ok);
        }
    }
    let name = name.unwrap_or("the file");
    let seconds = args.shared.deadline;
    let message = format!("{name} was not acknowledged within {seconds} s");
    Err(CliError::failed(message).help(format!("see {}", spool.diary().display())))
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
    let shared = &args.shared;
    if let Some(spool) = shared.spool().filter(|_| !shared.ahead)
        && readahead::take(&spool, &args.name, &args.to).unwrap_or(false)
    {
        // without a worker the next file comes the long way
        let _ = worker::start(&spool, "fetch");
        return Ok(Exit::Ok);
    }
    let (loaded, spool) = shared.load()?;
    let (request, away) = fetch_request(args, &loaded)?;
    if shared.ahead {
        return read_ahead(args, request, spool.as_ref());
    }
    match (fetch::fetch(&request).map_err(CliError::failed)?, away) {
        (Fetched::Found, _) => {
            if let Some(spool) = spool.filter(|_| args.name.len() == 24) {
                let _ = worker::start(&spool, "fetch");
            }
            Ok(Exit::Ok)
        }
        // a device that is away may hold it
        (Fetched::Absent, Some(error)) => Err(error),
        (Fetched::Absent, None) => Ok(Exit::Findings),
    }
}

/// What to ask of the devices that are there, and why the last of the others is not.
fn fetch_request(
    args: &FetchArgs,
    loaded: &Loaded,
) -> Result<(FetchRequest, Option<CliError>), CliError> {
    let places = site::places(loaded)?;
    let plan = loaded.plan.plan();
    let (_, all) = open::log_devices(plan, &args.shared.service);
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
        service: args.shared.service.clone(),
        devices,
        deadline: args.shared.deadline(),
    };
    Ok((request, away))
}

fn read_ahead(
    args: &FetchArgs,
    mut request: FetchRequest,
    spool: Option<&Spool>,
) -> Result<Exit, CliError> {
    let failed = |error: std::io::Error| CliError::failed(format!("the worker ends: {error}"));
    let asked = readahead::segment_of(&args.name, &args.to);
    let (Some(spool), Some((after, size))) = (spool, asked) else {
        return Ok(Exit::Ok);
    };
    let Some(folder) = readahead::folder_for(spool, &args.to) else {
        return Ok(Exit::Ok);
    };
    let Some(_right) = spool.lock_patiently("fetch").map_err(failed)? else {
        return Ok(Exit::Ok);
    };
    request.deadline = Duration::ZERO;
    let request = ReadAheadRequest {
        fetch: request,
        folder,
        after,
        size,
        depth: args.depth,
        workers: usize::from(args.shared.workers),
        idle: Duration::from_secs(args.shared.idle),
    };
    readahead::work(&request).map_err(failed)?;
    Ok(Exit::Ok)
}

fn device(plan: &ResolvedPlan, places: &Places, name: &str) -> Result<Arc<dyn Device>, CliError> {
    devices::open(plan, places, name).map_err(|error| {
        let help = error.help();
        CliError::failed(error).help(help)
    })
}

/// True for `planc log fetch …`, whose wrong use must not read as "absent" either.
pub(crate) fn is_fetch(words: &[OsString]) -> bool {
    words.get(1).is_some_and(|word| word == "log")
        && words.get(2).is_some_and(|word| word == "fetch")
}
