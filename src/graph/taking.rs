//! Owns which restored copies are only made so that something is taken out of them, and what that
//! means for the replay of their log. Must not know how a server is told.

use std::collections::{BTreeMap, BTreeSet};

use super::step::{Step, StepKind};
use super::world::World;
use crate::facts::holdings::replaying_to_take;
use crate::resolve::plan::EngineKind;

/// Marks the replays onto such copies, of engines that replay by a server which can leave syncing
/// out. How long one takes follows from earlier ones of its kind; while there was none, it takes at
/// most as long as one of all databases, and that as long as one that syncs.
pub(super) fn mark(world: &World<'_>, steps: &mut [Step]) {
    let copies = only_to_take(steps.iter().map(|step| &step.kind));
    let chosen: BTreeMap<String, Vec<String>> = (copies.iter())
        .map(|copy| (copy.clone(), chosen(steps, copy).to_vec()))
        .collect();
    for step in steps {
        let StepKind::ReplayLog {
            service,
            target,
            to_take,
            ..
        } = &mut step.kind
        else {
            continue;
        };
        let id = world.plan.find_service(service);
        let engine = id.map(|id| world.plan.service(id).engine);
        let Some(databases) = chosen.get(target) else {
            continue;
        };
        if engine != Some(EngineKind::Postgresql) {
            continue;
        }
        *to_take = true;
        let bytes = step.estimate.bytes.unwrap_or(0);
        let shown = |databases| world.paced(&replaying_to_take(service, databases), bytes);
        let shown = shown(databases).or_else(|| shown(&[]));
        step.estimate.seconds = shown.or(step.estimate.seconds);
    }
}

/// The databases whose content a copy gets; empty for all.
#[must_use]
pub fn chosen<'s>(steps: &'s [Step], copy: &str) -> &'s [String] {
    let only = steps.iter().find_map(|step| match &step.kind {
        StepKind::PrepareTarget { target, only, .. } if target == copy => Some(only.as_slice()),
        _ => None,
    });
    only.unwrap_or_default()
}

/// The targets that something is taken out of and that are never published.
fn only_to_take<'s>(steps: impl Iterator<Item = &'s StepKind>) -> BTreeSet<String> {
    let (mut taken, mut kept) = (BTreeSet::new(), BTreeSet::new());
    for step in steps {
        match step {
            StepKind::Extract { target, .. } => taken.extend([target.clone()]),
            StepKind::Undo { before, after, .. } => taken.extend([before.clone(), after.clone()]),
            StepKind::Publish { target, .. } => kept.extend([target.clone()]),
            _ => {}
        }
    }
    &taken - &kept
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_copy_that_is_published_is_not_only_to_take_from() {
        let publish = StepKind::Publish {
            service: "shop".into(),
            target: "copy".into(),
        };
        let extract = StepKind::Extract {
            service: "shop".into(),
            target: "copy".into(),
            tables: Vec::new(),
            into: "shop".into(),
            database: None,
            name: None,
        };
        let copies = |steps: &[&StepKind]| only_to_take(steps.iter().copied());
        assert!(copies(&[&extract]).contains("copy"));
        for steps in [
            vec![&extract, &publish],
            vec![&publish, &extract],
            vec![&publish],
        ] {
            assert!(copies(&steps).is_empty());
        }
    }
}
