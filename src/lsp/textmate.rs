//! The TextMate grammar of plans, made from the table of words: colours for editors and sites
//! that do not ask the server. Must know no word that is not in the table.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use crate::syntax::words::{RESERVED, WORDS};

/// A word does not end before these.
const END: &str = r"(?![A-Za-z0-9_-])";
/// A word does not begin behind these.
const BEGIN: &str = r"(?<![A-Za-z0-9_$.-])";

/// Units of time and size; with a period behind them sizes are rates.
const UNITS: [&str; 16] = [
    "PiB", "TiB", "GiB", "MiB", "KiB", "Mbit", "Gbit", "min", "mo", "ms", "B", "s", "h", "d", "w",
    "y",
];

/// The grammar as JSON text with a line break at its end.
#[must_use]
pub fn grammar() -> String {
    let document = json!({
        "information_for_contributors": ["made by `planc lsp --textmate`; do not edit"],
        "name": "planc",
        "scopeName": "source.planc",
        "fileTypes": ["plan"],
        "patterns": [
            {"name": "comment.line.number-sign.planc", "match": "#.*$"},
            text("\"\"\"", "string.quoted.triple.planc"),
            text("\"", "string.quoted.double.planc"),
            {"name": "variable.parameter.planc", "match": r"\$[A-Za-z_][A-Za-z0-9_-]*"},
            {"name": "constant.numeric.planc", "match": number()},
            {"name": "constant.language.code.planc", "match": format!(r"{BEGIN}P[0-9]{{4}}{END}")},
            // before names: the second word of a pair is none
            {"name": "keyword.control.planc", "match": heads(|word| word.contains(' '))},
            {
                "match": declaration(),
                "captures": {
                    "1": {"name": "keyword.control.planc"},
                    "2": {"name": "entity.name.type.planc"},
                },
            },
            {"name": "keyword.control.planc", "match": heads(|_| true)},
            {"name": "keyword.other.planc", "match": inner()},
            {"name": "keyword.operator.planc", "match": "<=|>=|=|<|>|\\.\\."},
            {"name": "punctuation.section.block.planc", "match": "[{}]"},
            {"name": "punctuation.separator.planc", "match": ","},
        ],
    });
    format!("{document:#}\n")
}

fn text(quote: &str, name: &str) -> Value {
    let escape = json!({"name": "constant.character.escape.planc", "match": r"\\."});
    // an open quote colours its own line only: it is being typed
    let end = if quote.len() == 1 { r#""|$"# } else { quote };
    json!({"name": name, "begin": quote, "end": end, "patterns": [escape]})
}

/// Times of day, dates, and numbers with their units.
fn number() -> String {
    let clock = r"[0-9]{1,2}:[0-9]{2}(?:\.\.(?:[a-z]{3}\s)?(?:[0-9]{1,2}:[0-9]{2})?)?";
    let date = r"[0-9]{4}-[0-9]{2}-[0-9]{2}(?:T[0-9:.]+(?:Z|[+-][0-9:]+)?)?";
    let units = UNITS.join("|");
    let amount = format!(
        r"[0-9]+(?:\.[0-9]+)?(?:st|nd|rd|th|\s?(?:{units})(?:/(?:s|h|day|d))?|%(?:/day)?)?"
    );
    format!(r"{BEGIN}(?:{date}|{clock}|{amount}){END}")
}

/// Words of the table that begin a clause, and then only at the beginning of one.
fn heads(wanted: fn(&str) -> bool) -> String {
    let heads = WORDS.iter().filter(|page| !page.blocks.is_empty());
    let heads = heads.map(|page| page.word).filter(|word| wanted(word));
    let heads: BTreeSet<&str> = heads.collect();
    format!(r"(?:^|(?<=\{{))\s*(?:{}){END}", alternatives(heads))
}

/// A word of the table that is followed by a name of the user's, which the form says by NAME.
fn declaration() -> String {
    let named = WORDS.iter().filter(|page| {
        let form = page.form.strip_prefix(page.word);
        form.is_some_and(|rest| rest.trim_start().starts_with("NAME"))
    });
    let words: BTreeSet<&str> = named.map(|page| page.word).collect();
    let words = alternatives(words);
    format!(r"^\s*({words})\s+([A-Za-z_][A-Za-z0-9_-]*){END}")
}

/// Every other word, also those of pairs.
fn inner() -> String {
    let words = WORDS.iter().flat_map(|page| page.word.split(' '));
    let forms = WORDS
        .iter()
        .flat_map(|page| page.form.split(|c: char| !c.is_ascii_lowercase()));
    let all = words.chain(forms).chain(RESERVED.iter().copied());
    let all: BTreeSet<&str> = all.filter(|word| word.len() > 1).collect();
    format!("{BEGIN}(?:{}){END}", alternatives(all))
}

/// Longer ones first, so that `store on` is not taken for `store`.
fn alternatives(words: BTreeSet<&str>) -> String {
    let mut words: Vec<&str> = words.into_iter().collect();
    words.sort_by_key(|word| (std::cmp::Reverse(word.len()), *word));
    let spaced = words.iter().map(|word| word.replace(' ', r"\s+"));
    spaced.collect::<Vec<_>>().join("|")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::quantity;

    #[test]
    fn the_units_are_those_of_the_language() {
        for unit in UNITS {
            let rate = unit.ends_with("bit");
            let unit = if rate {
                format!("{unit}/s")
            } else {
                unit.to_owned()
            };
            assert!(quantity::parse("1", &unit).is_ok(), "{unit}");
        }
    }

    #[test]
    fn every_word_of_the_table_is_there() {
        let (heads, inner) = (heads(|_| true), inner());
        for page in WORDS {
            let pattern = page.word.replace(' ', r"\s+");
            let found = if page.blocks.is_empty() {
                page.word.split(' ').all(|word| inner.contains(word))
            } else {
                heads.contains(&pattern)
            };
            assert!(found, "{}", page.word);
        }
    }
}
