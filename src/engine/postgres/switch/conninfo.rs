//! Owns the words with which a standby says how it reaches its primary (`host=fra port=5432 …`):
//! the same words with another place. Pure.

use std::fmt::Write as _;

use crate::engine::postgres::FormatError;
use crate::engine::postgres::connect::Connect;

/// The words with the place of another server, as the inventory says it.
pub(super) fn redirected(own: &str, to: &Connect) -> Result<String, FormatError> {
    let field = |name: &str| to.get(name).map(String::as_str);
    let host = field("socket").or_else(|| field("host"));
    let place = [
        ("host", host.unwrap_or("/var/run/postgresql")),
        ("port", field("port").unwrap_or("5432")),
    ];
    let place = place.map(|(name, value)| (name.to_owned(), value.to_owned()));
    let mut words = parse(own)?;
    words.retain(|(name, _)| !["host", "hostaddr", "port"].contains(&name.as_str()));
    words.extend(place);
    let mut out = String::new();
    for (name, value) in words {
        let value = value.replace('\\', "\\\\").replace('\'', "\\'");
        let gap = if out.is_empty() { "" } else { " " };
        // writing to a string cannot fail
        let _ = write!(out, "{gap}{name}='{value}'");
    }
    Ok(out)
}

/// `name = value`, `name='a value'`; a backslash takes the next letter as it is.
fn parse(text: &str) -> Result<Vec<(String, String)>, FormatError> {
    let wrong = || FormatError::text("a connection in words, as host=fra port=5432", text);
    let mut words = Vec::new();
    let mut rest = text.trim_start();
    while !rest.is_empty() {
        let (name, after) = rest.split_once('=').ok_or_else(wrong)?;
        let name = name.trim_end();
        if name.is_empty() || name.contains(|c: char| !c.is_ascii_alphanumeric() && c != '_') {
            return Err(wrong());
        }
        let (value, after) = value(after.trim_start()).ok_or_else(wrong)?;
        words.push((name.to_owned(), value));
        rest = after.trim_start();
    }
    Ok(words)
}

/// One value and what follows it; none when its quote does not end.
fn value(text: &str) -> Option<(String, &str)> {
    let quoted = text.strip_prefix('\'');
    let mut value = String::new();
    let mut letters = quoted.unwrap_or(text).char_indices();
    while let Some((at, letter)) = letters.next() {
        let end = match quoted {
            Some(_) => letter == '\'',
            None => letter.is_whitespace(),
        };
        if end {
            let rest = quoted.unwrap_or(text).get(at + letter.len_utf8()..)?;
            return Some((value, rest));
        }
        match letter {
            '\\' => value.push(letters.next()?.1),
            letter => value.push(letter),
        }
    }
    quoted.is_none().then_some((value, ""))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_place_is_another() {
        let connect = [("host", "o'dub"), ("port", "5433"), ("user", "keeper")];
        let connect: Connect = connect.map(|(k, v)| (k.to_owned(), v.to_owned())).into();
        let own = r"user = rep host=fra hostaddr=10.0.0.1 port=1 password='a \'b\\' sslmode=''";
        let there = r"user='rep' password='a \'b\\' sslmode='' host='o\'dub' port='5433'";
        assert_eq!(redirected(own, &connect).as_deref(), Ok(there));
        // and as often as one likes
        assert_eq!(redirected(there, &connect).as_deref(), Ok(there));
        let empty = redirected("", &Connect::new());
        assert_eq!(
            empty.as_deref(),
            Ok("host='/var/run/postgresql' port='5432'")
        );
    }

    #[test]
    fn what_is_no_list_of_words_is_refused() {
        for text in [
            "postgresql://fra/x",
            "host",
            "host='fra",
            "=fra",
            r"host=fra\",
        ] {
            assert!(redirected(text, &Connect::new()).is_err(), "{text}");
        }
    }
}
