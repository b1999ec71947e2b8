//! P0906: a time to recover is promised for a loss that no recovery covers.

use crate::check::context::Context;
use crate::check::found::{Found, Scope};
use crate::check::promise::{Claim, Promise, means};
use crate::check::rule::Rule;
use crate::check::rules::example::notes;
use crate::check::words::loss_words;
use crate::diagnostic::{Code, Diagnostic, Severity};
use crate::estimate::survive;
use crate::resolve::plan::LossKind;

pub(super) static RULE: Rule = Rule {
    code: Code(906),
    name: "promise-without-scenario",
    level: Severity::Error,
    allowable: true,
    summary: "a time to recover is promised for a loss that no recovery covers",
    explanation: "A time can only be promised for steps that are written down. Without a `recovery` for \
        this loss somebody invents the steps during the incident, and nothing can say how long \
        they take. Write one `recovery … { for … }` for every loss with an `rto`.",
    bad: notes!(
        "\
assume {
  size 2 GiB
}
objectives of notes {
  rpo 2d for loss of disk
  rto 2h for loss of host
}
backup nightly of service notes {
  physical full every day at 04:30
  store on near
  retain daily 7
}
"
    ),
    good: notes!(
        "\
assume {
  size 2 GiB
}
objectives of notes {
  rpo 2d for loss of disk
  rto 2h for loss of host
}
backup nightly of service notes {
  physical full every day at 04:30
  store on near
  retain daily 7
}
recovery moved {
  for loss of host
  restore service notes to vault
  finish within 2h
}
"
    ),
};

pub(super) fn check(context: &Context<'_>, out: &mut Found) {
    if !context.whole {
        return;
    }
    for promise in &context.promises {
        let Claim::Rto(limit, loss) = &promise.claim else {
            continue;
        };
        if covered(context, promise, loss) {
            continue;
        }
        let plan = context.plan;
        let (name, words) = (
            &plan.service(promise.service).name,
            loss_words(&named(context, promise, loss)),
        );
        let message =
            format!("`rto {limit}` is promised, but no recovery of {name} covers {words}");
        let finding = Diagnostic::new(RULE.code, message, promise.span, "by which steps?")
            .subject(format!("{name}:{words}"))
            .help(format!("add `recovery … {{ for {words} … }}`"));
        out.push(Scope::Objectives(promise.at), finding);
    }
}

/// Whether recoveries of the service cover every case of the loss.
fn covered(context: &Context<'_>, promise: &Promise, loss: &LossKind) -> bool {
    let plan = context.plan;
    let own = context.service_recoveries(promise.service);
    let covers: Vec<&LossKind> = own
        .flat_map(|recovery| recovery.covers.iter().map(|loss| &loss.kind))
        .collect();
    let cases = survive::cases(plan, promise.service, loss);
    cases.iter().all(|case| {
        let mut covers = covers.iter();
        covers.any(|cover| *cover == loss || means(plan, promise.service, cover, case))
    })
}

/// The loss with the name of the site that is meant.
fn named(context: &Context<'_>, promise: &Promise, loss: &LossKind) -> LossKind {
    match loss {
        LossKind::Site(None) => {
            let home = survive::home(context.plan, promise.service);
            LossKind::Site(home.map(str::to_owned))
        }
        other => other.clone(),
    }
}
