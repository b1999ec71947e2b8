//! P1007: all copies of a job can be deleted with one account.

use crate::check::context::Context;
use crate::check::found::Found;
use crate::check::rule::Rule;
use crate::check::rules::example::orders;
use crate::diagnostic::{Code, Diagnostic, Severity};
use crate::facts::inventory::{Setting, Store};
use crate::resolve::plan::Device;

pub(super) static RULE: Rule = Rule {
    code: Code(1007),
    name: "no-copy-safe-from-a-stolen-credential",
    level: Severity::Warning,
    allowable: true,
    summary: "all copies of a job can be deleted with one account",
    explanation: "Whoever steals an account deletes what it may delete, and thieves begin with the \
        copies. Here every device that holds the copies is emptied with one and the same \
        account, so several copies are no safer than one. Keep one of them where that account \
        does not reach: on an immutable device, on volumes that leave the drive, or under \
        another account.",
    bad: orders!(
        "\
backup all of base, tablespace hot {
  physical full every day at 04:00
  store on attic
  copy to bucket within 6h
  encrypt none
  retain window 15d
}
archive wal of orders_db {
  ship every 5min or 64 MiB to attic
  encrypt none
  retain window 15d
}
objectives of orders_db {
  rpo 2d for loss of disk
}
"
    ),
    good: orders!(
        "\
backup all of base, tablespace hot {
  physical full every day at 04:00
  store on nvme
  copy to bucket within 6h
  encrypt none
  retain window 15d
}
archive wal of orders_db {
  ship every 5min or 64 MiB to attic
  encrypt none
  retain window 15d
}
objectives of orders_db {
  rpo 2d for loss of disk
}
"
    ),
};

/// Who can empty an object store: endpoint, account and access key.
type Account<'a> = (&'a Option<String>, &'a Option<String>, &'a Option<Setting>);

pub(super) fn check(context: &Context<'_>, out: &mut Found) {
    for job in context.jobs().filter(|job| !job.keeping.incomplete) {
        let devices = job.devices();
        let devices: Vec<&Device> = devices.iter().map(|id| context.plan.device(*id)).collect();
        let accounts: Option<Vec<Account<'_>>> = devices.iter().map(|one| account(one)).collect();
        let Some(accounts) = accounts.filter(|all| all.len() > 1) else {
            continue;
        };
        if accounts.iter().any(|one| *one != accounts[0]) {
            continue;
        }
        let names: Vec<&str> = devices.iter().map(|device| device.name.as_str()).collect();
        let message = format!("one account can empty {}", names.join(" and "));
        let finding = Diagnostic::new(RULE.code, message, job.span, "all its copies are there")
            .subject(job.subject())
            .help("keep one copy on an immutable device, on volumes, or under another account");
        out.push(job.id, finding);
    }
}

/// The account that can empty a device; none when none surely can. Folders that share a host are
/// another finding.
fn account(device: &Device) -> Option<Account<'_>> {
    if device.immutable || device.rotate.is_some() {
        return None;
    }
    let store: &Store = device.store.as_ref()?;
    Some((&store.endpoint, &store.account, &store.access_key))
}
