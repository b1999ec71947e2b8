//! `planc show figures`: every quantity of a plan as a sum. Opens nothing but the plan's files.

use std::io::Write;

use clap::ValueEnum;

use crate::check::proof::Row;
use crate::check::survival::Question;
use crate::cli::args::{NowArgs, PlanArgs};
use crate::cli::exit::{CliError, Exit};
use crate::cli::load;
use crate::outlook::figures;
use crate::report::figures as shown;

/// Arguments of `planc show figures`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Only this quantity, by its number: 1 for the window of vulnerability, 4 for the makespan …
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u8).range(1..=22))]
    quantity: Option<u8>,
    /// The form.
    #[arg(long, value_enum, default_value_t = Form::Human)]
    format: Form,
    #[command(flatten)]
    plan: PlanArgs,
    #[command(flatten)]
    now: NowArgs,
}

/// Forms of the figures.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Form {
    /// A table.
    Human,
    /// `planc-figures/1.0`.
    Json,
}

/// Shows the figures of every environment that is meant.
pub(crate) fn run(args: &Args) -> Result<Exit, CliError> {
    let compiled = load::judged(&args.plan, args.now)?;
    let mut all = Vec::new();
    for plan in compiled.environments() {
        let question = Question {
            plan,
            facts: compiled.facts.get(&plan.environment),
            sources: &compiled.judged.sources,
            now: args.now.now(),
        };
        let rows: Vec<&Row> = compiled.proofs_of(plan).collect();
        let mut quantities = figures::all(question, &rows);
        quantities.retain(|one| args.quantity.is_none_or(|number| number == one.number));
        all.push((plan.environment.clone(), quantities));
    }
    let text = match args.format {
        Form::Json => shown::json(&all),
        Form::Human => {
            let tables = all.iter().map(|(name, quantities)| {
                let table = shown::human(quantities);
                match all.len() {
                    1 => table,
                    _ => format!("{name}\n{table}"),
                }
            });
            tables.collect::<Vec<_>>().join("\n")
        }
    };
    std::io::stdout().lock().write_all(text.as_bytes())?;
    Ok(Exit::Ok)
}
