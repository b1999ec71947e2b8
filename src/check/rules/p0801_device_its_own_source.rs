//! P0801: a job copies to the device the copy is read from.

use crate::check::context::Context;
use crate::check::found::Found;
use crate::check::rule::Rule;
use crate::check::rules::example::notes;
use crate::diagnostic::{Code, Diagnostic, Severity};

pub(super) static RULE: Rule = Rule {
    code: Code(801),
    name: "device-its-own-source",
    level: Severity::Error,
    allowable: false,
    summary: "a job copies to the device the copy is read from",
    explanation: "`store on` is where bytes land first, and `copy to` reads them from there. A copy \
        to the same device makes no second copy: the count of copies looks higher than it \
        is. Name another device, or drop the line.",
    bad: notes!(
        "\
objectives of notes {
  rpo 1d for loss of disk
}
backup nightly of service notes {
  physical full every day at 04:30
  store on near
  copy to near within 6h
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
  copy to spare within 6h
  retain daily 7
}
"
    ),
};

pub(super) fn check(context: &Context<'_>, out: &mut Found) {
    for job in context.jobs() {
        let sources = job.first_devices();
        for copy in &job.keeping.copies {
            // with a second source the log can come from there
            if sources != [copy.device] {
                continue;
            }
            let name = &context.plan.device(copy.device).name;
            let message = format!("`{}` copies from {name} to {name}", job.name);
            let finding = Diagnostic::new(RULE.code, message, copy.span, "its own source")
                .subject(job.subject())
                .help("name another device, or remove the line");
            out.push(job.id, finding);
        }
    }
}
