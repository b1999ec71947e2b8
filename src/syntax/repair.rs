//! Owns a text with small repairs, and the way back from places in it to the original.
//! Must not decide what is repaired; `structure` does.

use std::ops::Range;

/// One replacement in the original text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Patch {
    /// What is replaced; empty to insert.
    pub(super) range: Range<usize>,
    /// By what.
    pub(super) text: String,
}

/// A repaired text.
#[derive(Debug, Default)]
pub(super) struct Repaired {
    /// What the parser reads.
    pub(super) text: String,
    /// Pairs of a place in `text` and the same place in the original, at each change, sorted.
    anchors: Vec<(usize, usize)>,
    /// Parts of the original that a finding already explains: sorted, apart from each other.
    explained: Vec<Range<usize>>,
}

impl Repaired {
    /// Applies patches. Of patches that overlap the first one wins.
    pub(super) fn new(text: &str, mut patches: Vec<Patch>, explained: Vec<Range<usize>>) -> Self {
        patches.sort_by_key(|patch| (patch.range.start, patch.range.end));
        let mut repaired = Self {
            text: String::with_capacity(text.len() + patches.len()),
            anchors: vec![(0, 0)],
            explained: merge(explained),
        };
        let mut done = 0;
        for patch in patches {
            let Some(kept) = text.get(done..patch.range.start) else {
                continue;
            };
            repaired.text.push_str(kept);
            let at = repaired.text.len();
            repaired.anchors.push((at, patch.range.start));
            repaired.text.push_str(&patch.text);
            let at = repaired.text.len();
            repaired.anchors.push((at, patch.range.end));
            done = patch.range.end;
        }
        repaired.text.push_str(text.get(done..).unwrap_or_default());
        repaired
    }

    /// The place in the original of a place in the repaired text. Places inside a replacement
    /// come out at its edges.
    pub(super) fn original(&self, at: usize) -> usize {
        let next = self.anchors.partition_point(|(place, _)| *place <= at);
        let Some((place, original)) = self.anchors.get(next.saturating_sub(1)) else {
            return at;
        };
        let shifted = original + (at - place);
        match self.anchors.get(next) {
            Some((_, limit)) => shifted.min(*limit),
            None => shifted,
        }
    }

    /// True when a finding already explains some of this part of the original.
    pub(super) fn is_explained(&self, range: &Range<usize>) -> bool {
        let at = self
            .explained
            .partition_point(|known| known.end <= range.start);
        self.explained
            .get(at)
            .is_some_and(|known| known.start < range.end)
    }
}

fn merge(mut ranges: Vec<Range<usize>>) -> Vec<Range<usize>> {
    ranges.sort_by_key(|range| range.start);
    let mut merged: Vec<Range<usize>> = Vec::with_capacity(ranges.len());
    for range in ranges {
        match merged.last_mut() {
            Some(last) if range.start <= last.end => last.end = last.end.max(range.end),
            _ => merged.push(range),
        }
    }
    merged
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_find_their_way_back() {
        let patch = |range, text: &str| Patch {
            range,
            text: text.into(),
        };
        let patches = vec![patch(3..3, " {"), patch(5..7, "o")];
        let repaired = Repaired::new("abc\ndёe", patches, Vec::new());
        assert_eq!(repaired.text, "abc {\ndoe");
        for (at, original) in [(0, 0), (2, 2), (5, 3), (6, 4), (7, 5), (8, 7), (9, 8)] {
            assert_eq!(repaired.original(at), original, "{at}");
        }
    }
}
