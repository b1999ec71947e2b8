//! `planc simulate`: plays the plan through time with losses at random moments, and compares what
//! happens with what is promised. Changes nothing and connects to nothing.

use std::io::Write;
use std::str::FromStr;

use clap::ValueEnum;
use jiff::Unit;

use crate::check::proof::Row;
use crate::cli::args::{NowArgs, PlanArgs};
use crate::cli::exit::{CliError, Exit};
use crate::cli::load;
use crate::cli::site::graph_error;
use crate::outlook::year::{self, Trial, World};
use crate::report::year as shown;

/// Arguments of `planc simulate`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// How many days are played.
    #[arg(long, value_name = "N", default_value_t = 365, value_parser = clap::value_parser!(u32).range(2..=3660))]
    days: u32,
    /// All chance follows from it: the same seed gives the same play.
    #[arg(long, value_name = "N", default_value_t = 1)]
    seed: u64,
    /// How many losses are played for each promise.
    #[arg(long, value_name = "N", default_value_t = 1000)]
    losses: u32,
    /// Play the plan as written: no growth, no slow device, no late courier.
    #[arg(long)]
    calm: bool,
    /// Play losses of every kind, those too about which nothing is promised.
    #[arg(long)]
    every_loss: bool,
    /// Tell one loss in full: the number of the promise and of the loss, for example `2.417`.
    #[arg(long, value_name = "P.N")]
    replay: Option<Which>,
    /// The form.
    #[arg(long, value_enum, default_value_t = Form::Human)]
    format: Form,
    #[command(flatten)]
    plan: PlanArgs,
    #[command(flatten)]
    now: NowArgs,
}

/// Forms of the result.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Form {
    /// A table.
    Human,
    /// `planc-simulation/1.0`.
    Json,
}

/// One loss of one promise, both by number.
#[derive(Debug, Clone, Copy)]
struct Which {
    promise: usize,
    loss: u32,
}

impl FromStr for Which {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let pair = text.split_once('.');
        let numbers = pair.and_then(|(promise, loss)| {
            Some(Self {
                promise: promise.parse().ok()?,
                loss: loss.parse().ok()?,
            })
        });
        numbers.ok_or_else(|| format!("`{text}` is not PROMISE.LOSS, for example `2.417`"))
    }
}

/// Plays and reports. Ends with 1 when a promise that was proved did not hold although all went
/// as written.
pub(crate) fn run(args: &Args) -> Result<Exit, CliError> {
    let loaded = load::loaded(&args.plan, args.now)?;
    let known = year::known(&loaded.plan, loaded.measured.as_ref());
    let world = World::new(&loaded.plan, &known);
    let trial = Trial {
        seed: args.seed,
        days: args.days,
        losses: args.losses,
        mishaps: !args.calm,
    };
    let refuse = |error| graph_error(&error);
    // whole seconds, because the moment is written into the words that play a loss again
    let begin = args.now.now().round(Unit::Second);
    let begin = begin.unwrap_or_else(|_| args.now.now());
    let play = world.play(begin, trial).map_err(refuse)?;
    let rows = loaded.proofs.iter();
    let mut rows: Vec<&Row> = rows.filter(|row| row.loss.is_some()).collect();
    let others = if args.every_loss {
        year::unpromised(loaded.plan.plan(), &rows)
    } else {
        Vec::new()
    };
    rows.extend(&others);
    let mut out = std::io::stdout().lock();
    if let Some(which) = args.replay {
        let row = rows.get(which.promise).copied();
        let sample = row.map(|row| play.sample(row, which.promise, which.loss));
        let sample = sample.transpose().map_err(refuse)?.flatten();
        let (Some(row), Some(sample)) = (row, sample) else {
            let last = rows.len().saturating_sub(1);
            return Err(
                CliError::refused(format!("no promise has number {}", which.promise)).help(
                    format!("promises about losses have the numbers 0 to {last}"),
                ),
            );
        };
        out.write_all(shown::replay(row, &sample).as_bytes())?;
        return Ok(Exit::Ok);
    }
    let played = play.year(&rows).map_err(refuse)?;
    let text = match args.format {
        Form::Human => shown::human(&loaded.plan.plan().name, &played),
        Form::Json => shown::json(&loaded.plan.plan().name, &played),
    };
    out.write_all(text.as_bytes())?;
    let broken = args.calm && played.fates.iter().any(year::Fate::contradicts_proof);
    Ok(if broken { Exit::Findings } else { Exit::Ok })
}
