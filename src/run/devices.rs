//! Owns how a device of the plan is opened: by its kind, with its credentials and the keys of
//! this host. Must not know the catalog.

use std::path::PathBuf;
use std::sync::Arc;

use super::open::{OpenError, Places};
use super::volumes::VolumeStock;
use crate::facts::inventory::Store;
use crate::media::Device;
use crate::media::bucket::{self, BucketDevice, BucketSpec};
use crate::media::directory::DirectoryDevice;
use crate::media::keyed::KeyedDevice;
use crate::media::keys::{KeySource, Keyring};
use crate::resolve::plan::{DeviceKind, ResolvedPlan};

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
    match Place::of(plan, places, name) {
        Ok(Place::Folder(path)) => path.display().to_string(),
        Ok(Place::Bucket(store)) => bucket::place(store),
        Ok(Place::Volumes(stock)) => stock.place(),
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
    let device: Arc<dyn Device> = match Place::of(plan, places, name)? {
        Place::Folder(path) => Arc::new(DirectoryDevice::open(name, &path, None)?),
        Place::Bucket(store) => with_spec(plan, places, name, store, |spec| {
            Ok(BucketDevice::open(spec)?)
        })?,
        Place::Volumes(stock) => Arc::new(stock.open()?),
    };
    Ok(keyed(plan, places, device))
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
    let device: Arc<dyn Device> = match Place::of(plan, places, name)? {
        Place::Folder(path) => Arc::new(DirectoryDevice::open_writable(name, &path, None)?),
        Place::Bucket(store) => with_spec(plan, places, name, store, |spec| {
            Ok(BucketDevice::open_writable(spec)?)
        })?,
        // whether a volume takes bytes shows when one is loaded, which is not done to look
        Place::Volumes(stock) => Arc::new(stock.open()?),
    };
    Ok(keyed(plan, places, device))
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
    let device: Arc<dyn Device> = match Place::of(plan, places, name)? {
        Place::Folder(path) => Arc::new(DirectoryDevice::init(name, &path)?),
        Place::Bucket(store) => with_spec(plan, places, name, store, |spec| {
            Ok(BucketDevice::init(spec)?)
        })?,
        Place::Volumes(stock) => Arc::new(stock.init()?),
    };
    Ok(keyed(plan, places, device))
}

/// Opens a bucket in the name of the plan and its environment.
fn with_spec(
    plan: &ResolvedPlan,
    places: &Places,
    name: &str,
    store: &Store,
    open: impl FnOnce(BucketSpec<'_>) -> Result<BucketDevice, OpenError>,
) -> Result<Arc<dyn Device>, OpenError> {
    let owner = match plan.environment.as_str() {
        "" => plan.name.clone(),
        environment => format!("{}@{environment}", plan.name),
    };
    let stage = places.state.join("stage").join(name);
    let spec = BucketSpec {
        name,
        store,
        owner: &owner,
        stage: &stage,
    };
    Ok(Arc::new(open(spec)?))
}

/// A device with the keys of this host.
fn keyed(plan: &ResolvedPlan, places: &Places, device: Arc<dyn Device>) -> Arc<dyn Device> {
    if plan.keys.is_empty() {
        return device;
    }
    Arc::new(KeyedDevice::new(device, Arc::new(keyring(plan, places))))
}

/// Where a device lies.
enum Place<'p> {
    Folder(PathBuf),
    Bucket(&'p Store),
    Volumes(VolumeStock),
}

impl<'p> Place<'p> {
    fn of(plan: &'p ResolvedPlan, places: &Places, name: &str) -> Result<Self, OpenError> {
        let device = plan.find_device(name).map(|id| plan.device(id));
        let device = device.ok_or_else(|| OpenError::NoPath(name.to_owned()))?;
        match (device.kind, &device.path, &device.store) {
            (DeviceKind::Directory, Some(path), _) => Ok(Self::Folder(places.base.join(path))),
            (DeviceKind::Directory, None, _) => Err(OpenError::NoPath(name.to_owned())),
            (DeviceKind::S3, _, Some(store)) => Ok(Self::Bucket(store)),
            (DeviceKind::S3, _, None) => Err(OpenError::NoStore(name.to_owned())),
            (DeviceKind::Volumes, ..) => Ok(Self::Volumes(VolumeStock::of(device, places)?)),
        }
    }
}
