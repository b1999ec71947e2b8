//! `planc merge`: puts chains of stored parts together into parts that stand alone. The database is
//! not read; the old parts stay until `retain` lets them go.

use crate::check::Purpose;
use crate::cli::exit::{CliError, Exit};
use crate::cli::run::{print_graph, say, work};
use crate::cli::site::SiteArgs;
use crate::graph::step::Intent;

/// Arguments of `planc merge`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Backups of the plan, or components as `planc list` writes them; all when none is named.
    #[arg(value_name = "JOB")]
    names: Vec<String>,
    /// Write the merged parts to this device only.
    #[arg(long, value_name = "DEVICE")]
    device: Option<String>,
    /// Print the steps that would run, and run none.
    #[arg(long)]
    dry_run: bool,
    #[command(flatten)]
    site: SiteArgs,
}

/// Merges the newest chain of each component.
pub(crate) fn run(args: &Args) -> Result<Exit, CliError> {
    let intent = Intent::Merge {
        names: args.names.clone(),
        device: args.device.clone(),
    };
    let now = args.site.now.now();
    if args.dry_run {
        let site = args.site.look(Purpose::Work)?;
        return print_graph(&site.compile(&intent, now)?);
    }
    let (mut site, show) = (args.site.open(Purpose::Work)?, args.site.show);
    let Some(report) = work(&mut site, &intent, now, show)? else {
        say(show, "nothing to merge: no part builds on another\n")?;
        return Ok(Exit::Ok);
    };
    Ok(report.verdict().into())
}
