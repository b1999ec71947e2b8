//! Owns why a server that planc started ended by itself: killed from outside, or by its own words.

use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::ExitStatus;

use crate::engine::EngineError;

/// What a server says of one of its processes that was killed.
const KILLED: &str = "was terminated by signal";

/// The error for a server that has ended. One that was killed says nothing of its log or data.
pub(super) fn error(status: ExitStatus, log: &Path) -> EngineError {
    let told = told(log);
    let how = match status.signal() {
        Some(signal) => format!("it was killed by signal {signal}"),
        None if told.contains(KILLED) => told,
        None => return EngineError::NotReached(told),
    };
    EngineError::refused(
        "run the recovered server",
        format!("{how}; the log of the system tells by whom, often for want of memory"),
    )
}

/// The last lines of the server's log that matter.
pub(super) fn told(log: &Path) -> String {
    let text = std::fs::read_to_string(log).unwrap_or_default();
    // sessions that came too early are no cause
    let grave = |line: &&str| {
        let grave = ["FATAL:", "PANIC:", KILLED];
        grave.iter().any(|word| line.contains(word)) && !line.contains("the database system is")
    };
    match text.lines().rfind(grave) {
        Some(line) => line.to_owned(),
        None => text.lines().last().unwrap_or("no word").to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_kill_is_told_from_a_log_that_ends() {
        let folder = tempfile::tempdir().expect("a folder");
        let log = folder.path().join("log");
        let words = |text: &str, status: i32| {
            std::fs::write(&log, text).expect("written");
            error(ExitStatus::from_raw(status), &log).to_string()
        };
        let ended = "FATAL:  recovery ended before configured recovery target was reached";
        let early = "FATAL:  the database system is starting up";
        let both = format!("{ended}\n{early}\nLOG:  shutting down");
        assert!(words(&both, 1 << 8).contains(ended));
        assert!(words("LOG:  restored log file", 9).contains("killed by signal 9"));
        let part =
            "LOG:  startup process (PID 7) was terminated by signal 9: Killed\nLOG:  aborting";
        let told = words(part, 1 << 8);
        assert!(
            told.contains("signal 9") && told.contains("memory"),
            "{told}"
        );
        assert!(!told.contains("target"), "{told}");
    }
}
