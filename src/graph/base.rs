//! Owns which stored part a copy of changes builds on.
//! Must not make steps. Whether the changes since can be told is found out when it runs.

use std::cell::OnceCell;
use std::collections::BTreeSet;

use super::lineage::{self, Lineage};
use super::step::BuildsOn;
use super::world::{World, is_full};
use crate::facts::holdings::{Method, PartHolding};

/// Object and device.
type Copies<'w> = BTreeSet<(&'w str, &'w str)>;

/// What can be built on.
pub(super) struct Bases<'w, 'a> {
    world: &'w World<'a>,
    /// Copies that are damaged, or that nothing keeps; looked for at first use.
    out: OnceCell<Copies<'w>>,
}

impl<'w, 'a> Bases<'w, 'a> {
    pub(super) fn of(world: &'w World<'a>) -> Self {
        Self {
            world,
            out: OnceCell::new(),
        }
    }

    fn out(&self) -> &Copies<'w> {
        self.out.get_or_init(|| {
            let damaged = self.world.holdings.damaged.iter();
            let damaged = damaged.map(|(object, device)| (object.as_str(), device.as_str()));
            self.world.going().chain(damaged).collect()
        })
    }

    fn keeps(&self, part: &PartHolding, device: &str) -> bool {
        let copy = (part.part.as_str(), device);
        self.world.device_named(device).is_some() && !self.out().contains(&copy)
    }

    /// The part to build on, and why it is this one; none when a full must be made.
    pub(super) fn choose(&self, component: &str, method: Method) -> Option<(BuildsOn, String)> {
        if is_full(method) {
            return None;
        }
        let usable = |part: &PartHolding| part.devices.iter().any(|on| self.keeps(part, on));
        let fits = |part: &&&PartHolding| match method {
            Method::PhysicalDifferential => part.method == Method::PhysicalFull,
            _ => part.method != Method::Logical,
        };
        let candidates = self.world.parts_of(component).iter().filter(fits);
        let lineages = candidates.filter_map(|part| lineage::of(self.world, part, &usable).ok());
        let chosen = lineages.max_by_key(Lineage::age)?;
        let tip = chosen.tip;
        let from = tip.devices.iter().filter(|on| self.keeps(tip, on));
        let base = BuildsOn {
            part: tip.part.clone(),
            from: from.cloned().collect(),
        };
        Some((base, why(&chosen, method)))
    }
}

fn why(chosen: &Lineage<'_>, method: Method) -> String {
    let tip = chosen.tip;
    let (part, at) = (&tip.part, tip.taken_at);
    let newest = match method {
        Method::PhysicalDifferential => "the newest full",
        _ => "the newest copy that is whole",
    };
    let depth = chosen.depth();
    format!("incremental on part {part} of {at:.0} because it is {newest}{depth}")
}
