//! Owns the values that hold where nobody wrote any. Must not choose them: it tells what the
//! stages before do.

use super::{From, Origin, Value};
use crate::graph::RETRIES;
use crate::resolve::plan::{Codec, Keeping, ResolvedPlan, Throttle, Verify};

fn default(key: &str, value: impl Into<String>) -> Value {
    Value {
        key: key.to_owned(),
        value: value.into(),
        origin: Origin {
            from: From::Default,
            place: None,
            params: Vec::new(),
        },
    }
}

/// What holds for a job besides its clauses.
pub(super) fn of_job(plan: &ResolvedPlan, keeping: &Keeping, written: &[Value]) -> Vec<Value> {
    let says = |key: &str| {
        written
            .iter()
            .any(|value| value.key.split(' ').next() == Some(key))
    };
    let mut values = deadlines(plan, keeping);
    let mut unless = |key: &str, value: String| {
        if !says(key) {
            values.push(default(key, value));
        }
    };
    unless("compress", codec(keeping.codec));
    unless("encrypt", "none".into());
    let throttle: &[Throttle] = &keeping.throttle;
    if throttle.is_empty() {
        unless("throttle", "none".into());
    }
    let verify: &[Verify] = &keeping.verify;
    if verify.is_empty() {
        unless("verify", "on write".into());
    }
    values.push(default(
        "retries",
        format!("{RETRIES}, with growing pauses"),
    ));
    values
}

/// Copies without a deadline are due before the next run.
fn deadlines(plan: &ResolvedPlan, keeping: &Keeping) -> Vec<Value> {
    let open = keeping.copies.iter().filter(|copy| copy.within.is_none());
    open.map(|copy| {
        let device = &plan.device(copy.device).name;
        default(
            &format!("copy to {device} within"),
            "the next run of the job",
        )
    })
    .collect()
}

/// What holds for a backup besides.
pub(super) fn of_backup(plan: &ResolvedPlan, backup: &crate::resolve::plan::Backup) -> Vec<Value> {
    let first = default("first full", "at once when there is none");
    let disks: std::collections::BTreeSet<_> = backup
        .targets
        .iter()
        .flat_map(|id| {
            let component = plan.component(*id);
            component
                .disks
                .iter()
                .map(move |disk| (component.service, disk))
        })
        .collect();
    let parallel = backup.keeping.parallel.is_none();
    let parallel = parallel.then(|| {
        let count = disks.len().max(1);
        default("parallel", format!("{count}, one a source disk"))
    });
    parallel.into_iter().chain([first]).collect()
}

/// What holds for a device besides.
pub(super) fn of_device(written: &[Value]) -> Vec<Value> {
    let fields = [
        ("drives", "1"),
        ("append", "false"),
        ("immutable", "false"),
        ("reduces", "false"),
    ];
    let missing = fields
        .into_iter()
        .filter(|(key, _)| written.iter().all(|value| value.key != *key));
    missing.map(|(key, value)| default(key, value)).collect()
}

/// Where run state lies when the inventory says nothing.
pub(super) fn state(folder: &str) -> Value {
    default("state", folder)
}

fn codec(codec: Codec) -> String {
    match codec {
        Codec::None => "none".into(),
        Codec::Lz4 => "lz4".into(),
        Codec::Zstd(level) => format!("zstd {level}"),
    }
}
