//! `planc list`: what is where, by component, device and time.

use std::collections::BTreeSet;
use std::io::Write;

use jiff::Timestamp;
use serde_json::json;

use crate::catalog::Question;
use crate::check::Purpose;
use crate::cli::args::{NowArgs, PlanArgs};
use crate::cli::chains::{Chain, chains};
use crate::cli::exit::{CliError, Exit};
use crate::cli::rehearsed;
use crate::cli::run_log;
use crate::cli::site::{Site, catalog_error};
use crate::cli::spoilt::SpoiltCopy;
use crate::facts::holdings::{Holdings, LogHolding, PartHolding};
use crate::quantity::Bytes;
use crate::report::columns::columns;
use crate::syntax::ast::Method;

/// Arguments of `planc list`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Only copies of this component or service.
    #[arg(long, value_name = "NAME")]
    component: Option<String>,
    /// Only copies on this device.
    #[arg(long, value_name = "DEVICE")]
    device: Option<String>,
    /// Only copies taken at or after this instant.
    #[arg(long, value_name = "INSTANT")]
    since: Option<Timestamp>,
    /// Show every range of log, not a line for all that follow each other on the same devices.
    #[arg(long)]
    all: bool,
    /// The drills that the devices at hand know of, instead of copies.
    #[arg(long, conflicts_with_all = ["component", "device", "all"])]
    drills: bool,
    /// The form of the list.
    #[arg(long, value_enum, default_value_t = Form::Human)]
    format: Form,
    #[command(flatten)]
    plan: PlanArgs,
}

/// Forms of a list.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Form {
    /// Text.
    Human,
    /// One object.
    Json,
}

impl Args {
    fn wants_part(&self, part: &PartHolding) -> bool {
        self.wants(&part.component, &part.devices, part.taken_at)
    }

    fn wants_log(&self, log: &LogHolding) -> bool {
        self.wants(&log.service, &log.devices, log.last_at)
    }

    fn wants(&self, name: &str, devices: &[String], at: Timestamp) -> bool {
        let service = name.split('/').next().unwrap_or(name);
        let named = |wanted: &String| wanted == name || wanted == service;
        self.component.as_ref().is_none_or(named)
            && self
                .device
                .as_ref()
                .is_none_or(|wanted| devices.contains(wanted))
            && self.since.is_none_or(|since| since <= at)
    }
}

/// Lists copies.
pub(crate) fn run(args: &Args) -> Result<Exit, CliError> {
    let mut site = Site::look(&args.plan, NowArgs::default(), Purpose::Rescue)?;
    if args.drills {
        return drills(&mut site, args);
    }
    let question = Question {
        name: args.component.as_deref(),
        device: args.device.as_deref(),
    };
    let mut holdings = site.catalog.find(&question).map_err(catalog_error)?;
    holdings.parts.retain(|part| args.wants_part(part));
    holdings.logs.retain(|log| args.wants_log(log));
    if let Some(name) = args.component.as_ref().filter(|_| is_empty(&holdings)) {
        known(&site, name)?;
    }
    let spoilt = spoilt(&site, &holdings)?;
    let text = match args.format {
        Form::Human if is_empty(&holdings) => nothing(&mut site)?,
        Form::Human => spoilt.iter().fold(human(&holdings, args.all), |text, one| {
            format!("{text}\n{}\n", one.words())
        }),
        Form::Json => {
            let value = json!({
                "format": "planc-list/1",
                "parts": holdings.parts,
                "logs": holdings.logs,
                "spoilt": spoilt,
            });
            format!("{value:#}\n")
        }
    };
    write!(std::io::stdout().lock(), "{text}")?;
    Ok(Exit::Ok)
}

/// What of the listed parts was damaged at the source. Which older part is better, all parts tell.
fn spoilt(site: &Site, listed: &Holdings) -> Result<Vec<SpoiltCopy>, CliError> {
    let is_listed = |part: &str| listed.parts.iter().any(|one| one.part == part);
    if !listed.spoilt.iter().any(|file| is_listed(&file.part)) {
        return Ok(Vec::new());
    }
    let all = site.catalog.holdings().map_err(catalog_error)?;
    let parts = listed.parts.iter();
    let found = parts.filter_map(|part| SpoiltCopy::of(site.plan.plan(), &all, part));
    Ok(found.collect())
}

fn drills(site: &mut Site, args: &Args) -> Result<Exit, CliError> {
    let mut drills = run_log::told(site)?.drills;
    drills.retain(|one| args.since.is_none_or(|since| since <= one.began));
    let text = match args.format {
        Form::Human => rehearsed::table(&drills),
        Form::Json => {
            let value = json!({ "format": "planc-drills/1", "drills": drills });
            format!("{value:#}\n")
        }
    };
    write!(std::io::stdout().lock(), "{text}")?;
    Ok(Exit::Ok)
}

/// No copies; on a new host the devices may know better.
fn nothing(site: &mut Site) -> Result<String, CliError> {
    let found = run_log::told(site)?.findings.into_iter();
    let lines = std::iter::once("no copies".to_owned()).chain(found);
    Ok(lines.flat_map(|line| [line, "\n".to_owned()]).collect())
}

fn is_empty(holdings: &Holdings) -> bool {
    holdings.parts.is_empty() && holdings.logs.is_empty()
}

/// Refuses a name that nothing has: `no copies` would be taken for an answer.
fn known(site: &Site, name: &str) -> Result<(), CliError> {
    let plan = site.plan.plan();
    let targets = plan.backups.iter().flat_map(|backup| &backup.targets);
    let mut names: BTreeSet<String> = targets.map(|id| plan.component_key(*id)).collect();
    let stored = site.catalog.holdings().map_err(catalog_error)?;
    names.extend(stored.parts.into_iter().map(|part| part.component));
    let mut services = plan.services.iter().map(|service| &service.name);
    if names.contains(name) || services.any(|service| service == name) {
        return Ok(());
    }
    let message = format!("no component or service is called `{name}`");
    let names: Vec<String> = names.into_iter().collect();
    Err(CliError::refused(message).help(format!("components are {}", names.join(", "))))
}

fn human(holdings: &Holdings, all: bool) -> String {
    let mut parts: Vec<&PartHolding> = holdings.parts.iter().collect();
    parts.sort_by_key(|part| (&part.component, part.taken_at));
    let mut text = String::new();
    let head = [
        "COMPONENT",
        "KIND",
        "TAKEN AT",
        "SIZE",
        "STORED",
        "DEVICES",
        "PART",
    ];
    columns(&mut text, head, parts.into_iter().map(part_cells));
    if !holdings.parts.is_empty() && !holdings.logs.is_empty() {
        text.push('\n');
    }
    let head = [
        "LOG OF", "FROM", "UNTIL", "RANGES", "TIMES", "STORED", "DEVICES",
    ];
    let alike = |a: &LogHolding, b: &LogHolding| !all && a.devices == b.devices;
    let chains = chains(&holdings.logs, alike);
    columns(&mut text, head, chains.iter().map(log_cells));
    text
}

fn part_cells(part: &PartHolding) -> [String; 7] {
    [
        part.component.clone(),
        kind(part.method).to_owned(),
        format!("{:.0}", part.taken_at),
        Bytes(part.bytes).to_string(),
        Bytes(part.stored_bytes).to_string(),
        part.devices.join(", "),
        match &part.base {
            Some(base) => format!("{} on {base}", part.part),
            None => part.part.clone(),
        },
    ]
}

fn kind(method: Method) -> &'static str {
    let words = method.words();
    words.strip_prefix("physical ").unwrap_or(words)
}

/// Positions are written as `--at` takes them.
fn log_cells(chain: &Chain<'_>) -> [String; 7] {
    let (first, last) = (chain.first, chain.last);
    [
        first.service.clone(),
        first.from.name(),
        last.until.reach(),
        chain.count.to_string(),
        format!("{:.0} to {:.0}", first.first_at, last.last_at),
        Bytes(chain.bytes).to_string(),
        first.devices.join(", "),
    ]
}
