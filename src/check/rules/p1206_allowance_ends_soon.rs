//! P1206: an `allow` is in its last days. Found by `check::allowance`.

use jiff::civil::Date;

use crate::check::rule::Rule;
use crate::check::rules::example::notes;
use crate::diagnostic::{Code, Diagnostic, Severity};
use crate::resolve::plan::Allow;

/// Days before the end of an allowance from which on notice is given of it: two weeks, so that one
/// who is on leave still sees it.
const NOTICE: i32 = 14;

pub(super) static RULE: Rule = Rule {
    code: Code(1206),
    name: "allowance-ends-soon",
    level: Severity::Warning,
    allowable: false,
    summary: "an `allow` is in its last days",
    explanation: "From the day after its end an allowance is an error of the plan, and `planc run` \
        makes no copies until somebody has decided anew. Two weeks before, this finding and \
        `planc status` give notice, so that the decision is made by day and not when the \
        nightly run refuses. Fix the cause and remove the line, or renew it with a reason \
        that holds then.",
    bad: notes!(
        "\
objectives of notes {
  rpo 1d for loss of disk
}
backup nightly of service notes {
  physical full every day at 04:30
  store on near
  allow P0710 until 2026-03-09 because \"the pilot ends soon\"
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
  allow P0710 until 2050-03-09 because \"the pilot ends late\"
}
"
    ),
};

/// None when it has no end, or one that is still far.
pub(in crate::check) fn finding(allow: &Allow, today: Option<Date>) -> Option<Diagnostic> {
    let (until, today) = allow.until.zip(today)?;
    let days = today.until(until).ok()?.get_days();
    if !(0..=NOTICE).contains(&days) {
        return None;
    }
    let left = match days {
        0 => "today".to_owned(),
        1 => "tomorrow".to_owned(),
        days => format!("in {days} days, on {until}"),
    };
    let message = format!("the allowance of {} ends {left}", allow.written);
    let finding = Diagnostic::new(RULE.code, message, allow.span, "its last days")
        .subject(format!("allow {}", allow.written))
        .help(
            "fix the cause, or renew the allowance with a reason that holds then: from the next \
             day on `planc run` refuses to make copies",
        );
    Some(finding)
}
