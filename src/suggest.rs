//! Owns "did you mean": the known word that lies nearest to a mistyped one.
//! Must not know what the words are for.

/// The nearest of `known`, when one is near enough to be what was meant. Ties go to the first.
#[must_use]
pub fn nearest<'a>(word: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let word: Vec<char> = word.chars().flat_map(char::to_lowercase).collect();
    let mut best: Option<(usize, &str)> = None;
    for candidate in known {
        let limit = best.map_or(allowance(word.len()), |(distance, _)| distance - 1);
        if candidate.len().abs_diff(word.len()) > limit + 3 {
            continue;
        }
        let other: Vec<char> = candidate.chars().flat_map(char::to_lowercase).collect();
        if let Some(distance) = distance(&word, &other, limit) {
            best = Some((distance, candidate));
            if distance == 0 {
                break;
            }
        }
    }
    best.map(|(_, candidate)| candidate)
}

/// How many slips a word of this length may hold.
fn allowance(length: usize) -> usize {
    match length {
        0..=2 => 1,
        3..=5 => 2,
        _ => length / 3,
    }
}

/// Insertions, deletions, replacements and swaps of neighbours that turn `a` into `b`; none
/// when these are more than `limit`, or so many that the words have nothing in common.
fn distance(a: &[char], b: &[char], limit: usize) -> Option<usize> {
    let longest = a.len().max(b.len());
    if a.len().abs_diff(b.len()) > limit {
        return None;
    }
    let mut before: Vec<usize> = Vec::new();
    let mut above: Vec<usize> = (0..=b.len()).collect();
    for (i, left) in a.iter().enumerate() {
        let mut row = vec![i + 1];
        for (j, right) in b.iter().enumerate() {
            let replaced = above[j] + usize::from(left != right);
            let mut least = replaced.min(above[j + 1] + 1).min(row[j] + 1);
            if i > 0 && j > 0 && *left == b[j - 1] && a[i - 1] == *right {
                least = least.min(before[j - 1] + 1);
            }
            row.push(least);
        }
        before = std::mem::replace(&mut above, row);
    }
    let distance = above[b.len()];
    (distance <= limit && distance < longest).then_some(distance)
}

/// `a, b, c` in backquotes, at most `most` of them, then how many are left out.
#[must_use]
pub fn list<'a>(words: impl IntoIterator<Item = &'a str>, most: usize) -> String {
    let words: Vec<&str> = words.into_iter().collect();
    let shown: Vec<String> = words
        .iter()
        .take(most)
        .map(|word| format!("`{word}`"))
        .collect();
    let rest = words.len().saturating_sub(most);
    let more = if rest > 0 {
        format!(" and {rest} more")
    } else {
        String::new()
    };
    format!("{}{more}", shown.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slip_is_found_and_another_word_is_not() {
        let known = ["nvme", "bucket", "tapes", "path"];
        assert_eq!(nearest("nvm", known), Some("nvme"));
        assert_eq!(nearest("pth", known), Some("path"));
        assert_eq!(nearest("tpaes", known), Some("tapes"));
        assert_eq!(nearest("BUCKET", known), Some("bucket"));
        assert_eq!(nearest("archive", known), None);
        assert_eq!(nearest("", known), None);
    }

    #[test]
    fn lists_are_cut() {
        assert_eq!(list(["a", "b", "c"], 2), "`a`, `b` and 1 more");
        assert_eq!(list(["a"], 2), "`a`");
    }
}
