//! P0914: a switchover promotes without fencing the old primary.

use crate::check::context::Context;
use crate::check::context::subject;
use crate::check::found::{Found, ScenarioId, Scope};
use crate::check::rule::Rule;
use crate::check::rules::example::orders;
use crate::diagnostic::{Code, Diagnostic, Severity};
use crate::resolve::plan::ActionKind;

pub(super) static RULE: Rule = Rule {
    code: Code(914),
    name: "no-fencing",
    level: Severity::Error,
    allowable: true,
    summary: "a switchover promotes without fencing the old primary",
    explanation: "A primary that is cut off but alive goes on accepting writes. After the promotion \
        two servers take orders for the same data, and no tool can merge them. Fence the \
        old one first: stop it, or take its network or its disks away.",
    bad: orders!(
        "\
service orders_db is postgresql {
  tablespace hot
  standby orders_dub at dub
}
objectives of orders_db {
  rpo 5min for loss of host
}
backup all of base, tablespace hot {
  physical full every sun at 04:00
  store on nvme
  retain window 15d
}
archive wal of orders_db {
  ship every 1min or 64 MiB to nvme
  retain window 15d
}
switchover to_dublin {
  require lag <= 16 MiB
  promote orders_dub from orders_db
  probe orders_db \"select not pg_is_in_recovery()\" is true
}
"
    ),
    good: orders!(
        "\
service orders_db is postgresql {
  tablespace hot
  standby orders_dub at dub
}
objectives of orders_db {
  rpo 5min for loss of host
}
backup all of base, tablespace hot {
  physical full every sun at 04:00
  store on nvme
  retain window 15d
}
archive wal of orders_db {
  ship every 1min or 64 MiB to nvme
  retain window 15d
}
switchover to_dublin {
  require lag <= 16 MiB
  fence old primary
  promote orders_dub from orders_db
  probe orders_db \"select not pg_is_in_recovery()\" is true
}
"
    ),
};

pub(super) fn check(context: &Context<'_>, out: &mut Found) {
    for (at, switch) in context.plan.switchovers.iter().enumerate() {
        let mut actions = switch.actions.iter();
        let promotes = actions.find(|a| matches!(a.kind, ActionKind::Promote { .. }));
        let fenced = switch
            .actions
            .iter()
            .any(|a| matches!(a.kind, ActionKind::Fence));
        let Some(promote) = promotes.filter(|_| !fenced && !switch.incomplete) else {
            continue;
        };
        let message = format!(
            "`{}` promotes while the old primary may still accept writes",
            switch.name
        );
        let finding = Diagnostic::new(
            RULE.code,
            message,
            promote.span,
            "two primaries from here on",
        )
        .subject(subject(&switch.name, &switch.origin))
        .help("add `fence old primary` before it");
        out.push(Scope::Scenario(ScenarioId::Switchover(at)), finding);
    }
}
