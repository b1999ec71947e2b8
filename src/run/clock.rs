//! Owns where a run takes the time of day from. Durations are measured with the monotonic clock.

use jiff::Timestamp;

/// The time of day of a run.
#[derive(Debug, Clone, Copy, Default)]
pub enum Clock {
    /// The machine's clock.
    #[default]
    System,
    /// Always this moment: what `--now` asks for.
    Fixed(Timestamp),
}

impl Clock {
    /// The moment.
    #[must_use]
    pub fn now(self) -> Timestamp {
        match self {
            Self::System => Timestamp::now(),
            Self::Fixed(at) => at,
        }
    }
}

impl From<Option<Timestamp>> for Clock {
    fn from(fixed: Option<Timestamp>) -> Self {
        fixed.map_or(Self::System, Self::Fixed)
    }
}
