//! Owns what is not recorded, as a run that died leaves it, or another host: objects that are whole
//! on a device and that the catalog does not know. Must not judge damage; `planc verify` does. What other plans and
//! environments store on the same devices is theirs.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::context::service_of;
use super::message::Record;
use crate::catalog::{Belongings, Owner, PartRecord};
use crate::facts::holdings::Holdings;
use crate::media::{Device, DeviceError, log, name, part};

/// What devices hold that the catalog does not know.
#[derive(Debug, Default)]
pub struct Unrecorded {
    /// What the catalog is to learn.
    pub records: Vec<Record>,
    /// Devices that could not be listed or read: what they could not say is not known to be absent
    /// (R7).
    pub silent: Vec<(String, DeviceError)>,
    /// By device, the first object that no key at hand opens: whose it is cannot be told.
    pub sealed: BTreeMap<String, DeviceError>,
}

/// Finds what of the owner lies on the devices and is not in the catalog. An object that is damaged
/// or not complete is passed over: it never was committed, or `planc verify` will name it.
#[must_use]
pub fn unrecorded(owner: &Owner, holdings: &Holdings, devices: &[Arc<dyn Device>]) -> Unrecorded {
    let mut belongings = Belongings::of(owner);
    for part in &holdings.parts {
        belongings.add(service_of(&part.component), &part.identity);
    }
    let mut found = Unrecorded::default();
    // parts tell whose the log of their source is
    for folder in [name::PARTS, name::LOGS] {
        for device in devices {
            let read = unknown(folder, holdings, device.as_ref(), &mut found.sealed);
            let records = read.unwrap_or_else(|error| {
                found.silent.push((device.name().to_owned(), error));
                Vec::new()
            });
            let own = records.into_iter().filter(|record| match record {
                Record::Part(part, _) => belongings.part(&part.header),
                Record::Log(log, _) => belongings.log(log),
                _ => false,
            });
            found.records.extend(own);
        }
    }
    found
}

/// What lies in a folder of a device, is whole and not known.
fn unknown(
    folder: &str,
    holdings: &Holdings,
    device: &dyn Device,
    sealed: &mut BTreeMap<String, DeviceError>,
) -> Result<Vec<Record>, DeviceError> {
    let mut found = Vec::new();
    let known = known(holdings, device.name());
    let objects = part::newest(device.list(folder)?).into_iter();
    for (object, _) in objects.filter(|(object, _)| !known.contains(name::plain(object))) {
        match read(device, &object) {
            Ok(record) => found.push(record),
            Err(error @ DeviceError::Sealed { .. }) => {
                sealed.entry(device.name().to_owned()).or_insert(error);
            }
            Err(DeviceError::Damaged { .. } | DeviceError::NotFound { .. }) => {}
            Err(error) => return Err(error),
        }
    }
    Ok(found)
}

/// Names of the objects that the catalog knows on a device.
fn known(holdings: &Holdings, device: &str) -> BTreeSet<String> {
    let on = |devices: &[String]| devices.iter().any(|name| name == device);
    let parts = holdings.parts.iter().filter(|part| on(&part.devices));
    let parts = parts.map(|part| name::manifest(&part.part));
    let logs = holdings.logs.iter().filter(|log| on(&log.devices));
    let logs = logs.filter_map(|log| name::log_of_id(&log.log));
    parts.chain(logs).collect()
}

fn read(device: &dyn Device, object: &str) -> Result<Record, DeviceError> {
    let holder = device.name().to_owned();
    if object.starts_with(name::LOGS) {
        let read = log::read(device, object)?;
        return Ok(Record::Log(Box::new(read.record), holder));
    }
    let (manifest, content) = part::read_told(device, object)?;
    part::whole(&manifest, device)?;
    let record = PartRecord::of(&manifest, content);
    Ok(Record::Part(Box::new(record), holder))
}
