//! `planc show`: what a plan means, as text, data or drawing. Changes nothing.

use clap::Subcommand;

use crate::cli::exit::{CliError, Exit};

mod figures;
mod graph;
mod keeping;
mod proof;
mod resolved;
mod timeline;

/// Arguments of `planc show`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(subcommand)]
    what: What,
}

/// What is shown.
#[derive(Debug, Subcommand)]
enum What {
    /// The steps that an intent compiles to, or those of a graph file.
    Graph(graph::Args),
    /// Which job copies which component, and where to.
    Coverage(keeping::Args),
    /// How long what is kept on which device.
    Retention(keeping::Args),
    /// Every value that holds in the plan, and what gave it: a line, a policy, a parameter, the
    /// inventory, a default.
    Resolved(resolved::Args),
    /// What survives what: for every component and every loss what is left, how it comes back,
    /// and whether the promises about it hold.
    Proof(proof::Args),
    /// Every quantity that can be told of the plan, each as a sum of its terms: volumes, times,
    /// space, what is lost and how long it takes, with what is not known.
    Figures(figures::Args),
    /// What runs when on which device, in the days ahead or in a run that is over.
    Timeline(timeline::Args),
}

/// Shows what is asked for.
pub(crate) fn run(args: &Args) -> Result<Exit, CliError> {
    match &args.what {
        What::Graph(args) => graph::run(args),
        What::Coverage(args) => keeping::coverage(args),
        What::Retention(args) => keeping::retention(args),
        What::Resolved(args) => resolved::run(args),
        What::Proof(args) => proof::run(args),
        What::Figures(args) => figures::run(args),
        What::Timeline(args) => timeline::run(args),
    }
}
