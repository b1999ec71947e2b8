//! P1110: an `override` without a clause to change, or a change without `override`. Found by
//! `resolve`.

use crate::check::rule::Rule;
use crate::check::rules::example::notes;
use crate::diagnostic::{Code, Severity};

pub(super) static RULE: Rule = Rule {
    code: Code(1110),
    name: "override-hits-nothing",
    level: Severity::Error,
    allowable: false,
    summary: "an `override` without a clause to change, or a change without `override`",
    explanation: "An `apply` can change clauses of its policy for one service, with the word `override`, \
        so that the exception is seen in review. An override that meets no clause of the \
        policy changes nothing, most often because the policy was changed later: the exception \
        is gone and nobody was told. Overrides outside of `apply` have nothing to change \
        either.",
    bad: notes!(
        "\
objectives of notes {
  rpo 1d for loss of disk
}
policy kept for service $it {
  backup nightly of $it {
    physical full every day at 04:30
    store on near
    retain daily 7
  }
}
apply kept to notes {
  override throttle 50 MiB/s
}
"
    ),
    good: notes!(
        "\
objectives of notes {
  rpo 1d for loss of disk
}
policy kept for service $it {
  backup nightly of $it {
    physical full every day at 04:30
    store on near
    throttle 100 MiB/s
    retain daily 7
  }
}
apply kept to notes {
  override throttle 50 MiB/s
}
"
    ),
};
