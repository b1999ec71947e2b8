//! Owns how findings name things of the resolved plan, in the words of the language.

use crate::resolve::plan::LossKind;

/// `loss of site fra`, `human error`.
pub(in crate::check) fn loss_words(loss: &LossKind) -> String {
    let of = |kind: &str, name: &Option<String>| match name {
        Some(name) => format!("loss of {kind} {name}"),
        None => format!("loss of {kind}"),
    };
    match loss {
        LossKind::Disk => "loss of disk".to_owned(),
        LossKind::Host => "loss of host".to_owned(),
        LossKind::Site(name) => of("site", name),
        LossKind::Device(name) => of("device", name),
        LossKind::HumanError => "human error".to_owned(),
        LossKind::Corruption => "corruption".to_owned(),
    }
}

/// `a site loss`, `a mistake`: the loss as the subject of a sentence.
pub(in crate::check) fn a_loss(loss: &LossKind) -> String {
    let of = |kind: &str, name: &Option<String>| match name {
        Some(name) => format!("the loss of {kind} {name}"),
        None => format!("a {kind} loss"),
    };
    match loss {
        LossKind::Disk => "a disk loss".to_owned(),
        LossKind::Host => "a host loss".to_owned(),
        LossKind::Site(name) => of("site", name),
        LossKind::Device(name) => of("device", name),
        LossKind::HumanError => "a human error".to_owned(),
        LossKind::Corruption => "corruption".to_owned(),
    }
}

/// The words of a query in lower case, in order; what stands in quotes or comments is left out.
pub(in crate::check) fn sql_words(query: &str) -> Vec<String> {
    let mut words = Vec::new();
    let mut word = String::new();
    let mut quote: Option<char> = None;
    let code = query
        .lines()
        .map(|line| line.split("--").next().unwrap_or_default());
    for c in code.flat_map(|line| line.chars().chain(['\n'])) {
        match quote {
            Some(open) if c == open => quote = None,
            Some(_) => {}
            None if c == '\'' || c == '"' => quote = Some(c),
            None if c.is_alphanumeric() || c == '_' => word.extend(c.to_lowercase()),
            None => words.push(std::mem::take(&mut word)),
        }
    }
    words.push(word);
    words.retain(|word| !word.is_empty());
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quoted_text_and_comments_are_no_words() {
        let query = "select 'delete it' -- drop table\n  FROM \"update\" where n=1";
        assert_eq!(sql_words(query), ["select", "from", "where", "n", "1"]);
    }
}
