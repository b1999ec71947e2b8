//! Coverage and retention of a plan, for people and machines. Must not judge.

use serde_json::{Value, json};

use crate::check::covered::{By, Covered};
use crate::check::proof::Unit;
use crate::check::retention::{self, Kept};
use crate::report::columns::columns;

/// Every component with the jobs that copy it.
#[must_use]
pub fn coverage(rows: &[Covered]) -> String {
    let mut out = String::new();
    let line = |row: &Covered| {
        let by = match row.by.as_slice() {
            [] => "nothing".to_owned(),
            by => by.iter().map(job).collect::<Vec<_>>().join("; "),
        };
        let size = row.size.map(|size| Unit::Bytes.words(size));
        [
            row.component.clone(),
            size.unwrap_or_else(|| "?".to_owned()),
            by,
        ]
    };
    columns(
        &mut out,
        ["COMPONENT", "SIZE", "COPIED BY"],
        rows.iter().map(line),
    );
    let bare = rows.iter().filter(|row| row.by.is_empty()).count();
    out + &format!("{} components, {bare} in no backup\n", rows.len())
}

/// `large -> nvme, bucket`; `(inside)` for what lies inside something that is copied.
fn job(by: &By) -> String {
    let inside = if by.named { "" } else { " (inside)" };
    format!("{}{inside} -> {}", by.job, by.devices.join(", "))
}

/// The coverage as `planc-coverage/1.0`.
#[must_use]
pub fn coverage_json(rows: &[Covered]) -> String {
    let by = |by: &By| json!({"job": by.job, "named": by.named, "devices": by.devices});
    let row = |row: &Covered| -> Value {
        json!({
            "component": row.component,
            "bytes": row.size,
            "copied_by": row.by.iter().map(by).collect::<Vec<_>>(),
        })
    };
    let rows: Vec<Value> = rows.iter().map(row).collect();
    format!(
        "{:#}\n",
        json!({"format": "planc-coverage/1.0", "components": rows})
    )
}

/// What every job keeps on every device.
#[must_use]
pub fn retention(rows: &[Kept]) -> String {
    let mut out = String::new();
    let line = |row: &Kept| {
        let reach = row.reach.map(|reach| reach.to_string());
        [
            row.job.clone(),
            row.device.clone(),
            retention::words(&row.tiers),
            reach.unwrap_or_else(|| "for ever".to_owned()),
        ]
    };
    columns(
        &mut out,
        ["JOB", "DEVICE", "KEEPS", "AT LEAST BACK"],
        rows.iter().map(line),
    );
    out
}

/// The retention as `planc-retention/1.0`.
#[must_use]
pub fn retention_json(rows: &[Kept]) -> String {
    let row = |row: &Kept| -> Value {
        json!({
            "job": row.job,
            "device": row.device,
            "keeps": retention::words(&row.tiers),
            "reach_s": row.reach.map(crate::quantity::Duration::as_secs),
        })
    };
    let rows: Vec<Value> = rows.iter().map(row).collect();
    format!(
        "{:#}\n",
        json!({"format": "planc-retention/1.0", "kept": rows})
    )
}
