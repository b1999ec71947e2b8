//! P0802: jobs wait for one another in a circle.

use std::collections::BTreeMap;

use crate::check::context::Context;
use crate::check::found::{Found, Scope};
use crate::check::job::Job;
use crate::check::rule::Rule;
use crate::check::rules::example::notes;
use crate::diagnostic::{Code, Diagnostic, Severity};
use crate::resolve::plan::JobId;

pub(super) static RULE: Rule = Rule {
    code: Code(802),
    name: "circle-of-jobs",
    level: Severity::Error,
    allowable: false,
    summary: "jobs wait for one another in a circle",
    explanation: "`after` makes a job wait for others. When the waiting leads back to where it \
        began, none of the jobs in the circle can ever start. The message shows the whole \
        circle; remove one `after` of it.",
    bad: notes!(
        "\
objectives of notes {
  rpo 1d for loss of disk
}
backup nightly of service notes {
  physical full every day at 04:30
  after weekly
  store on near
  retain daily 7
}
backup weekly of service notes {
  physical full every sun at 12:00
  after nightly
  store on spare
  retain weekly 5
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
backup weekly of service notes {
  physical full every sun at 12:00
  after nightly
  store on spare
  retain weekly 5
}
"
    ),
};

pub(super) fn check(context: &Context<'_>, out: &mut Found) {
    for circle in circles(context) {
        let Some(job) = circle.first() else { continue };
        let mut names: Vec<&str> = circle.iter().map(|job| job.name).collect();
        names.push(job.name);
        let message = format!("jobs wait for one another: {}", names.join(" → "));
        let help = "remove one `after` of the circle";
        let waits = |job: &Job<'_>, next: &Job<'_>| {
            let mut after = job.keeping.after.iter();
            after
                .find(|at| at.value == next.id)
                .map_or(job.span, |at| at.span)
        };
        let next = |at: usize| circle[(at + 1) % circle.len()];
        let label = format!("waits for {}", next(0).name);
        let mut finding = Diagnostic::new(RULE.code, message, waits(job, &next(0)), label)
            .subject(job.subject())
            .help(help);
        for (at, other) in circle.iter().enumerate().skip(1) {
            let why = format!("{} waits for {}", other.name, next(at).name);
            finding = finding.related(why, waits(other, &next(at)), "");
        }
        out.push(Scope::Plan, finding);
    }
}

/// Every circle of `after`, each once, beginning with the job that is met first.
fn circles<'a>(context: &Context<'a>) -> Vec<Vec<Job<'a>>> {
    let mut state: BTreeMap<JobId, State> = BTreeMap::new();
    let mut circles = Vec::new();
    for start in context.jobs().filter(|job| !job.keeping.after.is_empty()) {
        let mut path: Vec<(Job<'a>, usize)> = Vec::new();
        enter(&mut path, &mut state, start);
        while let Some((job, at)) = path.last_mut() {
            let Some(next) = job.keeping.after.get(*at) else {
                state.insert(job.id, State::Done);
                path.pop();
                continue;
            };
            *at += 1;
            match state.get(&next.value) {
                None => enter(&mut path, &mut state, Job::new(context.plan, next.value)),
                Some(State::Open) => circles.push(tail(&path, next.value)),
                Some(State::Done) => {}
            }
        }
    }
    circles
}

/// How far the search has come with a job.
#[derive(Clone, Copy)]
enum State {
    /// On the path that is being followed.
    Open,
    /// Followed to its end.
    Done,
}

fn enter<'a>(path: &mut Vec<(Job<'a>, usize)>, state: &mut BTreeMap<JobId, State>, job: Job<'a>) {
    if let std::collections::btree_map::Entry::Vacant(place) = state.entry(job.id) {
        place.insert(State::Open);
        path.push((job, 0));
    }
}

fn tail<'a>(path: &[(Job<'a>, usize)], from: JobId) -> Vec<Job<'a>> {
    let circle = path.iter().map(|(job, _)| *job);
    circle.skip_while(|job| job.id != from).collect()
}
