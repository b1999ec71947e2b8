//! P0512: `when changed` is asked of an engine that cannot tell.

use crate::check::context::Context;
use crate::check::context::{backups, services_of, subject};
use crate::check::found::{Found, Scope};
use crate::check::rule::Rule;
use crate::check::rules::example::orders;
use crate::diagnostic::{Code, Diagnostic, Severity};
use crate::facts::capability;

pub(super) static RULE: Rule = Rule {
    code: Code(512),
    name: "change-cannot-be-told",
    level: Severity::Warning,
    allowable: true,
    summary: "`when changed` is asked of an engine that cannot tell",
    explanation: "`when changed` skips a run when nothing was written since the last copy. Engines \
        without a counter of changes cannot tell, so the run is never skipped and the \
        words promise something that does not happen. Remove them.",
    bad: orders!(
        "\
allow P1107 because \"orders_db has a plan of its own\"
service shop is mariadb
objectives of shop {
  rpo 5min for human error
}
backup all of service shop {
  physical full every sun at 04:00 when changed
  store on nvme
  retain window 15d
}
archive binlog of shop {
  ship every 1min or 64 MiB to nvme
  retain window 15d
}
"
    ),
    good: orders!(
        "\
allow P1107 because \"orders_db has a plan of its own\"
service shop is mariadb
objectives of shop {
  rpo 5min for human error
}
backup all of service shop {
  physical full every sun at 04:00
  store on nvme
  retain window 15d
}
archive binlog of shop {
  ship every 1min or 64 MiB to nvme
  retain window 15d
}
"
    ),
};

pub(super) fn check(context: &Context<'_>, out: &mut Found) {
    for (id, backup) in backups(context.plan) {
        let services = services_of(context.plan, &backup.targets);
        let engines = services.iter().map(|id| context.plan.service(*id).engine);
        let blind = engines
            .into_iter()
            .find(|engine| !capability::of(*engine).change_counter);
        let Some(engine) = blind else { continue };
        for take in backup.takes.iter().filter(|take| take.when_changed) {
            let message = format!("{} cannot tell whether something changed", engine.word());
            let finding = Diagnostic::new(RULE.code, message, take.span, "runs every time")
                .subject(subject(&backup.name, &backup.origin))
                .help("remove `when changed`");
            out.push(Scope::Backup(id), finding);
        }
    }
}
