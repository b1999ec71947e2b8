//! Owns what one run of a backup moves, and what holds it up on the way.
//! Must not know when it runs beside others; `agenda` plays them together.

use std::collections::BTreeMap;

use jiff::Timestamp;

use crate::estimate::Known;
use crate::estimate::calendar::Calendar;
use crate::estimate::pace::{self, Limit, Pace};
use crate::estimate::volume;
use crate::quantity::Duration;
use crate::resolve::plan::{Backup, BackupId, Component, ComponentId, DeviceId, ResolvedPlan};

/// Numbers for the disks of all hosts, by host and name.
#[derive(Debug, Default)]
pub struct Disks<'a> {
    numbers: BTreeMap<(&'a str, &'a str), u32>,
    names: Vec<(&'a str, &'a str)>,
}

impl<'a> Disks<'a> {
    fn number(&mut self, host: &'a str, disk: &'a str) -> u32 {
        let next = u32::try_from(self.names.len()).unwrap_or(u32::MAX);
        let names = &mut self.names;
        *self.numbers.entry((host, disk)).or_insert_with(|| {
            names.push((host, disk));
            next
        })
    }

    /// How many there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.names.len()
    }

    /// True when there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.names.is_empty()
    }

    /// Host and name of a number.
    #[must_use]
    pub fn name(&self, number: u32) -> (&'a str, &'a str) {
        let name = self.names.get(number as usize);
        name.copied().unwrap_or_default()
    }
}

/// Parts that lie on the same disks, copied one after the other.
#[derive(Debug, Clone, PartialEq)]
pub struct Chunk {
    /// The disks they are read from, by number.
    pub disks: Vec<u32>,
    /// The service they belong to, by index.
    pub service: u32,
    /// Bytes of those whose volume is known.
    pub bytes: f64,
    /// Seconds that this takes at least; 0 when nothing is known of the way.
    pub seconds: f64,
}

/// One part of a run.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Part {
    /// Which.
    pub component: ComponentId,
    /// Its bytes, and the share by which they grow in a day.
    pub bytes: (f64, f64),
    /// Seconds to copy it alone, at least.
    pub seconds: f64,
}

/// One run of one take.
#[derive(Debug, Clone)]
pub struct Load {
    /// The backup.
    pub backup: BackupId,
    /// Which of its takes.
    pub take: usize,
    /// Where it is stored first.
    pub device: Option<DeviceId>,
    /// The slowest thing that all of it goes through: device, throttle or line.
    pub pace: Option<Pace>,
    /// Its parts by disks.
    pub chunks: Vec<Chunk>,
    /// False when the volume of some part is not known: then every figure is a lower bound.
    pub complete: bool,
    /// Each part whose volume is known.
    pub parts: Vec<Part>,
}

impl Load {
    /// The load of one take, with the throttle of a moment.
    pub fn new<'a>(
        way: &Way<'a, '_>,
        disks: &mut Disks<'a>,
        (id, take): (BackupId, usize),
        since_base: Option<Duration>,
        at: Timestamp,
    ) -> Self {
        let backup = &way.plan.backups[id.index()];
        let mut load = Self {
            backup: id,
            take,
            device: backup.keeping.store.map(|at| at.value),
            pace: way.through(backup, at),
            chunks: Vec::new(),
            complete: true,
            parts: Vec::new(),
        };
        for component in &backup.targets {
            let method = backup.takes[take].method;
            match volume::copied(way.known, *component, method, since_base) {
                Some(bytes) => load.add(way, disks, *component, bytes),
                None => load.complete = false,
            }
        }
        load
    }

    fn add<'a>(&mut self, way: &Way<'a, '_>, disks: &mut Disks<'a>, id: ComponentId, bytes: f64) {
        let component = way.plan.component(id);
        let (numbers, rate) = way.source(disks, component);
        let through = self.pace.as_ref().map(|pace| pace.rate);
        let slowest = [through, rate].into_iter().flatten().reduce(f64::min);
        let seconds = slowest.map_or(0.0, |rate| bytes / rate);
        self.parts.push(Part {
            component: id,
            bytes: (bytes, way.known.growth(id).unwrap_or(0.0)),
            seconds,
        });
        let service = component.service.0;
        let same = |chunk: &&mut Chunk| chunk.disks == numbers && chunk.service == service;
        if let Some(chunk) = self.chunks.iter_mut().find(same) {
            chunk.bytes += bytes;
            chunk.seconds += seconds;
            return;
        }
        self.chunks.push(Chunk {
            disks: numbers,
            service,
            bytes,
            seconds,
        });
    }

    /// Bytes it moves, as far as known.
    #[must_use]
    pub fn bytes(&self) -> f64 {
        self.chunks.iter().map(|chunk| chunk.bytes).sum()
    }

    /// Seconds it takes at least when nothing else runs: the busiest disk, or the device, line
    /// or throttle that everything goes through.
    #[must_use]
    pub fn seconds(&self) -> f64 {
        let through = self
            .pace
            .as_ref()
            .map_or(0.0, |pace| self.bytes() / pace.rate);
        let mut disks: BTreeMap<u32, f64> = BTreeMap::new();
        for chunk in &self.chunks {
            for disk in &chunk.disks {
                *disks.entry(*disk).or_default() += chunk.seconds;
            }
        }
        disks.into_values().fold(through, f64::max)
    }

    /// The rate at which all of it would have to go to be done in time.
    #[must_use]
    pub fn rate_for(&self, seconds: f64) -> f64 {
        self.bytes() / seconds
    }
}

/// What is asked of the way from sources to devices.
#[derive(Debug, Clone, Copy)]
pub struct Way<'a, 'k> {
    /// The plan.
    pub plan: &'a ResolvedPlan,
    /// Sizes and rates.
    pub known: &'k Known,
    /// Windows of throttles.
    pub calendar: &'k Calendar<'a>,
}

impl<'a> Way<'a, '_> {
    /// What everything a backup stores goes through.
    fn through(&self, backup: &Backup, at: Timestamp) -> Option<Pace> {
        let store = backup.keeping.store?.value;
        let device = self.plan.device(store);
        let throttles = [&backup.keeping.throttle, &device.throttle];
        let throttles = throttles.map(|list| pace::in_force(list, self.calendar, at));
        let throttles = throttles.into_iter().flatten().map(pace::of_throttle);
        let first = backup.targets.first();
        let home = first.and_then(|id| self.home(self.plan.component(*id)));
        let own = pace::writing(self.known, store);
        let link = pace::link(self.plan, home, device.site.as_deref());
        throttles.fold(Pace::slower(own, link), |slowest, throttle| {
            Pace::slower(slowest, Some(throttle))
        })
    }

    /// The limits other than throttles, which a change of the plan cannot lift.
    #[must_use]
    pub fn beside_throttles(&self, backup: &Backup) -> Option<f64> {
        let store = backup.keeping.store?.value;
        let first = backup.targets.first();
        let home = first.and_then(|id| self.home(self.plan.component(*id)));
        let link = pace::link(self.plan, home, self.plan.device(store).site.as_deref());
        Some(Pace::slower(pace::writing(self.known, store), link)?.rate)
    }

    fn home(&self, component: &Component) -> Option<&'a str> {
        let host = self.plan.service(component.service).host.as_ref()?;
        self.plan.hosts.get(host)?.site.as_deref()
    }

    /// The disks of a component and the rate at which they give it together.
    fn source(&self, disks: &mut Disks<'a>, component: &'a Component) -> (Vec<u32>, Option<f64>) {
        let Some(host) = self.plan.service(component.service).host.as_deref() else {
            return (Vec::new(), None);
        };
        let numbers = component.disks.iter().map(|disk| disks.number(host, disk));
        let mut numbers: Vec<u32> = numbers.collect();
        numbers.sort_unstable();
        let rates = component.disks.iter();
        let rates = rates.map(|disk| self.known.disk_read(host, disk));
        let rate = rates.sum::<Option<f64>>().filter(|rate| *rate > 0.0);
        (numbers, rate)
    }
}

/// In words for a message: `at 400 MiB/s` needs no more, a line or disk is named.
#[must_use]
pub fn through_words(plan: &ResolvedPlan, limit: &Limit) -> String {
    match limit {
        Limit::Throttle(_) => String::new(),
        Limit::Device(id) => format!(" to {}", plan.device(*id).name),
        Limit::Link(site) => format!(" over the line of {site}"),
        Limit::Disk(disk) => format!(" from {disk}"),
    }
}
