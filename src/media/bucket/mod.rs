//! Owns object store devices: buckets of S3-like stores, of Azure and of Google Cloud. Called from
//! threads that may wait; requests run on a small runtime of their own. Must not know what objects
//! mean.
//!
//! # How the contract is kept
//! - *Written once*: by conditional put where the store has it. Where it has not (the store answers
//!   "not implemented", or the inventory says `conditional_put: false`), planc looks first and the
//!   device says so ([`Capabilities::exclusive`]): one writer at a time, which the lock of the
//!   plan's state folder and a claim that names the plan keep. Packs are named by their content,
//!   so a race between two writers of a pack writes the same bytes.
//! - *Whole or absent*: a store shows an object when all of it is there. Content is staged in a
//!   local file first, so that its name and length are known and each try begins at byte 0; long
//!   packs are uploaded in parts, and an upload that was not completed is aborted, at once or, after
//!   a crash, when the device is opened for writing again.
//! - *Durable*: when the store has acknowledged it. Each body is sent with its SHA-256 where the
//!   protocol has a place for it, and length and tag are read back.
//! - *Not found* is believed only while the claim of the bucket is there (R7).

mod clock;
mod connect;
mod failure;
mod identity;
mod runtime;
mod stage;
mod upload;

use std::ops::Range;
use std::path::Path as Folder;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use jiff::Timestamp;
use object_store::path::Path;
use object_store::{GetOptions, ObjectMeta, ObjectStore as _, ObjectStoreExt as _};

use self::clock::Skew;
use self::connect::Stores;
pub use self::connect::place;
use self::runtime::wait;
use self::stage::StagedObject;
use super::{Capabilities, Device, DeviceError, ObjectWriter, Put, name};
use crate::facts::inventory::Store;

/// A bucket that stores copies.
pub struct BucketDevice {
    bucket: Arc<Bucket>,
    uuid: String,
}

/// What device and writers share.
struct Bucket {
    device: String,
    stores: Stores,
    prefix: Option<String>,
    place: String,
    stage: std::path::PathBuf,
    exclusive: AtomicBool,
    skew: Arc<Skew>,
}

/// What is needed to open a bucket.
#[derive(Debug, Clone, Copy)]
pub struct BucketSpec<'a> {
    /// Its name in the plan.
    pub name: &'a str,
    /// The inventory's fields.
    pub store: &'a Store,
    /// Plan and environment that it belongs to.
    pub owner: &'a str,
    /// Folder for content on its way.
    pub stage: &'a Folder,
}

impl BucketDevice {
    /// Claims a bucket, or the folder of one that `prefix` names, when it holds nothing. One that
    /// this plan has claimed already is only opened.
    ///
    /// # Errors
    /// [`DeviceError::Foreign`] when it holds anything else, [`DeviceError::Denied`].
    pub fn init(spec: BucketSpec<'_>) -> Result<Self, DeviceError> {
        let bucket = Arc::new(Bucket::connect(spec)?);
        match identity::read(&bucket) {
            Ok(_) => return Self::open(spec),
            Err(DeviceError::Foreign { .. }) if identity::is_absent(&bucket)? => {}
            Err(error) => return Err(error),
        }
        if let Some((object, _)) = bucket.list("")?.into_iter().next() {
            return Err(bucket.foreign(format!("it holds `{object}`")));
        }
        let uuid = identity::claim(&bucket, spec.owner)?;
        Ok(Self { bucket, uuid })
    }

    /// Opens a bucket that is claimed for the same plan.
    ///
    /// # Errors
    /// [`DeviceError::Foreign`] when it is not, [`DeviceError::Denied`].
    pub fn open(spec: BucketSpec<'_>) -> Result<Self, DeviceError> {
        let bucket = Arc::new(Bucket::connect(spec)?);
        let found = identity::read(&bucket)?;
        if found.plan != spec.owner {
            let detail = format!("it belongs to plan {}, not to {}", found.plan, spec.owner);
            return Err(bucket.foreign(detail));
        }
        let uuid = found.uuid;
        Ok(Self { bucket, uuid })
    }

    /// As [`BucketDevice::open`], for writing: refuses a store whose clock is far from this
    /// host's, and aborts uploads that a crash has left behind.
    ///
    /// # Errors
    /// Also [`DeviceError::Skewed`].
    pub fn open_writable(spec: BucketSpec<'_>) -> Result<Self, DeviceError> {
        let device = Self::open(spec)?;
        device.bucket.check_clock()?;
        upload::abort_orphans(&device.bucket);
        device.create()?;
        Ok(device)
    }

    /// Seconds that the store's clock is ahead of this host's, by its last answer.
    #[must_use]
    pub fn skew(&self) -> Option<i64> {
        self.bucket.skew.seconds()
    }
}

impl Bucket {
    fn connect(spec: BucketSpec<'_>) -> Result<Self, DeviceError> {
        let skew = Arc::new(Skew::default());
        let stores = connect::open(spec.name, spec.store, &skew)?;
        Ok(Self {
            device: spec.name.to_owned(),
            stores,
            prefix: spec.store.prefix.clone(),
            place: connect::place(spec.store),
            stage: spec.stage.to_owned(),
            exclusive: AtomicBool::new(spec.store.conditional_put),
            skew,
        })
    }

    /// Where an object lies in the bucket.
    fn path(&self, object: &str) -> Result<Path, DeviceError> {
        let full = match &self.prefix {
            Some(prefix) => format!("{prefix}/{object}"),
            None => object.to_owned(),
        };
        let path = Path::parse(&full).ok();
        path.ok_or_else(|| self.io("name", object, "the name is not allowed"))
    }

    /// As [`Bucket::path`], for names of objects only.
    fn object(&self, object: &str) -> Result<Path, DeviceError> {
        if name::is_valid(object) && object != identity::FILE {
            return self.path(object);
        }
        Err(self.io("name", object, "the name is not allowed"))
    }

    fn head(&self, object: &str) -> Result<ObjectMeta, DeviceError> {
        let path = self.object(object)?;
        let found = wait(self.stores.patient.head(&path));
        self.sure(object, found)
    }

    /// "Not found" counts only while the claim of the bucket is there.
    fn sure<T>(
        &self,
        object: &str,
        answer: Result<T, object_store::Error>,
    ) -> Result<T, DeviceError> {
        match answer {
            Err(object_store::Error::NotFound { .. }) => {
                identity::read(self)?;
                Err(DeviceError::NotFound {
                    device: self.device.clone(),
                    object: object.to_owned(),
                })
            }
            answer => answer.map_err(|cause| failure::of(self, "read", object, &cause)),
        }
    }

    fn get(&self, object: &str, range: Option<Range<u64>>) -> Result<Vec<u8>, DeviceError> {
        let path = self.object(object)?;
        let Some(range) = range else {
            return self.read(object, &path, GetOptions::default());
        };
        let short =
            |size| self.damaged(object, format!("it has {size} bytes, but is read further"));
        if range.start >= range.end {
            let size = self.head(object)?.size;
            let inside = range.start == range.end && range.end <= size;
            return if inside {
                Ok(Vec::new())
            } else {
                Err(short(size))
            };
        }
        let wanted = range.end - range.start;
        let options = GetOptions {
            range: Some(range.clone().into()),
            ..GetOptions::default()
        };
        let read = self.read(object, &path, options);
        match read {
            Ok(bytes) if bytes.len() as u64 == wanted => Ok(bytes),
            Ok(_) => Err(short(self.head(object)?.size)),
            Err(error @ DeviceError::Io { .. }) => {
                // a store refuses a range that begins beyond the end
                let size = self.head(object)?.size;
                Err(if range.end > size { short(size) } else { error })
            }
            Err(error) => Err(error),
        }
    }

    fn read(&self, object: &str, path: &Path, options: GetOptions) -> Result<Vec<u8>, DeviceError> {
        let store = &self.stores.patient;
        let read = wait(async { store.get_opts(path, options).await?.bytes().await });
        self.sure(object, read).map(Vec::from)
    }

    fn list(&self, prefix: &str) -> Result<Vec<(String, u64)>, DeviceError> {
        let below = match &self.prefix {
            None => prefix.to_owned(),
            Some(own) => format!("{own}/{prefix}"),
        };
        // not every store takes a prefix that ends within a name
        let folder = below.rfind('/').map_or("", |at| &below[..=at]);
        let listed = wait(connect::collect(&self.stores.pages, folder));
        let listed = listed.map_err(|cause| failure::of(self, "list", prefix, &cause))?;
        let mut found: Vec<(String, u64)> = listed
            .into_iter()
            .filter_map(|meta| Some((self.name_of(&meta.location)?, meta.size)))
            .filter(|(object, _)| object.starts_with(prefix))
            .collect();
        found.sort();
        Ok(found)
    }

    /// The name of the object at a path; none for the claim and what is not planc's.
    fn name_of(&self, path: &Path) -> Option<String> {
        let path: &str = path.as_ref();
        let object = match &self.prefix {
            Some(prefix) => path.strip_prefix(prefix.as_str())?.strip_prefix('/')?,
            None => path,
        };
        (object != identity::FILE && name::is_valid(object)).then(|| object.to_owned())
    }

    fn check_clock(&self) -> Result<(), DeviceError> {
        match self.skew.seconds() {
            Some(seconds) if seconds.abs() > clock::MOST => Err(DeviceError::Skewed {
                device: self.device.clone(),
                seconds,
            }),
            _ => Ok(()),
        }
    }

    fn foreign(&self, detail: String) -> DeviceError {
        DeviceError::Foreign {
            device: self.device.clone(),
            path: self.place.clone().into(),
            detail,
        }
    }

    fn damaged(&self, object: &str, detail: String) -> DeviceError {
        DeviceError::Damaged {
            device: self.device.clone(),
            object: object.to_owned(),
            detail,
        }
    }

    fn io(&self, action: &'static str, object: &str, cause: &str) -> DeviceError {
        DeviceError::Io {
            device: self.device.clone(),
            action,
            object: object.to_owned(),
            cause: std::io::Error::other(cause.to_owned()),
        }
    }
}

impl Device for BucketDevice {
    fn name(&self) -> &str {
        &self.bucket.device
    }

    fn identity(&self) -> Result<String, DeviceError> {
        let found = identity::read(&self.bucket)?.uuid;
        if found == self.uuid {
            return Ok(found);
        }
        let detail = format!("its identity changed from {} to {found}", self.uuid);
        Err(self.bucket.foreign(detail))
    }

    fn create(&self) -> Result<Box<dyn ObjectWriter>, DeviceError> {
        Ok(Box::new(StagedObject::create(Arc::clone(&self.bucket))?))
    }

    fn put_if_absent(&self, name: &str, bytes: &[u8]) -> Result<Put, DeviceError> {
        upload::put(&self.bucket, name, bytes)
    }

    fn get(&self, name: &str, range: Option<Range<u64>>) -> Result<Vec<u8>, DeviceError> {
        self.bucket.get(name, range)
    }

    fn size(&self, name: &str) -> Result<u64, DeviceError> {
        Ok(self.bucket.head(name)?.size)
    }

    fn list(&self, prefix: &str) -> Result<Vec<(String, u64)>, DeviceError> {
        self.identity()?;
        self.bucket.list(prefix)
    }

    fn delete(&self, name: &str) -> Result<bool, DeviceError> {
        let bucket = &self.bucket;
        match bucket.head(name) {
            Ok(_) => {}
            Err(DeviceError::NotFound { .. }) => return Ok(false),
            Err(error) => return Err(error),
        }
        let path = bucket.object(name)?;
        match wait(bucket.stores.patient.delete(&path)) {
            Ok(()) | Err(object_store::Error::NotFound { .. }) => Ok(true),
            Err(cause) => Err(match failure::of(bucket, "delete", name, &cause) {
                DeviceError::Denied { cause, .. } => DeviceError::Locked {
                    device: bucket.device.clone(),
                    object: name.to_owned(),
                    detail: cause,
                },
                error => error,
            }),
        }
    }

    fn written_at(&self, name: &str) -> Result<Option<Timestamp>, DeviceError> {
        let written = self.bucket.head(name)?.last_modified;
        Ok(Timestamp::from_second(written.timestamp()).ok())
    }

    fn capabilities(&self) -> Capabilities {
        Capabilities {
            exclusive: self.bucket.exclusive.load(Ordering::Acquire),
            ..Capabilities::FULL
        }
    }
}
