//! Owns one clause as it holds: its text with variables replaced, and what gave it.

use super::{From, Origin, Param, Sources, Value};
use crate::resolve::plan;
use crate::source::Span;
use crate::syntax::words::WORDS;

/// A clause of a block; `of` says by which `apply` and for what the block was expanded.
pub(super) fn value(sources: &Sources<'_>, clause: Span, of: &plan::Origin) -> Value {
    let params = params(sources, clause, of);
    let text = plain(&replaced(sources, clause, of));
    let key = keyword(&text);
    let value = text.get(key.len()..).unwrap_or_default().trim_start();
    Value {
        key: key.to_owned(),
        value: value.to_owned(),
        origin: Origin {
            from: from(clause, of),
            place: Some(place(sources, clause)),
            params,
        },
    }
}

/// File and line of a span.
pub(super) fn place(sources: &Sources<'_>, span: Span) -> (String, usize) {
    let file = sources.texts.file(span.file);
    (file.path().to_owned(), sources.texts.place(span).line)
}

fn from(clause: Span, of: &plan::Origin) -> From {
    let inside = |outer: Span| {
        outer.file == clause.file && outer.start <= clause.start && clause.end <= outer.end
    };
    match &of.policy {
        None => From::Line,
        Some(_) if of.applied.is_some_and(inside) => From::Override,
        Some(policy) => From::Policy(policy.clone()),
    }
}

fn params(sources: &Sources<'_>, clause: Span, of: &plan::Origin) -> Vec<Param> {
    let uses = uses(sources, clause, of);
    uses.map(|(_, one)| Param {
        name: one.name.clone(),
        given: one.given,
        place: place(sources, one.value),
    })
    .collect()
}

/// The uses of parameters inside a clause, in order.
fn uses<'a>(
    sources: &Sources<'a>,
    clause: Span,
    of: &plan::Origin,
) -> impl Iterator<Item = (Span, &'a plan::ParamUse)> {
    let end = Span {
        start: clause.end,
        ..clause
    };
    let begin = Span {
        end: clause.start,
        ..clause
    };
    let applied = of.applied;
    let inside = sources.plan.uses.range((begin, None)..(end, None));
    inside.filter_map(move |((span, by), one)| (*by == applied).then_some((*span, one)))
}

/// The clause's text with the values of parameters in place of their names, and the name of what
/// it was expanded for in place of the loop's variable.
fn replaced(sources: &Sources<'_>, clause: Span, of: &plan::Origin) -> String {
    let mut text = String::new();
    let mut at = clause.start;
    for (span, one) in uses(sources, clause, of) {
        let before = Span {
            start: at,
            end: span.start,
            ..clause
        };
        text.push_str(&looped(sources.texts.text(before), of));
        text.push_str(sources.texts.text(one.value));
        at = span.end;
    }
    let rest = Span {
        start: at,
        ..clause
    };
    text.push_str(&looped(sources.texts.text(rest), of));
    text
}

/// Replaces the variable of the policy or loop; incident input keeps its name.
fn looped(text: &str, of: &plan::Origin) -> String {
    let (Some(instance), Some(var)) = (&of.instance, &of.var) else {
        return text.to_owned();
    };
    let mut out = String::with_capacity(text.len());
    let mut pieces = text.split('$');
    out.push_str(pieces.next().unwrap_or_default());
    for piece in pieces {
        let end = piece
            .find(|c: char| !c.is_ascii_alphanumeric() && c != '_' && c != '-')
            .unwrap_or(piece.len());
        match piece.split_at(end) {
            (name, rest) if name == var => {
                out.push_str(instance);
                out.push_str(rest);
            }
            _ => {
                out.push('$');
                out.push_str(piece);
            }
        }
    }
    out
}

/// One line without comments; what stands in quotes stays as it is.
pub(super) fn plain(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        let length = match first {
            '"' => quoted(rest),
            '#' => rest.find('\n').unwrap_or(rest.len()),
            _ => first.len_utf8(),
        };
        let (piece, after) = rest.split_at(length);
        match first {
            '#' => {}
            _ if first.is_whitespace() => {
                if !out.ends_with(' ') && !out.is_empty() {
                    out.push(' ');
                }
            }
            _ => out.push_str(piece),
        }
        rest = after;
    }
    out.trim_end().to_owned()
}

/// Bytes of the text in quotes that begins here.
fn quoted(text: &str) -> usize {
    if let Some(inner) = text.strip_prefix("\"\"\"") {
        return inner.find("\"\"\"").map_or(text.len(), |at| at + 6);
    }
    let mut escaped = false;
    for (at, letter) in text.char_indices().skip(1) {
        match letter {
            '\\' if !escaped => escaped = true,
            '"' if !escaped => return at + 1,
            _ => escaped = false,
        }
    }
    text.len()
}

/// The words that begin a clause: the longest that the table of words has.
fn keyword(text: &str) -> &str {
    let fits = |word: &&str| {
        let rest = text.strip_prefix(*word);
        rest.is_some_and(|rest| rest.is_empty() || rest.starts_with(' '))
    };
    let words = WORDS.iter().map(|page| page.word).filter(fits);
    let first = text.find(' ').unwrap_or(text.len());
    let length = words.map(str::len).max().unwrap_or(first);
    text.get(..length).unwrap_or(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clauses_become_one_line_and_quotes_stay() {
        let text = "probe a \"x # y\\\" $z\"  # why\n  is  true";
        assert_eq!(plain(text), "probe a \"x # y\\\" $z\" is true");
        assert_eq!(plain("site a,\n  # one\n  b"), "site a, b");
        assert_eq!(quoted("\"\"\"a\"b\"\"\" c"), 9);
    }

    #[test]
    fn only_the_variable_of_the_loop_is_replaced() {
        let of = plan::Origin {
            instance: Some("pay".into()),
            var: Some("it".into()),
            ..plan::Origin::default()
        };
        assert_eq!(
            looped("of $it, $item to $bad", &of),
            "of pay, $item to $bad"
        );
    }

    #[test]
    fn the_longest_word_is_the_key() {
        assert_eq!(keyword("recovery window 35d"), "recovery window");
        assert_eq!(keyword("retain daily 7"), "retain");
        assert_eq!(keyword("unknown thing"), "unknown");
    }
}
