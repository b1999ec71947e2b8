//! Ships the log committed so far. The source may forget a range only when every device that the
//! job requires holds it durably (R1).

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use super::Task;
use crate::engine::postgres::archived;
use crate::engine::{EngineError, LogRange, LogSink, Retry};
use crate::facts::holdings::Position;
use crate::graph::step::StepKind;
use crate::media::log::{self, LogSource};
use crate::media::manifest::LogRecord;
use crate::media::{Device, DeviceError, name};
use crate::quantity::Bytes;
use crate::resolve::plan::{Codec, EngineKind};
use crate::run::message::{Message, Record, StepDone, StepFailure};
use crate::run::shipped;

/// Ships all log committed since the last position known to be stored.
pub(super) fn archive(task: &Task<'_>) -> Result<StepDone, StepFailure> {
    let StepKind::ArchiveLog {
        service, within_ms, ..
    } = &task.step.kind
    else {
        return Err(StepFailure::new("not an archiving step"));
    };
    let context = task.context;
    let engine = context.engine(service)?;
    let mut sink = Shipment::new(task)?;
    let after = context.logs.head(service);
    let within = within_ms.map(Duration::from_millis);
    let by_itself = within.map(|within| engine.archived(within)).transpose()?;
    let archived = match by_itself.flatten() {
        Some(archived) => archived,
        None => engine.archive(after.as_ref(), context.clock.now(), &mut sink)?,
    };
    let bytes = sink.bytes;
    let bytes = match (engine.kind(), &archived.position) {
        (EngineKind::Postgresql, Some(position)) => {
            bytes + pushed(task, &sink, position, archived.unit)?
        }
        _ => bytes,
    };
    if let Some(detail) = archived.broken {
        let service = service.clone();
        task.outbox.send(Message::Broken { service, detail });
    }
    let at = archived
        .position
        .map_or_else(String::new, |position| format!("up to {}", position.name()));
    let said = match engine.kind() {
        EngineKind::Postgresql => at,
        _ => format!("{} transactions {at}", archived.transactions),
    };
    let said = said.trim_end();
    Ok(StepDone::moved(bytes).says(said))
}

/// The server pushed its log by itself: the catalog learns what came, and every device that must
/// hold it is asked whether it does. The server's word alone is none for a device.
fn pushed(
    task: &Task<'_>,
    sink: &Shipment<'_>,
    until: &Position,
    unit: Option<u64>,
) -> Result<u64, StepFailure> {
    let (service, identity) = (&sink.source.service, &sink.source.identity);
    let logs = &task.context.logs;
    let mut bytes = 0;
    for device in &sink.devices {
        let name = device.name();
        let known = |object: &str| logs.is_held(name, object);
        for record in shipped::shipped(service, device.as_ref(), &known)? {
            logs.found(name, &log_name(&record));
            logs.stored(service, &record.log, &record.until);
            bytes += record.stored_bytes;
            task.record(Record::Log(Box::new(record), name.to_owned()));
        }
        if !sink.required.contains(name) {
            continue;
        }
        let before = Position {
            value: until.value.saturating_sub(1),
            ..until.clone()
        };
        let reach = shipped::reach(device.as_ref(), service, identity, &before)?;
        if reach.is_some_and(|reach| reach >= until.value) {
            continue;
        }
        if shipped::holds(device.as_ref(), service, identity, &before)? {
            task.warn(format!(
                "{service} ran with wal_level = minimal: not all that it did is in the log on \
                 {name}, so no copy made before leads beyond; a fresh full does"
            ));
        } else {
            check_unit(service, device.as_ref(), unit)?;
            return Err(StepFailure {
                retry: Retry::Later,
                ..StepFailure::new(format!(
                    "{name} does not hold the log of {service} up to {}, though the server says \
                     it is archived",
                    until.name()
                ))
                .help(
                    "set archive_command to `/PATH/planc log push --plan /PATH/X.plan --service \
                     NAME %p`; where it is set, the server archived that before: `select \
                     pg_switch_wal()` ends a segment that comes here, then repeat the command",
                )
            });
        }
    }
    Ok(bytes)
}

/// Refuses a server whose segments have another size than those that a device holds of it: their
/// names do not mean the same log, so none of them is taken.
fn check_unit(service: &str, device: &dyn Device, unit: Option<u64>) -> Result<(), StepFailure> {
    let held = match archived::claim(device, service) {
        Err(DeviceError::NotFound { .. }) => return Ok(()),
        claim => claim?.segment_size.bytes(),
    };
    let Some(unit) = unit.filter(|unit| *unit != held) else {
        return Ok(());
    };
    Err(StepFailure::new(format!(
        "{} holds the log of {service} in segments of {}, the server has segments of {} now",
        device.name(),
        Bytes(held),
        Bytes(unit)
    ))
    .help(
        "give it a service of its own, in the plan and in archive_command: copies and log begin \
         anew there, and what is stored stays under the old name",
    ))
}

/// The devices that the run has given up; each is told.
fn left_out(task: &Task<'_>, devices: &[String]) -> BTreeSet<String> {
    let mut lost = BTreeSet::new();
    for name in devices {
        if let Some(cause) = task.context.dropped.cause(name) {
            task.missed(name, cause);
            lost.insert(name.clone());
        }
    }
    lost
}

fn log_name(record: &LogRecord) -> String {
    name::log(&record.service, &record.identity, &record.from)
}

/// Stores ranges on every device of the step.
struct Shipment<'a> {
    task: &'a Task<'a>,
    source: LogSource,
    codec: Codec,
    key: Option<String>,
    devices: Vec<Arc<dyn Device>>,
    required: BTreeSet<String>,
    // devices that failed: told once, then left alone until the next shipment
    lost: BTreeSet<String>,
    bytes: u64,
}

impl<'a> Shipment<'a> {
    fn new(task: &'a Task<'a>) -> Result<Self, StepFailure> {
        let StepKind::ArchiveLog {
            service,
            job,
            devices,
            codec,
            key,
            ..
        } = &task.step.kind
        else {
            return Err(StepFailure::new("not an archiving step"));
        };
        let engine = task.context.engine(service)?;
        let lost = left_out(task, devices);
        let first = || devices.first().cloned().into_iter().collect();
        let required = task.context.required.get(job).cloned();
        Ok(Self {
            task,
            source: LogSource {
                service: service.clone(),
                engine: engine.kind(),
                job: job.clone(),
                identity: engine.identity()?,
            },
            codec: *codec,
            key: key.clone(),
            devices: task.context.holders(devices)?,
            required: required.unwrap_or_else(first),
            lost,
            bytes: 0,
        })
    }

    /// The error of a device that is gone and without which nothing counts as shipped.
    fn waits_for(&self) -> Option<DeviceError> {
        let device = self
            .lost
            .iter()
            .find(|name| self.required.contains(*name))?;
        let cause = self.task.context.dropped.cause(device)?;
        Some(DeviceError::Io {
            device: device.clone(),
            action: "store",
            object: "log".to_owned(),
            cause: std::io::Error::other(cause),
        })
    }

    /// Stores a range on one device, or says why not.
    fn store(&mut self, device: &dyn Device, range: &LogRange) -> Result<(), DeviceError> {
        let record = match &self.key {
            None => log::put(device, &self.source, range, self.codec)?,
            Some(key) => log::put_sealed(device, &self.source, range, self.codec, key)?,
        };
        let logs = &self.task.context.logs;
        logs.stored(&self.source.service, &record.log, &range.until);
        let device = device.name().to_owned();
        self.task.record(Record::Log(Box::new(record), device));
        Ok(())
    }
}

impl LogSink for Shipment<'_> {
    fn put(&mut self, range: LogRange) -> Result<(), EngineError> {
        if self.task.stop.asked() {
            return Err(DeviceError::Cancelled.into());
        }
        let mut failed = self.waits_for();
        let mut stored = false;
        for device in self.devices.clone() {
            let name = device.name().to_owned();
            if self.lost.contains(&name) {
                continue;
            }
            let Err(error) = self.store(device.as_ref(), &range) else {
                stored = true;
                continue;
            };
            self.task.lost(&name, &error);
            self.lost.insert(name.clone());
            if self.required.contains(&name) {
                failed = Some(error);
            }
        }
        self.bytes += range.payload.len() as u64;
        match failed {
            Some(error) => Err(error.into()),
            None if stored => Ok(()),
            None => Err(DeviceError::Io {
                device: self.source.job.clone(),
                action: "store",
                object: "log on any device".to_owned(),
                cause: std::io::Error::other("all devices failed"),
            }
            .into()),
        }
    }
}
