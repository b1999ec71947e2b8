//! Owns the difference of two texts line by line, as `planc fmt --diff` prints it.
//! Made for texts that are nearly equal: after a difference it looks for the nearest place where
//! both go on alike.

use std::fmt::Write as _;

/// How far ahead both texts are searched for a common line.
const REACH: usize = 64;

/// Lines that go, marked `-`, and lines that come, marked `+`, under their line numbers.
pub(crate) fn lines(path: &str, old: &str, new: &str) -> String {
    texts(path, "formatted", old, new)
}

/// As [`lines`]; `how` says what the new text is.
pub(crate) fn texts(path: &str, how: &str, old: &str, new: &str) -> String {
    let (old, new): (Vec<&str>, Vec<&str>) = (old.lines().collect(), new.lines().collect());
    let mut out = format!("--- {path}\n+++ {path} {how}\n");
    let (mut a, mut b) = (0, 0);
    while a < old.len() || b < new.len() {
        if a < old.len() && old.get(a) == new.get(b) {
            (a, b) = (a + 1, b + 1);
            continue;
        }
        let (gone, come) = next_common(&old[a..], &new[b..]);
        // writing to a string cannot fail
        let _ = writeln!(out, "@@ line {} @@", a + 1);
        for line in &old[a..a + gone] {
            let _ = writeln!(out, "-{line}");
        }
        for line in &new[b..b + come] {
            let _ = writeln!(out, "+{line}");
        }
        (a, b) = (a + gone, b + come);
    }
    out
}

/// How many lines to leave behind on both sides to meet again.
fn next_common(old: &[&str], new: &[&str]) -> (usize, usize) {
    for distance in 1..=REACH {
        for gone in 0..=distance {
            let come = distance - gone;
            if let (Some(a), Some(b)) = (old.get(gone), new.get(come))
                && a == b
                && !a.trim().is_empty()
            {
                return (gone, come);
            }
        }
    }
    (old.len(), new.len())
}

#[cfg(test)]
mod tests {
    #[test]
    fn only_changed_lines_are_shown() {
        let diff = super::lines("a", "one\n  two\nthree\n", "one\ntwo\nthree\n");
        assert_eq!(diff, "--- a\n+++ a formatted\n@@ line 2 @@\n-  two\n+two\n");
    }
}
