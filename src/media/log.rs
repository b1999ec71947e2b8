//! Log objects: one gapless range of one source's log, self-describing, written like everything
//! else by put-if-absent. Layout: see [`super::sealed`]; the header is a [`LogRecord`].
//!
//! The name says the service, the history and where the range begins, so that a second, different
//! range that begins at the same place is refused, and a listing is in the order of the log. An
//! object that is damaged blocks nothing: it stays as it is (R2), and the range is stored beside it
//! under its name with a number, as packs are.
//!
//! A *tail* is a piece of a range that its source has not finished, stored so that the loss of the
//! source costs less. It has a name of its own by where it begins and ends; once the finished range
//! is stored nobody needs it.

use std::fs::File;
use std::io::{self, Write};
use std::sync::Arc;

use blake3::Hash;
use serde::{Deserialize, Serialize};

use super::keys::{Seal, rewrap};
use super::manifest::LogRecord;
use super::part::Replaced;
use super::sealed::{self, Kind, Opened, Unproven, Whole};
use super::{Device, DeviceError, Put, name, opened, part};
use crate::engine::LogRange;
use crate::resolve::plan::{Codec, EngineKind};

const FORMAT: &str = "planc-log/1";

/// Whose log it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogSource {
    /// Service.
    pub service: String,
    /// Engine.
    pub engine: EngineKind,
    /// Job.
    pub job: String,
    /// Identity of the source.
    pub identity: String,
}

/// Stores a range on one device; repeating it is harmless. When the same range is there already,
/// compressed in another way, it counts as stored: equality is that of the content.
///
/// # Errors
/// [`DeviceError::Different`] when the device holds another range that begins at the same place.
pub fn put(
    device: &dyn Device,
    source: &LogSource,
    range: &LogRange,
    codec: Codec,
) -> Result<LogRecord, DeviceError> {
    let packed = Packed::new(source, range, codec);
    let packed = packed.map_err(|detail| {
        let object = name::log(&source.service, &source.identity, &range.from);
        damaged(device, &object, detail)
    })?;
    packed.put(device)
}

/// A range that is ready for any device that stores it as it is.
pub struct Packed {
    record: LogRecord,
    object: Arc<Unproven>,
}

impl Packed {
    /// Compresses a range.
    ///
    /// # Errors
    /// When the codec fails.
    pub fn new(source: &LogSource, range: &LogRange, codec: Codec) -> Result<Self, String> {
        let mut told = None;
        let object = Unproven::new(Kind::Log, range.payload.clone(), codec, |hash| {
            line(told.insert(record(source, range, hash)))
        })?;
        let record = told.ok_or("nobody asked what it is")?;
        Ok(Self {
            record,
            object: Arc::new(object),
        })
    }

    /// As [`put`].
    ///
    /// # Errors
    /// As [`put`]; also when it does not give back the range.
    pub fn put(&self, device: &dyn Device) -> Result<LogRecord, DeviceError> {
        let length = self.object.bytes().len();
        store_by(device, self.record.clone(), length, &|name| {
            device.put_unproven(name, &self.object)
        })
    }
}

/// As [`put`], sealed with a key of the device's host.
///
/// # Errors
/// Also when the key cannot be had.
pub fn put_sealed(
    device: &dyn Device,
    source: &LogSource,
    range: &LogRange,
    codec: Codec,
    key: &str,
) -> Result<LogRecord, DeviceError> {
    let record = record(source, range, &sealed::hash_of(&range.payload));
    let object = object_of(&record);
    let fresh = device.keys().seal(key, &record.log, "");
    let fresh = fresh.map_err(|cause| rewrap::error(device, &object, cause))?;
    let bytes = seal(&record, &range.payload, codec, &fresh);
    let bytes = bytes.map_err(|detail| damaged(device, &object, detail))?;
    store(device, record, &bytes)
}

fn object_of(record: &LogRecord) -> String {
    let (service, identity) = (&record.service, &record.identity);
    if record.tail {
        return name::tail(service, identity, &record.from, record.until.value);
    }
    name::log(service, identity, &record.from)
}

/// The name of the object that holds a range.
#[must_use]
pub fn object(source: &LogSource, range: &LogRange) -> String {
    let (service, identity) = (&source.service, &source.identity);
    if range.tail {
        return name::tail(service, identity, &range.from, range.until.value);
    }
    name::log(service, identity, &range.from)
}

/// Puts the bytes of a log object under its name; see [`store_by`].
fn store(device: &dyn Device, record: LogRecord, bytes: &[u8]) -> Result<LogRecord, DeviceError> {
    store_by(device, record, bytes.len(), &|name| {
        device.put_if_absent(name, bytes)
    })
}

/// Puts a log object of this length under its name, or under the next number when what stands there
/// is damaged.
fn store_by(
    device: &dyn Device,
    record: LogRecord,
    length: usize,
    put: &dyn Fn(&str) -> Result<Put, DeviceError>,
) -> Result<LogRecord, DeviceError> {
    let own = object_of(&record);
    let mut refused = None;
    for number in 0..=name::MOST_NUMBERS {
        let object = name::numbered(&own, number);
        match put(&object) {
            Ok(_) => {
                return Ok(LogRecord {
                    stored_bytes: length as u64,
                    ..record
                });
            }
            Err(different @ DeviceError::Different { .. }) => {
                match taken(device, &object, &record)? {
                    Taken::Same(there) => return Ok(*there),
                    Taken::Other => return Err(different),
                    Taken::Damaged => refused = Some(different),
                }
            }
            Err(error) => return Err(error),
        }
    }
    Err(refused.unwrap_or_else(|| damaged(device, &own, "no name is left for it".into())))
}

/// What stands under a name that is taken.
enum Taken {
    /// The same content, perhaps compressed in another way.
    Same(Box<LogRecord>),
    /// Another range that begins at the same place.
    Other,
    /// Nothing that can be read.
    Damaged,
}

/// Looks at what is there. The same content is put once more with its own bytes, which makes it
/// durable again. A host that cannot open what it wrote goes by the id in the header.
fn taken(device: &dyn Device, object: &str, wanted: &LogRecord) -> Result<Taken, DeviceError> {
    let bytes = device.get(object, None)?;
    let there = match open(device, object, &bytes) {
        Ok((there, _)) if name::is_numbered(object, &object_of(&there)) => there,
        Ok(_) | Err(DeviceError::Damaged { .. }) => return Ok(Taken::Damaged),
        Err(DeviceError::Sealed { .. }) => match sealed_id(&bytes) {
            None => return Ok(Taken::Damaged),
            Some(log) => LogRecord {
                log,
                stored_bytes: bytes.len() as u64,
                ..wanted.clone()
            },
        },
        Err(error) => return Err(error),
    };
    if there.log != wanted.log {
        return Ok(Taken::Other);
    }
    device.put_if_absent(object, &bytes)?;
    Ok(Taken::Same(Box::new(there)))
}

/// The id that a sealed log object says openly; none when not even that can be read.
fn sealed_id(bytes: &[u8]) -> Option<String> {
    let header = sealed::whole_header(Kind::Log, bytes).ok()?;
    let header: SealedHeader = serde_json::from_slice(header).ok()?;
    Some(header.log)
}

/// What is to be said of a range whose payload has this hash; its stored length is known later.
fn record(source: &LogSource, range: &LogRange, payload: &Hash) -> LogRecord {
    let record = LogRecord {
        log: String::new(),
        service: source.service.clone(),
        engine: source.engine,
        job: source.job.clone(),
        identity: source.identity.clone(),
        from: range.from.clone(),
        until: range.until.clone(),
        tail: range.tail,
        first_at: range.first_at,
        last_at: range.last_at,
        points: range.points.clone(),
        bytes: range.payload.len() as u64,
        stored_bytes: 0,
    };
    LogRecord {
        log: id(&record, payload),
        ..record
    }
}

/// The id of a range with this payload, by what else a record says of it.
fn id(range: &LogRecord, payload: &Hash) -> String {
    let mut hash = blake3::Hasher::new();
    for word in [
        &range.service,
        &range.identity,
        &range.from.incarnation,
        &range.until.incarnation,
    ] {
        hash.update(&(word.len() as u64).to_le_bytes());
        hash.update(word.as_bytes());
    }
    for value in [range.from.value, range.until.value] {
        hash.update(&value.to_le_bytes());
    }
    hash.update(payload.as_bytes());
    let content = hash.finalize().to_hex();
    let chain = name::chain(&range.identity, &range.from.incarnation);
    let service = name::escape(&range.service);
    let from = range.from.value;
    let place = if range.tail {
        format!("{from}-{}", range.until.value)
    } else {
        from.to_string()
    };
    format!("{service}.{chain}.{place}.{}", &content[..16])
}

/// The line of JSON that tells a range.
fn line(record: &LogRecord) -> Result<Vec<u8>, String> {
    serde_json::to_vec(record).map_err(|cause| cause.to_string())
}

/// What a sealed log object says to those who have no key.
#[derive(Serialize, Deserialize)]
struct SealedHeader {
    format: String,
    log: String,
    keys: Vec<String>,
}

fn seal(record: &LogRecord, payload: &[u8], codec: Codec, seal: &Seal) -> Result<Vec<u8>, String> {
    let mut line = line(record)?;
    let header = SealedHeader {
        format: FORMAT.to_owned(),
        log: record.log.clone(),
        keys: seal.recipients().to_vec(),
    };
    let header = serde_json::to_vec(&header).map_err(|cause| cause.to_string())?;
    line.push(b'\n');
    line.extend_from_slice(payload);
    sealed::seal_with(Kind::Log, &header, &line, codec, Some(seal))
}

/// Opens a log object and checks that it is what it says.
fn open(
    device: &dyn Device,
    object: &str,
    bytes: &[u8],
) -> Result<(LogRecord, LogRange), DeviceError> {
    let (opened, seal) = opened::open(device, object, Kind::Log, bytes)?;
    let understood = understand(opened, seal.as_ref(), bytes.len() as u64);
    understood.map_err(|detail| damaged(device, object, detail))
}

/// The line of JSON, the payload of an opened object and the payload's hash.
fn split(opened: Opened) -> Result<(Vec<u8>, Vec<u8>, Hash), String> {
    let Opened {
        header,
        mut body,
        hash,
    } = opened;
    if let Some(hash) = hash {
        return Ok((header, body, hash));
    }
    let line = body.iter().position(|byte| *byte == b'\n');
    let line = line.ok_or("its body has no record")?;
    let payload = body.split_off(line + 1);
    let hash = blake3::hash(&payload);
    Ok((body, payload, hash))
}

fn understand(
    opened: Opened,
    seal: Option<&Seal>,
    length: u64,
) -> Result<(LogRecord, LogRange), String> {
    let (line, payload, hash) = split(opened)?;
    let record = proven(&line, &hash, length)?;
    if seal.is_some_and(|seal| !seal.is_of(&record.log, "")) {
        return Err("it is sealed as another range".into());
    }
    let range = LogRange {
        from: record.from.clone(),
        until: record.until.clone(),
        tail: record.tail,
        first_at: record.first_at,
        last_at: record.last_at,
        points: record.points.clone(),
        payload: payload.into(),
    };
    Ok((record, range))
}

/// What an object of this length says of a payload with this hash.
fn proven(line: &[u8], payload: &Hash, length: u64) -> Result<LogRecord, String> {
    let record: LogRecord = serde_json::from_slice(line)
        .map_err(|cause| format!("its header is no log record: {cause}"))?;
    if id(&record, payload) != record.log {
        return Err("its id is not that of its content".into());
    }
    Ok(LogRecord {
        stored_bytes: length,
        ..record
    })
}

/// A log object that was read and checked.
pub(crate) struct ReadLog {
    bytes: Vec<u8>,
    /// What it says of itself.
    pub(crate) record: LogRecord,
    range: LogRange,
}

/// Reads a log object by name and checks all of it.
pub(crate) fn read(device: &dyn Device, object: &str) -> Result<ReadLog, DeviceError> {
    let bytes = device.get_short(object, sealed::LONGEST)?;
    let (record, range) = open(device, object, &bytes)?;
    check_name(device, object, &record)?;
    Ok(ReadLog {
        bytes,
        record,
        range,
    })
}

fn check_name(device: &dyn Device, object: &str, record: &LogRecord) -> Result<(), DeviceError> {
    if name::is_numbered(object, &object_of(record)) {
        return Ok(());
    }
    let detail = "it stands under the name of another range";
    Err(damaged(device, object, detail.into()))
}

/// Bytes that hold the header of nearly every log object.
const HEAD: u64 = 2048;

/// Reads what a log object says of itself, and no more of it: the writer proved it when it was
/// stored, and whoever uses its content proves it again. An object whose head does not tell is
/// read whole.
///
/// # Errors
/// [`DeviceError::NotFound`], [`DeviceError::Damaged`].
pub fn look(device: &dyn Device, object: &str) -> Result<LogRecord, DeviceError> {
    match glance(device, object)? {
        Some(record) => Ok(record),
        None => Ok(read(device, object)?.record),
    }
}

/// As [`look`], but none when the head does not tell.
///
/// # Errors
/// As [`look`].
pub fn glance(device: &dyn Device, object: &str) -> Result<Option<LogRecord>, DeviceError> {
    let length = device.size(object)?;
    let head = device.get(object, Some(0..length.min(HEAD)))?;
    let record = match sealed::peek(Kind::Log, &head) {
        Ok((Some(header), _)) => serde_json::from_slice::<LogRecord>(header).ok(),
        _ => None,
    };
    let own = record.filter(|record| object_of(record) == object);
    Ok(own.map(|record| LogRecord {
        stored_bytes: length,
        ..record
    }))
}

/// Reads the payload of a log object by the object's name and checks all of it.
///
/// # Errors
/// [`DeviceError::NotFound`], [`DeviceError::Damaged`].
pub fn read_payload(device: &dyn Device, object: &str) -> Result<Vec<u8>, DeviceError> {
    read_intact(device, object, |_| Ok(())).map(|read| read.range.payload.into())
}

/// Writes the payload of a log object to the file that `begin` makes anew for each object that is
/// tried, and checks all of it; the file is worth nothing before. The inner error is the file's.
///
/// # Errors
/// As [`read_payload`].
pub fn write_payload(
    device: &dyn Device,
    object: &str,
    begin: impl Fn() -> io::Result<File>,
) -> Result<io::Result<()>, DeviceError> {
    first_intact(device, object, |object| {
        let bytes = device.get_short(object, sealed::LONGEST)?;
        let failed = |detail| damaged(device, object, detail);
        let whole = Whole::of(Kind::Log, &bytes).map_err(failed)?;
        if whole.envelope().is_some() {
            let (record, range) = open(device, object, &bytes)?;
            check_name(device, object, &record)?;
            return Ok(begin().and_then(|mut file| file.write_all(&range.payload)));
        }
        let mut file = match begin() {
            Ok(file) => file,
            Err(cause) => return Ok(Err(cause)),
        };
        let poured = whole.pour(&mut |piece| file.write_all(piece));
        let hash = match poured.map_err(failed)? {
            Ok(hash) => hash,
            Err(cause) => return Ok(Err(cause)),
        };
        let record = proven(whole.header(), &hash, bytes.len() as u64).map_err(failed)?;
        check_name(device, object, &record).map(Ok)
    })
}

/// The first intact object under a name and its numbers that is wanted.
fn read_intact(
    device: &dyn Device,
    object: &str,
    wanted: impl Fn(&LogRecord) -> Result<(), String>,
) -> Result<ReadLog, DeviceError> {
    first_intact(device, object, |object| {
        let read = read(device, object)?;
        let unwanted = |detail| damaged(device, object, detail);
        wanted(&read.record).map_err(unwanted)?;
        Ok(read)
    })
}

/// What `read` gives of the first object under a name and its numbers that is not damaged. When
/// there is none, what is wrong with the first.
fn first_intact<T>(
    device: &dyn Device,
    object: &str,
    read: impl Fn(&str) -> Result<T, DeviceError>,
) -> Result<T, DeviceError> {
    let mut first = None;
    for number in 0..=name::MOST_NUMBERS {
        let error = match read(&name::numbered(object, number)) {
            Ok(read) => return Ok(read),
            Err(error @ DeviceError::Damaged { .. }) => error,
            Err(error @ DeviceError::NotFound { .. }) => return Err(first.unwrap_or(error)),
            Err(error) => return Err(error),
        };
        first.get_or_insert(error);
    }
    Err(first.unwrap_or_else(|| damaged(device, object, "it cannot be read".into())))
}

/// Reads the range with this id.
fn read_id(device: &dyn Device, log: &str) -> Result<ReadLog, DeviceError> {
    let Some(object) = name::log_of_id(log) else {
        return Err(DeviceError::NotFound {
            device: device.name().to_owned(),
            object: format!("log {log}"),
        });
    };
    read_intact(device, &object, |there| {
        if there.log == log {
            return Ok(());
        }
        let other = &there.log;
        Err(format!("it holds {other}, another range that begins there"))
    })
}

/// Reads the range from the first holder that has it intact.
fn read_any(
    log: &str,
    holders: &[Arc<dyn Device>],
) -> Result<(ReadLog, Vec<Replaced>), DeviceError> {
    let object = name::log_of_id(log).unwrap_or_else(|| format!("log {log}"));
    let mut failed: Vec<(String, DeviceError)> = Vec::new();
    for holder in holders {
        match read_id(holder.as_ref(), log) {
            Ok(read) => {
                // what only cannot be loaded now is not damaged
                failed.retain(|(_, error)| !matches!(error, DeviceError::Away { .. }));
                let replaced = failed.into_iter().map(|(device, error)| Replaced {
                    device,
                    object: object.clone(),
                    cause: error.to_string(),
                    sure: error.is_sure(),
                    by: holder.name().to_owned(),
                });
                return Ok((read, replaced.collect()));
            }
            Err(error) => failed.push((holder.name().to_owned(), error)),
        }
    }
    let device = "(none)".to_owned();
    let last = failed.pop().map(|(_, error)| error);
    Err(last.unwrap_or(DeviceError::NotFound { device, object }))
}

/// Reads a range from the first holder that has it intact.
///
/// # Errors
/// When no holder has it intact.
pub fn get(
    log: &str,
    holders: &[Arc<dyn Device>],
) -> Result<(LogRecord, LogRange, Vec<Replaced>), DeviceError> {
    let (read, replaced) = read_any(log, holders)?;
    Ok((read.record, read.range, replaced))
}

/// Copies a stored range to another device, byte for byte; returns bytes written.
///
/// # Errors
/// As [`get`] and [`put`].
pub fn copy(
    log: &str,
    holders: &[Arc<dyn Device>],
    to: &dyn Device,
) -> Result<(u64, Vec<Replaced>), DeviceError> {
    let (read, replaced) = read_any(log, holders)?;
    let record = store(to, read.record, &read.bytes)?;
    Ok((record.stored_bytes, replaced))
}

/// Reads a range back from one device and compares its hash; returns bytes read.
///
/// # Errors
/// What is damaged.
pub fn verify(log: &str, device: &dyn Device) -> Result<u64, DeviceError> {
    read_id(device, log).map(|read| read.record.stored_bytes)
}

/// Whether the object of a range is there, without opening it; returns its length.
///
/// # Errors
/// [`DeviceError::NotFound`].
pub fn exists(log: &str, device: &dyn Device) -> Result<u64, DeviceError> {
    match name::log_of_id(log) {
        Some(object) => device.size(&part::find(device, &object)?),
        None => Err(DeviceError::NotFound {
            device: device.name().to_owned(),
            object: format!("log {log}"),
        }),
    }
}

fn damaged(device: &dyn Device, object: &str, detail: String) -> DeviceError {
    DeviceError::Damaged {
        device: device.name().to_owned(),
        object: object.to_owned(),
        detail,
    }
}
