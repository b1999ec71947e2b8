//! Owns the state of a run: schedule, catalog, journal and report, all on one thread.
//! Must not do device work; workers do, and send facts.

use std::cmp::Reverse;
use std::collections::{BTreeSet, BinaryHeap};
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::context::{Context, service_of};
use super::event::{EventKind, RunEvent};
use super::extraction::extraction;
use super::journal::JournalError;
use super::lanes::{Job, Lanes};
use super::mailbox::Heard;
use super::message::{Message, StepDone, StepFailure};
use super::outcome::{Collector, RunReport};
use super::resume::is_durable;
use super::{RunEnvironment, RunError, retry, staging, worker};
use crate::graph::step::{StepGraph, StepKind};
use crate::schedule::{Outcome, Schedule};

/// How long the coordinator sleeps at most: signals and progress are looked at this often.
const TICK: Duration = Duration::from_millis(100);

pub(super) struct Coordinator<'a> {
    graph: Arc<StepGraph>,
    context: Arc<Context>,
    environment: RunEnvironment<'a>,
    schedule: Schedule,
    lanes: Lanes,
    // steps at work: their try, and when the first one began
    tries: Vec<(u32, Option<Instant>)>,
    // tries that wait for their back-off to pass
    waiting: BinaryHeap<Reverse<(Instant, usize)>>,
    at_work: usize,
    stopped: bool,
    broken: Option<RunError>,
    collector: Collector,
}

impl<'a> Coordinator<'a> {
    pub(super) fn new(
        graph: Arc<StepGraph>,
        context: Arc<Context>,
        environment: RunEnvironment<'a>,
    ) -> Result<Self, RunError> {
        let schedule = Schedule::new(&*graph, &environment.done);
        let lanes = Lanes::start(&graph, &context)?;
        let mut collector = Collector::new(&graph, &environment.done);
        environment
            .lost
            .iter()
            .for_each(|kind| collector.fact(kind));
        Ok(Self {
            tries: vec![(0, None); graph.steps.len()],
            waiting: BinaryHeap::new(),
            at_work: 0,
            stopped: false,
            broken: None,
            graph,
            context,
            environment,
            schedule,
            lanes,
            collector,
        })
    }

    /// The loop: until every step has ended.
    pub(super) fn run(mut self) -> Result<RunReport, RunError> {
        self.begin_run();
        while !self.schedule.is_done() {
            self.look_for_stop();
            if self.dispatch() {
                continue;
            }
            self.listen();
        }
        self.clean_up();
        self.settle();
        self.end_run()
    }

    fn begin_run(&mut self) {
        let graph = &self.graph;
        let kind = EventKind::RunBegan {
            run: graph.run.clone(),
            plan: graph.plan.clone(),
            plan_hash: graph.plan_hash.clone(),
            steps: graph.steps.len(),
            resumed: self.environment.resumed,
        };
        self.tell(kind);
        self.sync_journal();
    }

    fn end_run(mut self) -> Result<RunReport, RunError> {
        if !self.stopped {
            self.tell_late();
        }
        let (done, failed, skipped) = self.collector.counts();
        self.tell(EventKind::RunEnded {
            done,
            failed,
            skipped,
        });
        self.sync_journal();
        match self.broken {
            Some(error) => Err(error),
            None => Ok(self.collector.finish(&self.graph, self.stopped)),
        }
    }

    /// What took longer than the plan promises.
    fn tell_late(&mut self) {
        let timed = self.collector.time(&self.graph, self.environment.before);
        let late: Vec<EventKind> = timed
            .iter()
            .filter(|timed| timed.is_late())
            .map(|timed| EventKind::Late {
                job: timed.job.clone(),
                took_ms: millis(timed.took),
                within_ms: millis(timed.within),
            })
            .collect();
        for kind in late {
            self.tell(kind);
        }
    }

    /// Nothing stays open, and no staging folder stays behind.
    fn clean_up(&mut self) {
        self.context.sessions.clear();
        for step in &self.graph.steps {
            let (StepKind::PrepareTarget { target, .. }
            | StepKind::PrepareInPlace { target, .. }
            | StepKind::PrepareDelta { target, .. }) = &step.kind
            else {
                continue;
            };
            let folder = staging::path(Path::new(target), &self.graph.run);
            // a folder that cannot be removed is named; the result does not depend on it
            if let Err(error) = staging::remove(&folder) {
                let text = format!("cannot remove {}: {error}", folder.display());
                self.collector.warn(text);
            }
        }
    }

    /// What was brought into live servers loses its marks, once it is written down as done.
    fn settle(&mut self) {
        if self.broken.is_some() {
            return;
        }
        for step in self.collector.done() {
            let kind = &self.graph.steps[step].kind;
            let StepKind::Extract { service, .. } = kind else {
                continue;
            };
            let Some(engine) = self.context.engines.get(service) else {
                continue;
            };
            let wish = extraction(&self.graph, kind);
            if let Err(error) = wish.and_then(|wish| engine.settle_extract(&wish)) {
                let text = format!(
                    "what was brought into {service} keeps marks of planc in its comments, until the \
                     same command runs once more or `comment on` takes them off: {error}"
                );
                self.collector.warn(text);
            }
        }
    }

    /// Hands out every step that can run now; true when the schedule moved.
    fn dispatch(&mut self) -> bool {
        let mut moved = self.dispatch_waiting();
        while self.at_work < self.lanes.capacity() {
            let Some(step) = self.schedule.take() else {
                break;
            };
            moved = true;
            self.begin_step(step);
        }
        moved
    }

    fn dispatch_waiting(&mut self) -> bool {
        let now = Instant::now();
        let mut moved = false;
        while let Some(Reverse((due, step))) = self.waiting.peek().copied() {
            if due > now && !self.stopped {
                break;
            }
            self.waiting.pop();
            moved = true;
            if self.stopped {
                self.end_step(step, Err(StepFailure::stopped()));
            } else {
                self.begin_step(step);
            }
        }
        moved
    }

    fn begin_step(&mut self, step: usize) {
        let (attempt, began) = &mut self.tries[step];
        *attempt += 1;
        began.get_or_insert_with(Instant::now);
        let attempt = *attempt;
        let id = self.graph.steps[step].id;
        self.tell(EventKind::StepBegan { step: id, attempt });
        if worker::is_inline(&self.graph.steps[step]) {
            let result = self.inline(step);
            self.end_step(step, result);
            return;
        }
        let job = Job {
            step,
            attempt,
            stop: self.context.stop.token(),
        };
        if self.lanes.send(&self.graph, job) {
            self.at_work += 1;
        } else {
            let cause = "a fault of planc: the step has no lane group";
            self.end_step(step, Err(StepFailure::new(cause)));
        }
    }

    /// Steps without device work.
    fn inline(&mut self, step: usize) -> Result<StepDone, StepFailure> {
        match &self.graph.steps[step].kind {
            StepKind::Approve { by } => {
                if (self.environment.approve)(by) {
                    return Ok(StepDone::default().says(format!("approved by {by}")));
                }
                let cause = format!("no approval by {by}");
                Err(StepFailure::new(cause).help("run it on a terminal and answer `yes`"))
            }
            StepKind::Notify { contact } => {
                self.collector.notify(contact);
                Ok(StepDone::default().says(contact))
            }
            _ => Ok(StepDone::default()),
        }
    }

    /// Sleeps until something happens, and takes what came.
    fn listen(&mut self) {
        let due = self.waiting.peek().map(|Reverse((due, _))| *due);
        let sleep = due.map_or(TICK, |due| due.saturating_duration_since(Instant::now()));
        let mut heard = self.lanes.inbox().wait(sleep.min(TICK));
        while let Heard::Message(message) = heard {
            self.take(message);
            heard = self.lanes.inbox().next();
        }
        if matches!(heard, Heard::Gone) {
            self.lose_workers();
        }
        for observer in &mut self.environment.observers {
            observer.tick();
        }
    }

    /// Every worker is gone, which no step can cause: nothing is left to wait for.
    fn lose_workers(&mut self) {
        let steps = 0..self.tries.len();
        let lost: Vec<usize> = steps.filter(|step| self.is_at_work(*step)).collect();
        for step in lost {
            self.at_work = self.at_work.saturating_sub(1);
            let cause = "a fault of planc: the workers are gone";
            self.end_step(step, Err(StepFailure::new(cause)));
        }
    }

    fn is_at_work(&self, step: usize) -> bool {
        self.tries[step].1.is_some() && !self.collector.has_ended(step)
    }

    fn take(&mut self, message: Message) {
        match message {
            Message::Fact(kind) => self.tell(kind),
            Message::Record(record) => {
                let catalog = self.environment.catalog.as_deref_mut();
                let applied = catalog.map_or(Ok(()), |catalog| record.apply(catalog));
                self.collector.record(&record);
                if let Err(error) = applied {
                    self.break_off(RunError::Catalog(error));
                }
            }
            Message::Broken { service, detail } => {
                let ahead = self.ahead(&service);
                self.collector.chain_broken(service, detail, ahead);
            }
            Message::Ended { step, result } => {
                self.at_work = self.at_work.saturating_sub(1);
                self.try_ended(step, result);
            }
        }
    }

    /// The components of a service whose copying has not begun.
    fn ahead(&self, service: &str) -> BTreeSet<String> {
        let steps = self.graph.steps.iter().zip(&self.tries);
        let ahead = steps.filter_map(|(step, (_, began))| match &step.kind {
            StepKind::BeginBackup { component, .. } if began.is_none() => Some(component),
            _ => None,
        });
        let own = ahead.filter(|component| service_of(component) == service);
        own.cloned().collect()
    }

    fn try_ended(&mut self, step: usize, result: Result<StepDone, StepFailure>) {
        let Err(failure) = &result else {
            return self.end_step(step, result);
        };
        let attempt = self.tries[step].0;
        let policy = self.graph.steps[step].on_failure;
        let wait = retry::wait(policy, failure.retry, attempt).filter(|_| !self.stopped);
        let Some(wait) = wait else {
            return self.end_step(step, result);
        };
        self.tell(EventKind::AttemptFailed {
            step: self.graph.steps[step].id,
            attempt,
            cause: failure.cause.clone(),
            wait_ms: millis(wait),
        });
        self.waiting.push(Reverse((Instant::now() + wait, step)));
    }

    fn end_step(&mut self, step: usize, result: Result<StepDone, StepFailure>) {
        let began = self.tries[step].1;
        let elapsed = began.map_or(Duration::ZERO, |began| began.elapsed());
        let outcome = outcome(&result);
        self.tell_end(step, &result, elapsed);
        if result.is_ok() && is_durable(&self.graph.steps[step].kind) {
            // what follows may depend on it: a crash must not make a resumed run forget it
            self.sync_journal();
        }
        let left = result.as_ref().is_err_and(|failure| failure.left);
        self.collector.ended(step, result, elapsed);
        for skipped in self.schedule.finish(step, outcome) {
            self.skip(skipped, left);
        }
    }

    fn tell_end(&mut self, step: usize, result: &Result<StepDone, StepFailure>, elapsed: Duration) {
        let elapsed_ms = millis(elapsed);
        let step = self.graph.steps[step].id;
        let outcome = outcome(result);
        let (bytes, cause, result) = match result {
            Ok(done) => (done.bytes, None, done.result.clone()),
            Err(failure) => (0, Some(failure.cause.clone()), None),
        };
        self.tell(EventKind::StepEnded {
            step,
            outcome,
            bytes,
            elapsed_ms,
            cause,
            result,
        });
    }

    fn skip(&mut self, step: usize, left: bool) {
        self.collector.skipped(step, left);
        self.tell(EventKind::StepEnded {
            step: self.graph.steps[step].id,
            outcome: Outcome::Skipped,
            bytes: 0,
            elapsed_ms: 0,
            cause: None,
            result: None,
        });
    }

    /// A wish to stop: nothing new begins but what an always-edge calls for.
    fn look_for_stop(&mut self) {
        if !self.stopped && self.context.stop.asked() {
            self.cancel("signal");
        }
    }

    fn cancel(&mut self, by: &str) {
        self.stopped = true;
        self.tell(EventKind::Cancelled { by: by.to_owned() });
        self.context.programs.stop_all();
        for step in self.schedule.cancel() {
            self.skip(step, false);
        }
    }

    /// The run cannot write down what it does: it stops, and leaves backup mode on the way.
    fn break_off(&mut self, error: RunError) {
        if self.broken.is_none() {
            self.broken = Some(error);
            self.context.stop.ask();
        }
    }

    fn tell(&mut self, kind: EventKind) {
        let event = RunEvent {
            at: self.context.clock.now(),
            kind,
        };
        let journaled = !matches!(event.kind, EventKind::Progressed { .. });
        if journaled && !matches!(self.broken, Some(RunError::Journal(_))) {
            let appended = self
                .environment
                .journal
                .as_mut()
                .map(|to| to.append(&event));
            self.judge_journal(appended);
        }
        self.collector.fact(&event.kind);
        for observer in &mut self.environment.observers {
            observer.event(&event);
        }
    }

    fn sync_journal(&mut self) {
        let synced = self.environment.journal.as_mut().map(super::Journal::sync);
        self.judge_journal(synced);
    }

    fn judge_journal(&mut self, written: Option<Result<(), JournalError>>) {
        if let Some(Err(error)) = written {
            self.break_off(RunError::Journal(error));
        }
    }
}

/// How a step ends that was tried.
fn outcome(result: &Result<StepDone, StepFailure>) -> Outcome {
    match result {
        Ok(_) => Outcome::Done,
        Err(failure) if failure.left => Outcome::Skipped,
        Err(_) => Outcome::Failed,
    }
}

fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}
