//! P0613: log written in backup mode, with what waits to be shipped, outgrows its space.

use crate::check::context::Context;
use crate::check::found::{Found, Scope};
use crate::check::promise::space::Piled;
use crate::check::promise::{Broken, Claim, Promise, Verdict, proof};
use crate::check::rule::Rule;
use crate::check::rules::example::orders;
use crate::check::words::{amount, lasting, rate_at_least};
use crate::diagnostic::{Code, Diagnostic, Severity};
use crate::estimate::exposure::bytes;
use crate::estimate::log_space;
use crate::quantity::{Bytes, BytesPerSecond};

pub(super) static RULE: Rule = Rule {
    code: Code(613),
    name: "log-outgrows-its-space",
    level: Severity::Error,
    allowable: true,
    summary: "log written in backup mode outgrows its space",
    explanation: "While a part is in backup mode, the log of that time is needed to make its copy consistent, and \
        the pages it holds whole make it grow. At the peak of the log, the longest such time and \
        what waits to be shipped together need more space than `log space` promises; a full \
        log stops the database. Copy smaller parts, raise the rate at which they are copied, \
        ship more often, or give the log more space.",
    bad: orders!(
        "\
objectives of orders_db {
  rpo 1d for loss of disk
  log space <= 50 GiB
}
backup all of base, tablespace hot {
  physical full every sun at 04:00
  store on nvme
  throttle 120 MiB/s
  encrypt none
  retain window 15d
}
archive wal of orders_db {
  ship every 5min or 64 MiB to nvme
  encrypt none
  retain window 15d
}
"
    ),
    good: orders!(
        "\
objectives of orders_db {
  rpo 1d for loss of disk
  log space <= 100 GiB
}
backup all of base, tablespace hot {
  physical full every sun at 04:00
  store on nvme
  throttle 120 MiB/s
  encrypt none
  retain window 15d
}
archive wal of orders_db {
  ship every 5min or 64 MiB to nvme
  encrypt none
  retain window 15d
}
"
    ),
};

pub(super) fn check(context: &Context<'_>, out: &mut Found) {
    for promise in &context.promises {
        if let (Claim::LogSpace(limit), Verdict::Broken(Broken::Space(piled))) =
            (&promise.claim, &promise.verdict)
        {
            let finding = finding(context, promise, *limit, piled);
            out.push(Scope::Objectives(promise.at), finding);
        }
    }
}

fn finding(context: &Context<'_>, promise: &Promise, limit: Bytes, piled: &Piled) -> Diagnostic {
    let plan = context.plan;
    let peak = BytesPerSecond(piled.peak);
    let found = amount(piled.figure.total());
    let name = &plan.service(promise.service).name;
    let Some((id, seconds, rate)) = piled.bracket else {
        let message = format!("{found} of log can wait to be shipped; its space is {limit}");
        return waiting(
            context,
            promise,
            piled,
            Diagnostic::new(RULE.code, message, promise.span, ""),
        )
        .subject(name.clone());
    };
    let backup = &plan.backups[id.index()];
    let gathered = log_space::in_backup_mode(piled.peak, seconds);
    let unshipped = amount(piled.figure.total() - gathered);
    let message = format!(
        "`{}` keeps a part in backup mode {}; at {peak} that is {} + {unshipped} unshipped > {limit}",
        backup.name,
        lasting(seconds),
        amount(gathered),
    );
    let mut finding = Diagnostic::new(RULE.code, message, promise.span, "promised here")
        .related(
            "the part is in backup mode as long as it is copied",
            backup.span,
            "",
        )
        .subject(name.clone());
    finding.proof = Some(proof(
        "log space",
        String::new(),
        bytes(limit),
        &piled.figure,
    ));
    let room = bytes(limit) - (piled.figure.total() - gathered);
    if room <= 0.0 {
        return waiting(context, promise, piled, finding);
    }
    // the same bytes in the time that the room lasts
    let needed = rate_at_least(rate * gathered / room);
    finding.help(format!(
        "copy tablespace by tablespace, or copy at {needed} or more"
    ))
}

/// The log waits too long already, whatever is copied.
fn waiting(
    context: &Context<'_>,
    promise: &Promise,
    piled: &Piled,
    finding: Diagnostic,
) -> Diagnostic {
    let mut finding = finding.help("ship more often or by size, or give the log more space");
    if let Some(id) = piled.archive {
        let archive = &context.plan.archives[id.index()];
        finding = finding.related("the log waits for this archive", archive.span, "");
    }
    if let (None, Claim::LogSpace(limit)) = (&finding.proof, &promise.claim) {
        let limit = bytes(*limit);
        finding.proof = Some(proof("log space", String::new(), limit, &piled.figure));
    }
    finding
}
