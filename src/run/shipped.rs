//! Owns what servers archive by themselves, beside every run: log objects that lie on devices and
//! that the catalog does not know yet, and tails and histories, which it never knows. Reads heads
//! of objects, never all of them.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::engine::postgres::archived;
use crate::engine::postgres::history::History;
use crate::engine::postgres::lsn::Timeline;
use crate::facts::holdings::{LogHistory, LogHolding, Position};
use crate::media::manifest::LogRecord;
use crate::media::{Device, DeviceError, log, name};

/// Log objects of a service on a device, without those that `known` names. An object that is
/// damaged is passed over: `planc verify` and every restore name it.
///
/// # Errors
/// When the device cannot be listed or read: what it could not say is not known to be absent (R7).
pub fn shipped(
    service: &str,
    device: &dyn Device,
    known: &dyn Fn(&str) -> bool,
) -> Result<Vec<LogRecord>, DeviceError> {
    let folder = format!("{}{}/", name::LOGS, name::escape(service));
    let mut found = Vec::new();
    for (object, _) in device.list(&folder)? {
        if known(&object) {
            continue;
        }
        match log::look(device, &object) {
            Ok(record) => found.push(record),
            Err(DeviceError::Damaged { .. } | DeviceError::NotFound { .. }) => {}
            Err(error) => return Err(error),
        }
    }
    Ok(found)
}

/// The pieces of unfinished log of a service that a device holds, by where they begin.
///
/// # Errors
/// As [`shipped`].
pub fn tails(service: &str, device: &dyn Device) -> Result<Vec<LogHolding>, DeviceError> {
    let folder = format!("{}{}/", name::TAILS, name::escape(service));
    let mut found = Vec::new();
    for (object, _) in device.list(&folder)? {
        let record = match log::look(device, &object) {
            Ok(record) => record,
            // the range may have been finished meanwhile
            Err(DeviceError::Damaged { .. } | DeviceError::NotFound { .. }) => continue,
            Err(error) => return Err(error),
        };
        found.push(LogHolding {
            log: record.log,
            service: record.service,
            identity: record.identity,
            from: record.from,
            until: record.until,
            first_at: record.first_at,
            last_at: record.last_at,
            stored_bytes: record.stored_bytes,
            devices: vec![device.name().to_owned()],
        });
    }
    Ok(found)
}

/// The histories of a service's log that a device holds.
///
/// # Errors
/// As [`shipped`].
pub fn histories(service: &str, device: &dyn Device) -> Result<Vec<LogHistory>, DeviceError> {
    let folder = archived::file_name(service, "");
    let mut found = Vec::new();
    for (object, _) in device.list(&folder)? {
        let file = object.rsplit('/').next().unwrap_or_default();
        let stem = file.strip_suffix(".history").map(str::to_ascii_uppercase);
        let timeline = stem.and_then(|stem| stem.parse::<Timeline>().ok());
        let Some(timeline) = timeline else { continue };
        let bytes = match archived::read(device, &object) {
            Err(DeviceError::Damaged { .. } | DeviceError::NotFound { .. }) => continue,
            other => other?,
        };
        let text = String::from_utf8_lossy(&bytes);
        let Ok(history) = History::parse(timeline, &text) else {
            continue;
        };
        let before = history.before.iter();
        found.push(LogHistory {
            service: service.to_owned(),
            incarnation: timeline.to_string(),
            before: before
                .map(|(past, left)| (past.to_string(), left.0))
                .collect(),
        });
    }
    Ok(found)
}

/// The file that tells where a history comes from; none when no device has it, as for the first.
///
/// # Errors
/// When a device fails and no other has it.
pub fn history(
    service: &str,
    incarnation: &str,
    devices: &[Arc<dyn Device>],
) -> Result<Option<Vec<u8>>, DeviceError> {
    let object = archived::file_name(service, &format!("{incarnation}.history"));
    let mut failed = None;
    for device in devices {
        match archived::read(device.as_ref(), &object) {
            Ok(bytes) => return Ok(Some(bytes)),
            Err(DeviceError::NotFound { .. }) => {}
            Err(error) => failed = Some(error),
        }
    }
    failed.map_or(Ok(None), Err)
}

/// Whether a device holds the range that a position lies in, however far its log leads: where the
/// server was set to `wal_level = minimal` it leads no further.
///
/// # Errors
/// When the device cannot be listed or read.
pub fn holds(
    device: &dyn Device,
    service: &str,
    identity: &str,
    at: &Position,
) -> Result<bool, DeviceError> {
    let begins = begins(device, service, identity, &at.incarnation)?;
    let Some((begin, object)) = begins.range(..=at.value).next_back() else {
        return Ok(false);
    };
    let bytes = log::look(device, object)?.bytes;
    Ok(at.value - begin < bytes)
}

/// The log objects of a chain on a device, by where they begin.
fn begins(
    device: &dyn Device,
    service: &str,
    identity: &str,
    incarnation: &str,
) -> Result<BTreeMap<u64, String>, DeviceError> {
    let zero = Position {
        incarnation: incarnation.to_owned(),
        value: 0,
    };
    let first = name::log(service, identity, &zero);
    let folder = first.rsplit_once('/').map_or("", |(folder, _)| folder);
    let mut begins = BTreeMap::new();
    for (object, _) in device.list(&format!("{folder}/"))? {
        let begin = object.rsplit('/').next().and_then(|text| text.parse().ok());
        begins.extend(begin.map(|begin| (begin, object)));
    }
    Ok(begins)
}

/// Where the log of a chain that begins at or before `from` ends on a device, gapless; none when
/// the device does not hold its beginning.
///
/// # Errors
/// When the device cannot be listed or read.
pub fn reach(
    device: &dyn Device,
    service: &str,
    identity: &str,
    from: &Position,
) -> Result<Option<u64>, DeviceError> {
    let begins = begins(device, service, identity, &from.incarnation)?;
    let mut reached = None;
    let start = begins.range(..=from.value).next_back().map(|(at, _)| *at);
    for (begin, object) in begins.range(start.unwrap_or(from.value)..) {
        if reached.is_some_and(|reached| *begin > reached) {
            break;
        }
        let until = log::look(device, object)?.until.value;
        if reached.is_none() && (*begin > from.value || until <= from.value) {
            break;
        }
        reached = reached.max(Some(until));
    }
    Ok(reached)
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;

    use super::*;
    use crate::engine::LogRange;
    use crate::media::log::LogSource;
    use crate::media::memory::MemoryDevice;
    use crate::resolve::plan::{Codec, EngineKind};

    fn at(value: u64) -> Position {
        Position {
            incarnation: "00000001".to_owned(),
            value,
        }
    }

    fn store(device: &MemoryDevice, from: u64) {
        let source = LogSource {
            service: "shop".to_owned(),
            engine: EngineKind::Postgresql,
            job: "wal".to_owned(),
            identity: "7".to_owned(),
        };
        let range = LogRange {
            from: at(from),
            until: at(from + 16),
            tail: false,
            first_at: Timestamp::UNIX_EPOCH,
            last_at: Timestamp::UNIX_EPOCH,
            points: None,
            payload: vec![7; 40_000].into(),
        };
        log::put(device, &source, &range, Codec::Lz4).expect("stored");
    }

    #[test]
    fn what_a_server_archived_is_found_and_a_gap_ends_it() {
        let device = MemoryDevice::new("m");
        for from in [16, 32, 64] {
            store(&device, from);
        }
        let all = shipped("shop", &device, &|_| false).expect("listed");
        assert_eq!(all.len(), 3);
        let read = log::read_payload(&device, &name::log("shop", "7", &at(16)));
        assert_eq!(read.expect("whole").len(), 40_000);
        let known = name::log("shop", "7", &at(32));
        let rest = shipped("shop", &device, &|object| object == known).expect("listed");
        assert_eq!(rest.len(), 2);
        let reach = |value| reach(&device, "shop", "7", &at(value)).expect("listed");
        assert_eq!(reach(20), Some(48));
        assert_eq!(reach(47), Some(48));
        assert_eq!(reach(48), None);
        assert_eq!(reach(65), Some(80));
        assert_eq!(reach(5), None);
        assert!(
            shipped("other", &device, &|_| false)
                .expect("none")
                .is_empty()
        );
    }

    #[test]
    fn a_history_is_read_from_its_file() {
        let device = MemoryDevice::new("m");
        let name = archived::file_name("shop", "0000000A.history");
        let text = archived::wrap(b"1\t0/3000000\tno reason\n");
        device.put_if_absent(&name, &text).expect("stored");
        let found = histories("shop", &device).expect("listed");
        assert_eq!(found[0].incarnation, "0000000A");
        assert_eq!(found[0].before, [("00000001".to_owned(), 0x300_0000)]);
    }
}
