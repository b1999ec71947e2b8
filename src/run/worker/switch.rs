//! Does one act of a switchover between the servers of two services.

use std::time::Duration;

use super::Task;
use crate::engine::GoOn;
use crate::engine::switch::SwitchWish;
use crate::graph::step::StepKind;
use crate::run::message::{StepDone, StepFailure};

/// Does it.
pub(super) fn switch(task: &Task<'_>) -> Result<StepDone, StepFailure> {
    let StepKind::Switch {
        service,
        standby,
        act,
        patience,
    } = &task.step.kind
    else {
        return Err(StepFailure::new("not an act of a switchover"));
    };
    let spec = task.context.standbys.get(standby);
    let missing = || StepFailure::new(format!("the standby {standby} is not known"));
    let stop = task.stop.clone();
    let wish = SwitchWish {
        standby: spec.ok_or_else(missing)?,
        act,
        run: &task.graph.run,
        patience: Duration::from_secs(*patience),
        go_on: &GoOn::new(move || !stop.asked()),
    };
    let switched = task.context.engine(service)?.switch(&wish)?;
    for note in switched.notes {
        task.warn(note);
    }
    Ok(StepDone::default().says(switched.told))
}
