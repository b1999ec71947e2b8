//! Owns what copies that stay need: bases, the log of their brackets, the rest of their set, and
//! the log of their window. On the same device; elsewhere when that device has it not.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;

use super::Kept;
use super::reason::Reason;
use super::roots::Roots;
use super::stock::{History, Item, Stock, service_of};
use crate::facts::holdings::Method;

/// Everything that stays because of these roots, each with all its reasons.
pub(super) fn close<'a>(stock: &Stock<'a>, roots: Roots<'a>) -> Kept<'a> {
    let mut closing = Closing {
        stock,
        kept: BTreeMap::new(),
        open: Vec::new(),
    };
    let mut parts: BTreeSet<(usize, &'a str)> = BTreeSet::new();
    for (item, device, reason) in roots.copies {
        closing.keep_on(item, device, reason);
        if let Item::Part(part) = item {
            parts.insert((part, device));
        }
    }
    for (part, device) in parts {
        closing.set(part, device);
    }
    closing.windows(&roots.since);
    closing.drain();
    closing.kept
}

struct Closing<'s, 'a> {
    stock: &'s Stock<'a>,
    kept: Kept<'a>,
    /// Parts whose needs were not looked at yet.
    open: Vec<(usize, &'a str)>,
}

impl<'a> Closing<'_, 'a> {
    /// Keeps a copy on a device that holds it.
    fn keep_on(&mut self, item: Item, device: &'a str, reason: Reason) {
        let is_new = !self.kept.contains_key(&(item, device));
        self.kept.entry((item, device)).or_default().insert(reason);
        if let (Item::Part(part), true) = (item, is_new) {
            self.open.push((part, device));
        }
    }

    /// Keeps what something on a device needs: there; and everywhere else when the device has it
    /// not, or not intact.
    fn need(&mut self, item: Item, device: &'a str, reason: &Reason) {
        let here = self.stock.holds(item, device);
        if here {
            self.keep_on(item, device, reason.clone());
        }
        if !here || self.stock.is_damaged(item, device) {
            let holders: Vec<&'a str> = self.stock.holders(item).collect();
            for holder in holders {
                self.keep_on(item, holder, reason.clone());
            }
        }
    }

    fn drain(&mut self) {
        while let Some((part, device)) = self.open.pop() {
            let id = &self.stock.part(part).part;
            if let Some(base) = self.stock.base_of(part) {
                self.need(Item::Part(base), device, &Reason::BaseOf(id.clone()));
            }
            for log in self.stock.bracket(part) {
                self.need(Item::Log(log), device, &Reason::LogOf(id.clone()));
            }
        }
    }

    /// The parts that are restored together with a part, and the log between all of them.
    fn set(&mut self, part: usize, device: &'a str) {
        let stock = self.stock;
        let own = stock.part(part);
        let Some(rule) = stock.question.jobs.get(&own.job) else {
            return;
        };
        if own.method == Method::Logical {
            return;
        }
        let service = service_of(&own.component);
        let others = rule
            .sets
            .iter()
            .filter(|key| **key != own.component && service_of(key) == service);
        let mates: Vec<usize> = others.filter_map(|key| self.mate(part, key)).collect();
        let reason = Reason::SetOf(own.part.clone());
        for mate in &mates {
            self.need(Item::Part(*mate), device, &reason);
        }
        if !mates.is_empty() {
            self.between(part, &mates, device);
        }
    }

    /// The part of another component that goes with a part: of the same run, else the newest
    /// before it.
    fn mate(&self, part: usize, key: &str) -> Option<usize> {
        let stock = self.stock;
        let own = stock.part(part);
        let fits = |index: &&usize| {
            let other = stock.part(**index);
            other.method != Method::Logical
                && other.identity == own.identity
                && !other.devices.is_empty()
        };
        let all = stock.component(key);
        let mut good = all.iter().filter(fits).rev();
        let same = good
            .clone()
            .find(|index| stock.part(**index).run == own.run);
        same.or_else(|| {
            good.find(|index| stock.part(**index).taken_at <= own.taken_at && stock.sure(**index))
        })
        .copied()
    }

    /// The log from the first begin to the last end of a set.
    fn between(&mut self, part: usize, mates: &[usize], device: &'a str) {
        let stock = self.stock;
        let own = stock.part(part);
        let (Some(from), Some(until)) = (&own.from, &own.until) else {
            return;
        };
        let all = || mates.iter().map(|mate| stock.part(*mate));
        let same =
            |position: &&crate::facts::holdings::Position| position.incarnation == from.incarnation;
        let begins = all().filter_map(|mate| mate.from.as_ref()).filter(same);
        let begin = begins.map(|position| position.value).min();
        let begin = begin.map_or(from.value, |begin| begin.min(from.value));
        let ends = all().filter_map(|mate| mate.until.as_ref()).filter(same);
        let end = ends.map(|position| position.value).max();
        let end = end.map_or(until.value, |end| end.max(until.value));
        let source = stock.source(service_of(&own.component), &own.identity);
        let history = source.and_then(|source| source.get(from.incarnation.as_str()));
        let Some(history) = history else { return };
        let after = history.after(begin, &stock.question.holdings.logs);
        for log in after.take_while(|log| stock.log(*log).from.value < end) {
            self.need(Item::Log(log), device, &Reason::LogOf(own.part.clone()));
        }
    }

    /// All log since the parts of windows. Of parts of one history the first needs what all need.
    fn windows(&mut self, since: &BTreeSet<(usize, &'a str)>) {
        let stock = self.stock;
        let mut first: BTreeMap<(&str, &str, &str, &'a str), Window<'_>> = BTreeMap::new();
        for (part, device) in since {
            let own = stock.part(*part);
            let Some(from) = own.from.as_ref().filter(|_| own.method != Method::Logical) else {
                continue;
            };
            let window = Window {
                begin: from.value,
                taken_at: own.taken_at,
                part: &own.part,
            };
            let service = service_of(&own.component);
            let history = (
                service,
                own.identity.as_str(),
                from.incarnation.as_str(),
                *device,
            );
            first.entry(history).or_insert(window).widen(window);
        }
        for ((service, identity, incarnation, device), window) in first {
            let Some(source) = stock.source(service, identity) else {
                continue;
            };
            for (own, history) in source {
                self.window(window, *own == incarnation, history, device);
            }
        }
    }

    fn window(&mut self, window: Window<'_>, is_own: bool, history: &History, device: &'a str) {
        let all = &self.stock.question.holdings.logs;
        let begin = if is_own { window.begin } else { 0 };
        for log in history.after(begin, all) {
            // another history of the source may continue this one: its age decides
            if is_own || all[log].last_at >= window.taken_at {
                let reason = Reason::LogSince(window.part.to_owned());
                self.need(Item::Log(log), device, &reason);
            }
        }
    }
}

/// From where on log is needed.
#[derive(Debug, Clone, Copy)]
struct Window<'s> {
    begin: u64,
    taken_at: Timestamp,
    part: &'s str,
}

impl Window<'_> {
    fn widen(&mut self, other: Self) {
        if other.begin < self.begin {
            (self.begin, self.part) = (other.begin, other.part);
        }
        self.taken_at = self.taken_at.min(other.taken_at);
    }
}
