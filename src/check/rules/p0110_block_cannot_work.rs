//! P0110: a block lacks the clause that makes it work. The finding is made in `syntax`; this is its
//! page.

use crate::check::rule::Rule;
use crate::check::rules::example::notes;
use crate::diagnostic::{Code, Severity};

pub(super) static RULE: Rule = Rule {
    code: Code(110),
    name: "block-cannot-work",
    level: Severity::Error,
    allowable: false,
    summary: "a block lacks the clause that makes it work",
    explanation: "A backup must say when it runs and where its copies go, an archive how the log \
        leaves the host, objectives what they promise, a drill what it restores, a recovery \
        what it is for and what it brings back, a switchover what it promotes. Without that \
        the block would do nothing.",
    bad: notes!(
        "\
objectives of notes {
  rpo 1d for loss of disk
}
backup nightly of service notes {
  physical full every day at 03:30
  store on near
  retain daily 7
}
backup second of service notes {
  store on spare
  retain daily 7
}
"
    ),
    good: notes!(
        "\
objectives of notes {
  rpo 1d for loss of disk
}
backup nightly of service notes {
  physical full every day at 03:30
  store on near
  retain daily 7
}
backup second of service notes {
  physical full every day at 15:30
  store on spare
  retain daily 7
}
"
    ),
};
