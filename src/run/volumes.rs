//! Owns how a volume set of the plan is opened: its library by the inventory, its register in the
//! state folder. Must not know what volumes hold.

use std::path::PathBuf;

use jiff::Timestamp;

use super::open::{OpenError, Places};
use crate::durable;
use crate::media::DeviceError;
use crate::media::directory::new_uuid;
use crate::media::patience::Heartbeat;
use crate::media::volumes::{
    LibrarySpec, Limits, SetSpec, TellingLibrary, VolumeDevice, open_library,
};
use crate::resolve::plan::Device;

/// A volume set of the inventory.
pub(super) struct VolumeStock {
    name: String,
    library: LibrarySpec,
    drives: u32,
    count: u32,
    capacity: Option<u64>,
    limits: Limits,
    folder: PathBuf,
}

impl VolumeStock {
    /// What the inventory says of a device.
    pub(super) fn of(device: &Device, places: &Places) -> Result<Self, OpenError> {
        let missing = |missing| OpenError::NoLibrary {
            device: device.name.clone(),
            missing,
        };
        let library = device.library.as_ref();
        let library = library.ok_or_else(|| missing("the inventory gives it no `library`"))?;
        let (count, size) = device.volumes.unwrap_or((0, None));
        let most = Limits::default();
        let folder = library.folder.as_ref();
        let changer = library.changer.as_ref();
        let spec = match (folder, size) {
            (Some(folder), Some(size)) => LibrarySpec::Files {
                folder: places.base.join(folder),
                capacity: size.0,
            },
            (Some(_), None) => return Err(missing("the inventory gives it no `volume_size`")),
            (None, _) => LibrarySpec::Tapes {
                drives: library.drives.iter().map(PathBuf::from).collect(),
                changer: changer
                    .ok_or_else(|| missing("its tape drives have no `changer`"))?
                    .into(),
            },
        };
        Ok(Self {
            name: device.name.clone(),
            library: spec,
            // no more at once than there are
            drives: match library.drives.len() {
                0 => device.drives,
                drives => device.drives.min(u32::try_from(drives).unwrap_or(u32::MAX)),
            },
            count,
            capacity: size.map(|size| size.0),
            limits: Limits {
                errors: library.most_errors.unwrap_or(most.errors),
                mounts: library.most_mounts.map(u64::from),
            },
            folder: places.state.join("volumes").join(&device.name),
        })
    }

    /// Where it lies, for people.
    pub(super) fn place(&self) -> String {
        match &self.library {
            LibrarySpec::Files { folder, .. } => format!("volumes in {}", folder.display()),
            LibrarySpec::Tapes { changer, .. } => format!("tapes of {}", changer.display()),
        }
    }

    pub(super) fn open(&self, heartbeat: &Heartbeat) -> Result<VolumeDevice, OpenError> {
        self.with_spec(heartbeat, VolumeDevice::open)
    }

    /// Makes volumes where they are files, labels blank ones and opens the set.
    pub(super) fn init(&self, heartbeat: &Heartbeat) -> Result<VolumeDevice, OpenError> {
        let set = new_uuid().map_err(|cause| self.io("identify", cause))?;
        self.with_spec(heartbeat, |spec| {
            VolumeDevice::init(spec, self.count, &set, Timestamp::now())
        })
    }

    fn with_spec(
        &self,
        heartbeat: &Heartbeat,
        open: impl FnOnce(SetSpec<'_>) -> Result<VolumeDevice, DeviceError>,
    ) -> Result<VolumeDevice, OpenError> {
        let made = durable::make_folder(&self.folder, durable::OPEN);
        made.map_err(|cause| self.io("create", cause))?;
        Ok(open(SetSpec {
            name: &self.name,
            // tapes are labelled and read one after the other: each is waited for by itself
            library: Box::new(TellingLibrary {
                inner: open_library(self.library.clone()),
                heartbeat: heartbeat.clone(),
            }),
            drives: self.drives,
            capacity: self.capacity,
            limits: self.limits,
            folder: Some(&self.folder),
        })?)
    }

    fn io(&self, action: &'static str, cause: std::io::Error) -> OpenError {
        OpenError::Device(DeviceError::Io {
            device: self.name.clone(),
            action,
            object: self.folder.display().to_string(),
            cause,
        })
    }
}
