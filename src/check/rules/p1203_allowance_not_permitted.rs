//! P1203: an `allow` names a code that cannot be allowed. Found by `check::allowance`.

use crate::check::rule::Rule;
use crate::check::rules::example::notes;
use crate::diagnostic::{Code, Diagnostic, Severity};
use crate::resolve::plan::Allow;

pub(super) static RULE: Rule = Rule {
    code: Code(1203),
    name: "allowance-not-permitted",
    level: Severity::Error,
    allowable: false,
    summary: "an `allow` names a code that cannot be allowed",
    explanation: "Some findings mean that the plan has no clear meaning: a name that does not exist, \
        a device that is its own source, a circle of jobs. No reason makes such a plan \
        runnable, so these codes cannot be silenced. `planc explain CODE` says of each \
        code whether it can be allowed.",
    bad: notes!(
        "\
objectives of notes {
  rpo 1d for loss of disk
}
backup nightly of service notes {
  physical full every day at 04:30
  store on near
  retain daily 7
  allow P0801 because \"the second copy comes later\"
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

pub(in crate::check) fn finding(allow: &Allow) -> Diagnostic {
    let message = format!("{} cannot be allowed", allow.written);
    Diagnostic::new(RULE.code, message, allow.span, "no reason makes this safe")
        .subject(format!("allow {}", allow.written))
        .help("fix the cause and remove this line")
}
