//! Owns what a worker sends to the coordinator, and how a step ends or fails.

use std::time::Duration;

use crate::catalog::{Catalog, CatalogError, PartRecord};
use crate::engine::{EngineError, Retry};
use crate::media::DeviceError;
use crate::media::manifest::LogRecord;
use crate::run::event::EventKind;
use jiff::Timestamp;

/// A fact that the catalog must learn.
#[derive(Debug)]
pub enum Record {
    /// A device holds a part.
    Part(Box<PartRecord>, String),
    /// A device holds a range of log.
    Log(Box<LogRecord>, String),
    /// A copy was read back whole.
    Verified {
        /// Part or log.
        object: String,
        /// Device.
        device: String,
        /// When.
        at: Timestamp,
        /// Whether it was intact.
        intact: bool,
    },
    /// A damaged copy is about to be replaced.
    Tried {
        /// Part or log.
        object: String,
        /// Device.
        device: String,
    },
    /// A tombstone stands beside a copy.
    Condemned {
        /// Part or log.
        object: String,
        /// Device.
        device: String,
        /// Since when.
        at: Timestamp,
    },
    /// No tombstone stands beside a copy any more.
    Reprieved {
        /// Part or log.
        object: String,
        /// Device.
        device: String,
    },
    /// A copy was deleted.
    Gone {
        /// Part or log.
        object: String,
        /// Device.
        device: String,
    },
}

impl Record {
    /// Writes it down. Repeating it is harmless.
    ///
    /// # Errors
    /// When the catalog cannot be written.
    pub fn apply(&self, catalog: &mut Catalog) -> Result<(), CatalogError> {
        match self {
            Self::Part(record, device) => catalog.record_part(record, device),
            Self::Log(record, device) => catalog.record_log(record, device),
            Self::Verified {
                object,
                device,
                at,
                intact,
            } => catalog.record_verified(object, device, *at, *intact),
            Self::Tried { object, device } => catalog.record_tried(object, device),
            Self::Condemned { object, device, at } => catalog.record_condemned(object, device, *at),
            Self::Reprieved { object, device } => catalog.record_reprieved(object, device),
            Self::Gone { object, device } => catalog.record_gone(object, device),
        }
    }
}

/// What a worker tells while it works and when it ends.
#[derive(Debug)]
pub(super) enum Message {
    /// Something for journal and report.
    Fact(EventKind),
    /// Something for the catalog.
    Record(Record),
    /// The chain of a service's log is broken; a fresh full is needed.
    Broken {
        /// The service.
        service: String,
        /// How it shows.
        detail: String,
    },
    /// The try of a step has ended.
    Ended {
        /// Index of the step.
        step: usize,
        /// How.
        result: Result<StepDone, StepFailure>,
    },
}

/// What a step did.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct StepDone {
    /// Bytes moved.
    pub bytes: u64,
    /// What the report says of it; JSON text or plain words.
    pub result: Option<String>,
    /// How much of the time it took grew with the bytes; none when it cannot tell.
    pub paced: Option<Duration>,
}

impl StepDone {
    /// A step that moved bytes.
    #[must_use]
    pub fn moved(bytes: u64) -> Self {
        Self {
            bytes,
            ..Self::default()
        }
    }

    /// Adds how much of the time grew with the bytes.
    #[must_use]
    pub fn paced(mut self, paced: Duration) -> Self {
        self.paced = Some(paced);
        self
    }

    /// Adds what the report says.
    #[must_use]
    pub fn says(mut self, result: impl Into<String>) -> Self {
        self.result = Some(result.into());
        self
    }
}

/// Why a try of a step failed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StepFailure {
    /// A lowercase fragment that names place and cause.
    pub cause: String,
    /// The next action.
    pub help: Option<String>,
    /// Whether trying again can help.
    pub retry: Retry,
    /// The step was left out because its device is gone; a later run makes up for it.
    pub left: bool,
}

impl StepFailure {
    /// A failure that trying again does not cure.
    pub fn new(cause: impl Into<String>) -> Self {
        Self {
            cause: cause.into(),
            help: None,
            retry: Retry::Never,
            left: false,
        }
    }

    /// A step that is left to a later run.
    pub fn left(cause: impl Into<String>) -> Self {
        Self {
            left: true,
            ..Self::new(cause)
        }
    }

    /// Adds the next action.
    #[must_use]
    pub fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }

    /// The step was asked to stop.
    #[must_use]
    pub fn stopped() -> Self {
        Self::new("stopped on request").help("go on with `--resume`")
    }
}

impl From<DeviceError> for StepFailure {
    fn from(error: DeviceError) -> Self {
        Self {
            cause: error.to_string(),
            help: Some(error.help().to_owned()),
            retry: error.retry(),
            left: false,
        }
    }
}

impl From<EngineError> for StepFailure {
    fn from(error: EngineError) -> Self {
        Self {
            cause: error.to_string(),
            help: Some(error.help().to_owned()),
            retry: error.retry(),
            left: false,
        }
    }
}
