//! `planc verify`: reads stored copies back, compares every hash, names what is damaged.

use std::sync::Arc;

use crate::cli::args::{NowArgs, PlanArgs};
use crate::cli::exit::{CliError, Exit};
use crate::cli::run::{print_graph, say};
use crate::cli::site::{BusyArgs, ShowArgs, Site};
use crate::graph::step::Intent;
use crate::report::summary::summary;

/// Arguments of `planc verify`.
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

/// Verifies copies; exit 1 when one is damaged.
pub(crate) fn run(args: &Args) -> Result<Exit, CliError> {
    let intent = Intent::Verify {
        device: args.device.clone(),
    };
    let now = args.now.now();
    if args.dry_run {
        let site = Site::look(&args.plan, args.now)?;
        return print_graph(&site.compile(&intent, now)?);
    }
    let mut site = Site::open(&args.plan, args.now, args.show, args.busy.into())?;
    let graph = Arc::new(site.compile(&intent, now)?);
    if graph.steps.is_empty() {
        say(args.show, "the catalog knows no copies to verify\n")?;
        return Ok(Exit::Ok);
    }
    let report = site.execute(graph.clone())?;
    say(args.show, &summary(&graph, &report))?;
    Ok(report.verdict().into())
}
