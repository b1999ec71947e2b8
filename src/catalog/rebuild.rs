//! Owns rebuilding a catalog from what lies on devices. Never writes to a device (R16).

use std::path::Path;
use std::sync::Arc;

use super::{Catalog, CatalogError};
use crate::media::manifest::Manifest;
use crate::media::{Device, DeviceError, log, name, part};

impl Catalog {
    /// Fills an empty catalog from what lies on the devices. Never writes to a device (R16).
    /// A part counts only when its manifest is intact and its packs are there in full length.
    /// Returns what could not be read, for people.
    ///
    /// # Errors
    /// When a device cannot be listed, SQLite fails, or the file holds copies already.
    pub fn rebuild(
        path: &Path,
        devices: &[Arc<dyn Device>],
    ) -> Result<(Self, Vec<String>), CatalogError> {
        let mut catalog = Self::open(path)?;
        let holdings = catalog.holdings()?;
        if !holdings.parts.is_empty() || !holdings.logs.is_empty() {
            let detail = "it is not empty; move it away before it is rebuilt".to_owned();
            return Err(catalog.store.unusable(detail));
        }
        let mut problems = Vec::new();
        for device in devices {
            catalog.bind_device(device.name(), &device.identity()?)?;
            catalog.add_parts(device.as_ref(), &mut problems)?;
            catalog.add_logs(device.as_ref(), &mut problems)?;
        }
        Ok((catalog, problems))
    }

    fn add_parts(
        &mut self,
        device: &dyn Device,
        problems: &mut Vec<String>,
    ) -> Result<(), CatalogError> {
        for (object, _) in device.list(name::PARTS)? {
            match part::read(device, &object).and_then(|manifest| whole(manifest, device)) {
                Ok(manifest) => {
                    if let Err(error) = self.record_part(&manifest, device.name()) {
                        problems.push(conflict(error)?);
                    }
                }
                Err(error) => problems.push(problem(error)?),
            }
        }
        Ok(())
    }

    fn add_logs(
        &mut self,
        device: &dyn Device,
        problems: &mut Vec<String>,
    ) -> Result<(), CatalogError> {
        for (object, _) in device.list(name::LOGS)? {
            match log::read(device, &object) {
                Ok(read) => self.record_log(&read.record, device.name())?,
                Err(error) => problems.push(problem(error)?),
            }
        }
        Ok(())
    }
}

/// Gives the manifest back when all its packs are there in full length.
fn whole(manifest: Manifest, device: &dyn Device) -> Result<Manifest, DeviceError> {
    for pack in &manifest.packs {
        let size = device.size(&pack.name)?;
        if size != pack.length {
            return Err(DeviceError::Damaged {
                device: device.name().to_owned(),
                object: pack.name.clone(),
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
