//! `planc switchover`: the work of a PostgreSQL primary is handed over to its standby, as a block
//! of the plan says.

use crate::check::Purpose;
use crate::cli::exit::{CliError, Exit};
use crate::cli::restore::approved_run;
use crate::cli::run::{print_graph, resume};
use crate::cli::site::SiteArgs;
use crate::graph::step::Intent;
use crate::run::Family;

/// Arguments of `planc switchover`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The switchover's name in the plan.
    #[arg(required_unless_present = "resume")]
    scenario: Option<String>,
    /// How long the old primary may take to stop, and the standby to apply the rest and to open.
    #[arg(long, value_name = "SECONDS", default_value_t = 60)]
    patience: u64,
    /// Do not ask.
    #[arg(long)]
    yes: bool,
    /// Print the steps that would run, and run none.
    #[arg(long)]
    dry_run: bool,
    /// Go on with the newest switchover, when it did not end.
    #[arg(long, conflicts_with_all = ["scenario", "patience", "dry_run"])]
    resume: bool,
    #[command(flatten)]
    site: SiteArgs,
}

/// Hands over.
pub(crate) fn run(args: &Args) -> Result<Exit, CliError> {
    let Some(scenario) = &args.scenario else {
        let mut site = args.site.open(Purpose::Work)?;
        return resume(&mut site, Family::Switchover, args.site.show);
    };
    let intent = Intent::Switchover {
        scenario: scenario.clone(),
        patience: args.patience,
    };
    let now = args.site.now.now();
    if args.dry_run {
        return print_graph(&args.site.look(Purpose::Work)?.compile(&intent, now)?);
    }
    let mut site = args.site.open(Purpose::Work)?;
    let graph = site.compile(&intent, now)?;
    approved_run(&mut site, graph, args.yes, args.site.show)
}
