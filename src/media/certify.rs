//! Owns the proof that a device keeps what planc relies on, tried on the device itself with probe
//! objects that are removed afterwards (R31). Must not judge by what a device claims where it can
//! be tried.

use std::fmt;

use jiff::Timestamp;

use super::{Device, DeviceError, Put};

/// Folder of probe objects.
const FOLDER: &str = "probe/";

/// Names that several writers fight for.
const FIGHTS: usize = 8;

/// Writers of each fight.
const WRITERS: u8 = 6;

/// Objects that are read and listed right after they were written.
const OBJECTS: usize = 24;

/// Most seconds that clocks may differ.
const SKEW: i64 = 300;

/// What came out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// It was tried and held.
    Proved,
    /// It cannot be tried here; the device says so.
    Claimed,
    /// It was tried and did not hold, or the device says that it does not.
    Failed,
    /// The device does not tell.
    Unknown,
}

impl fmt::Display for Verdict {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.pad(match self {
            Self::Proved => "proved",
            Self::Claimed => "claimed",
            Self::Failed => "failed",
            Self::Unknown => "unknown",
        })
    }
}

/// One line of a certificate.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Proof {
    /// What was to be proved.
    pub name: &'static str,
    /// What came out.
    pub verdict: Verdict,
    /// How it shows, for people.
    pub detail: String,
}

/// A property and how it is tried.
type Trial = fn(&dyn Device, &str) -> Result<(Verdict, String), DeviceError>;

const TRIALS: &[(&str, Trial)] = &[
    ("put-if-absent", put_if_absent),
    ("read-after-write", read_after_write),
    ("list-after-write", list_after_write),
    ("publish", publish),
    ("ranges", ranges),
    ("durability", durability),
    ("clock", clock),
    ("lock", lock),
    ("delete", delete),
];

/// Tries everything; `token` makes the names of the probe objects unique.
#[must_use]
pub fn certify(device: &dyn Device, token: &str) -> Vec<Proof> {
    let mut proofs = Vec::with_capacity(TRIALS.len());
    for (name, trial) in TRIALS {
        let folder = format!("{FOLDER}{token}/{name}/");
        let (verdict, detail) =
            trial(device, &folder).unwrap_or_else(|error| (Verdict::Failed, error.to_string()));
        proofs.push(Proof {
            name,
            verdict,
            detail,
        });
    }
    clear(device, &format!("{FOLDER}{token}/"));
    proofs
}

/// Removes probe objects where that is allowed; what stays is named `probe/` and harmless.
fn clear(device: &dyn Device, folder: &str) {
    for (object, _) in device.list(folder).unwrap_or_default() {
        if device.delete(&object).is_err() {
            return;
        }
    }
}

fn proved(detail: impl Into<String>) -> (Verdict, String) {
    (Verdict::Proved, detail.into())
}

fn failed(detail: impl Into<String>) -> (Verdict, String) {
    (Verdict::Failed, detail.into())
}

/// Several writers put different bytes under one name at the same time: one wins, all see it.
fn put_if_absent(device: &dyn Device, folder: &str) -> Result<(Verdict, String), DeviceError> {
    for fight in 0..FIGHTS {
        let name = format!("{folder}{fight}");
        let answers: Vec<Result<Put, DeviceError>> = std::thread::scope(|scope| {
            let put = |number: u8| {
                let name = &name;
                scope.spawn(move || device.put_if_absent(name, &[number; 512]))
            };
            let threads: Vec<_> = (0..WRITERS).map(put).collect();
            let joined = threads.into_iter().filter_map(|thread| thread.join().ok());
            joined.collect()
        });
        let mut winners = 0;
        for answer in answers {
            match answer {
                Ok(Put::Created) => winners += 1,
                Err(DeviceError::Different { .. }) => {}
                Ok(Put::Same) => return Ok(failed("other bytes counted as the same object")),
                Err(error) => return Err(error),
            }
        }
        if winners != 1 {
            return Ok(failed(format!(
                "{winners} of {WRITERS} writers were told that they created one object: let one \
                 host write at a time"
            )));
        }
    }
    if !device.capabilities().exclusive {
        return Ok(failed(
            "the store has no conditional put: let one host write at a time",
        ));
    }
    Ok(proved(format!("{FIGHTS} fights of {WRITERS} writers")))
}

fn probe(number: usize) -> Vec<u8> {
    number.to_string().into_bytes().repeat(100)
}

fn read_after_write(device: &dyn Device, folder: &str) -> Result<(Verdict, String), DeviceError> {
    for number in 0..OBJECTS {
        let name = format!("{folder}{number}");
        device.put_if_absent(&name, &probe(number))?;
        if device.get(&name, None)? != probe(number) {
            return Ok(failed(format!("{name} reads back with other bytes")));
        }
    }
    Ok(proved(format!("{OBJECTS} objects at once")))
}

fn list_after_write(device: &dyn Device, folder: &str) -> Result<(Verdict, String), DeviceError> {
    for number in 0..OBJECTS {
        let name = format!("{folder}{number:03}");
        device.put_if_absent(&name, &probe(number))?;
        let listed = device.list(folder)?;
        if listed.len() != number + 1 || listed.last().is_none_or(|(last, _)| *last != name) {
            return Ok(failed(format!("{name} was not listed at once")));
        }
    }
    Ok(proved(format!("{OBJECTS} listings at once")))
}

/// An object is not there before it is published, whole afterwards, and never replaced.
fn publish(device: &dyn Device, folder: &str) -> Result<(Verdict, String), DeviceError> {
    let name = format!("{folder}a");
    let mut writer = device.create()?;
    let written = |cause| DeviceError::Io {
        device: device.name().to_owned(),
        action: "write",
        object: folder.to_owned(),
        cause,
    };
    writer.write_all(&probe(1)).map_err(written)?;
    if !device.list(folder)?.is_empty() {
        return Ok(failed("an object is listed before it was published"));
    }
    writer.publish(&name)?;
    if device.get(&name, None)? != probe(1) {
        return Ok(failed("a published object reads back with other bytes"));
    }
    let mut second = device.create()?;
    second.write_all(&probe(2)).map_err(written)?;
    match second.publish(&name) {
        Err(DeviceError::Different { .. }) => {}
        Err(error) => return Err(error),
        Ok(_) => return Ok(failed("publishing replaced an object")),
    }
    if device.get(&name, None)? == probe(1) {
        Ok(proved("whole or absent, never replaced"))
    } else {
        Ok(failed("a refused publication changed an object"))
    }
}

fn ranges(device: &dyn Device, folder: &str) -> Result<(Verdict, String), DeviceError> {
    let name = format!("{folder}a");
    let bytes: Vec<u8> = (0..=255).collect();
    device.put_if_absent(&name, &bytes)?;
    let exact = device.get(&name, Some(7..200))? == bytes[7..200];
    let beyond = matches!(
        device.get(&name, Some(200..300)),
        Err(DeviceError::Damaged { .. })
    );
    Ok(if exact && beyond {
        proved("exact, and refused beyond the end")
    } else {
        failed("a range gives other bytes")
    })
}

/// Only a loss of power could prove it.
fn durability(device: &dyn Device, _folder: &str) -> Result<(Verdict, String), DeviceError> {
    device.identity()?;
    Ok(if device.capabilities().durable {
        (
            Verdict::Claimed,
            "what was acknowledged is said to be durable".to_owned(),
        )
    } else {
        failed("it keeps objects in memory: a loss of power loses them")
    })
}

fn clock(device: &dyn Device, folder: &str) -> Result<(Verdict, String), DeviceError> {
    let name = format!("{folder}a");
    device.put_if_absent(&name, b"now")?;
    let Some(written) = device.written_at(&name)? else {
        let detail = "it does not tell when an object was written".to_owned();
        return Ok((Verdict::Unknown, detail));
    };
    let ahead = written.as_second() - Timestamp::now().as_second();
    let detail = format!("{ahead} s ahead of this host");
    Ok(if ahead.abs() <= SKEW {
        proved(detail)
    } else {
        failed(format!("{detail}; {SKEW} s are allowed"))
    })
}

fn lock(device: &dyn Device, folder: &str) -> Result<(Verdict, String), DeviceError> {
    let name = format!("{folder}a");
    device.put_if_absent(&name, b"lock")?;
    if let Some(until) = device.locked_until(&name)? {
        return Ok(proved(format!("new objects are locked until {until}")));
    }
    match device.delete(&name) {
        Err(DeviceError::Locked { detail, .. }) => {
            Ok(proved(format!("this host may not delete: {detail}")))
        }
        Err(error) => Err(error),
        Ok(_) => {
            let detail = "it tells of no lock, and this host may delete what it wrote";
            Ok((Verdict::Unknown, detail.to_owned()))
        }
    }
}

fn delete(device: &dyn Device, folder: &str) -> Result<(Verdict, String), DeviceError> {
    let name = format!("{folder}a");
    device.put_if_absent(&name, b"gone")?;
    match device.delete(&name) {
        Ok(true) if device.list(folder)?.is_empty() => {
            Ok(proved("this host may delete, and what is deleted is gone"))
        }
        Ok(_) => Ok(failed("a deleted object is still listed")),
        Err(DeviceError::Locked { detail, .. }) => {
            Ok(proved(format!("this host may not delete: {detail}")))
        }
        Err(error) => Err(error),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::media::fault::{Fault, FaultDevice};
    use crate::media::memory::MemoryDevice;

    fn verdict(proofs: &[Proof], name: &str) -> Verdict {
        proofs
            .iter()
            .find(|proof| proof.name == name)
            .unwrap()
            .verdict
    }

    #[test]
    fn a_good_device_is_certified_and_left_clean() {
        let device = MemoryDevice::new("a");
        let proofs = certify(&device, "t");
        assert!(
            proofs.iter().all(|proof| proof.verdict != Verdict::Failed),
            "{proofs:?}"
        );
        assert_eq!(verdict(&proofs, "put-if-absent"), Verdict::Proved);
        assert_eq!(verdict(&proofs, "clock"), Verdict::Unknown);
        assert_eq!(verdict(&proofs, "lock"), Verdict::Unknown);
        assert!(device.list("").unwrap().is_empty());
    }

    #[test]
    fn a_device_that_fails_or_lies_is_found() {
        let inner = Arc::new(MemoryDevice::new("a"));
        let broken = certify(&FaultDevice::new(inner, Fault::From(1)), "t");
        assert!(
            broken.iter().all(|proof| proof.verdict == Verdict::Failed),
            "{broken:?}"
        );
        let inner = Arc::new(MemoryDevice::new("a"));
        let object = "probe/t/read-after-write/0".to_owned();
        let liar = FaultDevice::new(inner, Fault::Flip { object, bit: 3 });
        let proofs = certify(&liar, "t");
        assert_eq!(verdict(&proofs, "read-after-write"), Verdict::Failed);
        assert_eq!(verdict(&proofs, "ranges"), Verdict::Proved);
    }
}
