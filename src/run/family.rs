//! Owns which command goes on with a run. A restore writes where an operator said so; only a
//! command that restores may take it up again.

use crate::graph::step::Intent;

/// Runs that the same command resumes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Family {
    /// Backups, log, verification, graphs from files.
    Work,
    /// Ad-hoc restores.
    Restore,
    /// Recoveries of the plan.
    Recovery,
    /// Switchovers.
    Switchover,
    /// Logs shipped beside a run of work. Nobody goes on with such a run: the next one ships what
    /// it left.
    Shipment,
}

impl Family {
    /// Those that can be gone on with.
    pub const ALL: [Self; 4] = [Self::Work, Self::Restore, Self::Recovery, Self::Switchover];

    /// The family of an intent.
    #[must_use]
    pub fn of(intent: &Intent) -> Self {
        match intent {
            Intent::Restore(_) => Self::Restore,
            Intent::Ship { .. } => Self::Shipment,
            Intent::Recover { .. } | Intent::Undo(_) => Self::Recovery,
            Intent::Switchover { .. } => Self::Switchover,
            Intent::Due
            | Intent::Jobs { .. }
            | Intent::Verify { .. }
            | Intent::Scrub { .. }
            | Intent::CatchUp
            | Intent::Merge { .. }
            | Intent::Repair { .. }
            | Intent::Expire { .. }
            | Intent::File => Self::Work,
        }
    }

    /// The command that goes on.
    #[must_use]
    pub fn command(self) -> &'static str {
        match self {
            Self::Work => "planc run --resume",
            Self::Restore => "planc restore --resume",
            Self::Recovery => "planc recover --resume",
            Self::Switchover => "planc switchover --resume",
            Self::Shipment => "planc run",
        }
    }
}
