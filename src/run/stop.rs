//! Owns the wish to stop: set by a signal or by the operator, read by every step that runs.
//! The first signal asks; the second ends the process at once; the journal stays good.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use signal_hook::consts::{SIGINT, SIGTERM};

/// The wish to stop, shared by signal handlers, the coordinator and the steps.
#[derive(Debug, Clone, Default)]
pub struct Stop {
    asked: Arc<AtomicBool>,
}

impl Stop {
    /// Nobody asked yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// A wish that SIGINT and SIGTERM set; the second one ends the process with this code.
    ///
    /// # Errors
    /// When the system refuses the handlers.
    pub fn on_signals(second_code: u8) -> std::io::Result<Self> {
        let stop = Self::new();
        for signal in [SIGINT, SIGTERM] {
            // order matters: the shutdown looks at the flag before this signal sets it
            let code = i32::from(second_code);
            signal_hook::flag::register_conditional_shutdown(signal, code, stop.asked.clone())?;
            signal_hook::flag::register(signal, stop.asked.clone())?;
        }
        Ok(stop)
    }

    /// Asks every step that runs to stop.
    pub fn ask(&self) {
        self.asked.store(true, Ordering::SeqCst);
    }

    /// True when somebody asked.
    #[must_use]
    pub fn asked(&self) -> bool {
        self.asked.load(Ordering::Relaxed)
    }

    /// What a step that begins now looks at. A step that begins after the wish was told is one
    /// that an always-edge calls for: it runs to its end.
    #[must_use]
    pub fn token(&self) -> StopToken {
        StopToken {
            stop: self.clone(),
            exempt: self.asked(),
        }
    }
}

/// One step's view of the wish to stop.
#[derive(Debug, Clone)]
pub struct StopToken {
    stop: Stop,
    exempt: bool,
}

impl StopToken {
    /// True when the step should stop now.
    #[must_use]
    pub fn asked(&self) -> bool {
        !self.exempt && self.stop.asked()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn steps_that_begin_after_the_wish_are_exempt() {
        let stop = Stop::new();
        let early = stop.token();
        assert!(!early.asked());
        stop.ask();
        assert!(early.asked());
        assert!(!stop.token().asked());
    }
}
