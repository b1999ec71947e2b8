//! Owns the run log: one object a run on every device at hand, each naming the hash of the one
//! before it, so that a device that was rolled back or emptied shows. Must not know the catalog.
//!
//! An entry is one JSON object under [`name::run`]: see [`Entry`]. `check` is the BLAKE3 of the
//! object with `check` empty; `before` is the `check` of the entry with the number before. Runs
//! that only ship log write no entry: ranges of log prove each other by their positions. A drill
//! writes one, well or not.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::rehearsal::Rehearsal;
use super::{Device, DeviceError, name};

/// Version of the form.
const FORMAT: &str = "planc-run/1";

/// Longest entry that is read.
const LONGEST: u64 = 64 << 20;

/// What one run did.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    /// [`FORMAT`].
    format: String,
    /// Plan and environment.
    pub owner: String,
    /// From 1, without gaps.
    pub number: u64,
    /// `check` of the entry before; empty for the first.
    pub before: String,
    /// The run.
    pub run: String,
    /// When it ended.
    pub at: Timestamp,
    /// Parts that it stored, with the devices that took them.
    pub stored: BTreeMap<String, BTreeSet<String>>,
    /// Copies (object, device) that it condemned or deleted.
    pub gone: Vec<(String, String)>,
    /// The drill that it was.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub drill: Option<Rehearsal>,
    /// Devices that this entry is written to.
    pub devices: BTreeSet<String>,
    /// Hash of the rest.
    pub check: String,
}

/// What a run did, before it has its place in the log.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Deeds {
    /// The run.
    pub run: String,
    /// Parts that it stored, with the devices that took them.
    pub stored: BTreeMap<String, BTreeSet<String>>,
    /// Copies (object, device) that it condemned or deleted.
    pub gone: Vec<(String, String)>,
    /// The drill that it was.
    pub drill: Option<Rehearsal>,
}

impl Deeds {
    /// True when there is nothing to write down.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.stored.is_empty() && self.gone.is_empty() && self.drill.is_none()
    }
}

impl Entry {
    /// The entry after `head` (its number and hash; none for the first).
    #[must_use]
    pub fn after(
        head: Option<&(u64, String)>,
        owner: &str,
        at: Timestamp,
        deeds: Deeds,
        devices: BTreeSet<String>,
    ) -> Self {
        let entry = Self {
            format: FORMAT.to_owned(),
            owner: owner.to_owned(),
            number: head.map_or(1, |(number, _)| number.saturating_add(1)),
            before: head.map_or_else(String::new, |(_, hash)| hash.clone()),
            run: deeds.run,
            at,
            stored: deeds.stored,
            gone: deeds.gone,
            drill: deeds.drill,
            devices,
            check: String::new(),
        };
        entry.sealed()
    }

    fn sealed(mut self) -> Self {
        self.check = String::new();
        self.check = blake3::hash(&self.bytes()).to_hex().to_string();
        self
    }

    fn bytes(&self) -> Vec<u8> {
        // plain data of text, numbers and lists always has a JSON form
        serde_json::to_vec(self).unwrap_or_default()
    }
}

/// Writes an entry to a device; repeating it is harmless.
///
/// # Errors
/// [`DeviceError::Different`] when another entry has the number.
pub fn put(device: &dyn Device, entry: &Entry) -> Result<(), DeviceError> {
    let object = name::run(&entry.owner, entry.number);
    device.put_if_absent(&object, &entry.bytes()).map(drop)
}

/// The log as one device has it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Chain {
    /// Entries by number.
    pub entries: BTreeMap<u64, Entry>,
    /// Objects that cannot be read.
    pub damaged: Vec<String>,
}

/// Reads the log of an owner from a device: the last so many entries.
///
/// # Errors
/// When the device cannot be listed or read.
pub fn read(device: &dyn Device, owner: &str, last: usize) -> Result<Chain, DeviceError> {
    let mut chain = Chain::default();
    let objects = device.list(&name::runs(owner))?;
    let first = objects.len().saturating_sub(last);
    for (object, length) in objects.into_iter().skip(first) {
        let bytes = match device.get(&object, None) {
            Ok(bytes) if length <= LONGEST => bytes,
            Ok(_) | Err(DeviceError::Damaged { .. } | DeviceError::NotFound { .. }) => {
                chain.damaged.push(object);
                continue;
            }
            Err(error) => return Err(error),
        };
        let entry = serde_json::from_slice::<Entry>(&bytes)
            .ok()
            .filter(|entry| {
                let whole = entry.format == FORMAT && entry.clone().sealed() == *entry;
                whole && name::run(&entry.owner, entry.number) == object && entry.owner == owner
            });
        match entry {
            Some(entry) => drop(chain.entries.insert(entry.number, entry)),
            None => chain.damaged.push(object),
        }
    }
    Ok(chain)
}

/// The newest entry that any device has: number and hash.
#[must_use]
pub fn head(chains: &BTreeMap<String, Chain>) -> Option<(u64, String)> {
    let last = chains
        .values()
        .filter_map(|chain| chain.entries.last_key_value());
    let newest = last.max_by_key(|(number, _)| **number);
    newest.map(|(number, entry)| (*number, entry.check.clone()))
}

/// Entries that a device lacks and another one has, oldest first.
#[must_use]
pub fn missing(chains: &BTreeMap<String, Chain>, device: &str) -> Vec<Entry> {
    let own = chains.get(device);
    let all = chains.values().flat_map(|chain| &chain.entries);
    let lacks = |number: &u64| own.is_none_or(|own| !own.entries.contains_key(number));
    let missing = all.filter(|(number, _)| lacks(number));
    let missing: BTreeMap<u64, &Entry> = missing.map(|(number, entry)| (*number, entry)).collect();
    missing.into_values().cloned().collect()
}

/// The drills that any device knows of, oldest first.
#[must_use]
pub fn drills(chains: &BTreeMap<String, Chain>) -> Vec<Rehearsal> {
    let all = chains.values().flat_map(|chain| &chain.entries);
    let drills = all.filter_map(|(number, entry)| Some((*number, entry.drill.clone()?)));
    let drills: BTreeMap<u64, Rehearsal> = drills.collect();
    drills.into_values().collect()
}

/// What does not fit together, in words: damage, gaps, broken links, devices that disagree or
/// lack what was written to them. `known` is the newest entry that this host remembers; `parts`
/// are the parts that each device holds.
#[must_use]
pub fn findings(
    chains: &BTreeMap<String, Chain>,
    known: Option<&(u64, String)>,
    parts: &BTreeMap<String, BTreeSet<String>>,
) -> Vec<String> {
    let mut found = Vec::new();
    for (device, chain) in chains {
        let damaged = chain.damaged.iter();
        found.extend(damaged.map(|object| format!("{device}: {object} of the run log is damaged")));
    }
    let mut all: BTreeMap<u64, &Entry> = BTreeMap::new();
    for (device, chain) in chains {
        for (number, entry) in &chain.entries {
            let first = all.entry(*number).or_insert(entry);
            if first.check != entry.check {
                found.push(format!(
                    "{device}: entry {number} of the run log is another than elsewhere"
                ));
            }
        }
    }
    links(&all, known, chains, &mut found);
    for entry in all.values() {
        for device in &entry.devices {
            let own = chains.get(device);
            if own.is_some_and(|own| !own.entries.contains_key(&entry.number)) {
                let (number, run) = (entry.number, &entry.run);
                found.push(format!(
                    "{device} lacks entry {number} of the run log (run {run}), which was written \
                     to it: it was rolled back or emptied"
                ));
            }
        }
    }
    lost_parts(&all, parts, &mut found);
    found
}

/// Entries that are missing accuse nobody where a device that had those before them is not here: they
/// may be on it alone.
fn links(
    all: &BTreeMap<u64, &Entry>,
    known: Option<&(u64, String)>,
    chains: &BTreeMap<String, Chain>,
    found: &mut Vec<String>,
) {
    let mut before: Option<&Entry> = None;
    for (number, entry) in all {
        let expected = before.map_or(0, |before| before.number) + 1;
        if *number != expected {
            if absent(before, chains).is_empty() {
                let last = number - 1;
                found.push(format!(
                    "entries {expected} to {last} of the run log are on no device"
                ));
            }
        } else if entry.before != before.map_or("", |before| before.check.as_str()) {
            found.push(format!(
                "entry {number} of the run log does not follow the one before it"
            ));
        }
        before = Some(entry);
    }
    let newest = before.map_or(0, |newest| newest.number);
    let Some((number, hash)) = known else {
        return;
    };
    match all.get(number) {
        None if newest < *number => {
            let absent = absent(before, chains);
            let why = match absent.as_slice() {
                [] => "they were rolled back".to_owned(),
                absent => format!(
                    "they were rolled back, or only {} has the others and is not here",
                    absent.join(", ")
                ),
            };
            found.push(format!(
                "this host knows {number} entries of the run log, the devices have {newest}: {why}"
            ));
        }
        Some(entry) if entry.check != *hash => {
            found.push(format!(
                "entry {number} of the run log is another than this host wrote"
            ));
        }
        _ => {}
    }
}

/// Devices that had an entry and are not here.
fn absent<'e>(entry: Option<&'e Entry>, chains: &BTreeMap<String, Chain>) -> Vec<&'e str> {
    let had = entry.into_iter().flat_map(|entry| &entry.devices);
    let absent = had.filter(|device| !chains.contains_key(*device));
    absent.map(String::as_str).collect()
}

/// Parts that the log says are on a device and that are not.
fn lost_parts(
    all: &BTreeMap<u64, &Entry>,
    parts: &BTreeMap<String, BTreeSet<String>>,
    found: &mut Vec<String>,
) {
    let gone = all.values().flat_map(|entry| &entry.gone);
    let gone: BTreeSet<(&str, &str)> = gone
        .map(|(object, device)| (object.as_str(), device.as_str()))
        .collect();
    for entry in all.values() {
        for (part, devices) in &entry.stored {
            for device in devices {
                let Some(there) = parts.get(device) else {
                    continue;
                };
                let deleted = gone.contains(&(part.as_str(), device.as_str()));
                if !deleted && !there.contains(part) {
                    let run = &entry.run;
                    found.push(format!(
                        "{device} lacks part {part}, which run {run} stored there and no run \
                         deleted: after `planc verify` the next run copies it again"
                    ));
                }
            }
        }
    }
}
