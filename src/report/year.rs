//! A plan played through time, for people and machines. Must not judge.

use std::fmt::Write as _;

use serde_json::{Value, json};

use crate::check::proof::{Row, Unit};
use crate::check::survival::Loss;
use crate::outlook::year::{Fate, Sample, Spread, Year};
use crate::report::columns::columns;

fn seconds(value: f64) -> String {
    Unit::Seconds.words(value)
}

/// Two tables: the promises, and the worst loss of each.
#[must_use]
pub fn human(plan: &str, year: &Year) -> String {
    let trial = year.trial;
    let weather = if trial.mishaps {
        "with growth, slow devices and late couriers"
    } else {
        "as written"
    };
    let mut out = format!(
        "{plan}: {} days from {}, {weather}, seed {}\n",
        trial.days,
        year.begin.strftime("%F"),
        trial.seed
    );
    runs(&mut out, year);
    out.push('\n');
    let head = [
        "#", "PROMISE", "OF", "PROVED", "KEPT", "LEAST", "MEDIAN", "95%", "99%", "MOST",
    ];
    columns(&mut out, head, year.fates.iter().map(fate));
    let worst = year
        .fates
        .iter()
        .filter_map(|fate| Some((fate, fate.worst.as_ref()?)));
    out.push('\n');
    let head = ["WORST", "AT", "LOSS", "LOSES", "TIME", "AGAIN WITH"];
    columns(
        &mut out,
        head,
        worst.map(|(fate, sample)| case(year, fate, sample)),
    );
    out
}

fn runs(out: &mut String, year: &Year) {
    let steps: usize = year.runs.iter().map(|run| run.steps).sum();
    let busy: f64 = year.runs.iter().map(|run| run.seconds).sum();
    let over = (year.over_bound() - 1.0) * 100.0;
    // writing to a string cannot fail
    let _ = writeln!(
        out,
        "{} runs with {steps} steps took {}, {over:.1} % over the lower bound",
        year.runs.len(),
        seconds(busy),
    );
    if year.unknown > 0 {
        let unknown = year.unknown;
        let _ = writeln!(
            out,
            "{unknown} steps took no time, because a size or a rate is not known"
        );
    }
}

fn fate(fate: &Fate) -> [String; 10] {
    let spread = |value: fn(&Spread) -> f64| {
        let spread = fate.spread.as_ref();
        spread.map_or_else(|| "?".to_owned(), |spread| seconds(value(spread)))
    };
    let kept = match fate.losses {
        0 => "not known".to_owned(),
        losses => format!("{} of {losses}", fate.kept),
    };
    [
        fate.promise.to_string(),
        fate.words.clone(),
        fate.service.clone(),
        fate.verdict.word().to_owned(),
        kept,
        spread(|s| s.least),
        spread(|s| s.median),
        spread(|s| s.p95),
        spread(|s| s.p99),
        spread(|s| s.most),
    ]
}

/// The words after `planc simulate` that play a loss again.
fn again(year: &Year, fate: &Fate, sample: &Sample) -> String {
    let calm = if year.trial.mishaps { "" } else { " --calm" };
    let every = match fate.limit {
        Some(_) => "",
        None => " --every-loss",
    };
    format!(
        "--now {} --days {} --seed {}{calm}{every} --replay {}.{}",
        year.begin, year.trial.days, year.trial.seed, fate.promise, sample.number
    )
}

fn case(year: &Year, fate: &Fate, sample: &Sample) -> [String; 6] {
    [
        fate.words.clone(),
        sample.at.strftime("%F %T").to_string(),
        Loss::Case(sample.case.clone()).words(),
        lost(sample),
        sample.took.map_or_else(|| "?".to_owned(), seconds),
        again(year, fate, sample),
    ]
}

fn lost(sample: &Sample) -> String {
    sample.lost.map_or_else(|| "everything".to_owned(), seconds)
}

/// One loss in full.
#[must_use]
pub fn replay(row: &Row, sample: &Sample) -> String {
    let mut out = format!("{} of {}: {}\n", row.words, row.service, row.verdict.word());
    let _ = writeln!(
        out,
        "{}  loss of {}",
        sample.at.strftime("%F %T UTC"),
        Loss::Case(sample.case.clone()).words()
    );
    for line in &sample.story {
        let _ = writeln!(out, "  {line}");
    }
    let took = sample.took.map_or_else(|| "not known".to_owned(), seconds);
    let _ = writeln!(out, "work lost: {}; time: {took}", lost(sample));
    out
}

/// `planc-simulation/1.0`.
#[must_use]
pub fn json(plan: &str, year: &Year) -> String {
    let document = json!({
        "format": "planc-simulation/1.0",
        "planc": env!("CARGO_PKG_VERSION"),
        "plan": plan,
        "begin": year.begin,
        "days": year.trial.days,
        "seed": year.trial.seed,
        "losses": year.trial.losses,
        "mishaps": year.trial.mishaps,
        "runs": year.runs.len(),
        "over_lower_bound": year.over_bound(),
        "steps_of_unknown_length": year.unknown,
        "promises": year.fates.iter().map(|fate| fate_json(year, fate)).collect::<Vec<_>>(),
    });
    format!("{document:#}\n")
}

fn fate_json(year: &Year, fate: &Fate) -> Value {
    let worst = fate.worst.as_ref().map(|sample| {
        json!({
            "number": sample.number,
            "at": sample.at,
            "loss": Loss::Case(sample.case.clone()).words(),
            "lost_s": sample.lost,
            "took_s": sample.took,
            "story": sample.story,
            "again": again(year, fate, sample),
        })
    });
    json!({
        "number": fate.promise,
        "words": fate.words,
        "service": fate.service,
        "claim": fate.claim,
        "limit_s": fate.limit,
        "verdict": fate.verdict,
        "losses": fate.losses,
        "kept": fate.kept,
        "everything_lost": fate.gone,
        "unmeasured": fate.unmeasured,
        "seconds": fate.spread,
        "worst": worst,
    })
}
