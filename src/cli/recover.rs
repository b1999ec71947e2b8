//! `planc recover`: a recovery of the plan, with what the incident tells.

use std::collections::BTreeMap;
use std::path::PathBuf;

use crate::cli::args::{NowArgs, PlanArgs};
use crate::cli::exit::{CliError, Exit};
use crate::cli::restore::{absolute, approved_run};
use crate::cli::run::print_graph;
use crate::cli::site::{OnBusy, ShowArgs, Site};
use crate::graph::step::Intent;

/// Arguments of `planc recover`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The recovery's name in the plan.
    scenario: String,
    /// What the recovery asks for, as its `input` lines name it: `bad=4711`.
    #[arg(value_name = "NAME=VALUE", value_parser = pair)]
    inputs: Vec<(String, String)>,
    /// The file or folder that the restored copy becomes, instead of what the plan says.
    #[arg(long, value_name = "PATH")]
    to: Option<PathBuf>,
    /// Do not ask.
    #[arg(long)]
    yes: bool,
    /// Print the steps that would run, and run none.
    #[arg(long)]
    dry_run: bool,
    #[command(flatten)]
    plan: PlanArgs,
    #[command(flatten)]
    now: NowArgs,
    #[command(flatten)]
    show: ShowArgs,
}

fn pair(text: &str) -> Result<(String, String), String> {
    let pair = text.split_once('=').filter(|(name, _)| !name.is_empty());
    let (name, value) =
        pair.ok_or_else(|| format!("`{text}` is not NAME=VALUE, for example bad=4711"))?;
    Ok((name.to_owned(), value.to_owned()))
}

/// Runs a recovery.
pub(crate) fn run(args: &Args) -> Result<Exit, CliError> {
    let mut inputs = BTreeMap::new();
    for (name, value) in &args.inputs {
        if inputs.insert(name.clone(), value.clone()).is_some() {
            return Err(CliError::refused(format!(
                "the input `{name}` is given twice"
            )));
        }
    }
    let to = args.to.as_deref().map(absolute).transpose()?;
    let intent = Intent::Recover {
        scenario: args.scenario.clone(),
        inputs,
        to,
    };
    if args.dry_run {
        let site = Site::look(&args.plan, args.now)?;
        return print_graph(&site.compile(&intent, args.now.now())?);
    }
    let mut site = Site::open(&args.plan, args.now, args.show, OnBusy::Refuse)?;
    let graph = site.compile(&intent, args.now.now())?;
    approved_run(&mut site, graph, args.yes, args.show)
}
