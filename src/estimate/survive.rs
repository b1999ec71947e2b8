//! Owns what is left after a loss: which devices, and whether the original is among it.
//! Must not judge promises. What depends on an unknown place is neither safe nor lost.

use std::collections::BTreeSet;

use crate::resolve::plan::{
    Device, DeviceId, DeviceKind, LossKind, ResolvedPlan, Rotation, ServiceId,
};

/// One thing that is lost. `None` where it is not known which.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Case {
    /// A disk of a host.
    Disk(Option<String>, Option<String>),
    /// A host with all its disks.
    Host(Option<String>),
    /// A site with all that is there.
    Site(Option<String>),
    /// A device with all copies on it; the original stays.
    Device(Option<String>),
    /// A mistake: the original holds the wrong content, the log and all devices are there.
    HumanError,
    /// Damage to content: original and its log cannot be trusted, devices can.
    Corruption,
}

/// Whether something is left. In order, so that "at least" can be asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Survival {
    /// It is lost.
    No,
    /// It depends on a place that nobody stated.
    Maybe,
    /// It is left.
    Yes,
}

/// The cases that a loss can mean for a service; a promise has to hold in each.
#[must_use]
pub fn cases(plan: &ResolvedPlan, service: ServiceId, loss: &LossKind) -> Vec<Case> {
    let host = plan.service(service).host.clone();
    match loss {
        LossKind::Disk => {
            let parts = plan.components_of(service).map(|id| plan.component(id));
            let disks: BTreeSet<&String> = parts.flat_map(|part| &part.disks).collect();
            if disks.is_empty() {
                return vec![Case::Disk(host, None)];
            }
            let disks = disks.into_iter();
            disks
                .map(|disk| Case::Disk(host.clone(), Some(disk.clone())))
                .collect()
        }
        LossKind::Host => vec![Case::Host(host)],
        LossKind::Site(Some(site)) => vec![Case::Site(Some(site.clone()))],
        LossKind::Site(None) => vec![Case::Site(home(plan, service).map(str::to_owned))],
        LossKind::Device(name) => vec![Case::Device(name.clone())],
        LossKind::HumanError => vec![Case::HumanError],
        LossKind::Corruption => vec![Case::Corruption],
    }
}

/// The site of a service.
#[must_use]
pub fn home(plan: &ResolvedPlan, service: ServiceId) -> Option<&str> {
    let host = plan.service(service).host.as_ref()?;
    plan.hosts.get(host)?.site.as_deref()
}

/// Whether the original is left, with its log.
#[must_use]
pub fn original(plan: &ResolvedPlan, service: ServiceId, case: &Case) -> Survival {
    let own = &plan.service(service).host;
    match case {
        // another host, with all its disks, is not where the service runs
        Case::Disk(Some(lost), _) | Case::Host(Some(lost)) if own.is_some() => {
            yes_if(own.as_ref() != Some(lost))
        }
        Case::Disk(..) | Case::Host(_) | Case::HumanError | Case::Corruption => Survival::No,
        Case::Device(_) => Survival::Yes,
        Case::Site(lost) => match (lost, home(plan, service)) {
            (Some(lost), Some(home)) if lost != home => Survival::Yes,
            (Some(_), Some(_)) | (None, _) => Survival::No,
            (Some(_), None) => Survival::Maybe,
        },
    }
}

/// Whether the copies on a device are left.
#[must_use]
pub fn device(plan: &ResolvedPlan, id: DeviceId, case: &Case) -> Survival {
    let device = plan.device(id);
    match case {
        Case::HumanError | Case::Corruption => Survival::Yes,
        Case::Device(None) => Survival::Maybe,
        Case::Device(Some(name)) => yes_if(*name != device.name),
        Case::Host(lost) => beside_host(device, lost.as_deref()),
        Case::Disk(lost, disk) => match beside_host(device, lost.as_deref()) {
            Survival::No => match (disk, &device.disk) {
                (Some(lost), Some(disk)) => yes_if(lost != disk),
                _ => Survival::Maybe,
            },
            other => other,
        },
        Case::Site(lost) => site(device, lost.as_deref()),
    }
}

/// Whether a host is left to restore to; without some of its disks it is.
#[must_use]
pub fn host(plan: &ResolvedPlan, name: &str, case: &Case) -> Survival {
    let site = plan.hosts.get(name).and_then(|host| host.site.as_ref());
    let (own, lost) = match case {
        Case::Host(lost) => (Some(name), lost.as_deref()),
        Case::Site(lost) => (site.map(String::as_str), lost.as_deref()),
        Case::Disk(..) | Case::Device(_) | Case::HumanError | Case::Corruption => {
            return Survival::Yes;
        }
    };
    match (own, lost) {
        (Some(own), Some(lost)) => yes_if(own != lost),
        _ => Survival::Maybe,
    }
}

fn beside_host(device: &Device, lost: Option<&str>) -> Survival {
    match (device.host.as_deref(), lost) {
        (Some(host), Some(lost)) => yes_if(host != lost),
        // an object store is a service of its own, on none of the plan's hosts
        (None, _) if device.kind == DeviceKind::S3 => Survival::Yes,
        _ => Survival::Maybe,
    }
}

fn site(device: &Device, lost: Option<&str>) -> Survival {
    let (Some(site), Some(lost)) = (device.site.as_deref(), lost) else {
        return Survival::Maybe;
    };
    match &device.rotate {
        Some(rotation) if site == lost => yes_if(rotation.to != lost),
        Some(rotation) if rotation.to == lost => Survival::Maybe,
        _ => yes_if(site != lost),
    }
}

fn yes_if(left: bool) -> Survival {
    if left { Survival::Yes } else { Survival::No }
}

/// The rotation that copies on a device wait for before they are safe from a loss.
#[must_use]
pub fn travels<'a>(plan: &'a ResolvedPlan, id: DeviceId, case: &Case) -> Option<&'a Rotation> {
    let device = plan.device(id);
    let at_home = matches!(case, Case::Site(lost) if *lost == device.site);
    device.rotate.as_ref().filter(|_| at_home)
}
