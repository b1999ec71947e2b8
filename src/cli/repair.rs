//! `planc repair`: puts good copies beside damaged ones, from devices that hold them intact.

use crate::check::Purpose;
use crate::cli::exit::{CliError, Exit};
use crate::cli::run::{print_graph, say, work};
use crate::cli::site::SiteArgs;
use crate::graph::step::Intent;

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
    site: SiteArgs,
}

/// Repairs what reading back found damaged; exit 1 when something stays damaged.
pub(crate) fn run(args: &Args) -> Result<Exit, CliError> {
    let intent = Intent::Repair {
        device: args.device.clone(),
    };
    let now = args.site.now.now();
    if args.dry_run {
        let site = args.site.look(Purpose::Rescue)?;
        return print_graph(&site.compile(&intent, now)?);
    }
    let mut site = args.site.open(Purpose::Rescue)?;
    let mut exit = Exit::Ok;
    match work(&mut site, &intent, now, args.site.show)? {
        None => say(args.site.show, "nothing can be repaired\n")?,
        Some(report) => exit = report.verdict().into(),
    }
    let wanted = |name: &str| args.device.as_deref().is_none_or(|device| device == name);
    let left = site.holdings()?.damaged;
    for (object, device) in left.iter().filter(|(_, device)| wanted(device)) {
        say(
            args.site.show,
            &format!("still damaged: {object} on {device}\n"),
        )?;
        exit = Exit::Findings;
    }
    Ok(exit)
}
