//! `planc show coverage` and `planc show retention`: which job copies what, and how long it is
//! kept. Opens nothing but the plan's files.

use std::io::Write;

use clap::ValueEnum;

use crate::check::survival::Question;
use crate::check::{covered, retention};
use crate::cli::args::{NowArgs, PlanArgs};
use crate::cli::exit::{CliError, Exit};
use crate::cli::load::{self, Compiled};
use crate::report::keeping as shown;
use crate::resolve::plan::ResolvedPlan;

/// Arguments of both.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The form.
    #[arg(long, value_enum, default_value_t = Form::Human)]
    format: Form,
    #[command(flatten)]
    plan: PlanArgs,
    #[command(flatten)]
    now: NowArgs,
}

/// Forms of the tables.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Form {
    /// A table.
    Human,
    /// One object.
    Json,
}

/// Shows which job copies what.
pub(crate) fn coverage(args: &Args) -> Result<Exit, CliError> {
    show(args, |compiled, plan| {
        let rows = covered::coverage(Question {
            plan,
            facts: compiled.facts.get(&plan.environment),
            sources: &compiled.judged.sources,
            now: args.now.now(),
        });
        match args.format {
            Form::Human => shown::coverage(&rows),
            Form::Json => shown::coverage_json(&rows),
        }
    })
}

/// Shows how long what is kept.
pub(crate) fn retention(args: &Args) -> Result<Exit, CliError> {
    show(args, |_, plan| {
        let rows = retention::kept(plan);
        match args.format {
            Form::Human => shown::retention(&rows),
            Form::Json => shown::retention_json(&rows),
        }
    })
}

fn show(args: &Args, text: impl Fn(&Compiled, &ResolvedPlan) -> String) -> Result<Exit, CliError> {
    let compiled = load::judged(&args.plan, args.now)?;
    let plan = compiled.only_environment()?;
    let text = text(&compiled, plan);
    std::io::stdout().lock().write_all(text.as_bytes())?;
    Ok(Exit::Ok)
}
