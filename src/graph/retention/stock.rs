//! Owns one world of copies: which object lies on which device, as it is or as it is to be, with
//! the look-ups that judging needs. Indices, so that a million copies stay cheap.

use std::collections::{BTreeMap, BTreeSet};

use super::question::Question;
use crate::facts::holdings::{LogHolding, Method, PartHolding};

/// A part or a log range, by index into the holdings.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Item {
    Part(usize),
    Log(usize),
}

/// Log of one history of one source, by where it begins.
#[derive(Debug, Default)]
pub(super) struct History {
    /// Indices into the holdings' logs.
    pub(super) logs: Vec<usize>,
    /// The farthest end of the ranges up to each one.
    reach: Vec<u64>,
}

/// Log of one source: histories by incarnation.
type Source<'a> = BTreeMap<&'a str, History>;

/// One world.
#[derive(Debug)]
pub(super) struct Stock<'a> {
    pub(super) question: &'a Question<'a>,
    parts: Vec<BTreeSet<&'a str>>,
    logs: Vec<BTreeSet<&'a str>>,
    by_id: BTreeMap<&'a str, usize>,
    sources: BTreeMap<(&'a str, &'a str), Source<'a>>,
    components: BTreeMap<&'a str, Vec<usize>>,
    sure: Vec<bool>,
}

impl<'a> Stock<'a> {
    /// The copies as they are.
    pub(super) fn held(question: &'a Question<'a>) -> Self {
        let holdings = question.holdings;
        let parts = holdings.parts.iter().map(|part| names(&part.devices));
        let logs = holdings.logs.iter().map(|log| names(&log.devices));
        Self::new(question, parts.collect(), logs.collect())
    }

    /// The copies as they are to be: also on every device that the plan names for them.
    pub(super) fn complete(question: &'a Question<'a>) -> Self {
        let holdings = question.holdings;
        let parts = holdings.parts.iter().map(|part| {
            let mut devices = names(&part.devices);
            if let Some(rule) = question.jobs.get(&part.job).filter(|_| !devices.is_empty()) {
                devices.extend(rule.required(part.method).iter().map(String::as_str));
            }
            devices
        });
        let logs = holdings.logs.iter().map(|log| {
            let mut devices = names(&log.devices);
            if let Some(rule) = question
                .logs
                .get(&log.service)
                .filter(|_| !devices.is_empty())
            {
                devices.extend(rule.required.iter().map(String::as_str));
            }
            devices
        });
        Self::new(question, parts.collect(), logs.collect())
    }

    fn new(
        question: &'a Question<'a>,
        parts: Vec<BTreeSet<&'a str>>,
        logs: Vec<BTreeSet<&'a str>>,
    ) -> Self {
        let holdings = question.holdings;
        let mut components: BTreeMap<&str, Vec<usize>> = BTreeMap::new();
        for (index, part) in holdings.parts.iter().enumerate() {
            components.entry(&part.component).or_default().push(index);
        }
        for list in components.values_mut() {
            list.sort_by_key(|index| {
                let part = &holdings.parts[*index];
                (part.taken_at, &part.part)
            });
        }
        let ids = holdings.parts.iter().enumerate();
        let mut stock = Self {
            question,
            parts,
            logs,
            by_id: ids
                .map(|(index, part)| (part.part.as_str(), index))
                .collect(),
            sources: sources(&holdings.logs),
            components,
            sure: Vec::new(),
        };
        stock.sure = (0..holdings.parts.len())
            .map(|part| stock.is_sure(part))
            .collect();
        stock
    }

    pub(super) fn part(&self, index: usize) -> &'a PartHolding {
        &self.question.holdings.parts[index]
    }

    pub(super) fn log(&self, index: usize) -> &'a LogHolding {
        &self.question.holdings.logs[index]
    }

    /// Every object, parts first.
    pub(super) fn items(&self) -> impl Iterator<Item = Item> + use<> {
        let parts = (0..self.parts.len()).map(Item::Part);
        parts.chain((0..self.logs.len()).map(Item::Log))
    }

    fn devices(&self, item: Item) -> &BTreeSet<&'a str> {
        match item {
            Item::Part(index) => &self.parts[index],
            Item::Log(index) => &self.logs[index],
        }
    }

    pub(super) fn holds(&self, item: Item, device: &str) -> bool {
        self.devices(item).contains(device)
    }

    /// Devices that hold an object, by name.
    pub(super) fn holders(&self, item: Item) -> impl Iterator<Item = &'a str> + '_ {
        self.devices(item).iter().copied()
    }

    pub(super) fn id(&self, item: Item) -> &'a str {
        match item {
            Item::Part(index) => &self.part(index).part,
            Item::Log(index) => &self.log(index).log,
        }
    }

    pub(super) fn bytes(&self, item: Item) -> u64 {
        match item {
            Item::Part(index) => self.part(index).stored_bytes,
            Item::Log(index) => self.log(index).stored_bytes,
        }
    }

    /// For people.
    pub(super) fn what(&self, item: Item) -> String {
        match item {
            Item::Part(index) => {
                let part = self.part(index);
                format!("{} of {}", part.component, part.taken_at)
            }
            Item::Log(index) => {
                let log = self.log(index);
                format!("log of {} up to {}", log.service, log.until.reach())
            }
        }
    }

    pub(super) fn base_of(&self, part: usize) -> Option<usize> {
        let base = self.part(part).base.as_deref()?;
        self.by_id.get(base).copied()
    }

    /// Parts of a component, oldest first.
    pub(super) fn component(&self, key: &str) -> &[usize] {
        self.components.get(key).map_or(&[], Vec::as_slice)
    }

    /// Components with their parts.
    pub(super) fn components(&self) -> impl Iterator<Item = (&'a str, &[usize])> {
        self.components
            .iter()
            .map(|(key, parts)| (*key, parts.as_slice()))
    }

    /// The log of a source, by incarnation.
    pub(super) fn source<'s>(
        &'s self,
        service: &'s str,
        identity: &'s str,
    ) -> Option<&'s Source<'a>> {
        // the map's keys live longer than the words that are looked for
        let sources: &'s BTreeMap<(&'s str, &'s str), Source<'a>> = &self.sources;
        sources.get(&(service, identity))
    }

    pub(super) fn is_damaged(&self, item: Item, device: &str) -> bool {
        self.question.damaged.contains(&(self.id(item), device))
    }

    /// Whether a part can be restored for sure from the devices together: its chain is whole, and
    /// the log of every bracket in it.
    pub(super) fn sure(&self, part: usize) -> bool {
        self.sure[part]
    }

    fn is_sure(&self, part: usize) -> bool {
        let mut at = part;
        // a chain in a circle is no chain: more steps than parts cannot be
        for _ in 0..=self.parts.len() {
            if !self.is_there(Item::Part(at)) || !self.bracket_is_there(at) {
                return false;
            }
            let Some(base) = &self.part(at).base else {
                return is_alone(self.part(at).method);
            };
            match self.by_id.get(base.as_str()) {
                Some(base) => at = *base,
                None => return false,
            }
        }
        false
    }

    fn is_there(&self, item: Item) -> bool {
        self.holders(item)
            .any(|device| !self.is_damaged(item, device))
    }

    /// Whether the log from a part's begin to its end has no gap.
    fn bracket_is_there(&self, part: usize) -> bool {
        let holding = self.part(part);
        let (Some(from), Some(until)) = (&holding.from, &holding.until) else {
            return true;
        };
        if from == until {
            return true;
        }
        let mut reached = from.value;
        for log in self.bracket(part) {
            let range = self.log(log);
            if range.from.value <= reached && self.is_there(Item::Log(log)) {
                reached = reached.max(range.until.value);
            }
        }
        from.incarnation == until.incarnation && reached >= until.value
    }

    /// The log of a part's bracket: ranges that overlap it, by where they begin.
    pub(super) fn bracket(&self, part: usize) -> Vec<usize> {
        let holding = self.part(part);
        let (Some(from), Some(until)) = (&holding.from, &holding.until) else {
            return Vec::new();
        };
        let service = service_of(&holding.component);
        let Some(source) = self.source(service, &holding.identity) else {
            return Vec::new();
        };
        let all = &self.question.holdings.logs;
        let before = |log: &usize| all[*log].from.value < until.value;
        let first = source.get(from.incarnation.as_str());
        let first = first
            .into_iter()
            .flat_map(|history| history.after(from.value, all));
        if from.incarnation == until.incarnation {
            return first.take_while(before).collect();
        }
        // the history changed inside the bracket: the end of the one, the begin of the other
        let second = source.get(until.incarnation.as_str());
        let second = second
            .into_iter()
            .flat_map(|history| history.logs.iter().copied());
        first.chain(second.take_while(before)).collect()
    }
}

impl History {
    /// Ranges that end after a position, by where they begin.
    pub(super) fn after<'h>(
        &'h self,
        position: u64,
        all: &'h [LogHolding],
    ) -> impl Iterator<Item = usize> + 'h {
        // none before the first that reaches farther can end after it
        let first = self.reach.partition_point(|reach| *reach <= position);
        let logs = self.logs[first..].iter().copied();
        logs.filter(move |log| all[*log].until.value > position)
    }
}

/// The service of a component key.
pub(super) fn service_of(component: &str) -> &str {
    component.split('/').next().unwrap_or(component)
}

fn is_alone(method: Method) -> bool {
    crate::graph::world::is_full(method)
}

fn names(devices: &[String]) -> BTreeSet<&str> {
    devices.iter().map(String::as_str).collect()
}

fn sources(logs: &[LogHolding]) -> BTreeMap<(&str, &str), Source<'_>> {
    let mut sources: BTreeMap<(&str, &str), Source<'_>> = BTreeMap::new();
    for (index, log) in logs.iter().enumerate() {
        let source = sources.entry((&log.service, &log.identity)).or_default();
        let history = source.entry(&log.from.incarnation).or_default();
        history.logs.push(index);
    }
    for history in sources.values_mut().flat_map(BTreeMap::values_mut) {
        let place = |index: &usize| (logs[*index].from.value, logs[*index].until.value);
        history.logs.sort_by_key(place);
        let mut farthest = 0;
        for log in &history.logs {
            farthest = logs[*log].until.value.max(farthest);
            history.reach.push(farthest);
        }
    }
    sources
}
