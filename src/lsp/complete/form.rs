//! Reads off the form of a clause what may follow what is written of it.
//! In a form, capitals stand for what the user writes and small words for themselves.

use super::offer::Offers;
use crate::syntax::words;

/// Words after which it is clear what follows, in whatever clause they stand.
const KINDS: &[&str] = &["service", "tablespace", "database", "group", "table"];

/// Adds what may follow the words of a statement.
pub(super) fn next(block: &str, typed: &[String], offers: &mut Offers<'_>) {
    let last = typed.last().map_or("", String::as_str);
    let before = typed
        .len()
        .checked_sub(2)
        .map_or("", |at| typed[at].as_str());
    match (before, last) {
        (_, "during") => return offers.placeholder("WINDOW"),
        (_, "every") => return offers.days(),
        (_, "loss") => return offers.words(&["of"]),
        ("loss", "of") => return offers.words(&["disk", "host", "site", "device"]),
        (_, kind) if typed.len() > 1 && KINDS.contains(&kind) => return offers.of_kind(kind),
        _ => {}
    }
    let line = typed.join(" ");
    let page = words::clause(block, &line).or_else(|| words::page(&typed[0]));
    let Some(page) = page else { return };
    let form = Form::read(page.form);
    for part in form.after(typed) {
        if is_placeholder(part) {
            offers.placeholder_of(page.first(), part);
        } else {
            offers.words(&[part]);
        }
    }
}

/// The words of a form, in order, without what joins them.
struct Form<'f> {
    parts: Vec<&'f str>,
}

impl<'f> Form<'f> {
    fn read(form: &'f str) -> Self {
        let joins = |c: char| c.is_whitespace() || "[]|,…{}".contains(c);
        let parts = form.split(joins).filter(|part| !part.is_empty());
        // quotes and comparisons are not offered; what stands in them is the user's
        let parts = parts.filter(|part| part.starts_with(char::is_alphabetic) || *part == "$VAR");
        Self {
            parts: parts.collect(),
        }
    }

    /// What may follow: after a comma once more what stood before it; after a small word what
    /// stands behind it; after a word of the user the small words behind its placeholder.
    fn after(&self, typed: &[String]) -> Vec<&'f str> {
        let mut at = None;
        let mut since = 0;
        for (index, word) in typed.iter().enumerate() {
            let from = at.map_or(0, |at: usize| at + 1);
            let found = self.parts[from..].iter().position(|part| part == word);
            if let Some(found) = found {
                at = Some(from + found);
                since = index;
            }
        }
        let Some(at) = at else { return Vec::new() };
        let rest = &self.parts[at + 1..];
        let comma = typed.last().is_some_and(|word| word == ",");
        let own = typed.len() - 1 > since;
        let first = rest.iter().position(|part| is_placeholder(part));
        match first {
            Some(first) if own && !comma => until_placeholder(&rest[first + 1..], false),
            _ => until_placeholder(rest, true),
        }
    }
}

/// The small words up to a placeholder, with it or without.
fn until_placeholder<'f>(parts: &[&'f str], with: bool) -> Vec<&'f str> {
    let end = parts.iter().position(|part| is_placeholder(part));
    let end = end.map_or(parts.len(), |end| if with { end + 1 } else { end });
    parts[..end].to_vec()
}

fn is_placeholder(part: &str) -> bool {
    part.chars().all(|c| c.is_ascii_uppercase() || c == '$') && part.len() > 1
}

#[cfg(test)]
mod tests {
    use super::*;

    fn after(form: &str, typed: &str) -> Vec<String> {
        let typed: Vec<String> = typed.split(' ').map(str::to_owned).collect();
        let form = Form::read(form);
        form.after(&typed).into_iter().map(str::to_owned).collect()
    }

    #[test]
    fn forms_say_what_follows() {
        let copy = "copy [full|incremental|log] to DEVICE, … [within DURATION]";
        assert_eq!(
            after(copy, "copy"),
            ["full", "incremental", "log", "to", "DEVICE"]
        );
        assert_eq!(after(copy, "copy to"), ["DEVICE"]);
        assert_eq!(after(copy, "copy to near ,"), ["DEVICE"]);
        assert_eq!(after(copy, "copy to near"), ["within"]);
        let device = "device NAME [is KIND] [at SITE] [{ … }]";
        assert_eq!(after(device, "device nvme"), ["is"]);
        assert_eq!(after(device, "device nvme is"), ["KIND"]);
        assert_eq!(after(device, "device nvme is s3"), ["at"]);
        assert!(after(device, "nonsense").is_empty());
    }
}
