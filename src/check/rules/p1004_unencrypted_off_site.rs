//! P1004: a copy leaves the site without encryption.

use crate::check::context::Context;
use crate::check::found::Found;
use crate::check::rule::Rule;
use crate::check::rules::example::notes;
use crate::diagnostic::{Code, Diagnostic, Severity};
use crate::resolve::plan::Encrypt;

pub(super) static RULE: Rule = Rule {
    code: Code(1004),
    name: "unencrypted-off-site",
    level: Severity::Warning,
    allowable: true,
    summary: "a copy leaves the site without encryption",
    explanation: "A copy at another site travels over networks and lies where other people have keys \
        to the door. Seal it with `encrypt with …`; when it holds nothing worth sealing, \
        say that on purpose with `encrypt none`.",
    bad: notes!(
        "\
objectives of notes {
  rpo 1d for loss of disk
}
backup nightly of service notes {
  physical full every day at 04:30
  store on near
  copy to far within 6h
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
  copy to far within 6h
  encrypt none
  retain daily 7
}
"
    ),
};

pub(super) fn check(context: &Context<'_>, out: &mut Found) {
    for job in context.jobs().filter(|job| !job.keeping.incomplete) {
        let services = job.services();
        let home = services.iter().find_map(|id| context.site_of(*id));
        let (Some(home), Encrypt::Unsaid) = (home, job.keeping.encrypt) else {
            continue;
        };
        let devices = job.devices().into_iter().map(|id| context.plan.device(id));
        let away = devices.into_iter().find(|device| {
            let site = device.site.as_deref();
            site.is_some_and(|site| site != home)
        });
        let Some(device) = away else { continue };
        let (name, word, far) = (job.name, job.word(), &device.name);
        let message = format!("`{word} {name}` keeps unencrypted copies on {far}, at another site");
        let finding = Diagnostic::new(RULE.code, message, job.span, "no `encrypt`")
            .subject(job.subject())
            .help("add `encrypt with …`, or `encrypt none` on purpose");
        out.push(job.id, finding);
    }
}
