//! P0912: a probe succeeds on an empty database.

use crate::check::context::Context;
use crate::check::context::subject;
use crate::check::found::{Found, Scope};
use crate::check::rule::Rule;
use crate::check::rules::example::notes;
use crate::check::words::sql_words;
use crate::diagnostic::{Code, Diagnostic, Severity};
use crate::resolve::plan::ActionKind;

pub(super) static RULE: Rule = Rule {
    code: Code(912),
    name: "trivial-probe",
    level: Severity::Warning,
    allowable: true,
    summary: "a probe succeeds on an empty database",
    explanation: "`select 1` shows that a server answers, not that it has the data. An empty \
        database passes such a probe. Count rows that must be there, or ask for the newest \
        one.",
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
  probe notes \"select 1\" >= 1
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
            if !is_trivial(query) {
                continue;
            }
            let message = format!("`{}` succeeds on an empty database", query.trim());
            let finding = Diagnostic::new(RULE.code, message, action.span, "shows no data")
                .subject(subject(&scenario.name, &scenario.origin))
                .help("count recent rows");
            out.push(Scope::Scenario(id), finding);
        }
    }
}

/// True when nothing is read and nothing is called.
fn is_trivial(query: &str) -> bool {
    let words = sql_words(query);
    let constant = |word: &String| {
        matches!(
            &**word,
            "select" | "true" | "false" | "null" | "as" | "one" | "ok"
        ) || word.chars().all(|c| c.is_ascii_digit())
    };
    !query.contains('(') && !words.is_empty() && words.iter().all(constant)
}
