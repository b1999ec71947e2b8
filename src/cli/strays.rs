//! Owns what the catalog knows and the plan does not speak of any more: copies on devices that the
//! plan does not have do not count, and copies of jobs that it does not have stay for ever.

use std::collections::BTreeMap;

use crate::facts::holdings::{Holdings, PartHolding};
use crate::graph::full_name;
use crate::resolve::plan::ResolvedPlan;

/// Takes devices out of the holdings that the plan does not have, and what no other device holds.
/// Gives their names, each with the number of parts and ranges of log that only such devices hold.
pub(crate) fn take_out(plan: &ResolvedPlan, holdings: &mut Holdings) -> BTreeMap<String, usize> {
    let mut strays = BTreeMap::new();
    let mut counts = |devices: &mut Vec<String>| {
        let is_stray = |device: &String| plan.find_device(device).is_none();
        let only = !devices.is_empty() && devices.iter().all(is_stray);
        for device in devices.iter().filter(|device| is_stray(device)) {
            *strays.entry(device.clone()).or_insert(0) += usize::from(only);
        }
        devices.retain(|device| !is_stray(device));
        !only
    };
    holdings.parts.retain_mut(|part| counts(&mut part.devices));
    holdings.logs.retain_mut(|log| counts(&mut log.devices));
    strays
}

/// What people should know of devices and jobs that the plan does not have; `parts` are copies on
/// devices that it has.
pub(crate) fn words(
    plan: &ResolvedPlan,
    devices: &BTreeMap<String, usize>,
    parts: &[PartHolding],
) -> Vec<String> {
    let devices = devices.iter().map(|(device, only)| {
        format!(
            "device {device}: not in the plan, so what the catalog knows there does not count \
             ({only} copies are nowhere else); `planc catalog rebuild` from the other devices \
             forgets it"
        )
    });
    let known = plan.backups.iter();
    let known: Vec<String> = known
        .map(|backup| full_name(&backup.origin, &backup.name))
        .collect();
    let mut jobs: BTreeMap<&str, usize> = BTreeMap::new();
    for part in parts.iter().filter(|part| !known.contains(&part.job)) {
        *jobs.entry(&part.job).or_default() += 1;
    }
    let jobs = jobs.into_iter().map(|(job, count)| {
        format!(
            "job {job}: not in the plan; {count} copies stay until a job of that name retains them"
        )
    });
    devices.chain(jobs).collect()
}
