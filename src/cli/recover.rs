//! `planc recover`: a recovery of the plan, with what the incident tells.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use crate::cli::args::NowArgs;
use crate::cli::exit::{CliError, Exit};
use crate::cli::restore::{absolute, approved_run, incarnation};
use crate::cli::run::{print_graph, resume};
use crate::cli::site::{Site, SiteArgs};
use crate::graph::step::{Intent, StepGraph, StepKind};
use crate::run::Family;

/// Arguments of `planc recover`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The recovery's name in the plan.
    #[arg(required_unless_present = "resume")]
    scenario: Option<String>,
    /// What the recovery asks for, as its `input` lines name it: `bad=4711`.
    #[arg(value_name = "NAME=VALUE", value_parser = pair)]
    inputs: Vec<(String, String)>,
    /// The file or folder that the restored copy becomes, instead of what the plan says.
    #[arg(long, value_name = "PATH")]
    to: Option<PathBuf>,
    /// Follow this history of the log, where more than one goes on: a timeline of PostgreSQL.
    #[arg(long, value_name = "N")]
    timeline: Option<u32>,
    /// Do not ask.
    #[arg(long)]
    yes: bool,
    /// Print the steps that would run, and run none.
    #[arg(long)]
    dry_run: bool,
    /// Go on with the newest recovery, when it did not end.
    #[arg(long, conflicts_with_all = ["scenario", "to", "timeline", "dry_run"])]
    resume: bool,
    #[command(flatten)]
    site: SiteArgs,
}

pub(crate) fn pair(text: &str) -> Result<(String, String), String> {
    let pair = text.split_once('=').filter(|(name, _)| !name.is_empty());
    let (name, value) =
        pair.ok_or_else(|| format!("`{text}` is not NAME=VALUE, for example bad=4711"))?;
    Ok((name.to_owned(), value.to_owned()))
}

/// Runs a recovery.
pub(crate) fn run(args: &Args) -> Result<Exit, CliError> {
    let Some(scenario) = &args.scenario else {
        let mut site = args.site.bring_back(false)?;
        return resume(&mut site, Family::Recovery, args.site.show);
    };
    let mut inputs = BTreeMap::new();
    for (name, value) in &args.inputs {
        if inputs.insert(name.clone(), value.clone()).is_some() {
            return Err(CliError::refused(format!(
                "the input `{name}` is given twice"
            )));
        }
    }
    let to = args.to.as_deref().map(absolute).transpose()?;
    let names = inputs.clone();
    let intent = Intent::Recover {
        scenario: scenario.clone(),
        inputs,
        to,
        incarnation: args.timeline.map(incarnation),
    };
    if args.dry_run {
        let mut site = args.site.bring_back(true)?;
        site.ask_devices(None)?;
        site.look_up_inputs(scenario, &names)?;
        return print_graph(&compile(&site, intent, args.site.now)?);
    }
    let mut site = args.site.bring_back(false)?;
    site.ask_devices(None)?;
    site.look_up_inputs(scenario, &names)?;
    let graph = compile(&site, intent, args.site.now)?;
    approved_run(&mut site, graph, args.yes, args.site.show)
}

/// Compiles the recovery. A place that the plan says is made absolute, because later processes
/// read the graph too.
pub(crate) fn compile(site: &Site, intent: Intent, now: NowArgs) -> Result<StepGraph, CliError> {
    let now = now.now();
    let graph = site.compile(&intent, now)?;
    let targets: Vec<&Path> = (graph.steps.iter())
        .filter_map(|step| match &step.kind {
            StepKind::PrepareTarget { target, .. } => Some(Path::new(target)),
            _ => None,
        })
        .collect();
    let Intent::Recover {
        scenario,
        inputs,
        incarnation,
        ..
    } = intent
    else {
        return Ok(graph);
    };
    if targets.iter().all(|target| target.is_absolute()) {
        return Ok(graph);
    }
    let to = match targets.as_slice() {
        [only] => *only,
        [first, others @ ..] if others.iter().all(|one| one.parent() == first.parent()) => {
            first.parent().unwrap_or(first)
        }
        _ => {
            let message = format!("`{scenario}` restores several services to several places");
            return Err(CliError::refused(message).help("say one folder for all: `--to PATH`"));
        }
    };
    let to = Some(absolute(to)?);
    let intent = Intent::Recover {
        scenario,
        inputs,
        to,
        incarnation,
    };
    site.compile(&intent, now)
}
