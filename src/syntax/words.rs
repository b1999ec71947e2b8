//! Owns the words of the language: form, meaning, example, and the blocks each belongs to.
//! Must not parse. It feeds "unknown word" and "wrong block" findings and `planc explain WORD`.

pub use super::vocabulary::WORDS;

/// One word (or pair of words) of the language.
#[derive(Debug)]
pub struct WordPage {
    /// The word as it begins its clause, or as it stands inside one.
    pub word: &'static str,
    /// The form: capitals stand for what the user writes, brackets for what may be left out.
    pub form: &'static str,
    /// One line: what it means.
    pub doc: &'static str,
    /// One line of a plan.
    pub example: &'static str,
    /// The blocks whose clauses it begins, `file` for the top of a file; none for words that
    /// only stand inside clauses.
    pub blocks: &'static [&'static str],
    /// True when a block holds it at most once.
    pub single: bool,
}

impl WordPage {
    /// The first of its words.
    #[must_use]
    pub fn first(&self) -> &'static str {
        self.word.split(' ').next().unwrap_or(self.word)
    }
}

/// Older spellings that are still read, each with the word that has taken its place. The grammar's
/// rule `older` has the same list.
pub const OLDER: &[(&str, &str)] = &[("keep", "retain")];

/// The word that stands for an older spelling now; any other word as it is.
#[must_use]
pub fn today(word: &str) -> &str {
    let found = OLDER.iter().find(|(older, _)| *older == word);
    found.map_or(word, |(_, today)| today)
}

/// The page of a word, looked up as `planc explain` gives it: whole, or by its first word.
#[must_use]
pub fn page(word: &str) -> Option<&'static WordPage> {
    let word = today(word);
    let whole = WORDS.iter().find(|page| page.word == word);
    whole.or_else(|| WORDS.iter().find(|page| page.first() == word))
}

/// The pages of the clauses of a block, in the order of the table.
pub fn of_block(block: &str) -> impl Iterator<Item = &'static WordPage> {
    WORDS
        .iter()
        .filter(move |page| page.blocks.contains(&block))
}

/// The page of the clause of `block` that begins with `first`; the longest that fits `line`.
#[must_use]
pub fn clause(block: &str, line: &str) -> Option<&'static WordPage> {
    let first = today(line.split([' ', '\t']).next().unwrap_or(line));
    let fits = |page: &&WordPage| page.first() == first;
    let whole = of_block(block)
        .filter(fits)
        .find(|page| starts_with(line, page.word));
    whole.or_else(|| of_block(block).find(fits))
}

fn starts_with(line: &str, words: &str) -> bool {
    let mut have = line.split([' ', '\t']).filter(|word| !word.is_empty());
    words
        .split(' ')
        .all(|word| have.next().map(today) == Some(word))
}

/// True when a statement at the top of a file begins with this word.
pub(super) fn begins_statement(word: &str) -> bool {
    of_block("file").any(|page| page.first() == word)
}

/// Words that cannot be names. The grammar's rule `reserved` has the same list.
pub const RESERVED: &[&str] = &[
    "allow",
    "apply",
    "archive",
    "backup",
    "base",
    "database",
    "device",
    "drill",
    "each",
    "environment",
    "every",
    "except",
    "for",
    "from",
    "full",
    "group",
    "import",
    "incremental",
    "is",
    "key",
    "log",
    "logical",
    "matching",
    "objectives",
    "of",
    "on",
    "param",
    "physical",
    "plan",
    "policy",
    "recovery",
    "service",
    "site",
    "switchover",
    "table",
    "tables",
    "tablespace",
    "to",
    "when",
    "where",
    "window",
    "with",
    "within",
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clauses_are_found_by_their_longest_words() {
        let word = |block, line| clause(block, line).map(|page| page.word);
        assert_eq!(
            word("objectives", "recovery window 5d"),
            Some("recovery window")
        );
        assert_eq!(word("file", "recovery window {"), Some("recovery"));
        assert_eq!(word("backup", "store x"), Some("store on"));
        assert_eq!(word("backup", "ship every 5min"), None);
    }

    #[test]
    fn every_page_is_whole() {
        for page in WORDS {
            assert!(page.doc.ends_with('.'), "{}", page.word);
            let example = page.example.contains(page.first());
            assert!(example, "the example of {} does not use it", page.word);
            assert!(!page.form.is_empty(), "{}", page.word);
        }
    }
}
