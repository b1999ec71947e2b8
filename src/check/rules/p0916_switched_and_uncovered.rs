//! P0916: after a switchover no recovery covers the loss of the new site.

use crate::check::context::Context;
use crate::check::context::subject;
use crate::check::found::{Found, ScenarioId, Scope};
use crate::check::rule::Rule;
use crate::check::rules::example::orders;
use crate::diagnostic::{Code, Diagnostic, Severity};
use crate::resolve::plan::{ActionKind, LossKind, ResolvedPlan, ServiceId};

pub(super) static RULE: Rule = Rule {
    code: Code(916),
    name: "switched-and-uncovered",
    level: Severity::Warning,
    allowable: true,
    summary: "after a switchover no recovery covers the loss of the new site",
    explanation: "A promise for the loss of a site is meant for the site where the service runs. \
        After the switchover that is another site, and no recovery says what is done when \
        that one is lost. Add one, or allow the finding for as long as a planned \
        switchover lasts.",
    bad: orders!(
        "\
service orders_db is postgresql {
  tablespace hot
  standby orders_dub at dub
}
objectives of orders_db {
  rpo 5min for loss of site
}
backup all of base, tablespace hot {
  physical full every sun at 04:00
  store on nvme
  copy to bucket within 6h
  encrypt none
  retain window 15d
}
archive wal of orders_db {
  ship every 1min or 64 MiB to bucket
  encrypt none
  retain window 15d
}
switchover to_dublin {
  require lag <= 16 MiB
  fence old primary
  promote orders_dub from orders_db
  probe orders_db \"select not pg_is_in_recovery()\" is true
}
recovery lost_frankfurt {
  for loss of site fra
  restore service orders_db to dub_spare from bucket
  replay log to latest
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
  rpo 5min for loss of site
}
backup all of base, tablespace hot {
  physical full every sun at 04:00
  store on nvme
  copy to bucket within 6h
  encrypt none
  retain window 15d
}
archive wal of orders_db {
  ship every 1min or 64 MiB to bucket
  encrypt none
  retain window 15d
}
switchover to_dublin {
  require lag <= 16 MiB
  fence old primary
  promote orders_dub from orders_db
  probe orders_db \"select not pg_is_in_recovery()\" is true
}
recovery lost_site {
  for loss of site
  restore service orders_db to dub_spare from nearest
  replay log to latest
}
"
    ),
};

pub(super) fn check(context: &Context<'_>, out: &mut Found) {
    if !context.whole {
        return;
    }
    for (at, switch) in context.plan.switchovers.iter().enumerate() {
        for action in &switch.actions {
            let ActionKind::Promote { standby, .. } = &action.kind else {
                continue;
            };
            let Some((service, site)) = home(context.plan, standby) else {
                continue;
            };
            if !promises_site(context, service) || covered(context.plan, site) {
                continue;
            }
            let message =
                format!("with the primary at {site}, no recovery covers loss of site {site}");
            let finding =
                Diagnostic::new(RULE.code, message, action.span, "the primary moves here")
                    .subject(subject(&switch.name, &switch.origin))
                    .help("add a recovery, or `allow` it for the planned duration");
            out.push(Scope::Scenario(ScenarioId::Switchover(at)), finding);
        }
    }
}

/// The service a standby belongs to, and the standby's site.
fn home<'a>(plan: &'a ResolvedPlan, standby: &str) -> Option<(ServiceId, &'a str)> {
    let services = plan.services.iter().enumerate();
    services.into_iter().find_map(|(at, service)| {
        let mut standbys = service.standbys.iter();
        let (_, site, _) = standbys.find(|(name, ..)| name == standby)?;
        Some((ServiceId::from_index(at), &**site))
    })
}

fn promises_site(context: &Context<'_>, service: ServiceId) -> bool {
    context.service_objectives(service).any(|(_, objectives)| {
        let rpos = objectives.rpos.iter().map(|(_, loss, _)| loss);
        let mut losses = rpos.chain(objectives.rtos.iter().map(|(_, loss, ..)| loss));
        losses.any(|loss| matches!(loss.kind, LossKind::Site(_)))
    })
}

fn covered(plan: &ResolvedPlan, site: &str) -> bool {
    let mut losses = plan.recoveries.iter().flat_map(|recovery| &recovery.covers);
    losses.any(|loss| match &loss.kind {
        LossKind::Site(named) => named.as_deref().is_none_or(|named| named == site),
        _ => false,
    })
}
