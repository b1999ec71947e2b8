//! P0712: mistakes are covered for less than a week back.

use crate::check::cadence::days;
use crate::check::context::Context;
use crate::check::found::{Found, Scope};
use crate::check::promise::{Claim, reach};
use crate::check::rule::Rule;
use crate::check::rules::example::orders;
use crate::diagnostic::{Code, Diagnostic, Severity};
use crate::resolve::plan::LossKind;
use std::collections::BTreeSet;

pub(super) static RULE: Rule = Rule {
    code: Code(712),
    name: "retention-below-time-to-notice",
    level: Severity::Warning,
    allowable: true,
    summary: "mistakes are covered for less than a week back",
    explanation: "A wrong delete on a Friday afternoon is often noticed in the next week, when somebody \
        misses the rows. What can be restored here reaches back less than seven days, so a \
        mistake that took longer to notice cannot be undone, although the plan promises to \
        undo mistakes. Keep data and log for a week at least, or allow the finding where \
        mistakes show at once.",
    bad: orders!(
        "\
objectives of orders_db {
  rpo 1h for human error
}
backup all of base, tablespace hot {
  physical full every day at 04:00
  store on nvme
  copy to bucket within 6h
  encrypt none
  retain window 3d
}
archive wal of orders_db {
  ship every 5min or 64 MiB to bucket
  encrypt none
  retain window 3d
}
"
    ),
    good: orders!(
        "\
objectives of orders_db {
  rpo 1h for human error
}
backup all of base, tablespace hot {
  physical full every day at 04:00
  store on nvme
  copy to bucket within 6h
  encrypt none
  retain window 15d
}
archive wal of orders_db {
  ship every 5min or 64 MiB to bucket
  encrypt none
  retain window 15d
}
"
    ),
};

pub(super) fn check(context: &Context<'_>, out: &mut Found) {
    let mut seen = BTreeSet::new();
    for promise in &context.promises {
        let (Claim::Rpo(_, LossKind::HumanError) | Claim::Rto(_, LossKind::HumanError)) =
            &promise.claim
        else {
            continue;
        };
        let Some(least) = reach::least(context, promise.service) else {
            continue;
        };
        if least.span() >= days(7) || !context.whole || !seen.insert(promise.service) {
            continue;
        }
        let name = &context.plan.service(promise.service).name;
        let found = least.span();
        let message = format!("human error of {name} is covered only {found} back");
        let short = [Some(least.data), least.log].into_iter().flatten();
        let mut finding = Diagnostic::new(RULE.code, message, promise.span, "promised here")
            .subject(name)
            .help("keep data and log for 7d at least");
        if let Some((kept, _, span)) = short.min_by_key(|kept| kept.0) {
            finding = finding.related(format!("nothing is kept longer than {kept}"), span, "");
        }
        out.push(Scope::Objectives(promise.at), finding);
    }
}
