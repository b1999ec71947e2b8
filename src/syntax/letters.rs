//! Owns letters that look like others or cannot be seen (P0112): they are reported and read as
//! what they look like. Must not touch strings and comments, which may hold any letter.

use super::repair::Patch;
use super::scan::{Token, TokenKind};
use super::structure::Pass;
use crate::diagnostic::{Code, Diagnostic};

/// Reports each word with such letters and replaces them.
pub(super) fn repair(pass: &mut Pass<'_>) {
    let text = pass.text;
    for token in pass.tokens {
        let word = token.text(text);
        if token.kind != TokenKind::Word || word.is_ascii() {
            continue;
        }
        let Some(plain) = plain(word) else {
            continue;
        };
        // a mark that programs put in front of a file says nothing about the plan
        if token.start > 0 || !word.starts_with('\u{feff}') || word.matches('\u{feff}').count() > 1
        {
            report(pass, *token, &plain);
        }
        pass.patches.push(Patch {
            range: token.range(),
            text: plain,
        });
    }
}

fn report(pass: &mut Pass<'_>, token: Token, plain: &str) {
    let word = token.text(pass.text);
    let span = pass.span(token.range());
    let odd = word.chars().find(|letter| look_alike(*letter).is_some());
    let odd = odd.unwrap_or_default();
    let message = match look_alike(odd) {
        Some(Look::Letter(like)) => {
            format!(
                "`{word}` contains `{odd}` (U+{:04X}), which only looks like `{like}`",
                odd as u32
            )
        }
        _ => format!(
            "there is an invisible character (U+{:04X}) in `{}`",
            odd as u32,
            plain.trim()
        ),
    };
    let finding = Diagnostic::new(Code(112), message, span, "not what it looks like")
        .help(format!("retype it as `{}`", plain.trim()))
        .subject(plain.trim())
        .fix(true, span, plain);
    pass.report(finding);
}

/// The word with plain letters, when every odd letter has a plain twin.
fn plain(word: &str) -> Option<String> {
    let mut plain = String::with_capacity(word.len());
    for letter in word.chars() {
        match look_alike(letter) {
            Some(Look::Letter(like)) => plain.push(like),
            Some(Look::Blank) => plain.push(' '),
            Some(Look::Nothing) => {}
            None if letter.is_ascii() => plain.push(letter),
            None => return None,
        }
    }
    Some(plain)
}

enum Look {
    Letter(char),
    Blank,
    Nothing,
}

fn look_alike(letter: char) -> Option<Look> {
    const PAIRS: [(&str, &str); 3] = [
        // Cyrillic
        (
            "асеіјорԛѕυԝхуһԁӏΑВСЕНІЈКМОРЅТХУ",
            "aceijopqsuwxyhdlABCEHIJKMOPSTXY",
        ),
        // Greek and full stops or signs that editors put in
        ("οναιρΒΕΖΗΙΚΜΝΟΡΤΥΧ", "ovaipBEZHIKMNOPTYX"),
        ("‐‑‒–—−․∶∕", "------.:/"),
    ];
    if letter.is_ascii() {
        return None;
    }
    if matches!(
        letter,
        '\u{a0}' | '\u{2000}'..='\u{200a}' | '\u{202f}' | '\u{3000}'
    ) {
        return Some(Look::Blank);
    }
    if matches!(
        letter,
        '\u{ad}' | '\u{200b}'..='\u{200f}' | '\u{2060}' | '\u{feff}'
    ) {
        return Some(Look::Nothing);
    }
    if ('\u{ff01}'..='\u{ff5e}').contains(&letter) {
        return char::from_u32(letter as u32 - 0xfee0).map(Look::Letter);
    }
    PAIRS.iter().find_map(|(odd, plain)| {
        let at = odd.chars().position(|known| known == letter)?;
        plain.chars().nth(at).map(Look::Letter)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn look_alikes_have_one_plain_twin_each() {
        assert_eq!(plain("hоt").as_deref(), Some("hot"));
        assert_eq!(plain("a\u{200b}b").as_deref(), Some("ab"));
        assert_eq!(plain("store\u{a0}on").as_deref(), Some("store on"));
        assert_eq!(plain("01:00–05:00").as_deref(), Some("01:00-05:00"));
        assert_eq!(plain("größe"), None);
    }
}
