//! The definitions, written as plainly as they read: no index, no order of work, loops over all.
//! And what was promised, asked of the copies that are left: can this instant still be shown?

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};

use jiff::{SignedDuration, Timestamp};
use planc::facts::holdings::{LogHolding, Method, PartHolding};
use planc::resolve::plan::Tier;

use super::history::History;

/// Object and device.
pub(super) type Copy = (String, String);

/// One world of copies: as they are, or as they are to be.
pub(super) struct Model<'h> {
    history: &'h History,
    copies: BTreeSet<Copy>,
    damaged: BTreeSet<&'h Copy>,
    sure: RefCell<BTreeMap<&'h str, bool>>,
}

fn is_full(method: Method) -> bool {
    matches!(method, Method::PhysicalFull | Method::Logical)
}

/// The number of the day, ISO week, month or year.
fn period(tier: Tier, at: Timestamp) -> i64 {
    let day = at.as_second().div_euclid(86_400);
    let date = at.to_zoned(jiff::tz::TimeZone::UTC).date();
    match tier {
        Tier::Daily(_) => day,
        Tier::Weekly(_) => (day + 3).div_euclid(7),
        Tier::Monthly(_) => i64::from(date.year()) * 12 + i64::from(date.month()),
        _ => i64::from(date.year()),
    }
}

impl<'h> Model<'h> {
    /// As they are.
    pub(super) fn held(history: &'h History) -> Self {
        let holdings = &history.holdings;
        let parts = holdings
            .parts
            .iter()
            .map(|part| (&part.part, &part.devices));
        let logs = holdings.logs.iter().map(|log| (&log.log, &log.devices));
        let all = parts.chain(logs);
        let copies = all.flat_map(|(id, on)| on.iter().map(|name| (id.clone(), name.clone())));
        Self {
            copies: copies.collect(),
            damaged: holdings.damaged.iter().collect(),
            sure: RefCell::default(),
            history,
        }
    }

    fn complete(history: &'h History) -> Self {
        let mut model = Self::held(history);
        for part in &history.holdings.parts {
            let Some(rule) = history.jobs.get(&part.job) else {
                continue;
            };
            let required = if is_full(part.method) {
                &rule.full
            } else {
                &rule.incremental
            };
            let copies = required
                .iter()
                .map(|device| (part.part.clone(), device.clone()));
            model.copies.extend(copies);
        }
        for log in &history.holdings.logs {
            let Some(rule) = history.logs.get(&log.service) else {
                continue;
            };
            let copies = rule
                .required
                .iter()
                .map(|device| (log.log.clone(), device.clone()));
            model.copies.extend(copies);
        }
        model
    }

    fn parts(&self) -> &'h [PartHolding] {
        &self.history.holdings.parts
    }

    fn logs(&self) -> &'h [LogHolding] {
        &self.history.holdings.logs
    }

    fn on(&self, object: &str, device: &str) -> bool {
        self.copies
            .contains(&(object.to_owned(), device.to_owned()))
    }

    fn damaged(&self, object: &str, device: &str) -> bool {
        !self.damaged.is_empty()
            && self
                .damaged
                .contains(&(object.to_owned(), device.to_owned()))
    }

    fn good_somewhere(&self, object: &str) -> bool {
        self.copies
            .iter()
            .any(|(id, device)| id == object && !self.damaged(id, device))
    }

    fn future(&self, at: Timestamp) -> bool {
        at > self.history.now + SignedDuration::from_mins(5)
    }

    /// Whether a log range lies in the bracket of a part.
    fn in_bracket(part: &PartHolding, log: &LogHolding) -> bool {
        let (Some(from), Some(until)) = (&part.from, &part.until) else {
            return false;
        };
        let history = &log.from.incarnation;
        log.identity == part.identity
            && (*history != from.incarnation || log.until.value > from.value)
            && (*history != until.incarnation || log.from.value < until.value)
            && (*history == from.incarnation || *history == until.incarnation)
    }

    /// Restorable from all devices together.
    pub(super) fn sure(&self, part: &'h PartHolding) -> bool {
        let known = self.sure.borrow().get(part.part.as_str()).copied();
        known.unwrap_or_else(|| {
            let sure = self.is_sure(part);
            self.sure.borrow_mut().insert(&part.part, sure);
            sure
        })
    }

    fn is_sure(&self, part: &'h PartHolding) -> bool {
        let chain = match &part.base {
            None => is_full(part.method),
            Some(base) => {
                let base = self.parts().iter().find(|one| one.part == *base);
                base.is_some_and(|base| self.sure(base))
            }
        };
        chain && self.good_somewhere(&part.part) && self.bracket_is_whole(part)
    }

    fn bracket_is_whole(&self, part: &PartHolding) -> bool {
        let (Some(from), Some(until)) = (&part.from, &part.until) else {
            return true;
        };
        let covers = |value: u64| {
            self.logs().iter().any(|log| {
                Self::in_bracket(part, log)
                    && log.from.value <= value
                    && value < log.until.value
                    && self.good_somewhere(&log.log)
            })
        };
        (from.value..until.value).all(covers)
    }

    /// Exactly the copies that stay.
    pub(super) fn stays(history: &'h History) -> BTreeSet<Copy> {
        let held = Self::held(history);
        let full = Self::complete(history);
        let mut stays = held.kept();
        let wished = full.kept();
        for (object, device) in &wished {
            if held.on(object, device) {
                stays.insert((object.clone(), device.clone()));
            } else {
                let holders = held.copies.iter().filter(|(id, _)| id == object);
                stays.extend(holders.cloned());
            }
        }
        stays
    }

    fn kept(&self) -> BTreeSet<Copy> {
        let mut kept = self.kept_if(true);
        kept.extend(self.kept_if(false));
        kept
    }

    fn kept_if(&self, sure: bool) -> BTreeSet<Copy> {
        let mut kept = BTreeSet::new();
        let mut since = Vec::new();
        for (part, device, tier) in self.chosen(sure) {
            kept.insert((part.part.clone(), device.clone()));
            if matches!(tier, Tier::Window(_)) {
                since.push((part, device));
            }
        }
        if !sure {
            kept.extend(self.circumstances());
            kept.extend(self.logs_by_age());
        }
        let roots: Vec<Copy> = kept.iter().cloned().collect();
        for (object, device) in &roots {
            if let Some(part) = self.parts().iter().find(|part| part.part == *object) {
                self.set(part, device, &mut kept);
            }
        }
        for (part, device) in since {
            self.since(part, &device, &mut kept);
        }
        self.close(&mut kept);
        kept
    }

    /// What the tiers choose: part, device, tier.
    pub(super) fn chosen(&self, sure: bool) -> Vec<(&'h PartHolding, String, Tier)> {
        let mut chosen = Vec::new();
        for (job, rule) in &self.history.jobs {
            for (device, tiers) in &rule.tiers {
                for (tier, group) in tiers.iter().flat_map(|tier| {
                    self.groups(job, device, sure)
                        .into_iter()
                        .map(move |group| (*tier, group))
                }) {
                    let picked = self.pick(tier, &group);
                    chosen.extend(picked.into_iter().map(|part| (part, device.clone(), tier)));
                }
            }
        }
        chosen
    }

    /// The points of each component of a job on a device, oldest first.
    fn groups(&self, job: &str, device: &str, sure: bool) -> Vec<Vec<&'h PartHolding>> {
        let keys: BTreeSet<(&str, bool)> = self
            .parts()
            .iter()
            .map(|part| (part.component.as_str(), part.method == Method::Logical))
            .collect();
        let groups = keys.into_iter().map(|(component, logical)| {
            let mut group: Vec<&PartHolding> = (self.parts().iter())
                .filter(|part| part.job == job && part.component == component)
                .filter(|part| (part.method == Method::Logical) == logical)
                .filter(|part| self.on(&part.part, device) && !self.future(part.taken_at))
                .filter(|part| !sure || self.sure(part) && !self.damaged(&part.part, device))
                .collect();
            group.sort_by_key(|part| (part.taken_at, &part.part));
            group
        });
        groups.collect()
    }

    fn pick(&self, tier: Tier, group: &[&'h PartHolding]) -> Vec<&'h PartHolding> {
        match tier {
            Tier::Window(span) => {
                let begin = self.begin(span.0);
                let inside = group.iter().filter(|part| part.taken_at > begin);
                let anchor = group.iter().rfind(|part| part.taken_at <= begin);
                inside.chain(anchor).copied().collect()
            }
            Tier::Last(count) => group.iter().rev().take(count as usize).copied().collect(),
            Tier::Daily(count)
            | Tier::Weekly(count)
            | Tier::Monthly(count)
            | Tier::Yearly(count) => {
                let of = |part: &&PartHolding| period(tier, part.taken_at);
                let mut all: Vec<i64> = group.iter().map(of).collect();
                all.sort_unstable();
                all.dedup();
                let newest = all.into_iter().rev().take(count as usize);
                newest
                    .filter_map(|wanted| group.iter().rfind(|part| of(part) == wanted).copied())
                    .collect()
            }
        }
    }

    fn begin(&self, span: u64) -> Timestamp {
        self.history.now - SignedDuration::from_millis(i64::try_from(span).expect("a small number"))
    }

    fn circumstances(&self) -> Vec<Copy> {
        let holdings = &self.history.holdings;
        let spoken = |tiers: Option<&Vec<Tier>>| tiers.is_some_and(|tiers| !tiers.is_empty());
        let stays = |(object, device): &&Copy| {
            if holdings.in_use.contains(object) {
                return true;
            }
            if let Some(part) = holdings.parts.iter().find(|part| part.part == *object) {
                let rule = self.history.jobs.get(&part.job);
                return self.future(part.taken_at)
                    || !spoken(rule.and_then(|rule| rule.tiers.get(device)));
            }
            let log = holdings.logs.iter().find(|log| log.log == *object);
            let rule = log.and_then(|log| self.history.logs.get(&log.service));
            log.is_some_and(|log| self.future(log.last_at))
                || !spoken(rule.and_then(|rule| rule.tiers.get(device)))
        };
        self.copies.iter().filter(stays).cloned().collect()
    }

    fn logs_by_age(&self) -> Vec<Copy> {
        let day = 86_400_000;
        let mut kept = Vec::new();
        for (service, rule) in &self.history.logs {
            for (device, tiers) in &rule.tiers {
                let mut logs: Vec<&LogHolding> = (self.logs().iter())
                    .filter(|log| log.service == *service && self.on(&log.log, device))
                    .filter(|log| !self.future(log.last_at))
                    .collect();
                logs.sort_by_key(|log| (log.last_at, &log.log));
                for tier in tiers {
                    let span = match *tier {
                        Tier::Window(span) => span.0,
                        Tier::Daily(count) => u64::from(count) * day,
                        Tier::Weekly(count) => u64::from(count) * 7 * day,
                        Tier::Monthly(count) => u64::from(count) * 31 * day,
                        Tier::Yearly(count) => u64::from(count) * 366 * day,
                        Tier::Last(count) => {
                            let newest = logs.iter().rev().take(count as usize);
                            kept.extend(newest.map(|log| (log.log.clone(), device.clone())));
                            continue;
                        }
                    };
                    let young = logs.iter().filter(|log| log.last_at > self.begin(span));
                    kept.extend(young.map(|log| (log.log.clone(), device.clone())));
                }
            }
        }
        kept
    }

    /// There, and everywhere when the device has it not or damaged.
    fn need(&self, object: &str, device: &str, kept: &mut BTreeSet<Copy>) {
        let everywhere = !self.on(object, device) || self.damaged(object, device);
        let wanted = |(id, holder): &&Copy| id == object && (everywhere || holder == device);
        kept.extend(self.copies.iter().filter(wanted).cloned());
    }

    fn close(&self, kept: &mut BTreeSet<Copy>) {
        loop {
            let before = kept.len();
            for (object, device) in kept.clone() {
                let Some(part) = self.parts().iter().find(|part| part.part == object) else {
                    continue;
                };
                if let Some(base) = &part.base {
                    self.need(base, &device, kept);
                }
                for log in self.logs().iter().filter(|log| Self::in_bracket(part, log)) {
                    self.need(&log.log, &device, kept);
                }
            }
            if kept.len() == before {
                return;
            }
        }
    }

    fn since(&self, part: &PartHolding, device: &str, kept: &mut BTreeSet<Copy>) {
        let (Some(from), false) = (&part.from, part.method == Method::Logical) else {
            return;
        };
        for log in self
            .logs()
            .iter()
            .filter(|log| log.identity == part.identity)
        {
            let later = if log.from.incarnation == from.incarnation {
                log.until.value > from.value
            } else {
                log.last_at >= part.taken_at
            };
            if later {
                self.need(&log.log, device, kept);
            }
        }
    }

    fn set(&self, part: &PartHolding, device: &str, kept: &mut BTreeSet<Copy>) {
        let rule = self.history.jobs.get(&part.job);
        let Some(rule) = rule.filter(|_| part.method != Method::Logical) else {
            return;
        };
        let mut mates = Vec::new();
        for key in rule.sets.iter().filter(|key| **key != part.component) {
            let mut all: Vec<&PartHolding> = (self.parts().iter())
                .filter(|one| one.component == *key && one.method != Method::Logical)
                .filter(|one| one.identity == part.identity)
                .collect();
            all.sort_by_key(|one| (one.taken_at, &one.part));
            let same = all.iter().rfind(|one| one.run == part.run);
            let before = |one: &&&'h PartHolding| one.taken_at <= part.taken_at && self.sure(one);
            mates.extend(same.or_else(|| all.iter().rfind(before)).copied());
        }
        for mate in &mates {
            self.need(&mate.part, device, kept);
        }
        let (Some(from), Some(until)) = (&part.from, &part.until) else {
            return;
        };
        if mates.is_empty() {
            return;
        }
        let own = |place: &&planc::facts::holdings::Position| place.incarnation == from.incarnation;
        let begins = mates
            .iter()
            .filter_map(|mate| mate.from.as_ref())
            .filter(own);
        let begin = begins
            .map(|place| place.value)
            .min()
            .unwrap_or(u64::MAX)
            .min(from.value);
        let ends = mates
            .iter()
            .filter_map(|mate| mate.until.as_ref())
            .filter(own);
        let end = ends
            .map(|place| place.value)
            .max()
            .unwrap_or(0)
            .max(until.value);
        for log in self.logs() {
            let inside = log.identity == part.identity
                && log.from.incarnation == from.incarnation
                && log.until.value > begin
                && log.from.value < end;
            if inside {
                self.need(&log.log, device, kept);
            }
        }
    }

    /// The newest moment at or before `t` that a component's good copies on a device can show with
    /// the log of all devices.
    pub(super) fn shows(&self, component: &str, device: &str, t: Timestamp) -> Option<Timestamp> {
        let parts = self.parts().iter().filter(|part| {
            part.component == component
                && self.history.jobs.contains_key(&part.job)
                && part.method != Method::Logical
                && part.taken_at <= t
                && self.on(&part.part, device)
                && !self.damaged(&part.part, device)
                && self.sure(part)
        });
        parts.map(|part| self.replayed(part, t)).max()
    }

    fn replayed(&self, part: &PartHolding, t: Timestamp) -> Timestamp {
        let mut shown = part.taken_at;
        let Some(mut reached) = part.until.clone() else {
            return shown;
        };
        loop {
            let next = self.logs().iter().find(|log| {
                log.identity == part.identity
                    && log.from.incarnation == reached.incarnation
                    && log.from.value <= reached.value
                    && log.until.value > reached.value
                    && log.last_at <= t
                    && self.good_somewhere(&log.log)
            });
            let Some(log) = next else { return shown };
            shown = shown.max(log.last_at);
            reached.value = log.until.value;
        }
    }
}
