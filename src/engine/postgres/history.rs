//! Owns timeline histories: which timeline a position belongs to. Reads and writes the text of
//! `.history` files. Pure.

use super::FormatError;
use super::lsn::{Lsn, Timeline};

/// A timeline with all that came before it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct History {
    /// The timeline itself.
    pub timeline: Timeline,
    /// Earlier timelines, oldest first, each with the position at which it was left.
    pub before: Vec<(Timeline, Lsn)>,
}

impl History {
    /// A timeline without a past.
    #[must_use]
    pub fn first(timeline: Timeline) -> Self {
        let before = Vec::new();
        Self { timeline, before }
    }

    /// Reads the text of a `.history` file. Empty lines and lines that begin with `#` say nothing.
    ///
    /// # Errors
    /// When a line is not `timeline position reason`, or the lines do not rise.
    pub fn parse(timeline: Timeline, text: &str) -> Result<Self, FormatError> {
        let mut before: Vec<(Timeline, Lsn)> = Vec::new();
        let said = |line: &&str| !line.is_empty() && !line.starts_with('#');
        for line in text.lines().map(str::trim).filter(said) {
            let entry = parse_line(line)?;
            let rises = before
                .last()
                .is_none_or(|last| last.0 < entry.0 && last.1 <= entry.1);
            if !rises || entry.0 >= timeline {
                let expected = "a line that follows the one before";
                return Err(FormatError::text(expected, line));
            }
            before.push(entry);
        }
        Ok(Self { timeline, before })
    }

    /// The timeline on which the byte at `lsn` was written.
    #[must_use]
    pub fn timeline_at(&self, lsn: Lsn) -> Timeline {
        let left_later = self.before.iter().find(|(_, left)| lsn < *left);
        left_later.map_or(self.timeline, |(timeline, _)| *timeline)
    }

    /// Is a state at `lsn` on `timeline` part of this history? A state exactly at the switch is.
    #[must_use]
    pub fn contains(&self, timeline: Timeline, lsn: Lsn) -> bool {
        if timeline == self.timeline {
            return self.before.last().is_none_or(|(_, left)| *left <= lsn);
        }
        let found = self.before.iter().position(|(past, _)| *past == timeline);
        found.is_some_and(|at| {
            let began = at
                .checked_sub(1)
                .map_or(Lsn(0), |before| self.before[before].1);
            (began..=self.before[at].1).contains(&lsn)
        })
    }
}

fn parse_line(line: &str) -> Result<(Timeline, Lsn), FormatError> {
    let bad = || FormatError::text("a line of a timeline history", line);
    let mut words = line.split_ascii_whitespace();
    let number = words.next().ok_or_else(bad)?;
    if !number.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(bad());
    }
    let timeline = Timeline::new(number.parse().map_err(|_| bad())?)?;
    let lsn = words.next().ok_or_else(bad)?;
    Ok((timeline, lsn.parse()?))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn timeline(number: u32) -> Timeline {
        Timeline::new(number).expect("valid")
    }

    fn sample() -> History {
        let text = "1\t0/3000000\tno recovery target specified\n\n# note\n\
                    10\t0/5000000\tbefore 2026-11-22 06:00:00+00\n";
        History::parse(timeline(12), text).expect("valid")
    }

    #[test]
    fn positions_belong_to_the_timeline_of_their_time() {
        let history = sample();
        assert_eq!(history.before.len(), 2);
        assert_eq!(history.timeline_at(Lsn(0x2FF_FFFF)), timeline(1));
        assert_eq!(history.timeline_at(Lsn(0x300_0000)), timeline(10));
        assert_eq!(history.timeline_at(Lsn(0x600_0000)), timeline(12));
    }

    #[test]
    fn a_state_past_the_switch_is_another_history() {
        let history = sample();
        assert!(history.contains(timeline(1), Lsn(0x300_0000)));
        assert!(!history.contains(timeline(1), Lsn(0x300_0001)));
        assert!(history.contains(timeline(10), Lsn(0x400_0000)));
        assert!(!history.contains(timeline(10), Lsn(0x200_0000)));
        assert!(!history.contains(timeline(11), Lsn(0x400_0000)));
        assert!(!history.contains(timeline(12), Lsn(0x4FF_FFFF)));
        assert!(History::first(timeline(1)).contains(timeline(1), Lsn(5)));
    }

    #[test]
    fn lines_that_do_not_rise_are_refused() {
        for text in [
            "2 0/2",
            "x 0/2",
            "1",
            "1 0/3\n1 0/4",
            "-1 0/3",
            "0 0/3",
            "1 0/g",
        ] {
            assert!(History::parse(timeline(2), text).is_err(), "{text}");
        }
        assert!(History::parse(timeline(9), "1 0/3\n2 0/2").is_err());
    }

    proptest! {
        #[test]
        fn no_text_panics(text in "[0-9A-F/ \t\n#x-]{0,60}", number in 1u32..) {
            let _ = History::parse(timeline(number), &text);
        }
    }
}
