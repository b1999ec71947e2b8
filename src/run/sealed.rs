//! Owns the look at whether the keys at hand open what a restore is going to read, while nothing
//! is changed yet. Reads the beginnings of objects only, and loads no volume.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

use super::context::Context;
use super::open::OpenError;
use crate::graph::step::StepKind;
use crate::media::keys::{KeyError, rewrap};
use crate::media::volumes::{Remembered, VolumeDevice};
use crate::media::{Device, DeviceError, name, part};

/// So many ranges of one replay are looked at in any case, spread over it, the oldest and the newest
/// among them. Between two neighbours that answer alike, all count as answering so: every look is a
/// question to a device, and those whom log is sealed for change seldom.
const SPREAD: usize = 16;

/// Refuses a restore when a copy that it reads opens with no key at hand on any device that holds
/// it. What cannot be told without loading a volume is left to the run, as is what is damaged.
///
/// # Errors
/// [`OpenError::Sealed`] with all that is closed, and for whom it is sealed.
pub(super) fn check(kinds: &[&StepKind], context: &Context) -> Result<(), OpenError> {
    let mut look = Look {
        context,
        cause: None,
    };
    let mut parts: BTreeMap<Place, Vec<&str>> = BTreeMap::new();
    let mut copies = Vec::new();
    for kind in kinds {
        match kind {
            StepKind::FetchPart { part, from, .. } => {
                if let Some(place) = look.closed_everywhere(&name::manifest(part), from) {
                    parts.entry(place).or_default().push(part);
                }
            }
            StepKind::ReplayLog { logs, .. } => copies.extend(look.closed_log(logs)),
            _ => {}
        }
    }
    copies.extend(parts.iter().map(|(place, ids)| place.of_parts(ids)));
    match look.cause {
        None => Ok(()),
        Some(cause) => Err(OpenError::Sealed {
            copies: copies.join("; "),
            cause,
        }),
    }
}

/// On which device something closed is, and the public halves that it is sealed for, with the names
/// of keys that are known here.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Place {
    device: String,
    holders: Vec<String>,
}

impl Place {
    fn words(&self, what: &str) -> String {
        let (device, holders) = (&self.device, self.holders.join(", "));
        format!("{what} on device {device}, sealed for {holders}")
    }

    fn of_parts(&self, ids: &[&str]) -> String {
        let first = ids.first().copied().unwrap_or_default();
        let others = if ids.len() > 1 { " and others" } else { "" };
        self.words(&format!("{first}{others}"))
    }
}

/// Looks at objects, and remembers what the newest closed one says.
struct Look<'a> {
    context: &'a Context,
    cause: Option<KeyError>,
}

impl Look<'_> {
    /// The stretches of a replay's log that are closed, in words.
    fn closed_log(&mut self, logs: &[(String, Vec<String>)]) -> Vec<String> {
        let found = stretches(logs.len(), |at| {
            let (id, from) = &logs[at];
            self.closed_everywhere(&name::log_of_id(id)?, from)
        });
        let closed = found.into_iter();
        let closed = closed.filter_map(|(stretch, place)| Some((stretch, place?)));
        closed
            .map(|(stretch, place)| place.words(&self.log_words(&logs[stretch])))
            .collect()
    }

    /// Ranges that follow each other, from when to when.
    fn log_words(&self, logs: &[(String, Vec<String>)]) -> String {
        let span = |(id, _): &(String, Vec<String>)| self.context.logs.span(id);
        let (Some((first, _)), Some((last, _))) = (logs.first(), logs.last()) else {
            return String::new();
        };
        let from = logs.first().and_then(span).map(|(from, _)| from);
        let until = logs.last().and_then(span).map(|(_, until)| until);
        let ids = if first == last {
            first.clone()
        } else {
            format!("{first} to {last}")
        };
        match (from, until) {
            (Some(from), Some(until)) => format!("log from {from:.0} to {until:.0} ({ids})"),
            _ => ids,
        }
    }

    /// The first device that has an object, when it can be opened on none.
    fn closed_everywhere(&mut self, object: &str, from: &[String]) -> Option<Place> {
        let mut first = None;
        let holders = from
            .iter()
            .filter_map(|name| self.context.devices.get(name));
        for device in holders {
            let found = match device.volume_set() {
                None => closed(device.as_ref(), object),
                Some(set) => closed_by_memory(device.as_ref(), set, object),
            };
            match found {
                Ok(None) => return None,
                Ok(found) => first = first.or(found),
                Err(error) if error.is_sure() => {}
                Err(_) => return None,
            }
        }
        let Closed { place, cause } = first?;
        self.cause = Some(cause);
        Some(place)
    }
}

/// What keeps an object closed.
struct Closed {
    place: Place,
    cause: KeyError,
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

/// As [`closed`], by what this host remembers of a volume set. What it does not remember, and what a
/// rewrapped secret on a volume may open, counts as open.
fn closed_by_memory(
    device: &dyn Device,
    set: &VolumeDevice,
    object: &str,
) -> Result<Option<Closed>, DeviceError> {
    let is_known = set.remembered(&part::find(set, object)?).is_some();
    match Remembered::of(device) {
        Some(memory) if is_known && !rewrap::has_any(set)? => closed(&memory, object),
        _ => Ok(None),
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

/// Asks some of so many things in order, and more of them where neighbours answer differently, until
/// it is known where the answers change. The stretches of equal answers, in order.
fn stretches<T: PartialEq>(
    count: usize,
    mut ask: impl FnMut(usize) -> T,
) -> Vec<(Range<usize>, T)> {
    let step = count.div_ceil(SPREAD).max(1);
    let mut spread: BTreeSet<usize> = (0..count).step_by(step).collect();
    spread.extend(count.checked_sub(1));
    let spread = spread.into_iter();
    let mut known: BTreeMap<usize, T> = spread.map(|at| (at, ask(at))).collect();
    while let Some(between) = unsure(&known) {
        known.insert(between, ask(between));
    }
    let mut found: Vec<(Range<usize>, T)> = Vec::new();
    for (at, answer) in known {
        match found.last_mut() {
            Some((stretch, last)) if *last == answer => stretch.end = at + 1,
            _ => found.push((at..at + 1, answer)),
        }
    }
    found
}

/// The middle between two neighbours that answer differently and are apart.
fn unsure<T: PartialEq>(known: &BTreeMap<usize, T>) -> Option<usize> {
    let mut pairs = known.iter().zip(known.iter().skip(1));
    let apart = pairs.find(|((one, a), (other, b))| a != b && *other - *one > 1);
    apart.map(|((one, _), (other, _))| usize::midpoint(*one, *other))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn every_change_of_answers_is_found_by_few_questions(
            lengths in prop::collection::vec(800usize..3000, 0..5)
        ) {
            // none fits between two that are asked in any case
            let answers: Vec<usize> = lengths.iter().enumerate()
                .flat_map(|(answer, length)| std::iter::repeat_n(answer, *length)).collect();
            let count = answers.len();
            let mut asked = 0;
            let found = stretches(count, |at| {
                asked += 1;
                answers[at]
            });
            let mut at = 0;
            let wanted: Vec<(Range<usize>, usize)> = lengths.iter().enumerate()
                .map(|(answer, length)| {
                    at += length;
                    (at - length..at, answer)
                }).collect();
            prop_assert_eq!(found, wanted);
            prop_assert!(asked <= SPREAD + 2 + 12 * lengths.len(), "{}", asked);
        }
    }

    #[test]
    fn a_few_things_are_asked_one_by_one() {
        for count in 0..=SPREAD {
            let wanted: Vec<(Range<usize>, usize)> =
                (0..count).map(|at| (at..at + 1, at)).collect();
            assert_eq!(stretches(count, |at| at), wanted);
        }
    }
}
