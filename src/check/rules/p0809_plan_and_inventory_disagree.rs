//! P0809: plan and inventory put a device at different sites.

use crate::check::context::Context;
use crate::check::found::{Found, Scope};
use crate::check::rule::Rule;
use crate::check::rules::example::notes;
use crate::diagnostic::{Code, Diagnostic, Severity};
use crate::resolve::plan::DeviceId;

pub(super) static RULE: Rule = Rule {
    code: Code(809),
    name: "plan-and-inventory-disagree",
    level: Severity::Error,
    allowable: true,
    summary: "plan and inventory put a device at different sites",
    explanation: "What survives the loss of a site is computed from where devices are. When the plan \
        says one site and the inventory puts the device's host at another, one of them is \
        wrong, and with it every promise about that site. Correct one.",
    bad: notes!(
        "\
device near is directory at there
objectives of notes {
  rpo 1d for loss of disk
}
backup nightly of service notes {
  physical full every day at 04:30
  store on near
  encrypt none
  retain daily 7
}
"
    ),
    good: notes!(
        "\
device near is directory at here
objectives of notes {
  rpo 1d for loss of disk
}
backup nightly of service notes {
  physical full every day at 04:30
  store on near
  encrypt none
  retain daily 7
}
"
    ),
};

pub(super) fn check(context: &Context<'_>, out: &mut Found) {
    let plan = context.plan;
    for (at, device) in plan.devices.iter().enumerate() {
        let Some(host) = &device.host else { continue };
        let there = plan.hosts.get(host).and_then(|host| host.site.as_ref());
        let (Some(said), Some(found)) = (&device.site, there) else {
            continue;
        };
        if said == found {
            continue;
        }
        let name = &device.name;
        let message = format!("{name} is said to be at {said}, but its host {host} is at {found}");
        let mut finding = Diagnostic::new(RULE.code, message, device.span, format!("at {said}?"))
            .subject(name)
            .help("correct the plan or the inventory");
        if let Some(span) = device.inventory_span.filter(|span| *span != device.span) {
            finding = finding.related(format!("the inventory puts it on {host}"), span, "");
        }
        out.push(Scope::Device(DeviceId::from_index(at)), finding);
    }
}
