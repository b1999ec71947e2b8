//! Owns the steps that put chains of stored parts together into parts that stand alone, and read
//! them back. The source is not read; nothing is deleted: `retain` decides about the old ones.

use std::collections::BTreeSet;

use super::draft::{Draft, NewStep};
use super::error::{GraphError, Problem};
use super::ids;
use super::lineage::{self, Lineage};
use super::step::{Depth, EdgeKind, StepGraph, StepKind};
use super::verify::known_device;
use super::world::{World, job_name};
use crate::facts::holdings::{Method, PartHolding};
use crate::resolve::plan::{BackupId, ComponentId, EngineKind, JobId};
use crate::similar;

/// Compiles the intent to merge the newest chain of each component.
///
/// # Errors
/// When a name is neither a job nor a component, or the plan has no such device.
pub(super) fn build(
    world: &World<'_>,
    names: &[String],
    device: Option<&str>,
) -> Result<StepGraph, GraphError> {
    known_device(world, device)?;
    let mut draft = Draft::new(world);
    let mut met: BTreeSet<&str> = BTreeSet::new();
    let mut refused = Vec::new();
    let targets = world
        .plan
        .backups
        .iter()
        .enumerate()
        .flat_map(|(at, backup)| {
            let job = BackupId::from_index(at);
            backup
                .targets
                .iter()
                .map(move |component| (job, *component))
        });
    for (job, component) in targets {
        let (own, key) = keys(world, job, component);
        let asked = names.iter().filter(|name| **name == own || **name == key);
        let asked: Vec<&String> = asked.collect();
        if !names.is_empty() && asked.is_empty() {
            continue;
        }
        met.extend(asked.into_iter().map(String::as_str));
        if !merges(world, component) {
            refused.extend((!names.is_empty()).then(|| not_merged(&key)));
            continue;
        }
        if let Some(chain) = newest(world, &own, &key) {
            merge(world, &mut draft, job, &chain, device);
        }
    }
    let unknown = names.iter().filter(|name| !met.contains(name.as_str()));
    refused.extend(unknown.map(|name| no_such(world, name)));
    GraphError::unless_empty(refused)?;
    draft.finish(world)
}

fn merges(world: &World<'_>, component: ComponentId) -> bool {
    let service = world.plan.component(component).service;
    world.plan.service(service).engine == EngineKind::Postgresql
}

fn not_merged(key: &str) -> Problem {
    Problem {
        message: format!("the chain of `{key}` cannot be merged: only those of postgresql can"),
        help: "take a full copy of it: `planc run` makes one when `physical full` is due"
            .to_owned(),
    }
}

fn keys(world: &World<'_>, job: BackupId, component: ComponentId) -> (String, String) {
    let name = job_name(world.plan, JobId::Backup(job));
    (name, world.plan.component_key(component))
}

fn no_such(world: &World<'_>, name: &str) -> Problem {
    let jobs = (0..world.plan.backups.len()).map(BackupId::from_index);
    let jobs = jobs.map(|job| job_name(world.plan, JobId::Backup(job)));
    let known: Vec<String> = jobs.collect();
    let help = match similar::nearest(name, known.iter().map(String::as_str)) {
        Some(near) => format!("did you mean `{near}`?"),
        None => "name a backup, or a component as `planc list` writes it".to_owned(),
    };
    Problem {
        message: format!("no backup and no component is called `{name}`"),
        help,
    }
}

/// The newest chain of more than one part that a job made of a component.
fn newest<'a>(world: &World<'a>, job: &str, key: &str) -> Option<Lineage<'a>> {
    let sound = |part: &PartHolding| {
        part.devices
            .iter()
            .any(|device| is_sound(world, part, device))
    };
    let own = world.parts_of(key).iter();
    let own = own.filter(|part| part.job == job && part.method != Method::Logical);
    let chains = own.filter_map(|part| lineage::of(world, part, &sound).ok());
    chains
        .max_by_key(Lineage::age)
        .filter(|chain| chain.parts.len() > 1)
}

fn is_sound(world: &World<'_>, part: &PartHolding, device: &str) -> bool {
    let mut damaged = world.holdings.damaged.iter();
    world.device_named(device).is_some()
        && !damaged.any(|(object, on)| *object == part.part && on == device)
}

fn merge(
    world: &World<'_>,
    draft: &mut Draft,
    job: BackupId,
    chain: &Lineage<'_>,
    device: Option<&str>,
) {
    let job = JobId::Backup(job);
    let keeping = world.keeping(job);
    let required = world.written(job, Some(Method::PhysicalFull));
    let devices: Vec<String> = match device {
        Some(device) => vec![device.to_owned()],
        None => required.iter().map(|id| world.device_name(*id)).collect(),
    };
    let sound = |part: &&PartHolding| -> Vec<String> {
        let devices = part.devices.iter();
        devices
            .filter(|on| is_sound(world, part, on))
            .cloned()
            .collect()
    };
    let from: Vec<Vec<String>> = chain.parts.iter().map(sound).collect();
    let component = &chain.tip.component;
    let (name, at) = (job_name(world.plan, job), chain.tip.taken_at);
    let part = ids::part_id(&world.run, &name, component);
    let on = devices.join(", ");
    // parts are read and the new one is written at the same time
    let mut lanes = world.device_lanes(draft, &devices);
    let first = from.iter().filter_map(|holders| holders.first().cloned());
    lanes.extend(world.device_lanes(draft, &first.collect::<Vec<_>>()));
    let whole = chain.parts.first().map(|part| part.bytes);
    let rates: Vec<Option<f64>> = devices.iter().map(|name| world.write_rate(name)).collect();
    let estimate = World::estimate(whole, &rates);
    let made = draft.add(NewStep {
        kind: StepKind::MergeStored {
            component: component.clone(),
            parts: chain.parts.iter().map(|part| part.part.clone()).collect(),
            from,
            part: part.clone(),
            job: name,
            devices: devices.clone(),
            codec: keeping.codec,
            key: world.plan.key_name(keeping),
        },
        subject: format!("{component} of {at:.0} -> {on}"),
        lanes,
        estimate,
        why: format!(
            "{} stored parts become one; the source is not read",
            chain.parts.len()
        ),
    });
    for device in &devices {
        let check = read_back(world, draft, (chain, whole), &part, device);
        draft.edge(
            made,
            check,
            EdgeKind::Success,
            "the merged part is read back",
        );
    }
}

/// Reads the merged part back from a device.
fn read_back(
    world: &World<'_>,
    draft: &mut Draft,
    (chain, bytes): (&Lineage<'_>, Option<u64>),
    part: &str,
    device: &str,
) -> u32 {
    let (component, at) = (&chain.tip.component, chain.tip.taken_at);
    let lanes = world.device_lanes(draft, &[device.to_owned()]);
    draft.add(NewStep {
        kind: StepKind::VerifyStored {
            object: part.to_owned(),
            device: device.to_owned(),
            depth: Depth::Intact,
        },
        subject: format!("{component} of {at:.0} on {device}"),
        lanes,
        estimate: World::estimate(bytes, &[world.read_rate(device)]),
        why: "only what reads back whole may stand for a chain".into(),
    })
}
