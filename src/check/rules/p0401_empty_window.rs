//! P0401: a window that is never open.

use crate::check::context::Context;
use crate::check::found::{Found, Scope};
use crate::check::rule::Rule;
use crate::diagnostic::{Code, Diagnostic, Severity};

pub(super) static RULE: Rule = Rule {
    code: Code(401),
    name: "empty-window",
    level: Severity::Error,
    allowable: true,
    summary: "a window starts and ends at the same moment",
    explanation: "A window whose end equals its start is never open, so nothing that is planned \
        `during` it ever runs. Often a full day was meant: write `00:00..24:00`, or name the day \
        on which the window ends, for example `sat 22:00..sun 22:00`.",
    bad: "\
planc 1
plan notes
timezone UTC
environment prod inventory \"inventory.yaml\"
window night every day 01:00..01:00
objectives of notes {
  rpo 1d for loss of disk
}
backup nightly of service notes {
  physical full every day during night
  store on disk
  retain daily 7
}
--- inventory.yaml
inventory: 1
hosts: {local: {}}
services: {notes: {engine: sqlite, host: local, path: notes.db}}
devices: {disk: {host: local, path: copies}}
",
    good: "\
planc 1
plan notes
timezone UTC
environment prod inventory \"inventory.yaml\"
window night every day 01:00..05:00
objectives of notes {
  rpo 1d for loss of disk
}
backup nightly of service notes {
  physical full every day during night
  store on disk
  retain daily 7
}
--- inventory.yaml
inventory: 1
hosts: {local: {}}
services: {notes: {engine: sqlite, host: local, path: notes.db}}
devices: {disk: {host: local, path: copies}}
",
};

pub(super) fn check(context: &Context<'_>, out: &mut Found) {
    for window in &context.plan.windows {
        if window.from == window.until && window.days_later == 0 {
            let time = window.from.strftime("%H:%M");
            let message = format!("window `{}` starts and ends at {time}", window.name);
            let finding = Diagnostic::new(RULE.code, message, window.span, "never open")
                .subject(&window.name)
                .help("give an end after the start");
            out.push(Scope::Plan, finding);
        }
    }
}
