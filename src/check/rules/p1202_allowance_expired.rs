//! P1202: an `allow` is past its last day. Found by `check::allowance`.

use crate::check::rule::Rule;
use crate::check::rules::example::notes;
use crate::diagnostic::{Code, Diagnostic, Severity};
use crate::resolve::plan::Allow;

pub(super) static RULE: Rule = Rule {
    code: Code(1202),
    name: "allowance-expired",
    level: Severity::Error,
    allowable: false,
    summary: "an `allow` is past its last day",
    explanation: "An allowance with a date is a decision to live with something until then. After \
        that day it silences nothing: what it covered is reported again, and this finding \
        asks for a new decision. Fix the cause and remove the line, or renew it with a \
        reason that holds today.",
    bad: notes!(
        "\
objectives of notes {
  rpo 1d for loss of disk
}
backup nightly of service notes {
  physical full every day at 04:30
  store on near
  retain daily 7
  allow P0710 until 2020-06-30 because \"the pilot ends in June\"
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
"
    ),
};

/// `met`: whether what it allowed is still there.
pub(in crate::check) fn finding(allow: &Allow, met: bool) -> Diagnostic {
    let until = allow.until.map(|date| date.to_string());
    let until = until.unwrap_or_default();
    let message = format!("the allowance of {} ended on {until}", allow.written);
    let help = if met {
        "fix the cause, or renew the allowance with a reason that holds today"
    } else {
        "remove it: what it allowed is gone"
    };
    Diagnostic::new(RULE.code, message, allow.span, "past its last day")
        .subject(format!("allow {}", allow.written))
        .help(help)
}
