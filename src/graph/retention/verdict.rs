//! Owns the three verdicts on a stored part: it exists, it is intact, it can be restored. Each says
//! more than the one before, and none follows from the one before.

use std::collections::BTreeSet;

use jiff::Timestamp;

use super::question::Question;
use super::stock::{Item, Stock};
use crate::facts::spoilt::Spoilt;

/// Whether a part can be restored, with its chain and the log of every bracket in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Restorable {
    /// Everything it needs was read back whole on some device.
    Proven,
    /// Nothing is known to be missing, but these objects were never read back.
    Unproven(Vec<String>),
    /// These objects are missing or damaged wherever they lie; empty when log is missing.
    No(Vec<String>),
}

/// The verdicts on one part.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verdict {
    /// The part.
    pub part: String,
    /// Its component.
    pub component: String,
    /// The moment it shows.
    pub taken_at: Timestamp,
    /// Devices on which it exists.
    pub exists: Vec<String>,
    /// Devices on which all of it was read back and found intact.
    pub intact: Vec<String>,
    /// Devices on which it was found damaged or lost.
    pub damaged: Vec<String>,
    /// Whether it can be restored.
    pub restorable: Restorable,
    /// What of it was damaged at the source when it was copied.
    pub spoilt: Option<Spoilt>,
}

/// The verdicts on every part, in the order of the holdings.
#[must_use]
pub fn verdicts(question: &Question<'_>) -> Vec<Verdict> {
    let read = question.holdings.verified.iter();
    let intact: BTreeSet<(&str, &str)> = read
        .map(|(object, device, _)| (object.as_str(), device.as_str()))
        .filter(|copy| !question.damaged.contains(copy))
        .collect();
    let stock = Stock::held(question);
    let parts = 0..question.holdings.parts.len();
    let spoilt = |index| question.holdings.spoilt_in(stock.part(index));
    parts
        .map(|index| Verdict {
            spoilt: spoilt(index),
            ..verdict(&stock, index, &intact)
        })
        .collect()
}

fn verdict(stock: &Stock<'_>, index: usize, intact: &BTreeSet<(&str, &str)>) -> Verdict {
    let part = stock.part(index);
    let devices = || stock.holders(Item::Part(index));
    let names = |keep: &dyn Fn(&str) -> bool| -> Vec<String> {
        devices()
            .filter(|device| keep(device))
            .map(str::to_owned)
            .collect()
    };
    let damaged = |device: &str| stock.is_damaged(Item::Part(index), device);
    Verdict {
        part: part.part.clone(),
        component: part.component.clone(),
        taken_at: part.taken_at,
        exists: names(&|device| !damaged(device)),
        intact: names(&|device| intact.contains(&(part.part.as_str(), device))),
        damaged: names(&damaged),
        restorable: restorable(stock, index, intact),
        spoilt: None,
    }
}

fn restorable(stock: &Stock<'_>, index: usize, intact: &BTreeSet<(&str, &str)>) -> Restorable {
    let needs = needs(stock, index);
    let good = |item: &&Item| {
        let devices = stock.holders(**item);
        !devices
            .into_iter()
            .all(|device| stock.is_damaged(**item, device))
    };
    let lost = needs.iter().filter(|item| !good(item));
    let lost: Vec<String> = lost.map(|item| stock.id(*item).to_owned()).collect();
    if !stock.sure(index) {
        return Restorable::No(lost);
    }
    let proven = |item: &&Item| {
        let id = stock.id(**item);
        stock
            .holders(**item)
            .any(|device| intact.contains(&(id, device)))
    };
    let open = needs.iter().filter(|item| good(item) && !proven(item));
    let open: Vec<String> = open.map(|item| stock.id(*item).to_owned()).collect();
    if open.is_empty() {
        Restorable::Proven
    } else {
        Restorable::Unproven(open)
    }
}

/// The part, its bases, and the log of their brackets.
fn needs(stock: &Stock<'_>, index: usize) -> BTreeSet<Item> {
    let mut needs = BTreeSet::new();
    let mut next = Some(index);
    while let Some(part) = next.filter(|part| needs.insert(Item::Part(*part))) {
        needs.extend(stock.bracket(part).into_iter().map(Item::Log));
        next = stock.base_of(part);
    }
    needs
}
