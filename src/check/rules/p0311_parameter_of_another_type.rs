//! P0311: a parameter's value that is not of its type. Found by `resolve`.

use crate::check::rule::Rule;
use crate::check::rules::example::notes;
use crate::diagnostic::{Code, Severity};

pub(super) static RULE: Rule = Rule {
    code: Code(311),
    name: "parameter-of-another-type",
    level: Severity::Error,
    allowable: false,
    summary: "a parameter's value that is not of its type",
    explanation: "A parameter states its type once: duration, size, rate, change, share, count, time, \
        text or name. Every value for it, the default, one for an environment or one given by \
        `with`, must be of that type. All values are looked at in all environments, so a slip \
        in staging does not wait for the day staging is used.",
    bad: notes!(
        "\
param kept: duration = 9 GiB
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
