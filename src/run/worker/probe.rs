//! Asks the restored copy a question and compares the answer.

use std::path::{Path, PathBuf};

use super::Task;
use crate::engine::Examined;
use crate::graph::step::StepKind;
use crate::run::message::{StepDone, StepFailure};

type Rows = Vec<Vec<Option<String>>>;

/// Runs the query on the staged copy, or on the published one.
pub(super) fn probe(task: &Task<'_>) -> Result<StepDone, StepFailure> {
    let StepKind::Probe {
        service,
        target,
        database,
        query,
        expect,
    } = &task.step.kind
    else {
        return Err(StepFailure::new("not a probe"));
    };
    let engine = task.context.engine(service)?;
    let database = database.as_deref();
    let rows = if target.is_empty() {
        engine.query_live(database, query)?
    } else {
        engine.query_database(&restored(task, target), database, query)?
    };
    let answer = first_cell(&rows);
    match holds(expect, &rows) {
        Some(true) => Ok(StepDone::default().says(answer)),
        Some(false) => {
            let cause = format!("the probe `{query}` answered {answer}, expected {expect}");
            Err(StepFailure::new(cause).help(if target.is_empty() {
                "the live service does not hold what was expected: look before it is used"
            } else {
                "the restored copy was not published"
            }))
        }
        None => Err(StepFailure::new(format!(
            "the answer {answer} of `{query}` cannot be compared with `{expect}`"
        ))),
    }
}

/// Looks closely at the copy; what could not be looked at is told.
pub(super) fn examine(
    task: &Task<'_>,
    service: &str,
    target: &str,
) -> Result<StepDone, StepFailure> {
    let engine = task.context.engine(service)?;
    let told = match engine.examine(&restored(task, target))? {
        Examined::Looked(told) => told,
        Examined::Left(why) => {
            task.warn(why.clone());
            why
        }
    };
    Ok(StepDone::default().says(told))
}

/// Where the restored copy lies now.
pub(super) fn restored(task: &Task<'_>, target: &str) -> PathBuf {
    let sessions = &task.context.sessions;
    let Some(building) = sessions.take_building(target) else {
        return Path::new(target).to_owned();
    };
    let path = building.staging.join(building.session.result());
    sessions.put_building(target, building);
    path
}

fn first_cell(rows: &Rows) -> String {
    let cell = rows.first().and_then(|row| row.first());
    match cell {
        None => "no rows".to_owned(),
        Some(None) => "NULL".to_owned(),
        Some(Some(text)) => text.clone(),
    }
}

/// Whether the answer is as expected; none when it cannot be compared.
fn holds(expect: &str, rows: &Rows) -> Option<bool> {
    let cell = || rows.first()?.first()?.as_deref();
    match expect {
        "is empty" => return Some(rows.is_empty()),
        "is true" => return cell().map(truth),
        "is false" => return cell().map(|text| !truth(text)),
        _ => {}
    }
    let (sign, wanted) = expect.split_once(' ')?;
    let wanted: f64 = wanted.trim().parse().ok()?;
    let found: f64 = cell()?.parse().ok()?;
    let order = found.partial_cmp(&wanted)?;
    match sign {
        ">=" => Some(order.is_ge()),
        "<=" => Some(order.is_le()),
        ">" => Some(order.is_gt()),
        "<" => Some(order.is_lt()),
        "=" | "==" => Some(order.is_eq()),
        "!=" => Some(order.is_ne()),
        _ => None,
    }
}

fn truth(text: &str) -> bool {
    let number = text.parse::<f64>();
    number.map_or_else(|_| matches!(text, "t" | "true"), |number| number != 0.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn one(text: &str) -> Rows {
        vec![vec![Some(text.to_owned())]]
    }

    #[test]
    fn answers_are_compared_as_the_plan_says() {
        let cases = [
            ("is true", one("1"), Some(true)),
            ("is true", one("0"), Some(false)),
            ("is false", one("f"), Some(true)),
            ("is empty", Vec::new(), Some(true)),
            ("is empty", one("x"), Some(false)),
            (">= 100", one("100"), Some(true)),
            ("> 100", one("100"), Some(false)),
            ("= 2.5", one("2.50"), Some(true)),
            (">= 100", one("many"), None),
            (">= 100", Vec::new(), None),
            ("is true", vec![vec![None]], None),
        ];
        for (expect, rows, answer) in cases {
            assert_eq!(holds(expect, &rows), answer, "{expect} {rows:?}");
        }
    }
}
