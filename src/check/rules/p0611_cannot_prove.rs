//! P0611: a promise can be neither proved nor disproved, because a fact is missing.

use crate::check::context::Context;
use crate::check::found::{Found, Scope};
use crate::check::promise::Verdict;
use crate::check::rule::Rule;
use crate::check::rules::example::notes;
use crate::diagnostic::{Code, Diagnostic, Severity};

pub(super) static RULE: Rule = Rule {
    code: Code(611),
    name: "cannot-prove",
    level: Severity::Warning,
    allowable: true,
    summary: "a promise can be neither proved nor disproved: a fact is missing",
    explanation: "A promise is called proved only when a sum of known terms stays within it. Here a term \
        is not known: how much log is written at most, how fast a device is, or on which disk, \
        host or site something lies. Nothing is guessed in its place. `planc survey` measures \
        what can be measured; the rest belongs into `assume` or the inventory. `planc check \
        --strict-facts` counts this as an error.",
    bad: notes!(
        "\
objectives of notes {
  rpo 5min for loss of disk
}
backup nightly of service notes {
  physical full every day at 04:30
  store on near
  retain daily 7
}
archive changes of service notes {
  ship every 1 MiB to near
  retain window 7d
}
"
    ),
    good: notes!(
        "\
objectives of notes {
  rpo 5min for loss of disk
}
backup nightly of service notes {
  physical full every day at 04:30
  store on near
  retain daily 7
}
archive changes of service notes {
  ship every 1min or 1 MiB to near
  retain window 7d
}
"
    ),
};

pub(super) fn check(context: &Context<'_>, out: &mut Found) {
    for promise in &context.promises {
        let Verdict::Unknown(missing) = &promise.verdict else {
            continue;
        };
        let name = &context.plan.service(promise.service).name;
        let claim = promise.claim.words();
        let message = format!("{claim} of {name} cannot be proved without {missing}");
        let finding = Diagnostic::new(
            RULE.code,
            message,
            promise.span,
            "neither proved nor broken",
        )
        .subject(format!("{name}:{claim}"))
        .help("run `planc survey`, or state it in `assume` or the inventory");
        out.push(Scope::Objectives(promise.at), finding);
    }
}
