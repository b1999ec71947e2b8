//! `planc show timeline`: what runs when, in the days ahead, in a run or in days that are over.

use std::collections::BTreeMap;
use std::io::Write;

use clap::ValueEnum;
use jiff::{SignedDuration, Timestamp};

use crate::check::Purpose;
use crate::check::survival::{self, Question};
use crate::cli::args::{NowArgs, PlanArgs};
use crate::cli::exit::{CliError, Exit};
use crate::cli::load::{self, Compiled};
use crate::cli::site::{self, Site, folder_error, graph_error};
use crate::estimate::Known;
use crate::graph::step::{StepGraph, StepId};
use crate::outlook::timeline::{self, Done, Past, Timeline};
use crate::report::timeline as shown;
use crate::resolve::zone;
use crate::run;
use crate::run::event::{EventKind, Outcome, RunEvent};

/// Arguments of `planc show timeline`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// How many days ahead; the executor's schedule is played for five weeks.
    #[arg(long, value_name = "N", default_value_t = 14, value_parser = clap::value_parser!(u32).range(1..=35))]
    days: u32,
    /// A run that is over instead, planned beside measured: its id, or `last`.
    #[arg(long, value_name = "ID", conflicts_with = "days")]
    run: Option<String>,
    /// So many days that are over instead, planned beside measured.
    #[arg(long, value_name = "N", conflicts_with_all = ["days", "run"], value_parser = clap::value_parser!(u32).range(1..=35))]
    past: Option<u32>,
    /// The form.
    #[arg(long, value_enum, default_value_t = Form::Text)]
    format: Form,
    #[command(flatten)]
    plan: PlanArgs,
    #[command(flatten)]
    now: NowArgs,
}

/// Forms of a timeline.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Form {
    /// Rows of cells and a list.
    Text,
    /// A drawing.
    Svg,
    /// One page without outside parts.
    Html,
}

/// Shows the picture asked for.
pub(crate) fn run(args: &Args) -> Result<Exit, CliError> {
    let timeline = match (&args.run, args.past) {
        (Some(id), _) => afterwards(args, id)?,
        (None, Some(days)) => behind(args, days)?,
        (None, None) => ahead(args, args.now.now(), args.days)?.1,
    };
    let text = match args.format {
        Form::Text => shown::text(&timeline),
        Form::Svg => shown::svg(&timeline),
        Form::Html => shown::html(&timeline),
    };
    std::io::stdout().lock().write_all(text.as_bytes())?;
    Ok(Exit::Ok)
}

/// The days after a moment as planned, with the plan.
fn ahead(args: &Args, now: Timestamp, days: u32) -> Result<(Compiled, Timeline), CliError> {
    let compiled = load::judged(&args.plan, args.now)?;
    let plan = compiled.only_environment()?;
    let facts = compiled.facts.get(&plan.environment);
    let matrix = survival::matrix(Question {
        plan,
        facts,
        sources: &compiled.judged.sources,
        now,
    });
    let known = Known::of(plan, facts);
    let timeline = timeline::ahead(plan, &known, &matrix, now, days);
    let timeline = timeline.map_err(|error| graph_error(&error))?;
    Ok((compiled, timeline))
}

/// The days before now, from the journals that are kept and the log that is stored.
fn behind(args: &Args, days: u32) -> Result<Timeline, CliError> {
    let begin = args.now.now() - SignedDuration::from_hours(24 * i64::from(days));
    let (compiled, planned) = ahead(args, begin, days)?;
    let plan = compiled.only_environment()?;
    let site = Site::look(&args.plan, args.now, Purpose::Rescue)?;
    let owner = (plan.name.as_str(), plan.environment.as_str());
    let runs = run::past_since(&site.places.state, owner, begin).map_err(folder_error)?;
    let runs = runs.into_iter().map(|(graph, events)| Past {
        done: done(&graph, &events),
        graph,
    });
    let runs: Vec<Past> = runs.collect();
    let logs = site.holdings()?.logs;
    Ok(timeline::beside(plan, planned, &runs, &logs))
}

fn afterwards(args: &Args, id: &str) -> Result<Timeline, CliError> {
    let loaded = load::loaded_for(&args.plan, args.now, Purpose::Rescue)?;
    let state = site::places(&loaded)?.state;
    let found = run::past(&state, id).map_err(folder_error)?;
    let (graph, events) = found.ok_or_else(|| {
        CliError::refused(format!("no run `{id}` in {}", state.join("runs").display()))
            .help("`planc run` prints the id of a run; `last` is the newest one")
    })?;
    let plan = loaded.plan.plan();
    Ok(timeline::of_run(
        &graph,
        &done(&graph, &events),
        zone::of(plan),
        Some(plan),
    ))
}

/// When each step began last, and how it ended.
fn done(graph: &StepGraph, events: &[RunEvent]) -> Vec<Done> {
    let mut done: BTreeMap<StepId, Done> = BTreeMap::new();
    for event in events {
        match &event.kind {
            EventKind::StepBegan { step, .. } => {
                let began = Done {
                    step: *step,
                    began: event.at,
                    ended: None,
                    failed: false,
                };
                done.insert(*step, began);
            }
            EventKind::StepEnded { step, outcome, .. } => {
                if let Some(done) = done.get_mut(step) {
                    done.ended = Some(event.at);
                    done.failed = *outcome == Outcome::Failed;
                }
            }
            _ => {}
        }
    }
    let steps = graph.steps.iter();
    steps
        .filter_map(|step| done.get(&step.id).copied())
        .collect()
}
