//! P0909: copies lie on a device from which no drill and no recovery ever reads.

use std::collections::BTreeSet;

use crate::check::context::{Context, scenario_services};
use crate::check::found::{Found, Scope};
use crate::check::promise::cover;
use crate::check::rule::Rule;
use crate::check::rules::example::notes;
use crate::diagnostic::{Code, Diagnostic, Severity};
use crate::resolve::plan::{ActionKind, DeviceId, Scenario, ServiceId, Source};

pub(super) static RULE: Rule = Rule {
    code: Code(909),
    name: "device-never-exercised",
    level: Severity::Warning,
    allowable: true,
    summary: "copies lie on a device from which no drill and no recovery ever reads",
    explanation: "A copy that nobody ever reads back may not be readable: a worn tape, a revoked \
        credential, a bucket in another class of storage. The other copies are rehearsed, this \
        one would be read for the first time when all others are gone. Let a drill restore from \
        it now and then, or `from any`.",
    bad: notes!(
        "\
objectives of notes {
  rpo 1d for loss of disk
}
backup nightly of service notes {
  physical full every day at 04:30
  store on near
  copy to spare within 6h
  retain daily 7
}
drill rehearsal every sun at 12:00 {
  restore service notes to depot from near
  probe notes \"select count(*) from entries\" >= 1
}
"
    ),
    good: notes!(
        "\
objectives of notes {
  rpo 1d for loss of disk
}
backup nightly of service notes {
  physical full every day at 04:30
  store on near
  copy to spare within 6h
  retain daily 7
}
drill rehearsal every sun at 12:00 {
  restore service notes to depot from any
  probe notes \"select count(*) from entries\" >= 1
}
"
    ),
};

pub(super) fn check(context: &Context<'_>, out: &mut Found) {
    if !context.whole {
        return;
    }
    // a device is named once, however many services keep copies there
    let mut idle: BTreeSet<DeviceId> = BTreeSet::new();
    let mut read: BTreeSet<DeviceId> = BTreeSet::new();
    let mut rehearsed = Rehearsed::of(context);
    rehearsed.services.sort_unstable();
    for service in context.services() {
        if rehearsed.services.binary_search(&service).is_err() {
            continue;
        }
        let held = held(context, service);
        for device in &held {
            if rehearsed.reads(context, service, *device, &held) {
                read.insert(*device);
            } else {
                idle.insert(*device);
            }
        }
    }
    for id in idle.difference(&read) {
        let device = context.plan.device(*id);
        let name = &device.name;
        let message = format!("no drill and no recovery reads from {name}");
        let finding = Diagnostic::new(RULE.code, message, device.span, "never read back")
            .subject(name)
            .help(format!(
                "`restore … from {name}` in a drill, once a quarter"
            ));
        out.push(Scope::Device(*id), finding);
    }
}

/// What drills and recoveries of a plan read.
struct Rehearsed<'a> {
    services: Vec<ServiceId>,
    scenarios: Vec<(BTreeSet<ServiceId>, &'a Scenario)>,
}

impl<'a> Rehearsed<'a> {
    fn of(context: &Context<'a>) -> Self {
        let plan = context.plan;
        let drilled: BTreeSet<ServiceId> = plan
            .drills
            .iter()
            .flat_map(|drill| scenario_services(plan, drill))
            .collect();
        let scenarios = plan.drills.iter().chain(&plan.recoveries);
        Self {
            services: drilled.into_iter().collect(),
            scenarios: scenarios
                .map(|scenario| (scenario_services(plan, scenario), scenario))
                .collect(),
        }
    }

    /// Whether some scenario of the service reads from the device.
    fn reads(
        &self,
        context: &Context<'_>,
        service: ServiceId,
        device: DeviceId,
        held: &BTreeSet<DeviceId>,
    ) -> bool {
        let own = self.scenarios.iter();
        let own = own.filter(|(services, _)| services.contains(&service));
        let mut actions = own.flat_map(|(_, scenario)| &scenario.actions);
        actions.any(|action| match &action.kind {
            ActionKind::Restore { from, .. } => match from {
                Source::Any => true,
                Source::Device(named) => *named == device,
                Source::Nearest => nearest(context, service, held).contains(&device),
            },
            _ => false,
        })
    }
}

/// The devices that hold whole copies of a service.
fn held(context: &Context<'_>, service: ServiceId) -> BTreeSet<DeviceId> {
    let backups = context.service_backups(service);
    let devices = backups.flat_map(|(_, backup)| cover::holders(backup).map(|(id, _)| id));
    devices.collect()
}

/// The devices at the least distance: on the host of the service, at its site, elsewhere.
fn nearest(
    context: &Context<'_>,
    service: ServiceId,
    held: &BTreeSet<DeviceId>,
) -> BTreeSet<DeviceId> {
    let plan = context.plan;
    let host = &plan.service(service).host;
    let home = context.site_of(service);
    let distance = |id: &DeviceId| {
        let device = plan.device(*id);
        match () {
            () if device.host.is_some() && device.host == *host => 0,
            () if home.is_some() && device.site.as_deref() == home => 1,
            () => 2,
        }
    };
    let least = held.iter().map(distance).min();
    let near = held.iter().filter(|id| Some(distance(id)) == least);
    near.copied().collect()
}
