//! Owns jobs in the words of the language, with every value put in: equal words mean equal jobs.

use std::fmt::Write as _;

use crate::check::day_words;
use crate::resolve::plan::{CopyScope, Encrypt, Every, Keeping, ResolvedPlan, Schedule, Verify};

/// `every sat during weekend`, `every 5min or 64 MiB`.
pub(super) fn schedule(plan: &ResolvedPlan, schedule: &Schedule) -> String {
    let mut words = match &schedule.every {
        Every::Interval(interval, None) => format!("every {interval}"),
        Every::Interval(interval, Some(size)) => format!("every {interval} or {size}"),
        Every::Size(size) => format!("every {size}"),
        Every::Hour => "every hour".to_owned(),
        Every::Days(days) => format!("every {}", day_words(days)),
    };
    if let Some(at) = &schedule.at {
        // writing to a string cannot fail
        let _ = write!(words, " at {}", at.value.strftime("%H:%M"));
    }
    if let Some(window) = &schedule.during {
        let _ = write!(words, " during {}", plan.window(window.value).name);
    }
    words
}

/// Where copies go and how, without retention: a line a clause.
pub(super) fn keeping(plan: &ResolvedPlan, keeping: &Keeping) -> Vec<String> {
    let device = |id| plan.device(id).name.clone();
    let mut lines: Vec<String> = Vec::new();
    lines.extend(
        keeping
            .store
            .map(|at| format!("store on {}", device(at.value))),
    );
    for copy in &keeping.copies {
        let scope = match copy.scope {
            CopyScope::All => "",
            CopyScope::Full => "full ",
            CopyScope::Incremental => "incremental ",
            CopyScope::Log => "log ",
        };
        let live = if copy.live && copy.every.is_some() {
            " stream"
        } else {
            ""
        };
        let when = match (&copy.every, copy.within) {
            (Some(every), _) => format!("{live} {}", schedule(plan, every)),
            (None, Some(within)) => format!(" within {within}"),
            (None, None) => String::new(),
        };
        lines.push(format!("copy {scope}to {}{when}", device(copy.device)));
    }
    for throttle in &keeping.throttle {
        let window = throttle
            .window
            .map(|id| format!(" in {}", plan.window(id).name));
        let window = window.unwrap_or_default();
        lines.push(format!("throttle {}{window}", throttle.rate));
    }
    lines.extend(keeping.parallel.map(|at| format!("parallel {}", at.value)));
    lines.extend(keeping.memory.map(|at| format!("memory {}", at.value)));
    lines.push(match keeping.encrypt {
        Encrypt::With(key, _) => format!("encrypt with {}", plan.keys[key.index()].name),
        Encrypt::Unsaid | Encrypt::None(_) => "encrypt none".to_owned(),
    });
    for verify in &keeping.verify {
        lines.push(match verify {
            Verify::OnWrite(_) => "verify on write".to_owned(),
            Verify::Every(when) => format!("verify {}", schedule(plan, when)),
        });
    }
    lines
}
