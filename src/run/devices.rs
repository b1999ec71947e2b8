//! Owns how a device of the plan is opened: by its kind, with its credentials and the keys of
//! this host, and waited for with patience by whoever asks it. Must not know the catalog.

use std::path::PathBuf;
use std::sync::Arc;

use super::open::{OpenError, Places};
use super::volumes::VolumeStock;
use crate::facts::inventory::{Setting, Store};
use crate::media::Device;
use crate::media::bucket::{self, BucketDevice, BucketSpec};
use crate::media::directory::DirectoryDevice;
use crate::media::keyed::KeyedDevice;
use crate::media::keys::{KeySource, Keyring};
use crate::media::patience::{Heartbeat, Patience};
use crate::media::patient::PatientDevice;
use crate::resolve::plan::{DeviceKind, ResolvedPlan};

/// The keys of the plan, as far as they can be read on this host.
#[must_use]
pub fn keyring(plan: &ResolvedPlan, places: &Places) -> Keyring {
    Keyring::read(plan.keys.iter().map(|key| {
        let source = KeySource::of(&key.source, &key.locator, &places.base);
        (key.name.as_str(), source)
    }))
}

/// Keeps the variables of all keys and object stores of the plan from the programs that are started,
/// also of those that this command never opens.
fn keep_secrets(plan: &ResolvedPlan, places: &Places) {
    let keep = |word: &str, locator: &str| KeySource::of(word, locator, &places.base).keep();
    for key in &plan.keys {
        keep(&key.source, &key.locator);
    }
    let stores = plan
        .devices
        .iter()
        .filter_map(|device| device.store.as_ref());
    let settings = stores.flat_map(|store| [&store.access_key, &store.secret_key, &store.token]);
    for setting in settings.flatten() {
        if let Setting::Source(word, locator) = setting {
            keep(word, locator);
        }
    }
}

/// Where a device lies, for people.
#[must_use]
pub fn place(plan: &ResolvedPlan, places: &Places, name: &str) -> String {
    match Place::of(plan, places, name) {
        Ok(Place::Folder(_, path)) => path.display().to_string(),
        Ok(Place::Bucket(place)) => bucket::place(&place.store),
        Ok(Place::Volumes(stock)) => stock.place(),
        Err(error) => error.to_string(),
    }
}

/// Opens a device for reading.
///
/// # Errors
/// When it is missing or foreign, gives no answer, or its credentials are refused.
pub fn open(
    plan: &ResolvedPlan,
    places: &Places,
    name: &str,
) -> Result<Arc<dyn Device>, OpenError> {
    opened(plan, places, name, Place::open)
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
    opened(plan, places, name, Place::open_writable)
}

/// Claims an empty device; one that is claimed already is only opened.
///
/// # Errors
/// When it holds anything else, or gives no answer.
pub fn init(
    plan: &ResolvedPlan,
    places: &Places,
    name: &str,
) -> Result<Arc<dyn Device>, OpenError> {
    opened(plan, places, name, Place::init)
}

/// Refuses a device that is one of these under another name: copies on one device would count as
/// copies on two.
///
/// # Errors
/// [`OpenError::Twice`]; also when a device does not say who it is.
pub fn check_apart(device: &dyn Device, others: &[Arc<dyn Device>]) -> Result<(), OpenError> {
    let identity = device.identity()?;
    for other in others.iter().filter(|other| other.name() != device.name()) {
        if other.identity()? == identity {
            return Err(OpenError::Twice {
                device: device.name().to_owned(),
                other: other.name().to_owned(),
                identity,
            });
        }
    }
    Ok(())
}

/// How a device is opened.
type Opening = fn(&Place, &Heartbeat) -> Result<Arc<dyn Device>, OpenError>;

/// A device with the keys of this host, waited for while it is opened and from then on.
fn opened(
    plan: &ResolvedPlan,
    places: &Places,
    name: &str,
    open: Opening,
) -> Result<Arc<dyn Device>, OpenError> {
    keep_secrets(plan, places);
    let patience = Patience::default();
    let place = Place::of(plan, places, name)?;
    let mut device = patience.opening(name, move |heartbeat| open(&place, heartbeat))?;
    if !plan.keys.is_empty() {
        device = Arc::new(KeyedDevice::new(device, Arc::new(keyring(plan, places))));
    }
    Ok(Arc::new(PatientDevice::new(device, patience)))
}

/// Where a device lies: its name, and what its kind needs.
enum Place {
    Folder(String, PathBuf),
    Bucket(BucketPlace),
    Volumes(VolumeStock),
}

/// A bucket in the name of the plan and its environment.
struct BucketPlace {
    name: String,
    store: Store,
    owner: String,
    stage: PathBuf,
}

impl BucketPlace {
    fn new(plan: &ResolvedPlan, places: &Places, name: &str, store: &Store) -> Self {
        let owner = match plan.environment.as_str() {
            "" => plan.name.clone(),
            environment => format!("{}@{environment}", plan.name),
        };
        Self {
            name: name.to_owned(),
            store: store.clone(),
            owner,
            stage: places.state.join("stage").join(name),
        }
    }

    fn spec(&self) -> BucketSpec<'_> {
        BucketSpec {
            name: &self.name,
            store: &self.store,
            owner: &self.owner,
            stage: &self.stage,
        }
    }
}

impl Place {
    fn of(plan: &ResolvedPlan, places: &Places, name: &str) -> Result<Self, OpenError> {
        let device = plan.find_device(name).map(|id| plan.device(id));
        let device = device.ok_or_else(|| OpenError::NoPath(name.to_owned()))?;
        match (device.kind, &device.path, &device.store) {
            (DeviceKind::Directory, Some(path), _) => {
                Ok(Self::Folder(name.to_owned(), places.base.join(path)))
            }
            (DeviceKind::Directory, None, _) => Err(OpenError::NoPath(name.to_owned())),
            (DeviceKind::S3, _, Some(store)) => {
                Ok(Self::Bucket(BucketPlace::new(plan, places, name, store)))
            }
            (DeviceKind::S3, _, None) => Err(OpenError::NoStore(name.to_owned())),
            (DeviceKind::Volumes, ..) => Ok(Self::Volumes(VolumeStock::of(device, places)?)),
        }
    }

    fn open(&self, heartbeat: &Heartbeat) -> Result<Arc<dyn Device>, OpenError> {
        Ok(match self {
            Self::Folder(name, path) => Arc::new(DirectoryDevice::open(name, path, None)?),
            Self::Bucket(bucket) => Arc::new(BucketDevice::open(bucket.spec())?),
            Self::Volumes(stock) => Arc::new(stock.open(heartbeat)?),
        })
    }

    fn open_writable(&self, heartbeat: &Heartbeat) -> Result<Arc<dyn Device>, OpenError> {
        Ok(match self {
            Self::Folder(name, path) => Arc::new(DirectoryDevice::open_writable(name, path, None)?),
            Self::Bucket(bucket) => Arc::new(BucketDevice::open_writable(bucket.spec())?),
            // whether a volume takes bytes shows when one is loaded, which is not done to look
            Self::Volumes(stock) => Arc::new(stock.open(heartbeat)?),
        })
    }

    fn init(&self, heartbeat: &Heartbeat) -> Result<Arc<dyn Device>, OpenError> {
        Ok(match self {
            Self::Folder(name, path) => Arc::new(DirectoryDevice::init(name, path)?),
            Self::Bucket(bucket) => Arc::new(BucketDevice::init(bucket.spec())?),
            Self::Volumes(stock) => Arc::new(stock.init(heartbeat)?),
        })
    }
}
