//! P1001: a key lies on the device whose copies it opens.

use std::collections::BTreeSet;
use std::path::Path;

use crate::check::context::Context;
use crate::check::found::{Found, Scope};
use crate::check::rule::Rule;
use crate::check::rules::example::notes;
use crate::diagnostic::{Code, Diagnostic, Severity};
use crate::resolve::plan::{Device, Encrypt, Key};

pub(super) static RULE: Rule = Rule {
    code: Code(1001),
    name: "key-beside-its-ciphertext",
    level: Severity::Error,
    allowable: true,
    summary: "a key lies on the device whose copies it opens",
    explanation: "Encryption protects a copy that falls into other hands. A key file in the folder of \
        the device goes wherever the copies go: who takes the disk, or reads the share, has \
        both. And when the device is lost, the copies elsewhere cannot be opened either. Keep \
        the key on another disk or in a vault.",
    bad: notes!(
        "\
key notes_key from file \"/srv/copies/notes.key\" escrow at there
objectives of notes {
  rpo 2d for loss of disk
}
backup nightly of service notes {
  physical full every day at 04:30
  store on near
  encrypt with notes_key
  retain daily 7
}
"
    ),
    good: notes!(
        "\
key notes_key from file \"/etc/planc/notes.key\" escrow at there
objectives of notes {
  rpo 2d for loss of disk
}
backup nightly of service notes {
  physical full every day at 04:30
  store on near
  encrypt with notes_key
  retain daily 7
}
"
    ),
};

pub(super) fn check(context: &Context<'_>, out: &mut Found) {
    let plan = context.plan;
    let mut seen = BTreeSet::new();
    for job in context.jobs() {
        let Encrypt::With(id, span) = job.keeping.encrypt else {
            continue;
        };
        let key = &plan.keys[id.index()];
        for at in job.devices() {
            let device = plan.device(at);
            if !beside(key, device) || !seen.insert((id, at)) {
                continue;
            }
            let (name, place) = (&key.name, &device.name);
            let message = format!("key {name} lies on device {place}, with the copies it opens");
            let finding = Diagnostic::new(RULE.code, message, key.span, "in the device's folder")
                .related("copies are sealed with it", span, "")
                .subject(format!("{name}:{place}"))
                .help("keep the key outside the device, for example in a vault");
            out.push(Scope::Plan, finding);
        }
    }
}

/// True when the key is a file below the folder of the device.
fn beside(key: &Key, device: &Device) -> bool {
    let folder = device.path.as_deref().filter(|_| key.source == "file");
    folder.is_some_and(|folder| Path::new(&key.locator).starts_with(folder))
}
