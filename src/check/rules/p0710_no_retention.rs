//! P0710: a job never says how long its copies are kept.

use crate::check::context::Context;
use crate::check::found::Found;
use crate::check::rule::Rule;
use crate::check::rules::example::notes;
use crate::diagnostic::{Code, Diagnostic, Severity};

pub(super) static RULE: Rule = Rule {
    code: Code(710),
    name: "no-retention",
    level: Severity::Error,
    allowable: true,
    summary: "a job never says how long its copies are kept",
    explanation: "There is no default for how long copies are kept: too short loses what an audit \
        asks for, for ever fills the device. The number is a decision, so it has to be \
        written, for every device of the job. What shall stay for ever is said as well: \
        `retain yearly 100`.",
    bad: notes!(
        "\
objectives of notes {
  rpo 1d for loss of disk
}
backup nightly of service notes {
  physical full every day at 04:30
  store on near
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
  retain daily 7
}
"
    ),
};

pub(super) fn check(context: &Context<'_>, out: &mut Found) {
    for job in context.jobs().filter(|job| !job.keeping.incomplete) {
        let devices = job.devices();
        let bare: Vec<&str> = devices
            .iter()
            .filter(|device| job.tiers(**device).is_empty())
            .map(|device| &*context.plan.device(*device).name)
            .collect();
        if bare.is_empty() {
            continue;
        }
        let (word, name) = (job.word(), job.name);
        let message = if bare.len() == devices.len() {
            format!("`{word} {name}` never says how long copies are kept")
        } else {
            format!(
                "`{word} {name}` never says how long {} keeps copies",
                bare.join(", ")
            )
        };
        let finding = Diagnostic::new(RULE.code, message, job.span, "no `retain`")
            .subject(job.subject())
            .help("add `retain …`; for ever must be said: `retain yearly 100`");
        out.push(job.id, finding);
    }
}
