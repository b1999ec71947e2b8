//! Owns the parts that one part is put together from: the one that stands alone, those that build
//! on it, and the part itself. Must not choose between parts.

use std::cmp::Reverse;

use jiff::Timestamp;

use super::error::GraphError;
use super::world::{World, is_full};
use crate::facts::holdings::PartHolding;

/// A part with all that it builds on.
#[derive(Debug, Clone)]
pub(super) struct Lineage<'a> {
    /// The one that stands alone first, the part itself last; never empty.
    pub(super) parts: Vec<&'a PartHolding>,
    /// The part itself.
    pub(super) tip: &'a PartHolding,
}

/// Why a part cannot be put together.
#[derive(Debug, Clone)]
pub(super) struct Broken<'a> {
    /// The part.
    pub(super) tip: &'a PartHolding,
    /// Id of the part that is missing.
    missing: String,
    /// How it is missing, in words.
    how: String,
}

/// Finds what a part builds on; only parts that are `usable` count.
///
/// # Errors
/// With the part that is missing.
pub(super) fn of<'a>(
    world: &World<'a>,
    tip: &'a PartHolding,
    usable: &dyn Fn(&PartHolding) -> bool,
) -> Result<Lineage<'a>, Broken<'a>> {
    let mut parts = vec![tip];
    let mut at = tip;
    // a chain in a circle is no chain: more steps than parts cannot be
    for _ in 0..=world.holdings.parts.len() {
        if !usable(at) {
            return Err(Broken::new(tip, &at.part, out_of_reach(at)));
        }
        let Some(base) = at.base.as_deref() else {
            if !is_full(at.method) {
                break;
            }
            parts.reverse();
            return Ok(Lineage { parts, tip });
        };
        at = world
            .part_of_id(base)
            .ok_or_else(|| Broken::new(tip, base, "is stored on no device".to_owned()))?;
        parts.push(at);
    }
    let how = "says nothing of what it builds on".to_owned();
    Err(Broken::new(tip, &at.part, how))
}

/// What came of looking for the newest part that can be put together.
pub(super) struct Newest<'a> {
    /// That part, when there is one.
    pub(super) lineage: Option<Lineage<'a>>,
    /// The newest part of all, when it cannot be put together.
    pub(super) passed: Option<Broken<'a>>,
}

/// Of parts, oldest first, the newest that can be put together from devices that can be read.
/// Damage counts only where another way is left: several damaged copies may be one good one.
pub(super) fn newest<'a>(
    world: &World<'a>,
    parts: &[&'a PartHolding],
    reads: &dyn Fn(&str) -> bool,
) -> Option<Newest<'a>> {
    let newest = *parts.last()?;
    let best = |usable: &dyn Fn(&PartHolding) -> bool| {
        let all = parts.iter().map(|part| of(world, part, usable));
        all.filter_map(Result::ok).max_by_key(Lineage::age)
    };
    let reachable = |part: &PartHolding| part.devices.iter().any(|device| reads(device));
    let intact = |part: &PartHolding| {
        let mut read = part.devices.iter().filter(|device| reads(device));
        read.any(|device| !is_damaged(world, part, device))
    };
    let lineage = best(&intact).or_else(|| best(&reachable));
    let age = lineage.as_ref().map(|one| one.tip.taken_at);
    let passed = if age == Some(newest.taken_at) {
        None
    } else {
        of(world, newest, &intact).err()
    };
    Some(Newest { lineage, passed })
}

fn is_damaged(world: &World<'_>, part: &PartHolding, device: &str) -> bool {
    let mut damaged = world.holdings.damaged.iter();
    damaged.any(|(object, on)| *object == part.part && on == device)
}

fn out_of_reach(part: &PartHolding) -> String {
    let at = part.taken_at;
    if part.devices.is_empty() {
        return format!("of {at:.0} is stored on no device");
    }
    let devices = part.devices.join(", ");
    format!("of {at:.0} is on {devices}, damaged or out of reach")
}

impl<'a> Broken<'a> {
    fn new(tip: &'a PartHolding, missing: &str, how: String) -> Self {
        Self {
            tip,
            missing: missing.to_owned(),
            how,
        }
    }

    /// Said of the part that was taken instead.
    pub(super) fn passed_over(&self) -> String {
        format!("; not the newest: {}", self.words())
    }

    /// What is missing, in words.
    pub(super) fn words(&self) -> String {
        let (tip, at) = (&self.tip.part, self.tip.taken_at);
        if self.missing == *tip {
            return format!("part {tip} {}", self.how);
        }
        format!(
            "part {tip} of {at:.0} builds on part {}, which {}",
            self.missing, self.how
        )
    }

    /// The refusal; `older` is the newest part that can be put together, when there is one.
    pub(super) fn refusal(&self, key: &str, older: Option<&PartHolding>) -> GraphError {
        let message = format!(
            "the newest copy of `{key}` cannot be put together: {}",
            self.words()
        );
        let help = match older {
            Some(older) => format!(
                "the way back that is left begins with part {} of {}: leave `--at backup` out to \
                 replay the log since, or name a moment",
                older.part, older.taken_at
            ),
            None => "no other copy of it is left; if a device holds more, bring it and run `planc \
                     catalog rebuild`"
                .to_owned(),
        };
        GraphError::new(message, help)
    }
}

impl Lineage<'_> {
    /// Of how many parts it is made, in words; nothing when it is one.
    pub(super) fn depth(&self) -> String {
        match self.parts.len() {
            1 => String::new(),
            parts => format!(", put together from {parts} parts"),
        }
    }

    /// Orders by age, newer ones last; of equally new ones that of fewer parts.
    pub(super) fn age(&self) -> (Timestamp, Reverse<usize>) {
        (self.tip.taken_at, Reverse(self.parts.len()))
    }
}
