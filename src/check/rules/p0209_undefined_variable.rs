//! P0209: a `$name` that is not defined here. Found by `resolve`.

use crate::check::rule::Rule;
use crate::check::rules::example::notes;
use crate::diagnostic::{Code, Severity};

pub(super) static RULE: Rule = Rule {
    code: Code(209),
    name: "undefined-variable",
    level: Severity::Error,
    allowable: false,
    summary: "a `$name` that is not defined here",
    explanation: "`$name` stands for a value from outside: a parameter, the variable of a policy or \
        loop, or incident input declared with `given`. Incident input exists only in its own \
        scenario, because nobody types it when a drill runs by itself. Declare it, or write \
        the value.",
    bad: notes!(
        "\
objectives of notes {
  rpo 1d for loss of disk
}
backup nightly of service notes {
  physical full every day at 04:30
  store on near
  retain window $kept
}
"
    ),
    good: notes!(
        "\
param kept: duration = 9d
objectives of notes {
  rpo 1d for loss of disk
}
backup nightly of service notes {
  physical full every day at 04:30
  store on near
  retain window $kept
}
"
    ),
};
