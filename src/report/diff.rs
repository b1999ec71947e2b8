//! What a change does, for people, pull requests and machines. Must not judge.

use std::fmt::Write as _;

use serde_json::{Value, json};

use crate::outlook::diff::{About, Change, Effect};
use crate::report::columns::rows;

/// The sides of a comparison with what differs.
#[derive(Debug)]
pub struct Compared<'a> {
    /// The plan: `orders.plan`.
    pub plan: &'a str,
    /// `main..HEAD`.
    pub range: &'a str,
    /// The differences, promises first, worst first.
    pub changes: &'a [Change],
    /// When the next full copies are due: before and after, in words.
    pub next_full: (Option<String>, Option<String>),
}

impl Compared<'_> {
    fn count(&self, effects: &[Effect]) -> usize {
        let changes = self.changes.iter();
        changes.filter(|c| effects.contains(&c.effect)).count()
    }

    fn tally(&self) -> String {
        let worse = self.count(&[Effect::Broken, Effect::Worse]);
        let better = self.count(&[Effect::Better]);
        format!("worse: {worse}   better: {better}")
    }

    /// `jobs +0 -0 ~2; next full unchanged (sat 22:00)`
    fn jobs(&self) -> String {
        let jobs = || self.changes.iter().filter(|c| c.about == About::Schedule);
        let come = jobs().filter(|c| c.before.is_none()).count();
        let gone = jobs().filter(|c| c.after.is_none()).count();
        let changed = jobs().count() - come - gone;
        let full = match &self.next_full {
            (before, after) if before == after => match after {
                Some(at) => format!("next full unchanged ({at})"),
                None => "no full is due".to_owned(),
            },
            (before, after) => {
                let word = |at: &Option<String>| at.as_deref().unwrap_or("never").to_owned();
                format!("next full {} -> {}", word(before), word(after))
            }
        };
        format!("jobs +{come} -{gone} ~{changed}; {full}")
    }
}

fn environments(change: &Change) -> String {
    if change.environments.is_empty() {
        String::new()
    } else {
        format!(" [{}]", change.environments.join(", "))
    }
}

fn side(side: Option<&String>) -> &str {
    side.map_or("-", String::as_str)
}

/// As text: a head, a line a difference, and the jobs.
#[must_use]
pub fn human(compared: &Compared<'_>) -> String {
    let Compared { plan, range, .. } = compared;
    let mut out = format!("{plan}  {range}    {}\n", compared.tally());
    let short = compared
        .changes
        .iter()
        .filter(|c| c.about != About::Schedule);
    let line = |change: &Change| {
        [
            format!("  {}{}", change.subject, environments(change)),
            side(change.before.as_ref()).to_owned(),
            "->".to_owned(),
            side(change.after.as_ref()).to_owned(),
            change.effect.word().to_owned(),
            change.note.clone(),
            change.clause.clone(),
        ]
    };
    rows(&mut out, short.map(line));
    for change in compared.changes {
        if change.about == About::Schedule {
            let name = format!("{}{}", change.subject, environments(change));
            let effect = change.effect.word();
            // writing to a string cannot fail
            let _ = writeln!(out, "  {name} {effect}");
            let _ = writeln!(out, "    - {}", side(change.before.as_ref()));
            let _ = writeln!(out, "    + {}", side(change.after.as_ref()));
        }
    }
    let _ = writeln!(out, "  {}", compared.jobs());
    out
}

/// As markdown, for a comment on a pull request.
#[must_use]
pub fn markdown(compared: &Compared<'_>) -> String {
    let Compared { plan, range, .. } = compared;
    let mut out = format!("### `{}` {}\n\n", cell(plan), cell(range));
    let _ = writeln!(out, "{}\n", compared.tally());
    if !compared.changes.is_empty() {
        out.push_str("| | before | after | effect | | clause |\n|---|---|---|---|---|---|\n");
    }
    for change in compared.changes {
        let effect = match change.effect {
            Effect::Neutral => String::new(),
            effect => format!("**{}**", effect.word()),
        };
        let clause = match change.clause.as_str() {
            "" => String::new(),
            clause => format!("`{}`", cell(clause)),
        };
        let _ = writeln!(
            out,
            "| {}{} | {} | {} | {effect} | {} | {clause} |",
            cell(&change.subject),
            cell(&environments(change)),
            cell(side(change.before.as_ref())),
            cell(side(change.after.as_ref())),
            cell(&change.note),
        );
    }
    let _ = writeln!(out, "\n{}", compared.jobs());
    out
}

/// Text that cannot end a cell of a table.
fn cell(text: &str) -> String {
    text.replace('|', "\\|")
        .replace('`', "'")
        .replace('\n', " ")
}

/// `planc-diff/1.0`.
#[must_use]
pub fn json(compared: &Compared<'_>) -> String {
    let change = |change: &Change| -> Value {
        json!({
            "about": change.about,
            "subject": change.subject,
            "environments": change.environments,
            "before": change.before,
            "after": change.after,
            "effect": change.effect,
            "note": change.note,
            "clause": change.clause,
        })
    };
    let document = json!({
        "format": "planc-diff/1.0",
        "planc": env!("CARGO_PKG_VERSION"),
        "plan": compared.plan,
        "range": compared.range,
        "worse": compared.count(&[Effect::Broken, Effect::Worse]),
        "better": compared.count(&[Effect::Better]),
        "next_full": {"before": compared.next_full.0, "after": compared.next_full.1},
        "changes": compared.changes.iter().map(change).collect::<Vec<_>>(),
    });
    format!("{document:#}\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_stays_in_its_cell() {
        assert_eq!(cell("a | b\n`c`"), "a \\| b 'c'");
    }
}
