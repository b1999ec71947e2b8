//! P0705: a copy at another site is promised, and nothing leaves the site.

use crate::check::context::Context;
use crate::check::found::{Found, Scope};
use crate::check::job::Job;
use crate::check::promise::copies::{Of, Short, devices};
use crate::check::promise::{Broken, Promise, Verdict, counted};
use crate::check::rule::Rule;
use crate::check::rules::example::orders;
use crate::diagnostic::{Code, Diagnostic, Severity};
use crate::resolve::plan::{Device, DeviceKind};

pub(super) static RULE: Rule = Rule {
    code: Code(705),
    name: "nothing-leaves-the-site",
    level: Severity::Error,
    allowable: true,
    summary: "a copy at another site is promised, and nothing leaves the site",
    explanation: "Off-site means that the loss of the building where the database runs does not take the \
        copy. All devices of the job are in that building, and no volumes travel. Copy to a \
        device at another site, or let the volumes rotate there.",
    bad: orders!(
        "\
objectives of orders_db {
  copies >= 2 on >= 1 sites, >= 1 offsite
}
backup all of base, tablespace hot {
  physical full every sun at 04:00
  store on nvme
  copy to tapes within 6h
  encrypt none
  retain window 15d
}
archive wal of orders_db {
  ship every 5min or 64 MiB to nvme
  copy to tapes within 6h
  retain window 15d
}
"
    ),
    good: orders!(
        "\
objectives of orders_db {
  copies >= 2 on >= 1 sites, >= 1 offsite
}
backup all of base, tablespace hot {
  physical full every sun at 04:00
  store on nvme
  copy to bucket within 6h
  encrypt none
  retain window 15d
}
archive wal of orders_db {
  ship every 5min or 64 MiB to nvme
  encrypt none
  copy to bucket within 1h
  retain window 15d
}
"
    ),
};

pub(super) fn check(context: &Context<'_>, out: &mut Found) {
    for promise in &context.promises {
        let Verdict::Broken(Broken::Copies(short)) = &promise.verdict else {
            continue;
        };
        for short in short {
            if short.of == Of::Special("offsite".to_owned()) {
                out.push(
                    Scope::Objectives(promise.at),
                    finding(context, promise, short),
                );
            }
        }
    }
}

fn finding(context: &Context<'_>, promise: &Promise, short: &Short) -> Diagnostic {
    let plan = context.plan;
    let job = Job::new(plan, short.job);
    let home = context.site_of(promise.service).unwrap_or_default();
    let (found, asked, name) = (short.found, short.promised, job.name);
    let held: Vec<&Device> = devices(context, short.job)
        .iter()
        .map(|id| plan.device(*id))
        .collect();
    let message = format!("{asked} offsite asked of `{name}`, {found} of its copies leaves {home}");
    let mut finding = Diagnostic::new(RULE.code, message, promise.span, "promised here")
        .related("kept by this job", job.span, "")
        .subject(job.subject());
    let stays = |device: &&&Device| device.kind == DeviceKind::Volumes && device.rotate.is_none();
    let other = plan.sites.keys().find(|site| *site != home);
    finding = match (held.iter().find(stays), other) {
        (Some(volumes), Some(other)) => finding
            .related(format!("{} never rotates", volumes.name), volumes.span, "")
            .help(format!(
                "write `rotate to {other} every fri, return when expired`"
            )),
        _ => finding.help("add `copy to` a device at another site"),
    };
    let names = held.iter().map(|device| device.name.clone());
    finding.proof = Some(counted("offsite", (asked, found), names));
    finding
}
