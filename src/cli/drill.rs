//! `planc drill`: a drill of the plan. What is restored is asked and thrown away; nothing live is
//! touched, and nothing stays but how long it took.

use std::collections::BTreeMap;
use std::time::Instant;

use crate::check::Purpose;
use crate::cli::exit::{CliError, Exit};
use crate::cli::recover::compile;
use crate::cli::restore::{approved_run, incarnation};
use crate::cli::run::print_graph;
use crate::cli::site::{SiteArgs, catalog_error};
use crate::facts::holdings::JobHistory;
use crate::graph::full_name;
use crate::graph::step::Intent;
use crate::resolve::plan::ResolvedPlan;
use crate::similar;

/// Arguments of `planc drill`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The drill's name in the plan.
    name: String,
    /// Follow this history of the log, where more than one goes on: a timeline of PostgreSQL.
    #[arg(long, value_name = "N")]
    timeline: Option<u32>,
    /// Do not ask.
    #[arg(long)]
    yes: bool,
    /// Print the steps that would run, and run none.
    #[arg(long)]
    dry_run: bool,
    #[command(flatten)]
    site: SiteArgs,
}

/// Runs a drill.
pub(crate) fn run(args: &Args) -> Result<Exit, CliError> {
    let mut site = if args.dry_run {
        args.site.look(Purpose::Work)?
    } else {
        args.site.open(Purpose::Work)?
    };
    let name = known(site.plan.plan(), &args.name)?;
    let inputs = BTreeMap::new();
    site.ask_devices(None)?;
    site.look_up_inputs(&name, &inputs)?;
    let intent = Intent::Recover {
        scenario: name.clone(),
        inputs,
        to: None,
        incarnation: args.timeline.map(incarnation),
    };
    let graph = compile(&site, intent, args.site.now)?;
    if args.dry_run {
        return print_graph(&graph);
    }
    let (began, clock) = (args.site.now.now(), Instant::now());
    let bytes = graph.steps.iter().filter_map(|step| step.estimate.bytes);
    let bytes = bytes.sum();
    let exit = approved_run(&mut site, graph, args.yes, args.site.show)?;
    if exit == Exit::Ok {
        let measured = JobHistory {
            job: format!("drill {name}"),
            method: None,
            began,
            seconds: clock.elapsed().as_secs_f64(),
            bytes,
        };
        let recorded = site.catalog.record_job(&measured);
        recorded.map_err(catalog_error)?;
    }
    Ok(exit)
}

/// The full name of a drill.
fn known(plan: &ResolvedPlan, name: &str) -> Result<String, CliError> {
    let full: Vec<String> = (plan.drills.iter())
        .map(|drill| full_name(&drill.origin, &drill.name))
        .collect();
    let own = plan.drills.iter().position(|drill| drill.name == name);
    let found = full.iter().position(|full| full == name).or(own);
    if let Some(at) = found {
        return Ok(full[at].clone());
    }
    let error = CliError::refused(format!("no drill is called `{name}`"));
    Err(error.help(
        match similar::nearest(name, full.iter().map(String::as_str)) {
            Some(near) => format!("did you mean `{near}`?"),
            None if full.is_empty() => "the plan has no `drill` block".to_owned(),
            None => format!("drills of this plan: {}", full.join(", ")),
        },
    ))
}
