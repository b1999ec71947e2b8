//! One try of one step against engines and devices. The only place that matches on [`StepKind`]
//! to act. Workers tell facts over a channel; they never print and never touch catalog or journal.

mod archive;
mod backup;
mod copies;
mod exec;
mod expire;
mod extract;
mod increment;
mod merge;
mod probe;
mod replay;
mod restore;
mod room;
mod schema;
mod switch;
mod undo;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use super::context::{Context, service_of};
use super::event::EventKind;
use super::mailbox::Outbox;
use super::message::{Message, Record, StepDone, StepFailure};
use super::stop::StopToken;
use crate::graph::step::{Step, StepGraph, StepKind};
use crate::media::part::Replaced;
use crate::media::{Device, DeviceError};

/// Milliseconds between two reports of progress of one step.
const PROGRESS_EVERY_MS: u64 = 100;

/// What a worker has in hand.
pub(super) struct Task<'a> {
    /// What the run works with.
    pub context: &'a Context,
    /// The graph.
    pub graph: &'a StepGraph,
    /// The step.
    pub step: &'a Step,
    /// First try is 1.
    pub attempt: u32,
    /// The wish to stop.
    pub stop: &'a StopToken,
    /// Where facts go.
    pub outbox: &'a Outbox,
}

/// True when the coordinator does the step itself, without a worker.
#[must_use]
pub(super) fn is_inline(step: &Step) -> bool {
    matches!(
        step.kind,
        StepKind::Barrier | StepKind::Approve { .. } | StepKind::Notify { .. }
    )
}

/// Does the step.
///
/// # Errors
/// Why it failed, and whether trying again can help.
pub(super) fn run(task: &Task<'_>) -> Result<StepDone, StepFailure> {
    if task.stop.asked() {
        return Err(StepFailure::stopped());
    }
    let done = dispatch(task);
    match done {
        Err(_) if task.stop.asked() => Err(StepFailure::stopped()),
        other => other,
    }
}

fn dispatch(task: &Task<'_>) -> Result<StepDone, StepFailure> {
    match &task.step.kind {
        StepKind::BeginBackup {
            component,
            method,
            changed_since,
            base,
        } => {
            let how = backup::How {
                method: *method,
                base: base.as_ref(),
            };
            backup::begin(task, component, how, changed_since.as_deref())
        }
        StepKind::CopyPart { .. } => backup::copy(task),
        StepKind::EndBackup { component, .. } => backup::end(task, component),
        StepKind::CommitPart { .. } => backup::commit(task),
        StepKind::ArchiveLog { .. } => archive::archive(task),
        StepKind::MergeStored { .. } => merge::merge(task),
        StepKind::CopyStored {
            object, from, to, ..
        } => copies::copy(task, object, from, to),
        StepKind::VerifyStored {
            object,
            device,
            depth,
        } => copies::verify(task, object, device, *depth),
        StepKind::Condemn { object, device } => expire::condemn(task, object, device),
        StepKind::DeleteStored {
            object,
            device,
            grace,
        } => expire::delete(task, object, device, *grace),
        StepKind::Reprieve { object, device } => expire::reprieve(task, object, device),
        StepKind::PrepareTarget { .. } => restore::prepare(task),
        StepKind::PrepareInPlace {
            component, target, ..
        } => restore::prepare_in_place(task, service_of(component), target),
        StepKind::PrepareDelta { service, target } => {
            restore::prepare_in_place(task, service, target)
        }
        StepKind::FetchPart {
            part, from, target, ..
        } => restore::fetch(task, part, from, target),
        StepKind::ReplayLog {
            target,
            logs,
            until,
            ..
        } => replay::replay(task, target, logs, until),
        StepKind::CheckRestored { target, .. } => restore::check(task, target),
        StepKind::Examine { service, target } => probe::examine(task, service, target),
        StepKind::Probe { .. } => probe::probe(task),
        StepKind::Extract { .. } => extract::extract(task),
        StepKind::Undo { .. } => undo::undo(task),
        StepKind::Switch { .. } => switch::switch(task),
        StepKind::Publish { target, .. } => restore::publish(task, target),
        StepKind::Exec { argv } => exec::exec(task, argv),
        StepKind::Approve { .. } | StepKind::Notify { .. } | StepKind::Barrier => {
            Ok(StepDone::default())
        }
    }
}

impl Task<'_> {
    /// Tells a fact. A coordinator that is gone needs none.
    fn tell(&self, kind: EventKind) {
        self.outbox.send(Message::Fact(kind));
    }

    /// Hands the catalog a fact.
    fn record(&self, record: Record) {
        self.outbox.send(Message::Record(record));
    }

    fn warn(&self, message: impl Into<String>) {
        self.tell(EventKind::Warned {
            step: self.step.id,
            message: message.into(),
        });
    }

    /// A device failed and does not get what the step stores.
    fn lost(&self, device: &str, cause: &DeviceError) {
        self.missed(device, format!("{cause}; {}", cause.help()));
        self.judge(device, cause);
    }

    /// Gives a device up for the rest of the run when it is dead; true when it is.
    fn judge(&self, device: &str, error: &DeviceError) -> bool {
        let dropped = &self.context.dropped;
        let open = self.context.devices.get(device);
        if open.is_some_and(|open| dropped.judge(open.as_ref(), error)) {
            self.tell(EventKind::DeviceDropped {
                device: device.to_owned(),
                cause: error.to_string(),
            });
        }
        dropped.cause(device).is_some()
    }

    /// A device does not get what the step stores.
    fn missed(&self, device: &str, cause: String) {
        self.tell(EventKind::DeviceLost {
            step: self.step.id,
            device: device.to_owned(),
            cause,
        });
    }

    /// A device was too slow for what the step stores.
    fn behind(&self, device: &str) {
        self.context.slow.store(true, Ordering::Relaxed);
        self.tell(EventKind::DeviceBehind {
            step: self.step.id,
            device: device.to_owned(),
        });
    }

    /// Those of the devices that a step writes which the run still counts on; at least one. The
    /// others are told.
    fn writable(&self, names: &[String]) -> Result<Vec<Arc<dyn Device>>, StepFailure> {
        let mut open = Vec::new();
        let mut causes = Vec::new();
        for name in names {
            match self.context.dropped.cause(name) {
                None => open.push(Arc::clone(self.context.device(name)?)),
                Some(cause) => {
                    self.missed(name, cause.clone());
                    causes.push(cause);
                }
            }
        }
        if open.is_empty() {
            let cause = format!("no device is left for it: {}", causes.join("; "));
            return Err(StepFailure::new(cause).help("repair one of them, then run again"));
        }
        Ok(open)
    }

    /// Copies of a part or range of log were damaged, and others took their place. The catalog
    /// learns it, so that the next run or `planc repair` puts good ones beside them.
    fn healed(&self, object: &str, replaced: Vec<Replaced>) {
        for one in replaced {
            if one.sure {
                self.record(Record::Verified {
                    object: object.to_owned(),
                    device: one.device.clone(),
                    at: self.context.clock.now(),
                    intact: false,
                });
            }
            self.tell(EventKind::Healed {
                step: self.step.id,
                device: one.device,
                object: one.object,
                by: one.by,
            });
        }
    }

    /// A callback for the data path: tells progress now and then, answers whether to go on.
    fn progress(&self, total: Option<u64>) -> impl Fn(u64) -> bool + Sync + '_ {
        let began = Instant::now();
        let told = AtomicU64::new(0);
        move |bytes| {
            let now = u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX);
            let before = told.load(Ordering::Relaxed);
            let due = now.saturating_sub(before) >= PROGRESS_EVERY_MS;
            if due && claim(&told, before, now) {
                let step = self.step.id;
                self.tell(EventKind::Progressed { step, bytes, total });
            }
            !self.stop.asked()
        }
    }
}

/// True for the one of several threads that may tell.
fn claim(told: &AtomicU64, before: u64, now: u64) -> bool {
    let order = Ordering::Relaxed;
    told.compare_exchange(before, now, order, order).is_ok()
}
