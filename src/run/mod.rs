//! Doing it: one coordinator owns all state, workers do the work of steps and send facts.
//!
//! [`execute`] takes a graph and what it needs to the end. It writes down before and after each
//! step, commits last, and never reports a success that is not durable. What it did is a
//! [`RunReport`]; while it runs, observers see every [`event::RunEvent`].

mod budget;
mod changes;
mod chosen;
mod clock;
mod context;
mod coordinator;
pub mod devices;
mod dropped;
pub mod event;
mod extraction;
mod family;
mod folder;
mod journal;
mod lanes;
mod lock;
mod mailbox;
mod message;
pub mod open;
mod outcome;
mod paces;
mod preflight;
mod programs;
mod prune;
mod recall;
mod reconcile;
mod resume;
mod retry;
mod sealed;
mod sessions;
pub mod shipped;
mod space;
pub mod staging;
mod stop;
pub mod thrift;
mod timing;
mod volumes;
mod worker;

use std::sync::Arc;
use std::time::Duration;

pub use clock::Clock;
pub use context::{Context, KnownLogs, service_of};
pub use dropped::Dropped;
pub use family::Family;
pub use folder::{FolderError, Unfinished, create, newest_unfinished, past, past_since, resume};
pub use journal::{Journal, JournalError, read as read_journal};
pub use lock::{Lock, LockError, at_work, host};
pub use message::{Record, StepDone, StepFailure};
pub use outcome::{Healed, Missing, RunReport, Standing, StepReport, Verdict};
pub use preflight::check as preflight;
pub use prune::{left_behind, prune};
pub use recall::{Call, calls, made_of};
pub use reconcile::{Unrecorded, unrecorded};
pub use resume::{Resumed, survey};
pub use stop::{Stop, StopToken};
pub use timing::Timed;

use crate::catalog::{Catalog, CatalogError};
use crate::graph::step::StepGraph;
use event::{EventKind, RunEvent};

/// Sees every fact of a run, on the coordinator's thread. Must be quick.
pub trait Observer {
    /// Something happened.
    fn event(&mut self, event: &RunEvent);

    /// Time passed; called several times a second.
    fn tick(&mut self) {}
}

/// What a run is given besides graph and context.
pub struct RunEnvironment<'a> {
    /// Where copies are written down; none for graphs that store nothing.
    pub catalog: Option<&'a mut Catalog>,
    /// Where steps are written down.
    pub journal: Option<Journal>,
    /// Who watches.
    pub observers: Vec<Box<dyn Observer + 'a>>,
    /// Steps that an earlier process has done, by index.
    pub done: Vec<usize>,
    /// Devices that those steps had to leave out.
    pub lost: Vec<EventKind>,
    /// True when it continues an earlier process's run.
    pub resumed: bool,
    /// How long earlier processes of the run took, and the pause since.
    pub before: Duration,
    /// Asks a person; the argument says whose approval is needed.
    pub approve: Box<dyn FnMut(&str) -> bool + 'a>,
}

impl Default for RunEnvironment<'_> {
    /// Nothing is written down, nobody watches, nobody approves.
    fn default() -> Self {
        Self {
            catalog: None,
            journal: None,
            observers: Vec::new(),
            done: Vec::new(),
            lost: Vec::new(),
            resumed: false,
            before: Duration::ZERO,
            approve: Box::new(|_| false),
        }
    }
}

/// Why a run could not go on.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// What was done cannot be written down.
    #[error(transparent)]
    Journal(#[from] JournalError),
    /// What is stored cannot be written down.
    #[error(transparent)]
    Catalog(#[from] CatalogError),
    /// The system gives no threads.
    #[error("cannot start the workers: {0}")]
    Workers(#[from] std::io::Error),
}

/// Takes a graph to its end: every step is done, failed or skipped. Steps that leave backup mode
/// run after failure and cancellation too.
///
/// # Errors
/// When journal or catalog cannot be written; the run then stopped, and what is on the devices is
/// whole. `--resume` or `planc catalog rebuild` go on from there.
pub fn execute(
    graph: Arc<StepGraph>,
    context: Arc<Context>,
    environment: RunEnvironment<'_>,
) -> Result<RunReport, RunError> {
    coordinator::Coordinator::new(graph, context, environment)?.run()
}
