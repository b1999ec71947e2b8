//! Owns "did you mean": the known word that is nearest to an unknown one.
//! Must not know what the words are for; every stage brings its own candidates.

/// Longer words are not compared, so that the cost of one look-up stays bounded.
const LONGEST: usize = 64;

/// The candidate that most likely was meant by `word`, if one is near enough.
///
/// Near means: one slip (a letter left out, added, changed, or two swapped) for each three
/// letters, at least one. Difference in case alone always counts as near. Of equally near
/// candidates the first one wins, so the order of candidates decides.
///
/// ```
/// assert_eq!(planc::similar::nearest("stroe", ["retain", "store"]), Some("store"));
/// assert_eq!(planc::similar::nearest("banana", ["retain", "store"]), None);
/// ```
pub fn nearest<'a, I>(word: &str, candidates: I) -> Option<&'a str>
where
    I: IntoIterator<Item = &'a str>,
{
    let word = letters(word)?;
    let mut best: Option<(usize, &'a str)> = None;
    for candidate in candidates {
        let Some(other) = letters(candidate) else {
            continue;
        };
        let limit = (word.len().max(other.len()) / 3).max(1);
        let limit = best.map_or(limit, |(found, _)| limit.min(found.saturating_sub(1)));
        if word.len().abs_diff(other.len()) > limit {
            continue;
        }
        let distance = distance(&word, &other);
        if distance <= limit && best.is_none_or(|(found, _)| distance < found) {
            best = Some((distance, candidate));
        }
    }
    best.map(|(_, candidate)| candidate)
}

/// `a`, `b` and so on in backquotes, at most `most` of them, and how many are left out.
///
/// ```
/// assert_eq!(planc::similar::list(["a", "b", "c"], 2), "`a`, `b` and 1 more");
/// ```
pub fn list<'a>(words: impl IntoIterator<Item = &'a str>, most: usize) -> String {
    let mut words = words.into_iter();
    let shown: Vec<String> = words
        .by_ref()
        .take(most)
        .map(|word| format!("`{word}`"))
        .collect();
    match words.count() {
        0 => shown.join(", "),
        rest => format!("{} and {rest} more", shown.join(", ")),
    }
}

fn letters(word: &str) -> Option<Vec<char>> {
    let letters: Vec<char> = word.chars().take(LONGEST + 1).collect();
    let lower = || letters.iter().flat_map(|c| c.to_lowercase()).collect();
    (!letters.is_empty() && letters.len() <= LONGEST).then(lower)
}

/// Edits between two words, a swap of neighbours counted as one.
fn distance(a: &[char], b: &[char]) -> usize {
    let mut before: Vec<usize> = Vec::new();
    let mut last: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.iter().enumerate() {
        let mut row = vec![i + 1];
        for (j, y) in b.iter().enumerate() {
            let change = last[j] + usize::from(x != y);
            let mut cost = change.min(last[j + 1] + 1).min(row[j] + 1);
            if i > 0 && j > 0 && *x == b[j - 1] && a[i - 1] == *y {
                cost = cost.min(before[j - 1] + 1);
            }
            row.push(cost);
        }
        before = std::mem::replace(&mut last, row);
    }
    last[b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_slip_is_found_and_other_words_are_not() {
        let words = [
            "store",
            "copy",
            "retain",
            "encrypt",
            "compress",
            "incremental",
        ];
        for (slip, meant) in [
            ("stroe", Some("store")),
            ("STORE", Some("store")),
            ("stor", Some("store")),
            ("coppy", Some("copy")),
            ("incremetnal", Some("incremental")),
            ("compression", Some("compress")),
            ("x", None),
            ("", None),
            ("banana", None),
        ] {
            assert_eq!(nearest(slip, words), meant, "{slip}");
        }
    }

    #[test]
    fn the_nearer_candidate_wins_and_then_the_first() {
        assert_eq!(nearest("nigth", ["fight", "night"]), Some("night"));
        assert_eq!(nearest("cat", ["bat", "hat"]), Some("bat"));
    }

    #[test]
    fn hostile_words_cost_little() {
        let long = "x".repeat(1 << 20);
        assert_eq!(nearest(&long, ["x", "y"]), None);
        assert_eq!(nearest("größe", ["grösse", "größer"]), Some("größer"));
    }
}
