//! Owns the figures of jobs: what a run moves, how long it takes, what it fits in and what it
//! takes from the machine. Must not judge.

use std::collections::{BTreeMap, BTreeSet};

use super::{Sheet, World};
use crate::check::proof::Unit;
use crate::estimate::agenda::Batch;
use crate::estimate::calendar::Slot;
use crate::estimate::devices::{self, Binding};
use crate::estimate::exposure::bytes;
use crate::estimate::load::Load;
use crate::estimate::{Agenda, Figure, cycle, log_space, strain};
use crate::graph::full_name;
use crate::resolve::plan::{Archive, Every, Method, ServiceId, WindowId};

impl World<'_> {
    pub(super) fn jobs(&self, sheet: &mut Sheet) {
        if let Some(agenda) = self.agenda {
            for load in &agenda.loads {
                let (of, figure) = (self.take(load), copied(load));
                sheet.add(3, "time of one run alone", of, Unit::Seconds, figure);
            }
            self.batches(agenda, sheet);
            self.windows(agenda, sheet);
            self.disks(agenda, sheet);
        }
        for at in 0..self.plan.services.len() {
            let service = ServiceId::from_index(at);
            self.log_space(service, sheet);
            self.log_back(service, sheet);
            self.rounds(service, sheet);
        }
        for archive in &self.plan.archives {
            self.sustained(archive, sheet);
        }
    }

    /// `large physical full`
    fn take(&self, load: &Load) -> String {
        let backup = &self.plan.backups[load.backup.index()];
        let name = full_name(&backup.origin, &backup.name);
        format!("{name} {}", backup.takes[load.take].method.words())
    }

    /// Q4: what comes up together, once for each combination, with what no order can beat.
    fn batches(&self, agenda: &Agenda<'_>, sheet: &mut Sheet) {
        let mut seen: BTreeSet<Vec<usize>> = BTreeSet::new();
        for batch in &agenda.batches {
            let loads: Vec<usize> = batch.runs.iter().map(|(load, _)| *load).collect();
            if !seen.insert(loads.clone()) {
                continue;
            }
            let names = loads.iter().map(|load| self.take(&agenda.loads[*load]));
            let of = names.collect::<Vec<_>>().join(", ");
            let own = loads.iter().map(|load| &agenda.loads[*load]);
            let least = own.map(Load::seconds).fold(0.0, f64::max);
            let least = Figure::of("the busiest disk, device or line", least);
            let least = complete(least, agenda, &loads);
            let end = batch.apart.iter().map(|(_, end)| *end).fold(0.0, f64::max);
            let end = Figure::of("by the executor's own schedule", end);
            let end = complete(end, agenda, &loads);
            sheet.add(4, "no order is shorter", of.clone(), Unit::Seconds, least);
            sheet.add(4, "runs that come together", of, Unit::Seconds, end);
        }
    }

    /// Q5, Q6: the worst opening of each window, and how many drives it needs.
    fn windows(&self, agenda: &Agenda<'_>, sheet: &mut Sheet) {
        let mut worst: BTreeMap<WindowId, (f64, f64, Vec<usize>)> = BTreeMap::new();
        for batch in &agenda.batches {
            for (window, opening) in self.openings(agenda, batch) {
                let old = worst.entry(window).or_insert((0.0, 0.0, Vec::new()));
                if old.2.is_empty() || opening.0 > old.0 {
                    *old = opening;
                }
            }
        }
        for (window, (end, length, loads)) in worst {
            let name = &self.plan.window(window).name;
            let open = Unit::Seconds.words(length);
            let figure = Figure::of("until its last run ends", end);
            let figure = complete(figure, agenda, &loads);
            let of = format!("window {name}, open {open}");
            sheet.add(5, "used of a window", of, Unit::Seconds, figure);
            let drives = complete(drives(agenda, &loads, length), agenda, &loads);
            let of = format!("window {name}");
            sheet.add(6, "drives that are enough", of, Unit::Count, drives);
        }
    }

    /// End of the last run, length, and the loads of each window that opens with a batch.
    fn openings(
        &self,
        agenda: &Agenda<'_>,
        batch: &Batch,
    ) -> BTreeMap<WindowId, (f64, f64, Vec<usize>)> {
        let mut found: BTreeMap<WindowId, (f64, f64, Vec<usize>)> = BTreeMap::new();
        for ((load, until), (_, end)) in batch.runs.iter().zip(batch.played.iter()) {
            let planned = &agenda.loads[*load];
            let take = &self.plan.backups[planned.backup.index()].takes[planned.take];
            let (Some(window), Some(until)) = (&take.schedule.during, until) else {
                continue;
            };
            let length = until.duration_since(batch.due).as_secs_f64();
            let opening = found
                .entry(window.value)
                .or_insert((0.0, length, Vec::new()));
            opening.0 = opening.0.max(*end);
            opening.2.push(*load);
        }
        found
    }

    /// Q12: what the fastest run takes of a disk.
    fn disks(&self, agenda: &Agenda<'_>, sheet: &mut Sheet) {
        let mut most: BTreeMap<u32, f64> = BTreeMap::new();
        for chunk in agenda.loads.iter().flat_map(|load| &load.chunks) {
            let each = u32::try_from(chunk.disks.len()).unwrap_or(u32::MAX);
            let rate = chunk.bytes / chunk.seconds / f64::from(each);
            for disk in chunk.disks.iter().filter(|_| rate.is_finite()) {
                let most = most.entry(*disk).or_default();
                *most = most.max(rate);
            }
        }
        for (disk, rate) in most {
            let (host, name) = agenda.disks.name(disk);
            let of = format!("{host}/{name}");
            let known = self.known.disk_read(host, name);
            let share = known.and_then(|known| strain::share([rate], known));
            let figure = match share {
                Some(share) => Figure::of("read by the fastest run", share),
                None => Figure::unknown(format!("read speed of {of}")),
            };
            sheet.add(12, "share of a disk", of.clone(), Unit::Share, figure);
            let load = Figure::unknown(format!("user load of {of}"));
            sheet.add(12, "slower answers", of, Unit::Share, load);
        }
    }

    /// Q2: log that piles up while the longest bracket is open and a shipment waits.
    fn log_space(&self, service: ServiceId, sheet: &mut Sheet) {
        let mut archives = self.plan.archives.iter();
        let Some(archive) = archives.find(|archive| archive.service == service) else {
            return;
        };
        let name = self.plan.service(service).name.clone();
        let Some(peak) = self.known.log_peak(service) else {
            let missing = Figure::unknown(format!("log peak of {name}"));
            sheet.add(2, "log that piles up", name, Unit::Bytes, missing);
            return;
        };
        let chunks = self.agenda.iter().flat_map(|agenda| &agenda.loads);
        let chunks = chunks.flat_map(|load| &load.chunks);
        let own = chunks.filter(|chunk| chunk.service == service.0);
        let longest = own.map(|chunk| chunk.seconds).fold(0.0, f64::max);
        let held = log_space::in_backup_mode(peak, longest);
        let mut figure = Figure::of("while the longest part is in backup mode", held);
        for ship in &archive.ships {
            let (interval, size) = match &ship.schedule.every {
                Every::Interval(interval, size) => (Some(*interval), *size),
                Every::Size(size) => (None, Some(*size)),
                Every::Hour | Every::Days(_) => (None, None),
            };
            let device = &self.plan.device(ship.device).name;
            figure = match log_space::unshipped(peak, interval, size) {
                Some(waits) => figure.plus(format!("not yet on {device}"), waits),
                None => figure.lacks(format!("an interval between shipments to {device}")),
            };
        }
        for stream in &archive.streams {
            let device = &self.plan.device(stream.device).name;
            figure = match stream.lag {
                Some(lag) => figure.plus(format!("not yet on {device}"), bytes(lag)),
                None => figure.lacks(format!("a bound on the lag of the stream to {device}")),
            };
        }
        sheet.add(2, "log that piles up", name, Unit::Bytes, figure);
    }

    /// Q9: how far back log must reach for the recovery window.
    fn log_back(&self, service: ServiceId, sheet: &mut Sheet) {
        let own = self
            .plan
            .objectives
            .iter()
            .filter(|one| one.service == service);
        let windows = own.filter_map(|one| Some(one.window?.value.as_secs()));
        let Some(window) = windows.reduce(f64::max) else {
            return;
        };
        let figure = Figure::of("recovery window", window);
        let figure = match self.longest_gap(service) {
            Some(gap) => figure.plus("back to the copy before it", gap),
            None => figure.lacks("a regular time of copies"),
        };
        let name = self.plan.service(service).name.clone();
        sheet.add(9, "log that is needed", name, Unit::Seconds, figure);
    }

    /// The longest time from one full copy of a service to the next.
    fn longest_gap(&self, service: ServiceId) -> Option<f64> {
        let agenda = self.agenda?;
        let gaps = agenda.loads.iter().zip(&agenda.slots).filter(|(load, _)| {
            let mut parts = load.parts.iter();
            let backup = &self.plan.backups[load.backup.index()];
            let is_full = backup.takes[load.take].method == Method::PhysicalFull;
            is_full && parts.any(|part| self.plan.component(part.component).service == service)
        });
        gaps.filter_map(|(_, slots)| gap(slots)).reduce(f64::max)
    }

    /// Q10: one round over the parts of a service, and the share of it in backup mode.
    fn rounds(&self, service: ServiceId, sheet: &mut Sheet) {
        let Some(agenda) = self.agenda else { return };
        let loads = agenda.loads.iter().filter(|load| {
            let backup = &self.plan.backups[load.backup.index()];
            backup.takes[load.take].method == Method::PhysicalFull
        });
        let mut parts: BTreeMap<usize, f64> = BTreeMap::new();
        for part in loads.flat_map(|load| &load.parts) {
            if self.plan.component(part.component).service == service {
                let longest = parts.entry(part.component.index()).or_default();
                *longest = longest.max(part.seconds);
            }
        }
        if parts.len() < 2 {
            return;
        }
        let own = parts.iter().map(|(at, seconds)| {
            let name = self.plan.components[*at].name.clone();
            (name, Some(*seconds).filter(|seconds| *seconds > 0.0))
        });
        let round = cycle::round(own);
        let (all, name) = (round.total(), self.plan.service(service).name.clone());
        let figure = match cycle::mode_share(all, all).filter(|_| round.is_bound()) {
            Some(share) => Figure::of("one part after the other is in backup mode", share),
            None => Figure::unknown("the length of a round"),
        };
        sheet.add(
            10,
            "one round over all parts",
            name.clone(),
            Unit::Seconds,
            round,
        );
        sheet.add(10, "share of it in backup mode", name, Unit::Share, figure);
    }

    /// Q11: the shortest interval between shipments, by what the last one took.
    fn sustained(&self, archive: &Archive, sheet: &mut Sheet) {
        let job = full_name(&archive.origin, &archive.name);
        let fixed = self.known.job_seconds(&job);
        let written = self.known.log_mean_high(archive.service);
        for ship in &archive.ships {
            let device = &self.plan.device(ship.device).name;
            let of = format!("{job} to {device}");
            let archived = self.known.write(ship.device);
            let figure = match (fixed, written, archived) {
                (None, ..) => Figure::unknown(format!("what a shipment of {job} costs")),
                (_, None, _) => Figure::unknown(format!("log rate behind {job}")),
                (.., None) => Figure::unknown(format!("write speed of {device}")),
                (Some(fixed), Some(written), Some(archived)) => {
                    match strain::shortest_interval(fixed, 1.0, written, archived) {
                        Some(interval) => Figure::of("shipping all the time", interval),
                        None => Figure::unknown("a device that is faster than the log"),
                    }
                }
            };
            sheet.add(11, "shortest interval", of, Unit::Seconds, figure);
        }
    }
}

/// A figure of some loads is a lower bound when the volume of one is not known.
fn complete(figure: Figure, agenda: &Agenda<'_>, loads: &[usize]) -> Figure {
    if loads.iter().all(|load| agenda.loads[*load].complete) {
        figure
    } else {
        figure.lacks("the size of a part")
    }
}

/// Q3: bytes at the slowest rate on the way.
fn copied(load: &Load) -> Figure {
    let seconds = load.seconds();
    let volume = Unit::Bytes.words(load.bytes());
    let figure = if seconds > 0.0 {
        let rate = Unit::Bytes.words(load.bytes() / seconds);
        Figure::of(format!("{volume} at {rate}/s"), seconds)
    } else {
        Figure::unknown("a rate on the way")
    };
    if load.complete {
        figure
    } else {
        figure.lacks("the size of a part")
    }
}

/// Q6: drives with which the chunks of some loads end within a window.
fn drives(agenda: &Agenda<'_>, loads: &[usize], window: f64) -> Figure {
    let chunks = || loads.iter().flat_map(|load| &agenda.loads[*load].chunks);
    let seconds: Vec<f64> = chunks().map(|chunk| chunk.seconds).collect();
    let mut disks: BTreeMap<u32, f64> = BTreeMap::new();
    for chunk in chunks() {
        for disk in &chunk.disks {
            *disks.entry(*disk).or_default() += chunk.seconds;
        }
    }
    let busiest = disks.into_values().fold(0.0, f64::max);
    match devices::needed(&seconds, busiest, window) {
        Ok(units) => Figure::of("by the executor's own schedule", f64::from(units)),
        Err(Binding::LongestCopy) => Figure::unknown("any number: one copy is longer than it"),
        Err(Binding::BusiestDisk) => Figure::unknown("any number: one disk is read for longer"),
    }
}

fn gap(slots: &[Slot]) -> Option<f64> {
    let pairs = slots.windows(2);
    let gaps = pairs.map(|pair| pair[1].start.duration_since(pair[0].start).as_secs_f64());
    gaps.reduce(f64::max)
}
