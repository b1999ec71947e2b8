//! `planc show proof`: the survival matrix of a plan, with or without the graphs behind it.
//! Opens nothing but the plan's files.

use std::io::Write;

use clap::ValueEnum;

use crate::check::survival::{self, Question};
use crate::cli::args::{NowArgs, PlanArgs};
use crate::cli::exit::{CliError, Exit};
use crate::cli::load::{self, Compiled};
use crate::facts::known::Known;
use crate::outlook::paths;
use crate::report::proof::{self, Shown};
use crate::resolve::plan::ResolvedPlan;

/// Arguments of `planc show proof`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The form.
    #[arg(long, value_enum, default_value_t = Form::Human)]
    format: Form,
    /// Also the graph that would run for every way back.
    #[arg(long)]
    paths: bool,
    #[command(flatten)]
    plan: PlanArgs,
    #[command(flatten)]
    now: NowArgs,
}

/// Forms of the matrix.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Form {
    /// Tables of text.
    Human,
    /// `planc-proof/1.0`.
    Json,
    /// One page without outside parts, for screen and paper.
    Html,
}

/// Shows the matrix of every environment asked for.
pub(crate) fn run(args: &Args) -> Result<Exit, CliError> {
    let compiled = load::judged(&args.plan, args.now)?;
    let environments = compiled.environments();
    if environments.is_empty() {
        return Err(CliError::refused("the plan has no environment to show")
            .help("`planc check` says what stands in the way"));
    }
    let shown: Vec<Shown<'_>> = environments
        .into_iter()
        .map(|plan| shown(args, &compiled, plan))
        .collect();
    let text = match args.format {
        Form::Human => shown
            .iter()
            .map(proof::human)
            .collect::<Vec<_>>()
            .join("\n"),
        Form::Json => proof::json(&shown),
        Form::Html => proof::html(&shown),
    };
    std::io::stdout().lock().write_all(text.as_bytes())?;
    Ok(Exit::Ok)
}

fn shown<'a>(args: &Args, compiled: &'a Compiled, plan: &ResolvedPlan) -> Shown<'a> {
    let now = args.now.now();
    let sources = &compiled.judged.sources;
    let matrix = survival::matrix(Question {
        plan,
        facts: compiled.facts.get(&plan.environment),
        sources,
        now,
    });
    let ways = args.paths.then(|| {
        let known = Known::of(plan, compiled.facts.get(&plan.environment));
        paths::ways_back(plan, &known, &matrix, now)
    });
    Shown {
        rows: compiled.proofs_of(plan).cloned().collect(),
        paths: ways,
        matrix,
        sources,
    }
}
