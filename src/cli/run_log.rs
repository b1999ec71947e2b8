//! Owns the run log of a site: an entry after each run on every device at hand, and what the log
//! says about devices that were rolled back.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::cli::exit::CliError;
use crate::cli::rehearsed;
use crate::cli::site::{Site, catalog_error, open_error};
use crate::graph::step::StepGraph;
use crate::media::rehearsal::Rehearsal;
use crate::media::run_log::{self, Chain, Deeds, Entry};
use crate::media::volumes::Remembered;
use crate::media::{Device, DeviceError, name};
use crate::run::{Context, RunReport};

/// Fewest devices on which an entry is wanted.
const FEWEST: usize = 2;

/// How many of the newest entries a device that missed some is looked through for.
const RECENT: usize = 64;

/// Devices by name.
type Devices = BTreeMap<String, Arc<dyn Device>>;

/// Writes down what a run stored and deleted; gives what people should know. A device that fails
/// here gets the entry with a later run.
pub(crate) fn append(
    site: &mut Site,
    graph: &StepGraph,
    report: &RunReport,
    context: &Context,
) -> Result<Vec<String>, CliError> {
    let known: BTreeSet<String> = site
        .holdings()?
        .logs
        .into_iter()
        .map(|log| log.log)
        .collect();
    let stored = report
        .stored
        .iter()
        .filter(|(object, _)| !known.contains(*object));
    let deeds = Deeds {
        run: graph.run.clone(),
        stored: stored
            .map(|(object, on)| (object.clone(), on.clone()))
            .collect(),
        gone: report.gone.clone(),
        drill: rehearsed::evidence(site.plan.plan(), graph, report),
    };
    if deeds.is_empty() {
        return Ok(Vec::new());
    }
    let mut devices = context.devices.clone();
    if devices.len() < FEWEST {
        devices.extend(site.reachable_devices());
    }
    // what names a device as one that has the entry must not accuse it of having lost it
    devices.retain(|name, _| context.dropped.cause(name).is_none());
    let owner = site.owner();
    let mut warnings = Vec::new();
    let chains = read_all(&devices, &owner, RECENT, &mut warnings);
    let usable = chains.keys().cloned().collect();
    let remembered = site.catalog.run_log_head().map_err(catalog_error)?;
    let newest = run_log::head(&chains).max(remembered);
    let entry = Entry::after(newest.as_ref(), &owner, site.clock.now(), deeds, usable);
    let mut kept = false;
    for (name, device) in devices
        .iter()
        .filter(|(name, _)| entry.devices.contains(*name))
    {
        let mut entries = run_log::missing(&chains, name);
        entries.push(entry.clone());
        let put = entries
            .iter()
            .try_for_each(|entry| run_log::put(device.as_ref(), entry));
        match put {
            Ok(()) => kept = true,
            Err(error) => warnings.push(format!("run log: {error}")),
        }
    }
    if !kept {
        // nothing holds the entry: to remember it would accuse the devices of having lost it
        return Ok(warnings);
    }
    let head = (entry.number, entry.check);
    site.catalog
        .record_run_log_head(&head)
        .map_err(catalog_error)?;
    Ok(warnings)
}

fn read_all(
    devices: &Devices,
    owner: &str,
    last: usize,
    warnings: &mut Vec<String>,
) -> BTreeMap<String, Chain> {
    let mut chains = BTreeMap::new();
    for (name, device) in devices {
        let read = match Remembered::of(device.as_ref()) {
            Some(memory) => run_log::read(&memory, owner, last),
            None => run_log::read(device.as_ref(), owner, last),
        };
        match read {
            // a volume that travels says nothing until it is back
            Err(DeviceError::Away { .. }) => {}
            Ok(chain) => drop(chains.insert(name.clone(), chain)),
            Err(error) => warnings.push(format!("run log: {error}")),
        }
    }
    chains
}

/// What the run log says.
pub(crate) struct Told {
    /// What is wrong with the devices that are there.
    pub findings: Vec<String>,
    /// The drills, oldest first.
    pub drills: Vec<Rehearsal>,
}

/// What the run log says on the devices that are there.
pub(crate) fn told(site: &mut Site) -> Result<Told, CliError> {
    let devices = site.reachable_devices();
    let mut found = Vec::new();
    let owner = site.owner();
    let chains = read_all(&devices, &owner, usize::MAX, &mut found);
    let mut parts = BTreeMap::new();
    for (name, device) in &devices {
        let there = parts_on(device.as_ref()).map_err(|error| open_error(&error.into()))?;
        parts.insert(name.clone(), there);
    }
    let remembered = site.catalog.run_log_head().map_err(catalog_error)?;
    // names of parts in objects are escaped: both sides are compared as objects
    let chains: BTreeMap<String, Chain> = chains
        .into_iter()
        .map(|(device, mut chain)| {
            for entry in chain.entries.values_mut() {
                let stored = std::mem::take(&mut entry.stored).into_iter();
                entry.stored = stored
                    .map(|(part, on)| (name::manifest(&part), on))
                    .collect();
                for (object, _) in &mut entry.gone {
                    *object = name::manifest(object);
                }
            }
            (device, chain)
        })
        .collect();
    found.extend(run_log::findings(&chains, remembered.as_ref(), &parts));
    if site.catalog.counts().map_err(catalog_error)?.0 == 0 {
        found.extend(unknown_here(&chains, &parts));
    }
    Ok(Told {
        findings: found,
        drills: run_log::drills(&chains),
    })
}

/// Copies that lie on devices while the catalog of this host knows none: it is a new one.
fn unknown_here(
    chains: &BTreeMap<String, Chain>,
    parts: &BTreeMap<String, BTreeSet<String>>,
) -> Option<String> {
    let (device, _) = chains.iter().find(|(device, chain)| {
        let stored = chain.entries.values().flat_map(|entry| entry.stored.keys());
        let there = parts.get(*device);
        there.is_some_and(|there| stored.into_iter().any(|part| there.contains(part)))
    })?;
    Some(format!(
        "{device} holds copies of this plan, and this host's catalog knows none: `planc catalog \
         rebuild --from {device}`"
    ))
}

/// Manifests on a device, whatever their state: damage is for `verify`.
fn parts_on(device: &dyn Device) -> Result<BTreeSet<String>, DeviceError> {
    let objects = device.list(name::PARTS)?.into_iter();
    Ok(objects
        .map(|(object, _)| name::plain(&object).to_owned())
        .collect())
}
