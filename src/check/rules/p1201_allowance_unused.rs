//! P1201: an `allow` silences nothing. Found by `check::allowance`.

use crate::check::rule::Rule;
use crate::check::rules::example::notes;
use crate::diagnostic::{Code, Diagnostic, Severity};
use crate::resolve::plan::Allow;

pub(super) static RULE: Rule = Rule {
    code: Code(1201),
    name: "allowance-unused",
    level: Severity::Warning,
    allowable: true,
    summary: "an `allow` silences nothing",
    explanation: "The finding that this allowance was written for is gone, or stands in another \
        block. An allowance that stays behind would silence the next finding of that code \
        without anybody deciding about it. Remove it, or move it into the block it is \
        meant for.",
    bad: notes!(
        "\
objectives of notes {
  rpo 1d for loss of disk
}
backup nightly of service notes {
  physical full every day at 04:30
  store on near
  retain daily 7
  allow P0710 because \"kept until the pilot ends\"
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
  allow P0710 because \"kept until the pilot ends\"
}
"
    ),
};

pub(in crate::check) fn finding(allow: &Allow) -> Diagnostic {
    let message = format!("`allow {}` silences nothing", allow.written);
    Diagnostic::new(RULE.code, message, allow.span, "no such finding here")
        .subject(format!("allow {}", allow.written))
        .help("remove it")
}
