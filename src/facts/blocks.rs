//! Owns lists of blocks of a relation as people write them: `7,9-12`. Pure.

use std::fmt::Write;
use std::ops::RangeInclusive;

/// Reads a list; none when it is no such list.
#[must_use]
pub fn parse(text: &str) -> Option<Vec<RangeInclusive<u32>>> {
    text.split(',').map(range).collect()
}

fn range(piece: &str) -> Option<RangeInclusive<u32>> {
    let (from, to) = piece.split_once('-').unwrap_or((piece, piece));
    let (from, to) = (from.trim().parse().ok()?, to.trim().parse().ok()?);
    (from <= to).then_some(from..=to)
}

/// Writes blocks that are in order, each once.
#[must_use]
pub fn print(blocks: &[u32]) -> String {
    let mut text = String::new();
    for run in blocks.chunk_by(|one, next| one.checked_add(1) == Some(*next)) {
        if !text.is_empty() {
            text.push(',');
        }
        // writing to a String cannot fail
        let _ = match run {
            [first, .., last] => write!(text, "{first}-{last}"),
            _ => write!(text, "{}", run[0]),
        };
    }
    text
}

/// How many blocks a list names.
#[must_use]
pub fn count(text: &str) -> u64 {
    let ranges = parse(text).unwrap_or_default();
    let length = |range: &RangeInclusive<u32>| u64::from(range.end() - range.start()) + 1;
    ranges.iter().map(length).sum()
}

/// Whether two lists have a block in common. One that cannot be read may name any.
#[must_use]
pub fn meet(one: &str, other: &str) -> bool {
    let (Some(one), Some(other)) = (parse(one), parse(other)) else {
        return true;
    };
    let overlap = |a: &RangeInclusive<u32>, b: &RangeInclusive<u32>| {
        a.start() <= b.end() && b.start() <= a.end()
    };
    one.iter().any(|a| other.iter().any(|b| overlap(a, b)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_are_written_as_they_are_read() {
        let text = print(&[7, 9, 10, 12, u32::MAX - 1, u32::MAX]);
        assert_eq!(text, "7,9-10,12,4294967294-4294967295");
        let read = parse(&text).expect("a list");
        let read: Vec<u32> = read.into_iter().flatten().collect();
        assert_eq!(read, [7, 9, 10, 12, u32::MAX - 1, u32::MAX]);
        assert_eq!(count(&text), 6);
        for wrong in ["", "x", "9-7", "-1", "1,", "4294967296"] {
            assert_eq!(parse(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn lists_meet_where_they_share_a_block() {
        assert!(meet("7,9-12", "1,12-13"));
        assert!(!meet("7,9-12", "8,13"));
        assert!(meet("7", "?"), "in doubt they do");
    }
}
