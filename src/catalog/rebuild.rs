//! Owns rebuilding a catalog from what lies on devices. Never writes to a device (R16).

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;

use rayon::iter::{IntoParallelRefIterator, ParallelIterator};

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

/// Manifests that are in memory at once.
const AT_ONCE: usize = 1024;

/// What a manifest is of, and the manifest when its packs are there.
type Found = (PartHeader, Result<Manifest, DeviceError>);

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
        for device in devices {
            let identity = device.identity()?;
            rebuild.catalog.bind_device(device.name(), &identity)?;
            rebuild.add_parts(device.as_ref())?;
            rebuild.add_tombs(device.as_ref())?;
        }
        for device in devices {
            rebuild.add_logs(device.as_ref())?;
        }
        Ok((rebuild.catalog, rebuild.problems))
    }
}

impl Rebuild<'_> {
    /// Manifests are read on all cores and written down by the thousand.
    fn add_parts(&mut self, device: &dyn Device) -> Result<(), CatalogError> {
        let pool = rayon::ThreadPoolBuilder::new().build();
        let pool = pool.map_err(|cause| self.catalog.store.unusable(cause.to_string()))?;
        let objects = part::newest(device.list(name::PARTS)?);
        for batch in objects.chunks(AT_ONCE) {
            let read = |object: &String| {
                let manifest = part::read(device, object)?;
                let header = manifest.header.clone();
                Ok((header, whole(manifest, device)))
            };
            let found: Vec<Result<Found, DeviceError>> =
                pool.install(|| batch.par_iter().map(read).collect());
            self.catalog.store.gather()?;
            for found in found {
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
        manifest: Result<Manifest, DeviceError>,
        device: &dyn Device,
    ) -> Result<(), CatalogError> {
        let source = (header.service.clone(), header.identity.clone());
        if !self.owner.has(header) {
            self.foreign.insert(source);
            return Ok(());
        }
        self.own.insert(source);
        match manifest {
            Ok(manifest) => {
                if let Err(error) = self.catalog.record_part(&manifest, device.name()) {
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
        for object in part::newest(device.list(name::LOGS)?) {
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
