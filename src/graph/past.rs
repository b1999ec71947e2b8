//! Owns which histories of a log lead to one of them, and which stretch of each counts.
//! Plain values; knows no engine.

use super::step::RecoveryTarget;
use crate::facts::holdings::{LogHistory, Position};

/// A history with those before it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Past {
    /// Oldest first: a history, where it began, where it was left (`None`: it is the last).
    stretches: Vec<(String, u64, Option<u64>)>,
}

impl Past {
    /// The past of a history; one without a known past stands alone.
    pub(super) fn of(incarnation: &str, all: &[&LogHistory]) -> Self {
        let known = all
            .iter()
            .find(|history| history.incarnation == incarnation);
        let before = known.map_or(&[][..], |history| &history.before);
        let mut began = 0;
        let mut stretches = Vec::new();
        for (name, left) in before {
            stretches.push((name.clone(), began, Some(*left)));
            began = *left;
        }
        stretches.push((incarnation.to_owned(), began, None));
        Self { stretches }
    }

    /// Of the histories named, those that no other one continues.
    pub(super) fn ends(known: &[&str], all: &[&LogHistory]) -> Vec<String> {
        let continued = |name: &str| {
            known.iter().any(|other| {
                let past = Self::of(other, all);
                *other != name && past.rank(name).is_some()
            })
        };
        let ends = known.iter().filter(|name| !continued(name));
        ends.map(|name| (*name).to_owned()).collect()
    }

    /// Whether a state at this value of a history is part of this past.
    pub(super) fn contains(&self, incarnation: &str, value: u64) -> bool {
        self.stretches.iter().any(|(name, began, left)| {
            name == incarnation && value >= *began && left.is_none_or(|left| value <= left)
        })
    }

    /// Whether a range of log of a history is replayed on the way.
    pub(super) fn uses(&self, incarnation: &str, from: u64, until: u64) -> bool {
        self.stretches.iter().any(|(name, began, left)| {
            name == incarnation && until > *began && left.is_none_or(|left| from < left)
        })
    }

    /// Where this past left a history, when a range that begins at `from` goes on with it.
    pub(super) fn left_before(&self, incarnation: &str, from: u64) -> Option<u64> {
        let mut stretches = self.stretches.iter();
        let own = stretches.find(|(name, ..)| name == incarnation)?;
        own.2.filter(|left| from >= *left)
    }

    /// A target with the history it is in, where that was left open.
    pub(super) fn placed(&self, target: &RecoveryTarget) -> RecoveryTarget {
        let place = |at: &Position| Position {
            incarnation: if at.incarnation.is_empty() {
                let last = self.stretches.last();
                last.map_or(String::new(), |(name, ..)| name.clone())
            } else {
                at.incarnation.clone()
            },
            value: at.value,
        };
        match target {
            RecoveryTarget::Transaction(at) => RecoveryTarget::Transaction(place(at)),
            RecoveryTarget::Before(at) => RecoveryTarget::Before(place(at)),
            other => other.clone(),
        }
    }

    /// The place of a history in this past: younger ones are greater.
    pub(super) fn rank(&self, incarnation: &str) -> Option<usize> {
        let mut names = self.stretches.iter();
        names.position(|(name, ..)| name == incarnation)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn history(incarnation: &str, before: &[(&str, u64)]) -> LogHistory {
        LogHistory {
            service: "shop".to_owned(),
            incarnation: incarnation.to_owned(),
            before: (before.iter())
                .map(|(name, left)| ((*name).to_owned(), *left))
                .collect(),
        }
    }

    #[test]
    fn a_history_is_followed_through_those_before_it() {
        let (two, three) = (
            history("2", &[("1", 100)]),
            history("3", &[("1", 100), ("2", 200)]),
        );
        let all = [&two, &three];
        let past = Past::of("3", &all);
        assert!(past.contains("1", 100) && !past.contains("1", 101));
        assert!(past.contains("2", 150) && !past.contains("2", 99));
        assert!(past.contains("3", 1000));
        assert!(past.uses("1", 96, 112) && !past.uses("1", 112, 128));
        assert!(past.uses("2", 96, 112) && past.uses("3", 192, 208));
        assert_eq!(past.left_before("1", 112), Some(100));
        assert_eq!(
            (past.left_before("1", 96), past.left_before("3", 300)),
            (None, None)
        );
        assert!(past.rank("1") < past.rank("3"));
    }

    #[test]
    fn what_nothing_continues_is_an_end() {
        let (two, three) = (history("2", &[("1", 100)]), history("3", &[("1", 50)]));
        assert_eq!(Past::ends(&["1", "2"], &[&two]), ["2"]);
        assert_eq!(Past::ends(&["1", "2", "3"], &[&two, &three]), ["2", "3"]);
        assert_eq!(Past::ends(&["1", "2"], &[]), ["1", "2"]);
        assert_eq!(Past::ends(&[], &[]), Vec::<String>::new());
    }
}
