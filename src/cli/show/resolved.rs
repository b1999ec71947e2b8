//! `planc show resolved`: every value that holds, with its origin, as text or JSON.

use std::io::Write as _;

use clap::ValueEnum;

use crate::cli::args::{NowArgs, PlanArgs};
use crate::cli::exit::{CliError, Exit};
use crate::cli::load::{self, Compiled};
use crate::report::resolved::{self, Block, Sources};
use crate::resolve::plan::ResolvedPlan;

/// Arguments of `planc show resolved`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    plan: PlanArgs,
    #[command(flatten)]
    now: NowArgs,
    /// The form.
    #[arg(long, value_enum, default_value_t = Form::Text)]
    format: Form,
}

/// Forms of the values.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Form {
    /// A line a value.
    Text,
    /// `planc-resolved/1.0`.
    Json,
}

/// Shows all environments, or the one asked for.
pub(crate) fn run(args: &Args) -> Result<Exit, CliError> {
    let (_, compiled) = load::sound(&args.plan, args.now)?;
    let environments: Vec<(&ResolvedPlan, Vec<Block>)> = compiled
        .plans
        .iter()
        .map(|checked| (checked.plan(), blocks(&compiled, checked.plan())))
        .collect();
    let mut out = std::io::stdout().lock();
    match args.format {
        Form::Json => writeln!(
            out,
            "{:#}",
            resolved::json(&compiled.judged.plan, &environments)
        )?,
        Form::Text => {
            for (plan, blocks) in &environments {
                if environments.len() > 1 {
                    writeln!(out, "# environment {}", plan.environment)?;
                }
                write!(out, "{}", resolved::text(&plan.environment, blocks))?;
            }
        }
    }
    Ok(Exit::Ok)
}

fn blocks(compiled: &Compiled, plan: &ResolvedPlan) -> Vec<Block> {
    resolved::blocks(&Sources {
        plan,
        asts: &compiled.asts,
        texts: &compiled.judged.sources,
    })
}
