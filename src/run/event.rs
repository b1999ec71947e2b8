//! Owns what can be told about a run: past-tense facts in plain data.
//! Journal, progress, JSON log and report consume the same events on the coordinator's thread.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::graph::step::StepId;
pub use crate::schedule::Outcome;

/// One fact with its time.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RunEvent {
    /// When.
    pub at: Timestamp,
    /// What.
    #[serde(flatten)]
    pub kind: EventKind,
}

/// The facts.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "event")]
pub enum EventKind {
    /// The run began (or was resumed).
    RunBegan {
        /// Run id.
        run: String,
        /// Plan.
        plan: String,
        /// Hash of the plan.
        plan_hash: String,
        /// Number of steps.
        steps: usize,
        /// True when it continues an earlier process's run.
        resumed: bool,
    },
    /// A step was taken by a lane.
    StepBegan {
        /// Step.
        step: StepId,
        /// First try is 1.
        attempt: u32,
    },
    /// Bytes were moved; not journaled.
    Progressed {
        /// Step.
        step: StepId,
        /// Bytes so far.
        bytes: u64,
        /// Bytes in all, when known.
        total: Option<u64>,
    },
    /// A device failed within a step that goes on without it.
    DeviceLost {
        /// Step.
        step: StepId,
        /// Device.
        device: String,
        /// Why.
        cause: String,
    },
    /// A device was given up for the rest of the run: it died.
    DeviceDropped {
        /// Device.
        device: String,
        /// Why.
        cause: String,
    },
    /// A device was too slow for a step, which ended without it; it is finished from a stored
    /// copy.
    DeviceBehind {
        /// Step.
        step: StepId,
        /// Device.
        device: String,
    },
    /// A damaged copy was replaced by another device's.
    Healed {
        /// Step.
        step: StepId,
        /// Device that held the damaged copy.
        device: String,
        /// Object.
        object: String,
        /// Device that gave the good copy.
        by: String,
    },
    /// Something people should know.
    Warned {
        /// Step.
        step: StepId,
        /// What.
        message: String,
    },
    /// A try failed and another one follows.
    AttemptFailed {
        /// Step.
        step: StepId,
        /// Which try.
        attempt: u32,
        /// Why.
        cause: String,
        /// Milliseconds until the next one.
        wait_ms: u64,
    },
    /// A step ended.
    StepEnded {
        /// Step.
        step: StepId,
        /// How.
        outcome: Outcome,
        /// Bytes moved.
        #[serde(default)]
        bytes: u64,
        /// Milliseconds it took.
        #[serde(default)]
        elapsed_ms: u64,
        /// Why it failed, and what to do.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        cause: Option<String>,
        /// What later steps and a resumed run need to know of it, as JSON text.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        result: Option<String>,
    },
    /// The operator or a signal asked to stop.
    Cancelled {
        /// Who.
        by: String,
    },
    /// Something took longer than `finish within` promises.
    Late {
        /// The job; none for the whole run.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        job: Option<String>,
        /// Milliseconds it took.
        took_ms: u64,
        /// Milliseconds it may take.
        within_ms: u64,
    },
    /// The run ended.
    RunEnded {
        /// Steps done.
        done: usize,
        /// Steps failed.
        failed: usize,
        /// Steps skipped.
        skipped: usize,
    },
}
