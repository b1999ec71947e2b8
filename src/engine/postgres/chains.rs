//! Owns the proof that a log archive has no gap: which segments of each timeline are where, in
//! four states. Pure; listings and the server's answer come in as arguments.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use super::history::History;
use super::lsn::{Lsn, Segment, SegmentSize, Timeline};

/// Where a segment is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum State {
    /// On every required device.
    Found,
    /// On a device, but not on every required one.
    Late,
    /// On no device; the server has it and will offer it.
    InFlight,
    /// On no device, and the server has it no more.
    Lost,
}

impl State {
    /// In words.
    #[must_use]
    pub fn words(self) -> &'static str {
        match self {
            Self::Found => "found",
            Self::Late => "late",
            Self::InFlight => "in flight",
            Self::Lost => "lost",
        }
    }
}

/// What the devices hold.
#[derive(Debug, Clone, Default)]
pub struct Held {
    /// Segment numbers by timeline and device.
    pub segments: BTreeMap<Timeline, BTreeMap<String, BTreeSet<u64>>>,
    /// Histories of the timelines above the first.
    pub histories: BTreeMap<Timeline, History>,
}

/// What the server says of its own log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Writing {
    /// The timeline it writes.
    pub timeline: Timeline,
    /// How far.
    pub position: Lsn,
    /// The segments that it still has; none when the role may not look.
    pub kept: Option<BTreeSet<Segment>>,
    /// The longest that it lets log wait before it ends a segment; none when it waits until the
    /// segment is full or somebody ends it.
    pub ends_within: Option<Duration>,
    /// The file for which its archive command failed last; none when that works.
    pub failing: Option<String>,
}

/// Segments next to each other in one state.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stretch {
    /// Their state.
    pub state: State,
    /// Number of the first.
    pub first: u64,
    /// Number of the last.
    pub last: u64,
    /// Required devices that do not hold them, when they are late.
    pub missing_on: BTreeSet<String>,
}

/// The log of one timeline.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TimelineProof {
    /// Which.
    pub timeline: Timeline,
    /// From which it was left, and where; none for the first that is archived.
    pub from: Option<(Timeline, Lsn)>,
    /// Where its own successor left it; none when nothing did.
    pub left_at: Option<Lsn>,
    /// Its segments in order, without a place that is in no state.
    pub stretches: Vec<Stretch>,
}

impl TimelineProof {
    /// Position up to which the newest gapless run of found segments reaches.
    #[must_use]
    pub fn found_until(&self, size: SegmentSize) -> Option<Lsn> {
        let found = |stretch: &&Stretch| stretch.state == State::Found;
        let last = self.stretches.iter().rev().find(found)?;
        Some(Lsn((last.last + 1).saturating_mul(size.bytes())))
    }

    /// How many segments are in a state.
    #[must_use]
    pub fn count(&self, state: State) -> u64 {
        let own = self.stretches.iter().filter(|one| one.state == state);
        own.map(|one| one.last - one.first + 1).sum()
    }
}

/// Judges every timeline of which a device holds something or which the server writes.
#[must_use]
pub fn prove(
    held: &Held,
    required: &BTreeSet<String>,
    writing: Option<&Writing>,
    size: SegmentSize,
) -> Vec<TimelineProof> {
    let mut timelines: BTreeSet<Timeline> = held.segments.keys().copied().collect();
    timelines.extend(writing.map(|one| one.timeline));
    let judge = |timeline: Timeline| Judge {
        held,
        required,
        writing,
        size,
        timeline,
    };
    timelines
        .into_iter()
        .map(|one| judge(one).timeline())
        .collect()
}

struct Judge<'a> {
    held: &'a Held,
    required: &'a BTreeSet<String>,
    writing: Option<&'a Writing>,
    size: SegmentSize,
    timeline: Timeline,
}

impl Judge<'_> {
    fn timeline(&self) -> TimelineProof {
        let from = self.held.histories.get(&self.timeline);
        let mut proof = TimelineProof {
            timeline: self.timeline,
            from: from.and_then(|history| history.before.last().copied()),
            left_at: self.left_at(),
            stretches: Vec::new(),
        };
        let Some((first, last)) = self.range(&proof) else {
            return proof;
        };
        for number in first..=last {
            let (state, missing_on) = self.state(number);
            match proof.stretches.last_mut() {
                Some(one) if one.state == state && one.missing_on == missing_on => {
                    one.last = number;
                }
                _ => proof.stretches.push(Stretch {
                    state,
                    first: number,
                    last: number,
                    missing_on,
                }),
            }
        }
        proof
    }

    /// Where a later timeline left this one.
    fn left_at(&self) -> Option<Lsn> {
        let left = self.held.histories.values().filter_map(|history| {
            let mut before = history.before.iter();
            before.find(|(timeline, _)| *timeline == self.timeline)
        });
        left.map(|(_, lsn)| *lsn).max()
    }

    /// First and last segment that must be somewhere. What is older than the oldest that is held
    /// was let go by retention.
    fn range(&self, proof: &TimelineProof) -> Option<(u64, u64)> {
        let devices = self.held.segments.get(&self.timeline);
        let numbers = || devices.into_iter().flat_map(BTreeMap::values).flatten();
        let begins = proof.from.map(|(_, lsn)| lsn.0 / self.size.bytes());
        let own = self.writing.filter(|one| one.timeline == self.timeline);
        let current = own.map(|one| one.position.0 / self.size.bytes());
        let oldest = numbers().min().copied();
        let first = match (begins, oldest) {
            // the first segment of a timeline is its own even when none is held yet
            (Some(begins), Some(oldest)) if self.is_whole(begins, oldest) => begins,
            (_, Some(oldest)) => oldest,
            (Some(begins), None) => begins,
            (None, None) => current?,
        };
        // the segment in which it was left is not finished: the next timeline holds its content
        let left = proof
            .left_at
            .map(|lsn| (lsn.0 / self.size.bytes()).saturating_sub(1));
        let newest = numbers().max().copied().max(current).max(left)?;
        (first <= newest).then_some((first, newest))
    }

    /// Is what lies between the beginning of a timeline and its oldest held segment short enough
    /// to be a hole, rather than what retention let go? Retention lets whole stretches go; the
    /// server still having them decides.
    fn is_whole(&self, begins: u64, oldest: u64) -> bool {
        begins <= oldest && (begins..oldest).any(|number| self.server_has(number))
            || begins == oldest
    }

    fn server_has(&self, number: u64) -> bool {
        let segment = Segment {
            timeline: self.timeline,
            number,
        };
        let kept = self.writing.and_then(|one| one.kept.as_ref());
        kept.is_some_and(|kept| kept.contains(&segment))
    }

    fn state(&self, number: u64) -> (State, BTreeSet<String>) {
        let devices = self.held.segments.get(&self.timeline);
        let holds = |device: &String| {
            let held = devices.and_then(|devices| devices.get(device));
            held.is_some_and(|held| held.contains(&number))
        };
        let missing: BTreeSet<String> = self
            .required
            .iter()
            .filter(|one| !holds(one))
            .cloned()
            .collect();
        if missing.is_empty() && !self.required.is_empty() {
            return (State::Found, missing);
        }
        let somewhere =
            devices.is_some_and(|devices| devices.values().any(|held| held.contains(&number)));
        if somewhere {
            return (State::Late, missing);
        }
        let state = if self.will_be_offered(number) {
            State::InFlight
        } else {
            State::Lost
        };
        (state, BTreeSet::new())
    }

    fn will_be_offered(&self, number: u64) -> bool {
        let own = self.writing.filter(|one| one.timeline == self.timeline);
        let current = own.map(|one| one.position.0 / self.size.bytes());
        self.server_has(number) || current == Some(number)
    }
}

#[cfg(test)]
mod tests {
    use super::State::{Found, InFlight, Late, Lost};
    use super::*;

    fn timeline(number: u32) -> Timeline {
        Timeline::new(number).expect("valid")
    }

    fn size() -> SegmentSize {
        SegmentSize::new(1 << 20).expect("valid")
    }

    fn held(on: &[(&str, u32, &[u64])]) -> Held {
        let mut held = Held::default();
        for (device, number, numbers) in on {
            let devices = held.segments.entry(timeline(*number)).or_default();
            devices
                .entry((*device).to_owned())
                .or_default()
                .extend(*numbers);
        }
        held
    }

    fn names(names: &[&str]) -> BTreeSet<String> {
        names.iter().map(|name| (*name).to_owned()).collect()
    }

    fn told(proof: &TimelineProof) -> Vec<(State, u64, u64)> {
        let stretches = proof.stretches.iter();
        stretches
            .map(|one| (one.state, one.first, one.last))
            .collect()
    }

    #[test]
    fn each_segment_is_in_one_of_four_states() {
        let held = held(&[("a", 1, &[3, 4, 5, 7]), ("b", 1, &[3, 4, 7])]);
        let kept = [9, 10, 11].map(|number| Segment {
            timeline: timeline(1),
            number,
        });
        let writing = Writing {
            timeline: timeline(1),
            position: Lsn(11 << 20),
            kept: Some(kept.into()),
            ends_within: None,
            failing: None,
        };
        let proof = &prove(&held, &names(&["a", "b"]), Some(&writing), size())[0];
        let expected = [
            (Found, 3, 4),
            (Late, 5, 5),
            (Lost, 6, 6),
            (Found, 7, 7),
            (Lost, 8, 8),
            (InFlight, 9, 11),
        ];
        assert_eq!(told(proof), expected);
        assert_eq!(proof.stretches[1].missing_on, names(&["b"]));
        assert_eq!(proof.found_until(size()), Some(Lsn(8 << 20)));
        assert_eq!((proof.count(Lost), proof.count(InFlight)), (2, 3));
    }

    #[test]
    fn a_timeline_begins_where_the_one_before_was_left() {
        let mut held = held(&[("a", 1, &[1, 2]), ("a", 2, &[3, 4])]);
        let history = History::parse(timeline(2), "1\t0/300040\tpromoted\n").expect("valid");
        held.histories.insert(timeline(2), history);
        let proofs = prove(&held, &names(&["a"]), None, size());
        assert_eq!(
            told(&proofs[0]),
            [(State::Found, 1, 2)],
            "the last was left unfinished"
        );
        assert_eq!(told(&proofs[1]), [(State::Found, 3, 4)]);
        assert_eq!(proofs[1].from, Some((timeline(1), Lsn(0x30_0040))));
        // the last whole segment before the switch must be there
        let mut short = held.clone();
        let device = short.segments.get_mut(&timeline(1)).expect("there");
        device.get_mut("a").expect("there").remove(&2);
        let proofs = prove(&short, &names(&["a"]), None, size());
        assert_eq!(
            told(&proofs[0]),
            [(State::Found, 1, 1), (State::Lost, 2, 2)]
        );
    }

    #[test]
    fn nothing_is_found_without_a_required_device() {
        let held = held(&[("a", 1, &[1])]);
        let proof = &prove(&held, &names(&[]), None, size())[0];
        assert_eq!(told(proof), [(State::Late, 1, 1)]);
        assert!(prove(&Held::default(), &names(&["a"]), None, size()).is_empty());
    }
}
