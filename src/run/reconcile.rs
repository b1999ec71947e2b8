//! Owns what a run that died left unrecorded: objects that are whole on a device and that the
//! catalog does not know. Must not judge damage; `planc verify` does.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::message::Record;
use crate::catalog::PartRecord;
use crate::facts::holdings::Holdings;
use crate::media::{Device, DeviceError, log, name, part};

/// Finds what lies on the devices and is not in the catalog. An object that is damaged or not
/// complete is passed over: it never was committed, or `planc verify` will name it.
///
/// # Errors
/// When a device cannot be listed or read: what it could not say is not known to be absent (R7).
pub fn unrecorded(
    holdings: &Holdings,
    devices: &[Arc<dyn Device>],
) -> Result<Vec<Record>, DeviceError> {
    let mut found = Vec::new();
    for device in devices {
        let known = known(holdings, device.name());
        let mut objects = device.list(name::PARTS)?;
        objects.extend(device.list(name::LOGS)?);
        let objects = part::newest(objects).into_iter();
        for (object, _) in objects.filter(|(object, _)| !known.contains(name::plain(object))) {
            match read(device.as_ref(), &object) {
                Ok(record) => found.push(record),
                // a host without the secret half cannot tell; `planc catalog rebuild` can
                Err(
                    DeviceError::Sealed { .. }
                    | DeviceError::Damaged { .. }
                    | DeviceError::NotFound { .. },
                ) => {}
                Err(error) => return Err(error),
            }
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
