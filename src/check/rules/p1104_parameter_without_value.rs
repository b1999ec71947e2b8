//! P1104: a parameter that has no value in an environment. Found by `resolve`.

use crate::check::rule::Rule;
use crate::check::rules::example::notes;
use crate::diagnostic::{Code, Severity};

pub(super) static RULE: Rule = Rule {
    code: Code(1104),
    name: "parameter-without-value",
    level: Severity::Error,
    allowable: false,
    summary: "a parameter that has no value in an environment",
    explanation: "A parameter whose default is the word `required` has no value of its own: each \
        environment, or each `apply … with`, must give one. That is the way to make sure that \
        a promise is decided for every environment and not inherited by accident. Here one \
        environment gives none.",
    bad: notes!(
        "\
param kept: duration = required
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
param kept: duration = required, prod: 9d
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
