//! P0607: an offline or immutable copy is promised, and none is kept.

use crate::check::context::Context;
use crate::check::found::{Found, Scope};
use crate::check::job::Job;
use crate::check::promise::copies::{Of, devices};
use crate::check::promise::{Broken, Verdict, counted};
use crate::check::rule::Rule;
use crate::check::rules::example::orders;
use crate::diagnostic::{Code, Diagnostic, Severity};

pub(super) static RULE: Rule = Rule {
    code: Code(607),
    name: "no-offline-copy",
    level: Severity::Error,
    allowable: true,
    summary: "an offline or immutable copy is promised, and none is kept",
    explanation: "Whoever can reach all devices can empty all devices. An offline copy is on volumes \
        that rotate to another place, or on a device that forbids deletion; an immutable copy \
        is on a device that forbids deletion. No device of the job is of that kind. Let \
        volumes travel with `rotate to`, or mark the device immutable in the inventory when it \
        really is.",
    bad: orders!(
        "\
objectives of orders_db {
  copies >= 2 on >= 1 sites, >= 1 immutable
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
  copies >= 2 on >= 1 sites, >= 1 immutable
}
backup all of base, tablespace hot {
  physical full every sun at 04:00
  store on nvme
  copy to vault within 6h
  encrypt none
  retain window 15d
}
archive wal of orders_db {
  ship every 5min or 64 MiB to nvme
  copy to vault within 6h
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
            let Of::Special(kind) = &short.of else {
                continue;
            };
            if kind == "offsite" {
                continue;
            }
            let job = Job::new(context.plan, short.job);
            let held = devices(context, short.job).into_iter();
            let held: Vec<String> = held
                .map(|id| context.plan.device(id).name.clone())
                .collect();
            let (found, asked) = (short.found, short.promised);
            let message = format!(
                "{asked} {kind} asked of `{}`, {found} found among {}",
                job.name,
                held.join(", ")
            );
            let mut finding = Diagnostic::new(RULE.code, message, promise.span, "promised here")
                .related("kept by this job", job.span, "")
                .subject(job.subject())
                .help(if kind == "offline" {
                    "let volumes travel with `rotate to`, or copy to an immutable device"
                } else {
                    "copy to a device that forbids deletion, `immutable: true` in the inventory"
                });
            finding.proof = Some(counted(kind, (asked, found), held));
            out.push(Scope::Objectives(promise.at), finding);
        }
    }
}
