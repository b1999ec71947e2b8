//! Random histories: parts in chains, log with gaps, several sources and histories, copies that
//! devices missed, damage, open runs, and clocks that jump.

use std::collections::{BTreeMap, BTreeSet};

use jiff::{SignedDuration, Timestamp};
use planc::facts::holdings::{Holdings, LogHolding, Method, PartHolding, Position};
use planc::graph::retention::{JobRule, LogRule, Question};
use planc::quantity::Duration;
use planc::resolve::plan::Tier;

/// Splitmix64: the same numbers for the same seed.
pub(super) struct Dice(u64);

impl Dice {
    pub(super) fn new(seed: u64) -> Self {
        Self(seed)
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    /// A number below.
    pub(super) fn below(&mut self, end: u64) -> u64 {
        self.next() % end.max(1)
    }

    /// True that often in a hundred times.
    pub(super) fn chance(&mut self, percent: u64) -> bool {
        self.below(100) < percent
    }
}

const DEVICES: [&str; 3] = ["a", "b", "c"];
const JOB: &str = "job";
const SERVICE: &str = "s";

/// One history with the rules it is judged by.
#[derive(Debug, Clone)]
pub(super) struct History {
    pub(super) holdings: Holdings,
    pub(super) jobs: BTreeMap<String, JobRule>,
    pub(super) logs: BTreeMap<String, LogRule>,
    pub(super) now: Timestamp,
}

impl History {
    pub(super) fn question(&self) -> Question<'_> {
        Question::of(
            &self.holdings,
            self.jobs.clone(),
            self.logs.clone(),
            self.now,
        )
    }

    /// Without a copy.
    pub(super) fn without(&self, gone: &BTreeSet<(String, String)>) -> Self {
        let mut rest = self.clone();
        let keep = |object: &str, devices: &mut Vec<String>| {
            devices.retain(|device| !gone.contains(&(object.to_owned(), device.clone())));
            !devices.is_empty()
        };
        rest.holdings
            .parts
            .retain_mut(|part| keep(&part.part.clone(), &mut part.devices));
        rest.holdings
            .logs
            .retain_mut(|log| keep(&log.log.clone(), &mut log.devices));
        rest
    }
}

struct Maker {
    dice: Dice,
    start: Timestamp,
    holdings: Holdings,
    devices: usize,
    identity: u64,
    incarnation: u64,
    position: u64,
    run: u64,
}

/// The history of a seed.
pub(super) fn history(seed: u64) -> History {
    let mut dice = Dice::new(seed);
    let devices = 1 + usize::try_from(dice.below(3)).expect("a small number");
    // most are short, so that many different ones are tried; some are long
    let days = 2 + dice.below(if seed.is_multiple_of(32) { 20 } else { 4 });
    let start: Timestamp = "2026-02-20T00:00:00Z".parse().expect("an instant");
    let in_sets = dice.chance(40);
    let mut maker = Maker {
        dice,
        start,
        holdings: Holdings::default(),
        devices,
        identity: 0,
        incarnation: 0,
        position: 0,
        run: 0,
    };
    for day in 0..days {
        maker.day(day, in_sets);
    }
    let now = maker.at(days * 24 + maker.holdings.parts.len() as u64 % 40);
    maker.spoil();
    let (jobs, logs) = maker.rules(in_sets);
    History {
        holdings: maker.holdings,
        jobs,
        logs,
        now,
    }
}

impl Maker {
    fn at(&self, hours: u64) -> Timestamp {
        self.start + SignedDuration::from_hours(i64::try_from(hours).expect("a small number"))
    }

    fn day(&mut self, day: u64, in_sets: bool) {
        if self.dice.chance(3) {
            self.identity += 1;
        }
        if self.dice.chance(4) {
            self.incarnation += 1;
            self.position = self.position.saturating_sub(self.dice.below(3));
        }
        self.run += 1;
        let components: &[&str] = if in_sets {
            &["s/base/base", "s/tablespace/t"]
        } else {
            &["s/base/base"]
        };
        for component in components {
            if self.dice.chance(45) {
                let hour = day * 24 + self.dice.below(20);
                self.part(component, hour);
            }
        }
        for _ in 0..self.dice.below(3) {
            let hour = day * 24 + self.dice.below(24);
            self.log(hour);
        }
    }

    fn devices(&mut self) -> Vec<String> {
        let mut devices = Vec::new();
        for name in &DEVICES[..self.devices] {
            if self.dice.chance(85) {
                devices.push((*name).to_owned());
            }
        }
        if devices.is_empty() {
            devices.push(DEVICES[0].to_owned());
        }
        devices
    }

    fn place(&self, value: u64) -> Position {
        Position {
            incarnation: format!("i{}", self.incarnation),
            value,
        }
    }

    fn part(&mut self, component: &str, hour: u64) {
        let chained =
            |part: &&PartHolding| part.component == component && part.method != Method::Logical;
        let before = self.holdings.parts.iter().rev().find(chained);
        let base = before
            .map(|part| part.part.clone())
            .filter(|_| self.dice.chance(45));
        let method = match &base {
            Some(_) => Method::PhysicalIncremental,
            None if self.dice.chance(10) => Method::Logical,
            None => Method::PhysicalFull,
        };
        let begin = self.position.saturating_sub(self.dice.below(3));
        let jump = if self.dice.chance(3) { 24 * 40 } else { 0 };
        let devices = self.devices();
        self.holdings.parts.push(PartHolding {
            part: format!("p{}", self.holdings.parts.len()),
            component: component.to_owned(),
            job: if self.dice.chance(97) { JOB } else { "gone" }.to_owned(),
            run: format!("r{}", self.run),
            method,
            identity: format!("id{}", self.identity),
            taken_at: self.at(hour + jump),
            from: Some(self.place(begin)),
            until: Some(self.place(self.position)),
            base,
            bytes: 1,
            stored_bytes: 1,
            devices,
        });
    }

    fn log(&mut self, hour: u64) {
        let begin = self.position;
        self.position += 1 + self.dice.below(3);
        if self.dice.chance(8) {
            return; // lost before anything held it
        }
        let overlap = self.dice.below(10) / 8;
        let devices = self.devices();
        let at = self.at(hour);
        self.holdings.logs.push(LogHolding {
            log: format!("l{}", self.holdings.logs.len()),
            service: SERVICE.to_owned(),
            identity: format!("id{}", self.identity),
            from: self.place(begin.saturating_sub(overlap)),
            until: self.place(self.position),
            first_at: at,
            last_at: at,
            stored_bytes: 1,
            devices,
        });
    }

    fn spoil(&mut self) {
        let parts = self
            .holdings
            .parts
            .iter()
            .map(|part| (&part.part, &part.devices));
        let logs = self
            .holdings
            .logs
            .iter()
            .map(|log| (&log.log, &log.devices));
        let copies: Vec<(String, String)> = parts
            .chain(logs)
            .flat_map(|(id, devices)| devices.iter().map(|name| (id.clone(), name.clone())))
            .collect();
        for copy in copies {
            if self.dice.chance(4) {
                self.holdings.damaged.push(copy);
            } else if self.dice.chance(1) {
                self.holdings.in_use.push(copy.0);
            }
        }
    }

    fn tiers(&mut self) -> Vec<Tier> {
        let mut tiers = Vec::new();
        for _ in 0..=self.dice.below(2) {
            let count = u32::try_from(1 + self.dice.below(4)).expect("a small number");
            tiers.push(match self.dice.below(7) {
                0..=2 => Tier::Window(Duration(self.dice.below(5 * 24) * 3_600_000)),
                3 => Tier::Daily(count),
                4 => Tier::Weekly(count),
                5 => Tier::Monthly(count),
                _ => Tier::Last(count),
            });
        }
        tiers
    }

    fn rules(&mut self, in_sets: bool) -> (BTreeMap<String, JobRule>, BTreeMap<String, LogRule>) {
        let names = || DEVICES.iter().map(|name| (*name).to_owned());
        let mut job = JobRule::default();
        let mut log = LogRule::default();
        for name in names().take(self.devices) {
            if self.dice.chance(97) {
                job.tiers.insert(name.clone(), self.tiers());
            }
            if self.dice.chance(95) {
                log.tiers.insert(name.clone(), self.tiers());
            }
            for set in [&mut job.full, &mut job.incremental, &mut log.required] {
                if self.dice.chance(70) {
                    set.insert(name.clone());
                }
            }
        }
        if in_sets {
            job.sets = BTreeSet::from(["s/base/base".to_owned(), "s/tablespace/t".to_owned()]);
        }
        let logs = if self.dice.chance(95) {
            BTreeMap::from([(SERVICE.to_owned(), log)])
        } else {
            BTreeMap::new()
        };
        (BTreeMap::from([(JOB.to_owned(), job)]), logs)
    }
}
