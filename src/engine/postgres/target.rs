//! Owns where a recovery ends, in the server's own settings. Pure.

use jiff::Timestamp;

use super::FormatError;
use super::lsn::{Lsn, Timeline};
use crate::graph::step::RecoveryTarget;

/// Where a recovery ends.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Target {
    /// The end of the log.
    Latest,
    /// As soon as the copy is consistent.
    Consistent,
    /// The last transaction committed at or before this instant.
    Time(Timestamp),
    /// A transaction, or the state just before it.
    Transaction {
        /// Its id.
        xid: u32,
        /// Is it part of the state?
        inclusive: bool,
    },
    /// A position, or the state just before the record that begins there.
    Position {
        /// The position.
        lsn: Lsn,
        /// Is that record part of the state?
        inclusive: bool,
    },
    /// A named restore point.
    Name(String),
}

impl Target {
    /// The target of a graph. A transaction is named by the end of its last record: the state that
    /// includes it is the one in which every record before that point is replayed. For the state
    /// before it, `start_of` finds where that last record begins.
    ///
    /// # Errors
    /// When a position is another engine's, or no record ends there.
    pub fn of(
        target: &RecoveryTarget,
        start_of: impl Fn(Lsn) -> Option<Lsn>,
    ) -> Result<Self, FormatError> {
        let before = |lsn| Self::Position {
            lsn,
            inclusive: false,
        };
        Ok(match target {
            RecoveryTarget::Latest => Self::Latest,
            RecoveryTarget::Backup => Self::Consistent,
            RecoveryTarget::Instant(at) => Self::Time(*at),
            RecoveryTarget::Transaction(position) => before(Timeline::of(position)?.1),
            RecoveryTarget::Before(position) => {
                let (_, end) = Timeline::of(position)?;
                let expected = "the end of a record in the log given";
                let none = || FormatError::text(expected, &end.to_string());
                before(start_of(end).ok_or_else(none)?)
            }
        })
    }

    /// Where replay ends, for targets that tell it by themselves; `consistent` is where the copy is.
    #[must_use]
    pub fn end(&self, consistent: Lsn) -> Option<Lsn> {
        match self {
            Self::Consistent => Some(consistent),
            Self::Position { lsn, .. } => Some(*lsn),
            Self::Latest | Self::Time(_) | Self::Transaction { .. } | Self::Name(_) => None,
        }
    }

    /// The server's settings; the server ends recovery at the target and opens.
    #[must_use]
    pub fn settings(&self) -> Vec<(&'static str, String)> {
        let yes = |inclusive: bool| if inclusive { "on" } else { "off" }.to_owned();
        let inclusive = |value: bool| ("recovery_target_inclusive", yes(value));
        let mut settings = match self {
            Self::Latest => Vec::new(),
            Self::Consistent => vec![("recovery_target", "immediate".to_owned())],
            Self::Time(at) => vec![("recovery_target_time", time(*at))],
            Self::Transaction {
                xid,
                inclusive: own,
            } => {
                vec![("recovery_target_xid", xid.to_string()), inclusive(*own)]
            }
            Self::Position {
                lsn,
                inclusive: own,
            } => {
                vec![("recovery_target_lsn", lsn.to_string()), inclusive(*own)]
            }
            Self::Name(name) => vec![("recovery_target_name", name.clone())],
        };
        settings.push(("recovery_target_action", "promote".to_owned()));
        settings
    }

    /// Judges where replay ended: `ended` and the reason that the server wrote into the new
    /// timeline's history.
    ///
    /// # Errors
    /// How it shows that the target was not reached.
    pub fn check(&self, ended: Lsn, reason: &str) -> Result<(), String> {
        let reached = match self {
            Self::Latest => reason.starts_with("no recovery target"),
            Self::Consistent => reason.starts_with("reached consistency"),
            Self::Time(_) => reason.starts_with("before ") || reason.starts_with("after "),
            Self::Transaction { xid, inclusive } => {
                let word = if *inclusive { "after" } else { "before" };
                reason == format!("{word} transaction {xid}")
            }
            Self::Position { lsn, inclusive } => {
                let passed = if *inclusive {
                    ended > *lsn
                } else {
                    ended <= *lsn
                };
                passed && reason.contains("LSN")
            }
            Self::Name(name) => reason == format!("at restore point \"{name}\""),
        };
        if reached {
            return Ok(());
        }
        Err(format!("replay ended at {ended}: {reason}"))
    }
}

/// An instant in the server's words: whole microseconds, rounded down, numeric zone.
fn time(at: Timestamp) -> String {
    at.strftime("%Y-%m-%d %H:%M:%S%.6f+00").to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_reason_of_the_target_counts() {
        let lsn = Lsn(100);
        let position = |inclusive| Target::Position { lsn, inclusive };
        let at: Timestamp = "2026-11-22T06:00:00Z".parse().expect("a time");
        for (target, ended, reason, reached) in [
            (Target::Latest, 5, "no recovery target specified", true),
            (Target::Latest, 5, "reached consistency", false),
            (Target::Time(at), 5, "before 2026-11-22 06:00:01+00", true),
            (Target::Time(at), 5, "no recovery target specified", false),
            (position(true), 108, "after LSN 0/64", true),
            (position(true), 100, "after LSN 0/64", false),
            (position(false), 100, "before LSN 0/64", true),
            (position(false), 108, "before LSN 0/64", false),
            (
                Target::Name("a".to_owned()),
                5,
                "at restore point \"a\"",
                true,
            ),
            (
                Target::Name("a".to_owned()),
                5,
                "at restore point \"b\"",
                false,
            ),
        ] {
            let judged = target.check(Lsn(ended), reason);
            assert_eq!(judged.is_ok(), reached, "{target:?} {reason}");
        }
    }

    #[test]
    fn an_instant_is_cut_to_what_the_server_counts() {
        let at: Timestamp = "2026-11-22T06:00:00.123456999Z".parse().expect("a time");
        assert_eq!(time(at), "2026-11-22 06:00:00.123456+00");
    }

    #[test]
    fn a_transaction_may_be_left_out() {
        let target = Target::Transaction {
            xid: 741,
            inclusive: false,
        };
        let settings = target.settings();
        assert!(settings.contains(&("recovery_target_inclusive", "off".to_owned())));
        assert!(settings.contains(&("recovery_target_xid", "741".to_owned())));
        assert!(target.check(Lsn(1), "before transaction 741").is_ok());
        assert!(target.check(Lsn(1), "after transaction 741").is_err());
    }
}
