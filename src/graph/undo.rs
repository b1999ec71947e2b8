//! Owns the steps that take one transaction back: two recovered copies around it, a comparison with
//! the live rows, an approval, and the merge.

use std::collections::BTreeMap;

use super::draft::{Draft, NewStep};
use super::error::GraphError;
use super::restore::{Line, Restoring, find_service};
use super::step::{Estimate, RecoveryTarget, StepGraph, StepKind, UndoIntent};
use super::world::World;
use crate::resolve::plan::EngineKind;

/// Compiles it.
///
/// # Errors
/// When the service is unknown or of another engine, or no chain of copies reaches the transaction.
pub(super) fn build(world: &World<'_>, intent: &UndoIntent) -> Result<StepGraph, GraphError> {
    let id = find_service(world, &intent.service)?;
    let engine = world.plan.service(id).engine;
    if engine != EngineKind::Postgresql {
        return Err(GraphError::new(
            format!(
                "`{}` is {}: undo is for postgresql",
                intent.service,
                engine.word()
            ),
            "restore it to just before the transaction instead",
        ));
    }
    let mut draft = Draft::new(world);
    let mut line = Line::default();
    let run = world.run.get(..8).unwrap_or(&world.run);
    let folder = format!("{}/undo-{}-{run}", intent.folder, intent.transaction);
    let copy = |name: &str, until| Restoring {
        service: id,
        target: format!("{folder}/{name}"),
        until,
        from: None,
        relocate: BTreeMap::new(),
        incarnation: None,
        only: intent.databases.clone(),
        delta: false,
        settles: false,
        logical: Vec::new(),
    };
    let before = copy("before", RecoveryTarget::Before(intent.at.clone()));
    let after = copy("after", RecoveryTarget::Transaction(intent.at.clone()));
    before.stage(world, &mut draft, &mut line)?;
    after.stage(world, &mut draft, &mut line)?;
    let copies = (before.target.as_str(), after.target.as_str());
    line.then(
        &mut draft,
        step(intent, copies, false),
        "both states are there",
    );
    if intent.ask {
        let why = "people decide on what was compared";
        line.then(&mut draft, approve(intent), why);
    }
    line.then(&mut draft, step(intent, copies, true), "it was agreed to");
    draft.finish(world)
}

fn step(intent: &UndoIntent, (before, after): (&str, &str), apply: bool) -> NewStep {
    let (service, transaction) = (&intent.service, intent.transaction);
    NewStep {
        subject: if apply {
            format!("transaction {transaction} of {service}")
        } else {
            format!("transaction {transaction} with the live rows of {service}")
        },
        kind: StepKind::Undo {
            service: service.clone(),
            before: before.to_owned(),
            after: after.to_owned(),
            pages: intent.pages.clone(),
            apply,
        },
        lanes: Vec::new(),
        estimate: Estimate::default(),
        why: if apply {
            "rows that were changed since are left to people".into()
        } else {
            "changes nothing; tells what would be put back, and what conflicts".into()
        },
    }
}

fn approve(intent: &UndoIntent) -> NewStep {
    NewStep {
        kind: StepKind::Approve {
            by: "who undoes it".to_owned(),
        },
        subject: format!("of changing live rows of {}", intent.service),
        lanes: Vec::new(),
        estimate: Estimate::default(),
        why: "live rows are changed after it".into(),
    }
}
