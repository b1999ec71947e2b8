//! `planc verify`: reads stored copies back, compares every hash, names what is damaged.

use std::sync::Arc;

use crate::cli::exit::{CliError, Exit};
use crate::cli::run::{print_graph, say};
use crate::cli::site::SiteArgs;
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
    site: SiteArgs,
}

/// Verifies copies; exit 1 when one is damaged.
pub(crate) fn run(args: &Args) -> Result<Exit, CliError> {
    let intent = Intent::Verify {
        device: args.device.clone(),
    };
    let now = args.site.now.now();
    if args.dry_run {
        let site = args.site.look()?;
        return print_graph(&site.compile(&intent, now)?);
    }
    let mut site = args.site.open()?;
    let graph = Arc::new(site.compile(&intent, now)?);
    if graph.steps.is_empty() {
        say(args.site.show, "the catalog knows no copies to verify\n")?;
        return Ok(Exit::Ok);
    }
    let report = site.execute(graph.clone())?;
    say(args.site.show, &summary(&graph, &report))?;
    Ok(report.verdict().into())
}
