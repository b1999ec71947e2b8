//! Owns rebuilding a catalog from what lies on devices. Never writes to a device (R16).

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;

use crossbeam_channel::Receiver;
use rayon::iter::{IntoParallelRefIterator, ParallelIterator};

use super::record::content;
use super::{Catalog, CatalogError};
use crate::media::manifest::{Manifest, PartHeader};
use crate::media::{Device, DeviceError, log, name, part, tomb};

/// Whose copies a catalog holds. Devices may be shared by several plans and environments.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Owner {
    /// Name of the plan.
    pub plan: String,
    /// Environment; empty when the plan names none.
    pub environment: String,
}

impl Owner {
    fn has(&self, part: &PartHeader) -> bool {
        part.plan == self.plan && part.environment == self.environment
    }
}

/// Manifests that are read at a time; as many wait to be written down.
const AT_ONCE: usize = 512;

/// Manifests that are written down as one change: each change waits for the disk.
const ONE_CHANGE: usize = 16 * AT_ONCE;

/// What a manifest is of, and the manifest with what stands for its content when its packs are
/// there.
type Found = (PartHeader, Result<(Manifest, String), DeviceError>);

/// What came of reading some manifests.
type Batch = Vec<Result<Found, DeviceError>>;

/// Service and identity of sources.
type Sources = BTreeSet<(String, String)>;

/// A rebuild on its way.
struct Rebuild<'a> {
    catalog: Catalog,
    owner: &'a Owner,
    /// Sources that the owner has parts of.
    own: Sources,
    /// Sources that others have parts of.
    foreign: Sources,
    problems: Vec<String>,
}

impl Catalog {
    /// Fills an empty catalog with the owner's copies on the devices. Never writes to a device
    /// (R16). A part counts only when its manifest is intact and its packs are there in full
    /// length. A log belongs to a source, not to a plan: it is left out only when others have
    /// parts of its source and the owner has none. Returns what could not be read, for people.
    ///
    /// # Errors
    /// When a device cannot be listed, SQLite fails, or the file holds copies already.
    pub fn rebuild(
        path: &Path,
        devices: &[Arc<dyn Device>],
        owner: &Owner,
    ) -> Result<(Self, Vec<String>), CatalogError> {
        let catalog = Self::open(path)?;
        let holdings = catalog.holdings()?;
        if !holdings.parts.is_empty() || !holdings.logs.is_empty() {
            let detail = "it is not empty; move it away before it is rebuilt".to_owned();
            return Err(catalog.store.unusable(detail));
        }
        let mut rebuild = Rebuild {
            catalog,
            owner,
            own: Sources::new(),
            foreign: Sources::new(),
            problems: Vec::new(),
        };
        rebuild.catalog.store.unindex()?;
        for device in devices {
            let identity = device.identity()?;
            rebuild.catalog.bind_device(device.name(), &identity)?;
            rebuild.add_parts(device.as_ref())?;
            rebuild.add_tombs(device.as_ref())?;
        }
        for device in devices {
            rebuild.add_logs(device.as_ref())?;
        }
        rebuild.catalog.store.index()?;
        Ok((rebuild.catalog, rebuild.problems))
    }
}

impl Rebuild<'_> {
    /// Manifests are read on all cores, while those that were read before are written down.
    fn add_parts(&mut self, device: &dyn Device) -> Result<(), CatalogError> {
        let pool = rayon::ThreadPoolBuilder::new().build();
        let pool = pool.map_err(|cause| self.catalog.store.unusable(cause.to_string()))?;
        let objects = part::newest(device.list(name::PARTS)?);
        let (sender, batches) = crossbeam_channel::bounded::<Batch>(1);
        std::thread::scope(|scope| {
            let reader = scope.spawn(move || {
                for batch in objects.chunks(AT_ONCE) {
                    let read = batch
                        .par_iter()
                        .map(|(object, length)| read(device, object, *length));
                    if sender.send(pool.install(|| read.collect())).is_err() {
                        // whoever writes has given up and says why
                        return;
                    }
                }
            });
            let written = self.write_down(&batches, device);
            drop(batches);
            if reader.join().is_err() {
                let cause = "the thread that reads manifests ended unexpectedly";
                return Err(self.catalog.store.unusable(cause.to_owned()));
            }
            written
        })
    }

    fn write_down(
        &mut self,
        batches: &Receiver<Batch>,
        device: &dyn Device,
    ) -> Result<(), CatalogError> {
        let mut batches = batches.iter().peekable();
        while batches.peek().is_some() {
            self.catalog.store.gather()?;
            for found in batches.by_ref().take(ONE_CHANGE / AT_ONCE).flatten() {
                match found {
                    Ok((header, manifest)) => self.add_part(&header, manifest, device)?,
                    Err(error) => self.problems.push(problem(error)?),
                }
            }
            self.catalog.store.keep()?;
        }
        Ok(())
    }

    fn add_part(
        &mut self,
        header: &PartHeader,
        manifest: Result<(Manifest, String), DeviceError>,
        device: &dyn Device,
    ) -> Result<(), CatalogError> {
        let source = (header.service.clone(), header.identity.clone());
        if !self.owner.has(header) {
            self.foreign.insert(source);
            return Ok(());
        }
        self.own.insert(source);
        match manifest {
            Ok((manifest, content)) => {
                let name = device.name();
                if let Err(error) = self.catalog.record_known(&manifest, &content, name) {
                    self.problems.push(conflict(error)?);
                }
            }
            Err(error) => self.problems.push(problem(error)?),
        }
        Ok(())
    }

    /// Tombstones go on counting from when they were put.
    fn add_tombs(&mut self, device: &dyn Device) -> Result<(), CatalogError> {
        let (tombs, unread) = tomb::list(device)?;
        for tomb in tombs {
            self.catalog
                .record_condemned(&tomb.object, device.name(), tomb.at)?;
        }
        let problems = unread.into_iter();
        let device = device.name();
        self.problems
            .extend(problems.map(|object| format!("device {device}: {object} is damaged")));
        Ok(())
    }

    fn add_logs(&mut self, device: &dyn Device) -> Result<(), CatalogError> {
        for (object, _) in part::newest(device.list(name::LOGS)?) {
            match log::read(device, &object) {
                Ok(read) => {
                    let source = (read.record.service.clone(), read.record.identity.clone());
                    if self.own.contains(&source) || !self.foreign.contains(&source) {
                        self.catalog.record_log(&read.record, device.name())?;
                    }
                }
                Err(error) => self.problems.push(problem(error)?),
            }
        }
        Ok(())
    }
}

/// Reads a manifest and looks for its packs.
fn read(device: &dyn Device, object: &str, length: u64) -> Result<Found, DeviceError> {
    let manifest = part::read_listed(device, object, length)?;
    let header = manifest.header.clone();
    let whole = whole(manifest, device).and_then(|manifest| {
        let content = content(&manifest).map_err(|detail| DeviceError::Damaged {
            device: device.name().to_owned(),
            object: object.to_owned(),
            detail,
        });
        content.map(|content| (manifest, content))
    });
    Ok((header, whole))
}

/// Gives the manifest back when all its packs are there in full length.
fn whole(manifest: Manifest, device: &dyn Device) -> Result<Manifest, DeviceError> {
    for pack in &manifest.packs {
        let object = part::find(device, &pack.name)?;
        let size = device.size(&object)?;
        if size != pack.length {
            return Err(DeviceError::Damaged {
                device: device.name().to_owned(),
                object,
                detail: format!("it has {size} bytes instead of {}", pack.length),
            });
        }
    }
    Ok(manifest)
}

/// Damage and absence are told and passed over; a device that fails ends the rebuild, since what
/// it could not say is not known to be absent (R7).
fn problem(error: DeviceError) -> Result<String, CatalogError> {
    match error {
        DeviceError::Damaged { .. } | DeviceError::NotFound { .. } => Ok(error.to_string()),
        error => Err(error.into()),
    }
}

/// Two devices that hold different parts under one id are told, never resolved by date.
fn conflict(error: CatalogError) -> Result<String, CatalogError> {
    match error {
        CatalogError::Unusable { .. } => Ok(error.to_string()),
        error => Err(error),
    }
}
