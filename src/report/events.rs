//! Owns the machine's log of a run: one JSON object a line, as `--log-format json` asks.

use std::io::Write;

use crate::run::Observer;
use crate::run::event::RunEvent;

/// Writes every event as one line of JSON.
pub struct JsonLog<W: Write> {
    out: W,
    line: Vec<u8>,
}

impl<W: Write> JsonLog<W> {
    /// A log that goes to `out`.
    pub fn new(out: W) -> Self {
        let line = Vec::with_capacity(512);
        Self { out, line }
    }
}

impl<W: Write> Observer for JsonLog<W> {
    fn event(&mut self, event: &RunEvent) {
        self.line.clear();
        if serde_json::to_writer(&mut self.line, event).is_ok() {
            self.line.push(b'\n');
            // a reader that went away must not stop a backup
            let _ = self.out.write_all(&self.line);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::run::event::EventKind;

    #[test]
    fn every_event_is_one_line_that_reads_back() {
        let event = RunEvent {
            at: jiff::Timestamp::UNIX_EPOCH,
            kind: EventKind::Cancelled {
                by: "a\nb".to_owned(),
            },
        };
        let mut out = Vec::new();
        let mut log = JsonLog::new(&mut out);
        log.event(&event);
        log.event(&event);
        let text = String::from_utf8(out).expect("text");
        let read: Vec<RunEvent> = text
            .lines()
            .map(|line| serde_json::from_str(line).expect("event"))
            .collect();
        assert_eq!(read, [event.clone(), event]);
    }
}
