//! Owns the threads that do the work of steps: a group of its own for each kind of lane. They wait
//! most of the time and so are no threads of rayon, whose pools are for computing: what a step
//! splits is taken by all cores, not by its own thread alone. Must not decide what runs when; the
//! schedule does. A panic fails its step, never the process.

use std::collections::BTreeMap;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::thread;

use crossbeam_channel::{Receiver, Sender, unbounded};

use super::context::Context;
use super::mailbox::{Inbox, Outbox, mailbox};
use super::message::{Message, StepDone, StepFailure};
use super::stop::StopToken;
use super::thrift;
use super::worker::{self, Task};
use crate::graph::step::{Step, StepGraph};

/// No group gets more threads, however deep its lanes are together.
const MOST_THREADS: usize = 256;

/// A try of a step on its way to a worker.
pub(super) struct Job {
    /// Index of the step.
    pub step: usize,
    /// First try is 1.
    pub attempt: u32,
    /// The step's view of the wish to stop.
    pub stop: StopToken,
}

/// The threads of a run; they end when it is dropped and their step is done.
pub(super) struct Lanes {
    groups: BTreeMap<String, Sender<Job>>,
    inbox: Inbox,
    capacity: usize,
}

impl Lanes {
    /// Starts the threads that the steps of a graph need.
    ///
    /// # Errors
    /// When the system gives no threads or no pipe.
    pub(super) fn start(graph: &Arc<StepGraph>, context: &Arc<Context>) -> io::Result<Self> {
        let (outbox, inbox) = mailbox()?;
        let mut groups = BTreeMap::new();
        let mut capacity = 0;
        for (name, threads) in sizes(graph) {
            capacity += threads;
            let (jobs, queue) = unbounded();
            let worker = Worker {
                graph: graph.clone(),
                context: context.clone(),
                outbox: outbox.clone(),
                queue,
            };
            for index in 0..threads {
                let worker = worker.clone();
                let thread = thread::Builder::new().name(format!("{name}-{index}"));
                thread.spawn(move || worker.work())?;
            }
            groups.insert(name, jobs);
        }
        Ok(Self {
            groups,
            inbox,
            capacity,
        })
    }

    /// How many steps can be at work at once.
    #[must_use]
    pub(super) fn capacity(&self) -> usize {
        self.capacity.max(1)
    }

    /// Hands a step to its group. False when there is none, which is a fault of this module.
    pub(super) fn send(&self, graph: &StepGraph, job: Job) -> bool {
        let group = graph.steps.get(job.step).map(|step| group_of(graph, step));
        let group = group.and_then(|name| self.groups.get(name));
        group.is_some_and(|jobs| jobs.send(job).is_ok())
    }

    /// What the workers tell.
    pub(super) fn inbox(&mut self) -> &mut Inbox {
        &mut self.inbox
    }
}

/// The group of a step: the kind of its first lane (`device`, `disk`, `host` …).
fn group_of<'a>(graph: &'a StepGraph, step: &Step) -> &'a str {
    let lane = step.lanes.first().and_then(|lane| {
        let index = usize::try_from(*lane).ok()?;
        graph.lanes.get(index)
    });
    lane.map_or("work", |lane| {
        lane.name.split('/').next().unwrap_or(&lane.name)
    })
}

/// Threads a group: as many as its lanes let run at once, and no more than it has steps.
fn sizes(graph: &StepGraph) -> BTreeMap<String, usize> {
    let mut steps: BTreeMap<&str, usize> = BTreeMap::new();
    for step in graph.steps.iter().filter(|step| !worker::is_inline(step)) {
        *steps.entry(group_of(graph, step)).or_default() += 1;
    }
    let mut depths: BTreeMap<&str, usize> = BTreeMap::new();
    for lane in &graph.lanes {
        let name = lane.name.split('/').next().unwrap_or(&lane.name);
        let depth = usize::try_from(lane.depth).unwrap_or(MOST_THREADS);
        let sum = depths.entry(name).or_default();
        *sum = sum.saturating_add(depth);
    }
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let sized = steps.into_iter().map(|(name, steps)| {
        let depth = depths.get(name).copied().unwrap_or(cores);
        (name.to_owned(), depth.min(steps).clamp(1, MOST_THREADS))
    });
    sized.collect()
}

/// One of a group's threads.
#[derive(Clone)]
struct Worker {
    graph: Arc<StepGraph>,
    context: Arc<Context>,
    outbox: Outbox,
    queue: Receiver<Job>,
}

impl Worker {
    /// Takes jobs until the run is over.
    fn work(&self) {
        for job in &self.queue {
            let step = job.step;
            let result = self.attempt(&job);
            thrift::after(result.as_ref().map_or(0, |done| done.bytes));
            if !self.outbox.send(Message::Ended { step, result }) {
                return;
            }
        }
    }

    fn attempt(&self, job: &Job) -> Result<StepDone, StepFailure> {
        let task = Task {
            context: &self.context,
            graph: &self.graph,
            step: &self.graph.steps[job.step],
            attempt: job.attempt,
            stop: &job.stop,
            outbox: &self.outbox,
        };
        catch_unwind(AssertUnwindSafe(|| worker::run(&task))).unwrap_or_else(|payload| {
            let text = payload.downcast_ref::<String>().map(String::as_str);
            let text = text.or_else(|| payload.downcast_ref::<&str>().copied());
            let text = text.unwrap_or("no message");
            Err(StepFailure::new(format!(
                "a fault of planc: the step panicked: {text}"
            )))
        })
    }
}
