//! Owns the look at whether the keys at hand open what a restore is going to read, while nothing
//! is changed yet. Reads the beginnings of objects only.

use std::collections::BTreeMap;

use super::context::Context;
use super::open::OpenError;
use crate::graph::step::StepKind;
use crate::media::keys::{KeyError, rewrap};
use crate::media::{Device, DeviceError, name, part};

/// Most ranges of one replay that are looked at, spread over it: every look is a question to a
/// device, and the holders of a key change seldom.
const LOGS: usize = 16;

/// Refuses a restore when a copy that it reads opens with no key at hand on any device that holds
/// it. What cannot be told without loading a volume is left to the run, as is what is damaged.
///
/// # Errors
/// [`OpenError::Sealed`] with all that is closed, and for whom it is sealed.
pub(super) fn check(kinds: &[&StepKind], context: &Context) -> Result<(), OpenError> {
    let mut closed: BTreeMap<Place, Vec<&str>> = BTreeMap::new();
    let mut missing = None;
    for wanted in kinds.iter().flat_map(|kind| wanted(kind)) {
        if let Some(found) = closed_everywhere(&wanted, context) {
            closed.entry(found.place).or_default().push(wanted.id);
            missing = Some(found.cause);
        }
    }
    let Some(cause) = missing else {
        return Ok(());
    };
    let copies = closed.iter().map(|(place, ids)| place.words(ids));
    let copies = copies.collect::<Vec<_>>().join("; ");
    Err(OpenError::Sealed { copies, cause })
}

/// A part or a range of log that is read.
struct Wanted<'a> {
    id: &'a str,
    object: String,
    from: &'a [String],
}

fn wanted(kind: &StepKind) -> Vec<Wanted<'_>> {
    match kind {
        StepKind::FetchPart { part, from, .. } => vec![Wanted {
            id: part,
            object: name::manifest(part),
            from,
        }],
        StepKind::ReplayLog { logs, .. } => {
            let step = logs.len().div_ceil(LOGS).max(1);
            // the newest is always one of them
            let logs = logs.iter().rev().step_by(step);
            let wanted = logs.filter_map(|(id, from)| {
                let object = name::log_of_id(id)?;
                Some(Wanted { id, object, from })
            });
            wanted.collect()
        }
        _ => Vec::new(),
    }
}

/// What keeps an object closed on the first device that has it.
struct Closed {
    place: Place,
    cause: KeyError,
}

/// On which device, and the public halves that it is sealed for, with the names of keys that are
/// known here.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
struct Place {
    device: String,
    holders: Vec<String>,
}

impl Place {
    fn words(&self, ids: &[&str]) -> String {
        let first = ids.first().copied().unwrap_or_default();
        let others = if ids.len() > 1 { " and others" } else { "" };
        let holders = self.holders.join(", ");
        let device = &self.device;
        format!("{first}{others} on device {device}, sealed for {holders}")
    }
}

fn closed_everywhere(wanted: &Wanted<'_>, context: &Context) -> Option<Closed> {
    let mut first = None;
    let holders = wanted
        .from
        .iter()
        .filter_map(|name| context.devices.get(name));
    for device in holders {
        // to ask it could mean to load a volume
        if device.volume_set().is_some() {
            return None;
        }
        match closed(device.as_ref(), &wanted.object) {
            Ok(None) => return None,
            Ok(found) => first = first.or(found),
            Err(error) if error.is_sure() => {}
            Err(_) => return None,
        }
    }
    first
}

/// What keeps an object closed; none when it can be opened.
fn closed(device: &dyn Device, object: &str) -> Result<Option<Closed>, DeviceError> {
    let object = part::find(device, object)?;
    let Some(found) = rewrap::envelope(device, &object, device.size(&object)?)? else {
        return Ok(None);
    };
    match rewrap::open(device, &object, &found.envelope) {
        Ok(_) => Ok(None),
        Err(DeviceError::Sealed { cause, .. }) => {
            let holders = found.keys.iter().map(|half| named(device, half));
            let place = Place {
                device: device.name().to_owned(),
                holders: holders.collect(),
            };
            let cause = *cause;
            Ok(Some(Closed { place, cause }))
        }
        Err(error) => Err(error),
    }
}

/// A public half with the name of the key of the plan that it belongs to.
fn named(device: &dyn Device, half: &str) -> String {
    let mut keys = device.keys().keys();
    let key = keys.find(|(_, key)| {
        let key = key.as_ref();
        key.is_ok_and(|key| key.recipients().iter().any(|own| own == half))
    });
    key.map_or_else(
        || half.to_owned(),
        |(name, _)| format!("{half} (key `{name}`)"),
    )
}
