//! Owns the entry of the stage: one intent to one graph.

use jiff::Timestamp;

use super::error::GraphError;
use super::hole::{self, Hole};
use super::retention::{Judgement, Question, Verdict, verdicts};
use super::step::{Intent, StepGraph};
use super::world::{World, job_name};
use super::{
    backup, expire, merge, recover, repair, restore, select, switchover, undo, verify, whole,
};
use crate::check::plan::CheckedPlan;
use crate::facts::holdings::Holdings;
use crate::facts::known::Known;
use crate::resolve::plan::ServiceId;

/// Compiles an intent. Pure: equal inputs give equal graphs, byte for byte.
///
/// # Errors
/// When the intent cannot be met: every independent reason, each with what to do.
pub fn build(
    plan: &CheckedPlan,
    holdings: &Holdings,
    known: &Known,
    intent: &Intent,
    now: Timestamp,
) -> Result<StepGraph, GraphError> {
    let world = World::new(plan.plan(), holdings, known, intent, now)?;
    match intent {
        Intent::Due => backup::build(&world, &select::due_work(&world)),
        Intent::Jobs { names } | Intent::Ship { names } => {
            backup::build(&world, &select::named_work(&world, names)?)
        }
        Intent::CatchUp => backup::catch_up(&world),
        Intent::Verify { device } => verify::build(&world, device.as_deref()),
        Intent::Scrub {
            depth,
            device,
            older,
            limit,
        } => verify::scrub(&world, *depth, device.as_deref(), (*older, *limit)),
        Intent::Merge { names, device } => merge::build(&world, names, device.as_deref()),
        Intent::Repair { device } => repair::build(&world, device.as_deref()),
        Intent::Expire { device, grace } => expire::build(&world, device.as_deref(), *grace),
        Intent::Restore(intent) => restore::build(&world, intent),
        Intent::Recover {
            scenario,
            inputs,
            to,
            ..
        } => recover::build(&world, scenario, inputs, to.as_deref()),
        Intent::Undo(intent) => undo::build(&world, intent),
        Intent::Switchover { scenario, patience } => switchover::build(&world, scenario, *patience),
        Intent::File => Err(GraphError::new(
            "a graph that is given as a file is not compiled from a plan",
            "read it with `planc run --graph FILE`",
        )),
    }
}

/// What stays and what goes, with all reasons.
///
/// # Errors
/// When the plan's time zone is not known on this machine.
pub fn judge(
    plan: &CheckedPlan,
    holdings: &Holdings,
    now: Timestamp,
) -> Result<Judgement, GraphError> {
    let known = Known::default();
    let world = World::new(plan.plan(), holdings, &known, &Intent::Due, now)?;
    Ok(world.judged().clone())
}

/// Of every stored part: where it exists, where it is intact, whether it can be restored.
///
/// # Errors
/// When the plan's time zone is not known on this machine.
pub fn judge_parts(
    plan: &CheckedPlan,
    holdings: &Holdings,
    now: Timestamp,
) -> Result<Vec<Verdict>, GraphError> {
    let known = Known::default();
    let world = World::new(plan.plan(), holdings, &known, &Intent::Due, now)?;
    Ok(verdicts(&Question::of_world(&world)))
}

/// When each job is due next, in the order of the plan: its full name and the moment, which is
/// `now` for what is due already and none for what never is.
///
/// # Errors
/// When the plan's time zone is not known on this machine.
pub fn next_due(
    plan: &CheckedPlan,
    holdings: &Holdings,
    now: Timestamp,
) -> Result<Vec<(String, Option<Timestamp>)>, GraphError> {
    let known = Known::default();
    let world = World::new(plan.plan(), holdings, &known, &Intent::Due, now)?;
    let jobs = world.jobs();
    let next = jobs.map(|job| (job_name(world.plan, job), select::next_due(&world, job)));
    Ok(next.collect())
}

/// The components whose newest copy lies before a hole in the stored log, by their keys.
///
/// # Errors
/// As [`next_due`].
pub fn behind_holes(
    plan: &CheckedPlan,
    holdings: &Holdings,
    now: Timestamp,
) -> Result<Vec<(String, Hole)>, GraphError> {
    let known = Known::default();
    let world = World::new(plan.plan(), holdings, &known, &Intent::Due, now)?;
    let services = (0..world.plan.services.len()).map(ServiceId::from_index);
    let components = services.flat_map(|id| whole::components(&world, id));
    let found = components.filter_map(|id| {
        let hole = hole::behind(&world, id)?;
        Some((world.plan.component_key(id), hole))
    });
    Ok(found.collect())
}
