//! Merges what a transaction did with the live rows, between two restored copies.

use super::{Task, probe};
use crate::engine::undo::UndoWish;
use crate::graph::step::StepKind;
use crate::run::message::{StepDone, StepFailure};

/// Conflicts that are told one by one.
const SHOWN: usize = 200;

/// Compares or merges.
pub(super) fn undo(task: &Task<'_>) -> Result<StepDone, StepFailure> {
    let StepKind::Undo {
        service,
        before,
        after,
        pages,
        apply,
    } = &task.step.kind
    else {
        return Err(StepFailure::new("not a step that takes something back"));
    };
    let wish = UndoWish {
        pages: pages.clone(),
        apply: *apply,
    };
    let engine = task.context.engine(service)?;
    let (before, after) = (probe::restored(task, before), probe::restored(task, after));
    let undone = engine.undo(&before, &after, &wish)?;
    for conflict in undone.conflicts.iter().take(SHOWN) {
        task.warn(format!("conflict: {conflict}"));
    }
    if undone.conflicts.len() > SHOWN {
        let left = undone.conflicts.len() - SHOWN;
        task.warn(format!("and {left} conflicts more"));
    }
    for note in &undone.notes {
        task.warn(note.clone());
    }
    Ok(StepDone::default().says(undone.words()))
}
