//! Owns the weeks ahead: which runs come up together, and when each ends when the executor's own
//! schedule plays them (Q4, Q5). Must not judge; rules compare the ends with windows and runs.
//!
//! Runs that come up at the same moment are one batch, as in the executor. One that comes up
//! while another still runs waits for its end, together with all that comes up until then.
//! Batches of the same runs take equally long, so that most of five weeks is played once.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::rc::Rc;

use jiff::Timestamp;

use super::calendar::{Calendar, Slot};
use super::horizon::Horizon;
use super::load::{Chunk, Disks, Load, Way};
use super::simulate::play;
use crate::estimate::Known;
use crate::quantity::Duration;
use crate::resolve::plan::{Backup, BackupId, JobId, Method, ResolvedPlan};
use crate::schedule::{EdgeKind, LaneShape, Link, Outline, Role, StepShape};

/// Runs that come up at the same moment.
#[derive(Debug)]
pub struct Batch {
    /// The moment.
    pub due: Timestamp,
    /// Seconds that it waits for runs that came up before.
    pub late: f64,
    /// Which loads, with the end of the window that each must keep.
    pub runs: Vec<(usize, Option<Timestamp>)>,
    /// Begin and end of each run, in seconds after `due`, behind and beside all that still runs.
    pub played: Rc<[(f64, f64)]>,
    /// The same if nothing else ran: where two batches meet by this, they are in each other's way.
    pub apart: Rc<[(f64, f64)]>,
}

/// Loads that come up at one moment, each with the end of the window that it must keep.
type Due = (Timestamp, Vec<(usize, Option<Timestamp>)>);

/// All runs of five weeks.
#[derive(Debug)]
pub struct Agenda<'a> {
    /// One load for each take that comes up.
    pub loads: Vec<Load>,
    /// Batches in order of time.
    pub batches: Vec<Batch>,
    /// When each load comes up.
    pub slots: Vec<Rc<[Slot]>>,
    /// The disks of all sources.
    pub disks: Disks<'a>,
    calendar: Calendar<'a>,
}

impl<'a> Agenda<'a> {
    /// Plays five weeks of a plan's backups. `None` when the plan's zone is not known here.
    #[must_use]
    pub fn of(plan: &'a ResolvedPlan, known: &Known, now: Timestamp) -> Option<Self> {
        let calendar = Calendar::of(plan)?;
        let mut horizon = Horizon::new(calendar.clone(), now)?;
        let way = Way {
            plan,
            known,
            calendar: &calendar,
        };
        let (mut loads, mut all_slots, mut disks) = (Vec::new(), Vec::new(), Disks::default());
        for (at, backup) in plan.backups.iter().enumerate() {
            let takes = backup.takes.iter();
            let slots: Vec<Rc<[Slot]>> = takes.map(|take| horizon.slots(&take.schedule)).collect();
            for (take, own) in slots.iter().enumerate() {
                let Some(first) = own.first() else { continue };
                let since = since_base(backup, &slots, take);
                let id = (BackupId::from_index(at), take);
                loads.push(Load::new(&way, &mut disks, id, since, first.start));
                all_slots.push(Rc::clone(own));
            }
        }
        let mut agenda = Self {
            loads,
            batches: Vec::new(),
            slots: all_slots,
            disks,
            calendar: calendar.clone(),
        };
        agenda.batches = agenda.play(plan);
        Some(agenda)
    }

    /// The calendar of the plan.
    #[must_use]
    pub fn calendar(&self) -> &Calendar<'a> {
        &self.calendar
    }

    /// The loads of one backup.
    #[must_use]
    pub fn loads_of(&self, id: BackupId) -> &[Load] {
        let from = self.loads.partition_point(|load| load.backup < id);
        let until = self.loads.partition_point(|load| load.backup <= id);
        &self.loads[from..until]
    }

    fn play(&self, plan: &ResolvedPlan) -> Vec<Batch> {
        let mut due: BTreeMap<Timestamp, Vec<(usize, Option<Timestamp>)>> = BTreeMap::new();
        for (load, slots) in self.slots.iter().enumerate() {
            for slot in slots.iter() {
                due.entry(slot.start).or_default().push((load, slot.end));
            }
        }
        let mut stages = Stages {
            agenda: self,
            plan,
            known: BTreeMap::new(),
        };
        let mut waiting: VecDeque<Due> = due.into_iter().collect();
        let mut batches = Vec::new();
        let mut free = Timestamp::MIN;
        while let Some(first) = waiting.pop_front() {
            let begin = free.max(first.0);
            let mut together = vec![first];
            while waiting.front().is_some_and(|(due, _)| *due <= begin) {
                together.extend(waiting.pop_front());
            }
            let (end, played) = stages.together(begin, together);
            batches.extend(played);
            free = later(begin, end);
        }
        batches
    }
}

fn later(from: Timestamp, seconds: f64) -> Timestamp {
    let span = jiff::SignedDuration::try_from_secs_f64(seconds);
    let end = span.ok().and_then(|span| from.checked_add(span).ok());
    end.unwrap_or(Timestamp::MAX)
}

/// Plays combinations of loads, each once.
struct Stages<'s> {
    agenda: &'s Agenda<'s>,
    plan: &'s ResolvedPlan,
    known: BTreeMap<Vec<usize>, Rc<[(f64, f64)]>>,
}

impl Stages<'_> {
    fn play(&mut self, loads: Vec<usize>) -> Rc<[(f64, f64)]> {
        if let Some(played) = self.known.get(&loads) {
            return Rc::clone(played);
        }
        let played: Rc<[(f64, f64)]> = Stage::new(self.agenda, self.plan, &loads).play().into();
        self.known.insert(loads, Rc::clone(&played));
        played
    }

    /// Plays what begins together; gives the seconds until all of it has ended. A job that came up
    /// more than once meanwhile runs once.
    fn together(&mut self, begin: Timestamp, dues: Vec<Due>) -> (f64, Vec<Batch>) {
        let all = dues.iter().flat_map(|(_, runs)| runs);
        let all: BTreeSet<usize> = all.map(|(load, _)| *load).collect();
        let all: Vec<usize> = all.into_iter().collect();
        let times = self.play(all.clone());
        let end = times.iter().map(|(_, end)| *end).fold(0.0, f64::max);
        let by_load: BTreeMap<usize, (f64, f64)> =
            all.into_iter().zip(times.iter().copied()).collect();
        let alone = dues.len() == 1;
        let batches = dues.into_iter().map(|(due, runs)| {
            let late = begin.duration_since(due).as_secs_f64();
            let own = runs.iter().filter_map(|(load, _)| by_load.get(load));
            let own = own.map(|(a, b)| (a + late, b + late));
            let (played, apart) = match alone {
                true if late <= 0.0 => (Rc::clone(&times), Rc::clone(&times)),
                true => (own.collect(), Rc::clone(&times)),
                false => {
                    let loads = runs.iter().map(|(load, _)| *load).collect();
                    (own.collect(), self.play(loads))
                }
            };
            Batch {
                due,
                late,
                runs,
                played,
                apart,
            }
        });
        (end, batches.collect())
    }
}

/// The longest time between a run of an incremental or differential take and its base.
fn since_base(backup: &Backup, slots: &[Rc<[Slot]>], take: usize) -> Option<Duration> {
    let method = backup.takes[take].method;
    let is_base = |other: Method| match method {
        Method::PhysicalIncremental => other != Method::Logical,
        Method::PhysicalDifferential => other == Method::PhysicalFull,
        Method::PhysicalFull | Method::Logical => false,
    };
    let bases = backup.takes.iter().zip(slots);
    let bases = bases.filter(|(take, _)| is_base(take.method));
    let mut bases: Vec<Timestamp> = bases
        .flat_map(|(_, slots)| slots.iter().map(|slot| slot.start))
        .collect();
    bases.sort_unstable();
    let gaps = slots[take].iter().filter_map(|slot| {
        let before = bases.partition_point(|base| *base < slot.start);
        let base = bases.get(before.checked_sub(1)?)?;
        u64::try_from(slot.start.duration_since(*base).as_millis()).ok()
    });
    gaps.max().map(Duration)
}

/// One batch as an outline: each run begins, copies its chunks and ends.
struct Stage<'s> {
    lanes: Vec<LaneShape>,
    steps: Vec<(f64, Vec<u32>)>,
    edges: Vec<Link>,
    /// First and last step of each run.
    ends: Vec<(u32, u32)>,
    numbers: BTreeMap<Lane, u32>,
    agenda: &'s Agenda<'s>,
}

/// What a chunk claims.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Lane {
    Disk(u32),
    Device(u32),
    /// Backup mode of a service: its parts are copied one after the other.
    Mode(u32),
}

impl<'s> Stage<'s> {
    fn new(agenda: &'s Agenda<'s>, plan: &ResolvedPlan, loads: &[usize]) -> Self {
        let mut stage = Self {
            lanes: Vec::new(),
            steps: Vec::new(),
            edges: Vec::new(),
            ends: Vec::new(),
            numbers: BTreeMap::new(),
            agenda,
        };
        for load in loads {
            stage.add(plan, &agenda.loads[*load]);
        }
        stage.order(plan, loads);
        stage
    }

    fn add(&mut self, plan: &ResolvedPlan, load: &Load) {
        let first = self.step(0.0, Vec::new());
        let chunks: Vec<u32> = (load.chunks.iter())
            .map(|chunk| self.chunk(plan, load, chunk))
            .collect();
        let last = self.step(0.0, Vec::new());
        for chunk in chunks {
            self.edge(first, chunk);
            self.edge(chunk, last);
        }
        self.edge(first, last);
        self.ends.push((first, last));
    }

    fn chunk(&mut self, plan: &ResolvedPlan, load: &Load, chunk: &Chunk) -> u32 {
        let mut lanes = vec![self.lane(Lane::Mode(chunk.service), 1)];
        for disk in &chunk.disks {
            lanes.push(self.lane(Lane::Disk(*disk), 1));
        }
        if let Some(id) = load.device {
            lanes.push(self.lane(Lane::Device(id.0), plan.device(id).drives));
        }
        lanes.sort_unstable();
        self.step(chunk.seconds, lanes)
    }

    fn lane(&mut self, lane: Lane, depth: u32) -> u32 {
        let lanes = &mut self.lanes;
        *self.numbers.entry(lane).or_insert_with(|| {
            lanes.push(LaneShape {
                depth,
                bracket: false,
            });
            u32::try_from(lanes.len() - 1).unwrap_or(u32::MAX)
        })
    }

    fn step(&mut self, seconds: f64, lanes: Vec<u32>) -> u32 {
        self.steps.push((seconds, lanes));
        u32::try_from(self.steps.len() - 1).unwrap_or(u32::MAX)
    }

    fn edge(&mut self, from: u32, to: u32) {
        let kind = EdgeKind::Success;
        self.edges.push(Link { from, to, kind });
    }

    /// `after`, where both jobs run in this batch.
    fn order(&mut self, plan: &ResolvedPlan, loads: &[usize]) {
        let mut by_job: BTreeMap<BackupId, Vec<usize>> = BTreeMap::new();
        for (at, load) in loads.iter().enumerate() {
            let backup = self.agenda.loads[*load].backup;
            by_job.entry(backup).or_default().push(at);
        }
        for (backup, runs) in &by_job {
            let after = &plan.backups[backup.index()].keeping.after;
            for before in after {
                let JobId::Backup(before) = before.value else {
                    continue;
                };
                for one in by_job.get(&before).into_iter().flatten() {
                    for other in runs {
                        self.edge(self.ends[*one].1, self.ends[*other].0);
                    }
                }
            }
        }
    }

    /// When each run begins and ends.
    fn play(&self) -> Vec<(f64, f64)> {
        let steps = self.steps.iter().map(|(seconds, lanes)| StepShape {
            seconds: Some(*seconds),
            lanes,
            role: Role::Plain,
        });
        let outline = Outline {
            lanes: self.lanes.clone(),
            steps: steps.collect(),
            edges: self.edges.clone(),
        };
        let played = play(&outline, 0.0);
        let bar = |step: u32| played.bars.get(step as usize).copied().flatten();
        let runs = self.ends.iter().map(|(first, last)| {
            let chunks = (first + 1..*last).filter_map(bar);
            let begin = chunks.map(|bar| bar.start).reduce(f64::min);
            let end = bar(*last).map_or(0.0, |bar| bar.end);
            (begin.unwrap_or(end), end)
        });
        runs.collect()
    }
}
