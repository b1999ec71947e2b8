//! P0810: a device is left to shrink what it can no longer shrink.

use crate::check::context::Context;
use crate::check::found::{Found, Scope};
use crate::check::rule::Rule;
use crate::diagnostic::{Code, Diagnostic, Severity};
use crate::resolve::plan::{Codec, Encrypt};

pub(super) static RULE: Rule = Rule {
    code: Code(810),
    name: "compressed-after-encryption",
    level: Severity::Warning,
    allowable: true,
    summary: "a device is to compress copies that are encrypted before",
    explanation: "Encrypted bytes look like noise: a device that compresses or deduplicates \
        (`reduces: true` in the inventory) gains nothing on them, and with `compress none` the \
        copies take their full size. planc compresses before it encrypts.",
    bad: r#"planc 1
plan tree
timezone UTC
environment prod inventory "inventory.yaml"
key k from env PLANC_KEY escrow at away
objectives of tree {
  rpo 3d for human error
}
backup nightly of service tree {
  physical full every day at 04:30
  store on near
  retain daily 30
  encrypt with k
  compress none
}
--- inventory.yaml
inventory: 1
sites: {home: {}, away: {}}
hosts: {box: {site: home}, nas: {site: home}}
services:
  tree: {engine: files, host: box, path: tree}
devices:
  near: {host: nas, path: near, reduces: true}
"#,
    good: r#"planc 1
plan tree
timezone UTC
environment prod inventory "inventory.yaml"
key k from env PLANC_KEY escrow at away
objectives of tree {
  rpo 3d for human error
}
backup nightly of service tree {
  physical full every day at 04:30
  store on near
  retain daily 30
  encrypt with k
  compress zstd 3
}
--- inventory.yaml
inventory: 1
sites: {home: {}, away: {}}
hosts: {box: {site: home}, nas: {site: home}}
services:
  tree: {engine: files, host: box, path: tree}
devices:
  near: {host: nas, path: near, reduces: true}
"#,
};

pub(super) fn check(context: &Context<'_>, out: &mut Found) {
    for job in context.jobs() {
        let Encrypt::With(_, span) = job.keeping.encrypt else {
            continue;
        };
        if job.keeping.codec != Codec::None {
            continue;
        }
        let devices = job.devices().into_iter().map(|id| context.plan.device(id));
        for device in devices.filter(|device| device.reduces) {
            let message = format!(
                "{} compresses or deduplicates, which gains nothing on encrypted copies",
                device.name
            );
            let finding = Diagnostic::new(RULE.code, message, span, "encrypted before it arrives")
                .subject(job.subject())
                .help("write `compress zstd 3`: planc compresses before it encrypts");
            out.push(Scope::from(job.id), finding);
        }
    }
}
