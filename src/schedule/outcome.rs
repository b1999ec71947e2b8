//! How a step ends.

use serde::{Deserialize, Serialize};

/// How a step ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Outcome {
    /// It did what it says, durably.
    Done,
    /// It did not.
    Failed,
    /// It never began, because a step before it failed, its failure-edge was not taken, or the
    /// run was cancelled.
    Skipped,
}
