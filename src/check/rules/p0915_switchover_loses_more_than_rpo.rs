//! P0915: a switchover may lose more work than the objective allows.

use crate::check::context::{Context, subject};
use crate::check::found::{Found, ScenarioId, Scope};
use crate::check::rule::Rule;
use crate::check::rules::example::orders;
use crate::diagnostic::{Code, Diagnostic, Severity};
use crate::estimate::Figure;
use crate::estimate::exposure::{bytes, streamed};
use crate::quantity::{Bytes, Duration};
use crate::resolve::plan::{ActionKind, Scenario, ServiceId};
use crate::source::Span;

pub(super) static RULE: Rule = Rule {
    code: Code(915),
    name: "switchover-loses-more-than-rpo",
    level: Severity::Error,
    allowable: true,
    summary: "a switchover may lose more work than the objective allows",
    explanation: "What the standby has not received when it is promoted is lost. `require lag` bounds \
        it: the switchover does not begin while the standby is further behind. The bound \
        counts as the time in which that much log is written on average, and that has to stay \
        within the shortest RPO of the service. Without the clause nothing bounds the loss.",
    bad: orders!(
        "\
service orders_db is postgresql {
  tablespace hot
  standby orders_dub at dub
}
objectives of orders_db {
  rpo 30s for loss of host
}
backup all of base, tablespace hot {
  physical full every sun at 04:00
  store on nvme
  retain window 15d
}
archive wal of orders_db {
  stream to nvme lag <= 16 MiB
  retain window 15d
}
switchover to_dublin {
  require lag <= 64 MiB
  fence old primary
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
  rpo 30s for loss of host
}
backup all of base, tablespace hot {
  physical full every sun at 04:00
  store on nvme
  retain window 15d
}
archive wal of orders_db {
  stream to nvme lag <= 16 MiB
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
        let Some((service, promote)) = promoted(switch) else {
            continue;
        };
        if switch.incomplete || !context.whole {
            continue;
        }
        let rpos = context.service_objectives(service);
        let rpos = rpos.flat_map(|(_, objectives)| &objectives.rpos);
        let Some((limit, _, span)) = rpos.min_by_key(|rpo| rpo.0) else {
            continue;
        };
        if let Some(finding) = judge(context, switch, (service, promote), (*limit, *span)) {
            out.push(Scope::Scenario(ScenarioId::Switchover(at)), finding);
        }
    }
}

/// The service that moves, and the clause that moves it.
fn promoted(switch: &Scenario) -> Option<(ServiceId, Span)> {
    switch.actions.iter().find_map(|action| match &action.kind {
        ActionKind::Promote { from, .. } => Some(((*from)?, action.span)),
        _ => None,
    })
}

fn judge(
    context: &Context<'_>,
    switch: &Scenario,
    (service, promote): (ServiceId, Span),
    (limit, promise): (Duration, Span),
) -> Option<Diagnostic> {
    let mut lags = switch
        .actions
        .iter()
        .filter_map(|action| match action.kind {
            ActionKind::RequireLag(_, lag) => Some((lag, action.span)),
            _ => None,
        });
    let (name, mean) = (&switch.name, context.known.log_mean_low(service));
    let (message, place) = match lags.next() {
        None => {
            let message = format!("`{name}` promotes without `require lag`; rpo is {limit}");
            (message, promote)
        }
        Some((lag, span)) => {
            let figure: Figure = streamed(Some(lag), mean, "the service", "the standby");
            if !figure.beyond(limit.as_secs()) {
                return None;
            }
            let found = figure.total().ceil();
            let message =
                format!("`{name}` may lose {lag} of log, {found}s of work; rpo is {limit}");
            (message, span)
        }
    };
    let finding = Diagnostic::new(RULE.code, message, place, "may lose more than promised")
        .related("promised here", promise, "")
        .subject(subject(name, &switch.origin));
    Some(finding.help(match mean.and_then(|mean| most(mean, limit)) {
        Some(lag) => format!("write `require lag <= {lag} MiB`"),
        None => format!("write `require lag <= …`, a lag that is worth less than {limit}"),
    }))
}

/// The most whole MiB of log that are written in a time, when there are any.
fn most(mean: f64, limit: Duration) -> Option<f64> {
    let mib = (mean * limit.as_secs() / bytes(Bytes(1 << 20))).floor();
    (mib >= 1.0).then_some(mib)
}
