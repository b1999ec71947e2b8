//! Owns incident input: what the operator typed, read as what the scenario declares.

use std::collections::BTreeMap;

use jiff::Timestamp;
use jiff::civil::DateTime;

use super::error::{GraphError, Problem};
use super::step::RecoveryTarget;
use super::world::World;
use crate::facts::holdings::Position;
use crate::resolve::plan::{Input, Kind, ReplayPoint, Scenario};
use crate::similar;

/// Refuses input that is missing, and input that the scenario does not know.
///
/// # Errors
/// With every name concerned.
pub(super) fn check(
    scenario: &Scenario,
    given: &BTreeMap<String, String>,
) -> Result<(), GraphError> {
    let missing = scenario
        .inputs
        .iter()
        .filter(|input| !given.contains_key(&input.name));
    let mut problems: Vec<Problem> = missing
        .map(|input| Problem {
            message: format!("recovery `{}` needs `{}`", scenario.name, input.name),
            help: format!("add `{}={}`", input.name, example(input.kind)),
        })
        .collect();
    let known = || scenario.inputs.iter().map(|input| input.name.as_str());
    let unknown = given
        .keys()
        .filter(|name| known().all(|known| known != name.as_str()));
    problems.extend(unknown.map(|name| Problem {
        message: format!("recovery `{}` takes no `{name}`", scenario.name),
        help: match (similar::nearest(name, known()), scenario.inputs.is_empty()) {
            (Some(near), _) => format!("did you mean `{near}`?"),
            (None, true) => "it takes no input at all".into(),
            (None, false) => format!("it takes {}", known().collect::<Vec<_>>().join(", ")),
        },
    }));
    GraphError::unless_empty(problems)
}

fn example(kind: Kind) -> &'static str {
    match kind {
        Kind::Transaction => "N` or `INCARNATION:N",
        Kind::Time => "2026-03-01T12:00:00Z",
        _ => "NAME",
    }
}

/// The moment a `replay log` clause aims at.
///
/// # Errors
/// When the text is no transaction or time, or the clause cannot be met by these engines.
pub(super) fn target(
    world: &World<'_>,
    scenario: &Scenario,
    given: &BTreeMap<String, String>,
    before: bool,
    point: &ReplayPoint,
) -> Result<RecoveryTarget, GraphError> {
    match point {
        ReplayPoint::Latest => Ok(RecoveryTarget::Latest),
        ReplayPoint::Instant(at) => Ok(instant(*at, before)),
        ReplayPoint::Transaction(text) => transaction(world, text, before),
        ReplayPoint::RestorePoint(name) => {
            let found = looked_up(world, &format!("point:{name}"));
            let found = found.map(|at| aim(at, before));
            found.ok_or_else(|| {
                GraphError::new(
                    format!(
                        "`replay log` to restore point \"{name}\" in `{}`: no stored log holds it",
                        scenario.name
                    ),
                    "name a transaction or a time; only PostgreSQL has named restore points",
                )
            })
        }
        ReplayPoint::Input(name) => {
            let declared = scenario.inputs.iter().find(|input| input.name == *name);
            let text = given.get(name).map_or("", String::as_str);
            match declared {
                Some(Input {
                    kind: Kind::Transaction,
                    ..
                }) => transaction(world, text, before),
                Some(Input {
                    kind: Kind::Time, ..
                }) => Ok(instant(time(world, name, text)?, before)),
                _ => Err(GraphError::new(
                    format!("`replay log` in `{}` aims at `${name}`", scenario.name)
                        + ", which is neither a transaction nor a time",
                    format!("declare it: `given {name}: transaction` or `given {name}: time`"),
                )),
            }
        }
    }
}

fn instant(at: Timestamp, before: bool) -> RecoveryTarget {
    let one = jiff::SignedDuration::from_nanos(i64::from(before));
    RecoveryTarget::Instant(at.checked_sub(one).unwrap_or(at))
}

/// A point that was looked up in the stored log for this compilation.
fn looked_up(world: &World<'_>, name: &str) -> Option<Position> {
    let mut points = world.holdings.points.iter();
    let found = points.find(|point| point.name == name)?;
    Some(found.at.clone())
}

fn aim(at: Position, before: bool) -> RecoveryTarget {
    if before {
        RecoveryTarget::Before(at)
    } else {
        RecoveryTarget::Transaction(at)
    }
}

fn transaction(world: &World<'_>, text: &str, before: bool) -> Result<RecoveryTarget, GraphError> {
    if let Some(at) = looked_up(world, text) {
        return Ok(aim(at, before));
    }
    let (incarnation, number) = text.rsplit_once(':').unwrap_or(("", text));
    let Ok(value) = number.trim().parse() else {
        return Err(GraphError::new(
            format!("`{text}` is no transaction"),
            "write its number `N`, or `INCARNATION:N` as the list of transactions shows it",
        ));
    };
    if before && value == 0 {
        return Err(GraphError::new(
            "there is nothing before transaction 0",
            "transactions are counted from 1",
        ));
    }
    let position = Position {
        incarnation: incarnation.to_owned(),
        value,
    };
    Ok(aim(position, before))
}

/// An instant with an offset, or a clock time in the plan's zone.
fn time(world: &World<'_>, name: &str, text: &str) -> Result<Timestamp, GraphError> {
    if let Ok(at) = text.parse::<Timestamp>() {
        return Ok(at);
    }
    let local = text.parse::<DateTime>().ok();
    local
        .and_then(|at| world.calendar.local(at))
        .ok_or_else(|| {
            GraphError::new(
                format!("`{name}={text}` is no time"),
                "write an instant such as 2026-03-01T12:00:00Z, or a local time in the plan's zone",
            )
        })
}
