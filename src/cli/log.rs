//! `planc log`: the stored log, transaction by transaction, for people who look for the bad one.

use std::io::Write;
use std::sync::Arc;

use jiff::Timestamp;
use serde_json::json;

use crate::check::Purpose;
use crate::cli::args::{NowArgs, PlanArgs};
use crate::cli::commits::{self, committed_at};
use crate::cli::exit::{CliError, Exit};
use crate::cli::inspect;
use crate::cli::list::Form;
use crate::cli::log_status;
use crate::cli::site::{Site, known_service, open_error};
use crate::cli::stream;
use crate::cli::wal;
use crate::engine::TransactionSummary;
use crate::facts::holdings::LogHolding;
use crate::media::{Device, log};
use crate::resolve::plan::EngineKind;
use crate::run::open;

/// Arguments of `planc log`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, clap::Subcommand)]
enum Action {
    /// List the transactions of a service's stored log: position, time, pages; of PostgreSQL the
    /// number, and what was removed.
    List {
        /// The service.
        service: String,
        /// Only the newest so many.
        #[arg(
            long,
            value_name = "N",
            default_value_t = 50,
            conflicts_with = "largest"
        )]
        last: usize,
        /// Only the so many that wrote the most pages, largest first.
        #[arg(long, value_name = "N")]
        largest: Option<usize>,
        /// Only what was committed at or after this instant; without it, of PostgreSQL, what the
        /// newest 64 segments hold.
        #[arg(long, value_name = "INSTANT")]
        since: Option<Timestamp>,
        /// The form of the list.
        #[arg(long, value_enum, default_value_t = Form::Human)]
        format: Form,
        #[command(flatten)]
        plan: PlanArgs,
    },
    /// Archive a file that a PostgreSQL server offers: its `archive_command` is
    /// `planc log push --plan /path/x.plan --service NAME %p`.
    Push(wal::PushArgs),
    /// Give an archived file back: `restore_command` is
    /// `planc log fetch --plan /path/x.plan --service NAME %f %p`.
    Fetch(wal::FetchArgs),
    /// Receive the log of a PostgreSQL service as it is written, until a signal comes.
    Stream(stream::Args),
    /// Tell what a PostgreSQL transaction touched, how it ended, and who touched the same after it.
    Inspect(inspect::Args),
    /// Prove each chain of log: what of it is found, late, in flight or lost, and for how long
    /// work was in no archive. 1 when something is lost, or a device is away.
    Status {
        /// The form of the answer.
        #[arg(long, value_enum, default_value_t = Form::Human)]
        format: Form,
        #[command(flatten)]
        plan: PlanArgs,
    },
}

/// Lists transactions or chains.
pub(crate) fn run(args: &Args) -> Result<Exit, CliError> {
    match &args.action {
        Action::List {
            service,
            last,
            largest,
            since,
            format,
            plan,
        } => {
            let mut site = Site::look(plan, NowArgs::default(), Purpose::Rescue)?;
            let choice = Choice {
                last: *last,
                largest: *largest,
                since: *since,
            };
            list(&mut site, service, choice, *format)
        }
        Action::Push(args) => wal::push(args),
        Action::Fetch(args) => wal::fetch(args),
        Action::Stream(args) => stream::run(args),
        Action::Inspect(args) => inspect::run(args),
        Action::Status { format, plan } => log_status::status(*format, plan),
    }
}

/// Which transactions are wanted.
#[derive(Debug, Clone, Copy)]
pub(super) struct Choice {
    last: usize,
    largest: Option<usize>,
    /// Committed at or after it.
    pub(super) since: Option<Timestamp>,
}

impl Choice {
    /// Keeps so many of what was found in the order of the log: the newest, or the largest.
    pub(super) fn keep<T>(self, found: &mut Vec<T>, pages: impl Fn(&T) -> u64) {
        if let Some(count) = self.largest {
            found.sort_by_key(|one| std::cmp::Reverse(pages(one)));
            found.truncate(count);
        } else {
            let surplus = found.len().saturating_sub(self.last);
            found.drain(..surplus);
        }
    }
}

fn list(site: &mut Site, service: &str, choice: Choice, form: Form) -> Result<Exit, CliError> {
    let plan = site.plan.plan();
    known_service(plan, service)?;
    let id = plan.find_service(service);
    if id.is_some_and(|id| plan.service(id).engine == EngineKind::Postgresql) {
        return commits::list(site, service, choice, form);
    }
    let enough = match choice.largest {
        None if choice.since.is_none() => choice.last,
        _ => usize::MAX,
    };
    let mut found = transactions(site, service, enough)?;
    found.retain(|one| choice.since.is_none_or(|since| one.at >= since));
    choice.keep(&mut found, |one| one.pages);
    print_list(service, &found, form)
}

fn print_list(service: &str, found: &[TransactionSummary], form: Form) -> Result<Exit, CliError> {
    let mut out = std::io::stdout().lock();
    if form == Form::Json {
        let transactions: Vec<_> = found.iter().map(one_json).collect();
        let value =
            json!({"format": "planc-log/1", "service": service, "transactions": transactions});
        writeln!(out, "{value:#}")?;
        return Ok(Exit::Ok);
    }
    for one in found {
        let (name, at, pages) = (one.position.name(), committed_at(one.at), one.pages);
        writeln!(out, "  {name}  {at}  {pages} pages")?;
    }
    if found.is_empty() {
        writeln!(out, "no stored log of {service}")?;
    }
    Ok(Exit::Ok)
}

fn one_json(one: &TransactionSummary) -> serde_json::Value {
    json!({
        "transaction": one.position.name(),
        "position": one.position,
        "at": one.at,
        "pages": one.pages,
    })
}

/// The transactions of the newest ranges, until there are enough of them, oldest first.
fn transactions(
    site: &mut Site,
    service: &str,
    enough: usize,
) -> Result<Vec<TransactionSummary>, CliError> {
    let plan = site.plan.plan();
    let engine = open::engine(plan, &site.places, service).map_err(|error| open_error(&error))?;
    let mut logs = site.holdings()?.logs;
    logs.retain(|log| log.service == service);
    logs.sort_by_key(|log| (log.last_at, log.until.value));
    let mut found = Vec::new();
    for holding in logs.iter().rev() {
        if found.len() >= enough {
            break;
        }
        let holders = holders(site, holding);
        let read = log::get(&holding.log, &holders);
        let (_, range, _) = read.map_err(|error| {
            let help = error.help();
            CliError::failed(error).help(help)
        })?;
        let mut summaries = engine.inspect(&range).map_err(CliError::failed)?;
        summaries.append(&mut found);
        found = summaries;
    }
    Ok(found)
}

fn holders(site: &mut Site, holding: &LogHolding) -> Vec<Arc<dyn Device>> {
    let plan = site.plan.plan();
    let opened = holding.devices.iter().filter_map(|name| {
        let device = open::device(plan, &site.places, &mut site.catalog, name);
        device.ok()
    });
    opened.collect()
}
