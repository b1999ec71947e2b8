//! P0806: a throttle is above what the devices can take.

use crate::check::context::Context;
use crate::check::found::Found;
use crate::check::rule::Rule;
use crate::check::rules::example::notes;
use crate::diagnostic::{Code, Diagnostic, Severity};
use crate::quantity::BytesPerSecond;
use crate::resolve::plan::{DeviceId, ResolvedPlan};

pub(super) static RULE: Rule = Rule {
    code: Code(806),
    name: "throttle-without-effect",
    level: Severity::Warning,
    allowable: true,
    summary: "a throttle is above what the devices can take",
    explanation: "A limit that is never reached limits nothing, and whoever reads it believes that \
        the database is spared. Lower it to what the database host can bear, or remove it.",
    bad: notes!(
        "\
objectives of notes {
  rpo 1d for loss of disk
}
backup nightly of service notes {
  physical full every day at 04:30
  store on near
  throttle 400 MiB/s
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
  physical full every day at 04:30
  store on near
  throttle 100 MiB/s
  retain daily 7
}
"
    ),
};

pub(super) fn check(context: &Context<'_>, out: &mut Found) {
    for job in context.jobs() {
        let Some((rate, name)) = fastest(context.plan, &job.devices()) else {
            continue;
        };
        for throttle in job
            .keeping
            .throttle
            .iter()
            .filter(|throttle| throttle.rate.0 > rate.0)
        {
            let message = format!("{} is above what {name} writes ({rate})", throttle.rate);
            let finding = Diagnostic::new(RULE.code, message, throttle.span, "never reached")
                .subject(job.subject())
                .help("lower it, or remove it");
            out.push(job.id, finding);
        }
    }
}

/// The fastest of the devices; `None` when the rate of one is unknown.
fn fastest<'a>(plan: &'a ResolvedPlan, devices: &[DeviceId]) -> Option<(BytesPerSecond, &'a str)> {
    let rates = devices.iter().map(|id| {
        let device = plan.device(*id);
        Some((device.write?, &*device.name))
    });
    let rates = rates.collect::<Option<Vec<_>>>()?;
    rates.into_iter().max_by(|a, b| a.0.0.total_cmp(&b.0.0))
}
