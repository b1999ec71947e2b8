//! P0804: the device cannot be used this way.

use crate::check::context::Context;
use crate::check::context::{archives, subject};
use crate::check::found::{Found, Scope};
use crate::check::rule::Rule;
use crate::check::rules::example::orders;
use crate::diagnostic::{Code, Diagnostic, Severity};
use crate::resolve::plan::DeviceKind;

pub(super) static RULE: Rule = Rule {
    code: Code(804),
    name: "device-cannot",
    level: Severity::Error,
    allowable: true,
    summary: "the device cannot be used this way",
    explanation: "A streamed log is appended to as it is written. Object stores and volume sets take \
        whole objects only, so a stream to them would have to be cut into pieces, which is \
        what `ship` does. Stream to a directory and ship to the other device.",
    bad: orders!(
        "\
objectives of orders_db {
  rpo 5min for loss of host
}
backup all of base, tablespace hot {
  physical full every sun at 04:00
  store on nvme
  retain window 15d
}
archive wal of orders_db {
  stream to bucket lag <= 16 MiB
  encrypt none
  retain window 15d
}
"
    ),
    good: orders!(
        "\
objectives of orders_db {
  rpo 5min for loss of host
}
backup all of base, tablespace hot {
  physical full every sun at 04:00
  store on nvme
  retain window 15d
}
archive wal of orders_db {
  stream to nvme lag <= 16 MiB
  encrypt none
  retain window 15d
}
"
    ),
};

pub(super) fn check(context: &Context<'_>, out: &mut Found) {
    for (id, archive) in archives(context.plan) {
        for stream in &archive.streams {
            let device = context.plan.device(stream.device);
            if device.append || device.kind == DeviceKind::Directory {
                continue;
            }
            let (name, kind) = (&device.name, device.kind.word());
            let message = format!(
                "the log cannot be streamed to {name}: objects on {kind} devices cannot be appended to"
            );
            let finding = Diagnostic::new(RULE.code, message, stream.span, "takes whole objects")
                .subject(subject(&archive.name, &archive.origin))
                .help(format!(
                    "stream to a directory, and `ship every … to {name}`"
                ));
            out.push(Scope::Archive(id), finding);
        }
    }
}
