//! `planc repair`: puts good copies beside damaged ones, from devices that hold them intact.

use std::sync::Arc;

use crate::cli::args::{NowArgs, PlanArgs};
use crate::cli::exit::{CliError, Exit};
use crate::cli::run::{print_graph, say};
use crate::cli::site::{BusyArgs, ShowArgs, Site};
use crate::graph::step::Intent;
use crate::report::summary::summary;

/// Arguments of `planc repair`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Only copies on this device.
    #[arg(long, value_name = "DEVICE")]
    device: Option<String>,
    /// Print the steps that would run, and run none.
    #[arg(long)]
    dry_run: bool,
    #[command(flatten)]
    plan: PlanArgs,
    #[command(flatten)]
    now: NowArgs,
    #[command(flatten)]
    show: ShowArgs,
    #[command(flatten)]
    busy: BusyArgs,
}

/// Repairs what reading back found damaged; exit 1 when something stays damaged.
pub(crate) fn run(args: &Args) -> Result<Exit, CliError> {
    let intent = Intent::Repair {
        device: args.device.clone(),
    };
    let now = args.now.now();
    if args.dry_run {
        let site = Site::look(&args.plan, args.now)?;
        return print_graph(&site.compile(&intent, now)?);
    }
    let mut site = Site::open(&args.plan, args.now, args.show, args.busy.into())?;
    let graph = Arc::new(site.compile(&intent, now)?);
    let mut exit = Exit::Ok;
    if graph.steps.is_empty() {
        say(args.show, "nothing can be repaired\n")?;
    } else {
        let report = site.execute(&graph)?;
        say(args.show, &summary(&graph, &report))?;
        exit = report.verdict().into();
    }
    let wanted = |name: &str| args.device.as_deref().is_none_or(|device| device == name);
    let left = site.holdings()?.damaged;
    for (object, device) in left.iter().filter(|(_, device)| wanted(device)) {
        say(args.show, &format!("still damaged: {object} on {device}\n"))?;
        exit = Exit::Findings;
    }
    Ok(exit)
}
