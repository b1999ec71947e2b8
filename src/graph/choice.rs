//! Owns the choice of databases in a restore: where there is one to make, and which logical copies
//! it leaves. Which databases a copy of files has, only the copy itself tells: the engine judges.

use super::error::GraphError;
use super::restore::Restoring;
use super::world::World;
use crate::resolve::plan::EngineKind;

/// Takes the databases that are wanted into a restore; none for all of them.
///
/// # Errors
/// When the service has none to choose from, the others would be destroyed, or no logical copy
/// holds one.
pub(super) fn take(
    world: &World<'_>,
    mut job: Restoring,
    databases: &[String],
) -> Result<Restoring, GraphError> {
    let Some(first) = databases.first() else {
        return Ok(job);
    };
    let service = world.plan.service(job.service);
    if service.engine != EngineKind::Postgresql {
        return Err(GraphError::new(
            format!(
                "`{}` is {}: it has no database `{first}` to choose",
                service.name,
                service.engine.word()
            ),
            "leave `--database` out; databases can be chosen of postgresql",
        ));
    }
    if job.delta {
        return Err(GraphError::new(
            format!(
                "a restore of `{first}` alone onto the folder of `{}` would destroy its other \
                 databases",
                service.name
            ),
            "restore it beside with `--to PATH`, or leave `--database` out",
        ));
    }
    if !job.logical.is_empty() {
        keep_dumps(world, &mut job, databases)?;
        return Ok(job);
    }
    job.only = databases.to_vec();
    job.only.sort_unstable();
    job.only.dedup();
    Ok(job)
}

/// Keeps the logical copies of these databases: a fresh server has nothing but what is loaded.
fn keep_dumps(
    world: &World<'_>,
    job: &mut Restoring,
    databases: &[String],
) -> Result<(), GraphError> {
    let name = |id| world.plan.component(id).name.as_str();
    let held: Vec<&str> = job.logical.iter().map(|id| name(*id)).collect();
    if let Some(unknown) = databases.iter().find(|one| !held.contains(&one.as_str())) {
        let service = &world.plan.service(job.service).name;
        return Err(GraphError::new(
            format!(
                "no logical copy holds database `{unknown}` of `{service}`; there are copies of {}",
                held.join(", ")
            ),
            "name one of these, or leave `--database` out",
        ));
    }
    let wanted = |one: &String| databases.contains(one);
    job.logical
        .retain(|id| wanted(&world.plan.component(*id).name));
    Ok(())
}
