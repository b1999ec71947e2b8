//! P0911: a probe changes data.

use crate::check::context::Context;
use crate::check::context::subject;
use crate::check::found::{Found, Scope};
use crate::check::rule::Rule;
use crate::check::rules::example::notes;
use crate::check::words::sql_words as words;
use crate::diagnostic::{Code, Diagnostic, Severity};
use crate::resolve::plan::ActionKind;

pub(super) static RULE: Rule = Rule {
    code: Code(911),
    name: "probe-writes",
    level: Severity::Error,
    allowable: true,
    summary: "a probe changes data",
    explanation: "A probe runs against what a restore has brought back, and sometimes against a \
        server that is about to go live. It must only look: a probe that writes changes \
        what it proves. Use a read-only query.",
    bad: notes!(
        "\
objectives of notes {
  rpo 1d for loss of disk
}
backup nightly of service notes {
  physical full every day at 04:30
  store on near
  retain daily 7
}
drill rehearsal every sun at 12:00 {
  restore service notes to desk
  probe notes \"delete from entries\" >= 1
}
"
    ),
    good: notes!(
        "\
objectives of notes {
  rpo 1d for loss of disk
}
backup nightly of service notes {
  physical full every day at 04:30
  store on near
  retain daily 7
}
drill rehearsal every sun at 12:00 {
  restore service notes to desk
  probe notes \"select count(*) from entries\" >= 1
}
"
    ),
};

pub(super) fn check(context: &Context<'_>, out: &mut Found) {
    for (id, scenario) in context.scenarios() {
        for action in &scenario.actions {
            let ActionKind::Probe { query, .. } = &action.kind else {
                continue;
            };
            let Some(word) = writing_word(query) else {
                continue;
            };
            let message = format!("the probe says `{word}`, which writes");
            let finding = Diagnostic::new(RULE.code, message, action.span, "must only look")
                .subject(subject(&scenario.name, &scenario.origin))
                .help("use a read-only query");
            out.push(Scope::Scenario(id), finding);
        }
    }
}

/// The word by which a query writes: its first one, or one inside a `with` query.
fn writing_word(query: &str) -> Option<String> {
    const READS: [&str; 7] = [
        "select", "with", "values", "explain", "show", "table", "pragma",
    ];
    const WRITES: [&str; 4] = ["insert", "update", "delete", "merge"];
    let words = words(query);
    let first = words.first()?;
    if !READS.contains(&&**first) {
        return Some(first.clone());
    }
    let hidden = words.iter().find(|word| WRITES.contains(&&***word));
    hidden.filter(|_| first == "with").cloned()
}
