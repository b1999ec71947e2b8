//! Owns how a device of the plan is opened: by its kind, with its credentials and the keys of
//! this host. Must not know the catalog.

use std::path::PathBuf;
use std::sync::Arc;

use super::open::{OpenError, Places};
use crate::media::Device;
use crate::media::directory::DirectoryDevice;
use crate::media::keyed::KeyedDevice;
use crate::media::keys::{KeySource, Keyring};
use crate::resolve::plan::{self, DeviceKind, ResolvedPlan};

/// The keys of the plan, as far as they can be read on this host.
#[must_use]
pub fn keyring(plan: &ResolvedPlan, places: &Places) -> Keyring {
    Keyring::read(plan.keys.iter().map(|key| {
        let source = KeySource::of(&key.source, &key.locator, &places.base);
        (key.name.as_str(), source)
    }))
}

/// Where a device lies, for people.
#[must_use]
pub fn place(plan: &ResolvedPlan, places: &Places, name: &str) -> String {
    match folder(plan, places, name) {
        Ok(path) => path.display().to_string(),
        Err(error) => error.to_string(),
    }
}

/// Opens a device for reading.
///
/// # Errors
/// When it is missing or foreign, or its credentials are refused.
pub fn open(
    plan: &ResolvedPlan,
    places: &Places,
    name: &str,
) -> Result<Arc<dyn Device>, OpenError> {
    let path = folder(plan, places, name)?;
    Ok(keyed(
        plan,
        places,
        Arc::new(DirectoryDevice::open(name, &path, None)?),
    ))
}

/// As [`open`], and proves that it can be written.
///
/// # Errors
/// Also when it takes no bytes.
pub fn open_writable(
    plan: &ResolvedPlan,
    places: &Places,
    name: &str,
) -> Result<Arc<dyn Device>, OpenError> {
    let path = folder(plan, places, name)?;
    let device = DirectoryDevice::open_writable(name, &path, None)?;
    Ok(keyed(plan, places, Arc::new(device)))
}

/// Claims an empty device; one that is claimed already is only opened.
///
/// # Errors
/// When it holds anything else.
pub fn init(
    plan: &ResolvedPlan,
    places: &Places,
    name: &str,
) -> Result<Arc<dyn Device>, OpenError> {
    let path = folder(plan, places, name)?;
    Ok(keyed(
        plan,
        places,
        Arc::new(DirectoryDevice::init(name, &path)?),
    ))
}

/// A device with the keys of this host.
fn keyed(plan: &ResolvedPlan, places: &Places, device: Arc<dyn Device>) -> Arc<dyn Device> {
    if plan.keys.is_empty() {
        return device;
    }
    Arc::new(KeyedDevice::new(device, Arc::new(keyring(plan, places))))
}

fn find<'p>(plan: &'p ResolvedPlan, name: &str) -> Result<&'p plan::Device, OpenError> {
    let device = plan.find_device(name).map(|id| plan.device(id));
    device.ok_or_else(|| OpenError::NoPath(name.to_owned()))
}

/// The folder of a directory device.
fn folder(plan: &ResolvedPlan, places: &Places, name: &str) -> Result<PathBuf, OpenError> {
    let device = find(plan, name)?;
    if device.kind != DeviceKind::Directory {
        return Err(OpenError::Kind {
            device: name.to_owned(),
            kind: device.kind.word(),
        });
    }
    let path = device.path.as_ref();
    let path = path.ok_or_else(|| OpenError::NoPath(name.to_owned()))?;
    Ok(places.base.join(path))
}
