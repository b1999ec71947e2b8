//! P0405: the runs of a window fill nearly all of it.

use jiff::{Timestamp, ToSpan};

use crate::check::context::Context;
use crate::check::fit::{self, Opening};
use crate::check::found::{Found, Scope};
use crate::check::rule::Rule;
use crate::check::rules::example::notes;
use crate::check::rules::p0404_window_too_short::window_words;
use crate::check::words::run_name;
use crate::diagnostic::{Code, Diagnostic, Proof, Severity};
use crate::estimate::{Agenda, growth};

/// The share of a window that estimates may fill: a fifth is kept in reserve.
const FULL: f64 = 0.8;

pub(super) static RULE: Rule = Rule {
    code: Code(405),
    name: "window-nearly-full",
    level: Severity::Warning,
    allowable: true,
    summary: "the runs of a window fill nearly all of it",
    explanation: "The runs of this window are played with the executor's own schedule and the sizes and rates \
        that are known. They end when more than four fifths of the window are over: a slow \
        night, or some weeks of growth, and they do not end in it any more. The date is the \
        first day on which stated or measured growth passes the window.",
    bad: notes!(
        "\
assume {
  size 640 GiB
  growth 0.3%/day
}
objectives of notes {
  rpo 2d for loss of disk
}
window early every day 04:00..05:00
backup nightly of service notes {
  physical full every day during early
  store on near
  retain daily 7
}
"
    ),
    good: notes!(
        "\
assume {
  size 640 GiB
  growth 0.3%/day
}
objectives of notes {
  rpo 2d for loss of disk
}
window early every day 04:00..06:00
backup nightly of service notes {
  physical full every day during early
  store on near
  retain daily 7
}
"
    ),
};

pub(super) fn check(context: &Context<'_>, out: &mut Found) {
    let Some(agenda) = &context.agenda else {
        return;
    };
    for opening in fit::openings(context) {
        let length = opening.opens.1;
        let mut loads = opening.loads.iter().map(|load| &agenda.loads[*load]);
        let lone = loads.any(|load| load.seconds() > length);
        let crowd = opening.busiest.is_some_and(|(_, busy, _)| busy > length);
        // P0404 speaks of what cannot fit at all
        if !lone && !crowd && fit::needed(&opening) > FULL * length {
            let finding = finding(context, agenda, &opening);
            out.push(Scope::Backup(agenda.loads[opening.ends.1].backup), finding);
        }
    }
}

fn finding(context: &Context<'_>, agenda: &Agenda<'_>, opening: &Opening) -> Diagnostic {
    let plan = context.plan;
    let (needed, length) = (fit::needed(opening), opening.opens.1);
    let last = &agenda.loads[opening.ends.1];
    let behind = if opening.late > 0.0 {
        " behind an earlier run"
    } else {
        ""
    };
    let what = match opening.loads.len() {
        1 => format!("the run{behind} fills"),
        count => format!("{count} runs{behind} fill"),
    };
    let window = plan.window(opening.window);
    let mut message = format!(
        "{what} {:.0} % of {}",
        (needed / length * 100.0).floor(),
        window_words(window)
    );
    message.push_str(&growing(agenda, opening, context.now));
    let span = plan.backups[last.backup.index()].takes[last.take].span;
    let mut finding = Diagnostic::new(RULE.code, message, span, "ends last")
        .related("the window is declared here", window.span, "")
        .subject(format!("{}:{}", window.name, run_name(plan, last)))
        .help("widen it now, or move a run to another window");
    finding.proof = Some(Proof {
        claim: "window".to_owned(),
        loss: String::new(),
        limit: length,
        found: needed,
        terms: terms(opening, needed),
    });
    finding
}

fn terms(opening: &Opening, needed: f64) -> Vec<(String, f64)> {
    let runs = "all runs, as the executor orders them".to_owned();
    if opening.late > 0.0 {
        vec![
            ("behind runs that came before".to_owned(), opening.late),
            (runs, (needed - opening.late).max(0.0)),
        ]
    } else {
        vec![(runs, needed)]
    }
}

/// `; growth of 2 %/week breaks it by 2026-05-12`
fn growing(agenda: &Agenda<'_>, opening: &Opening, now: Timestamp) -> String {
    let loads = opening.loads.iter().map(|load| &agenda.loads[*load]);
    let parts: Vec<(f64, f64)> = loads
        .flat_map(|load| load.parts.iter().map(|part| part.bytes))
        .collect();
    let today = growth::total(&parts, 0);
    let room = today * opening.opens.1 / fit::needed(opening);
    let Some(days) = growth::first_beyond(&parts, room) else {
        return String::new();
    };
    let date = agenda
        .calendar()
        .date(now)
        .checked_add(i64::from(days).days());
    let weekly = (growth::total(&parts, 7) / today - 1.0) * 100.0;
    match date {
        Ok(_) if days == 0 => String::new(),
        Ok(date) => format!("; growth of {weekly:.1} %/week breaks it by {date}"),
        Err(_) => String::new(),
    }
}
