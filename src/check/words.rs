//! Owns how findings name things of the resolved plan, in the words of the language.

use crate::quantity::{Bytes, Duration};
use crate::resolve::plan::{LossKind, Method, ResolvedPlan};

use crate::check::context::subject;
use crate::estimate::load::Load;

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

/// The last word of a way to take a copy: `full`, `incremental`, `logical`.
pub(in crate::check) fn method_word(method: Method) -> &'static str {
    match method {
        Method::PhysicalFull => "full",
        Method::PhysicalIncremental => "incremental",
        Method::PhysicalDifferential => "differential",
        Method::Logical => "logical",
    }
}

/// `large/full`: the name of a run.
pub(in crate::check) fn run_name(plan: &ResolvedPlan, load: &Load) -> String {
    let backup = &plan.backups[load.backup.index()];
    let name = subject(&backup.name, &backup.origin);
    format!("{name}/{}", method_word(backup.takes[load.take].method))
}

/// Seconds as a duration, rounded up: nothing is said to be shorter than it can be.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "not negative; saturates"
)]
pub(in crate::check) fn lasting(seconds: f64) -> Duration {
    let millis = (seconds * 1000.0).ceil() as u64;
    if millis >= 1000 {
        Duration::from_secs(millis.div_ceil(1000))
    } else {
        Duration(millis)
    }
}

/// Bytes from a calculation.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "not negative; saturates"
)]
pub(in crate::check) fn amount(bytes: f64) -> Bytes {
    Bytes(bytes.ceil() as u64)
}

/// A rate to write in a plan that is not below the given one.
pub(in crate::check) fn rate_at_least(rate: f64) -> String {
    let mib = rate / (1024.0 * 1024.0);
    if mib > 1.0 {
        format!("{:.0} MiB/s", mib.ceil())
    } else {
        format!("{:.0} KiB/s", (rate / 1024.0).ceil())
    }
}

/// A span to write in a plan that is not shorter: whole minutes, above two hours whole hours.
pub(in crate::check) fn span_at_least(seconds: f64) -> String {
    if seconds > 7200.0 {
        format!("{:.0}h", (seconds / 3600.0).ceil())
    } else {
        format!("{:.0}min", (seconds / 60.0).ceil().max(1.0))
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
