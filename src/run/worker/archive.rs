//! Ships the log committed so far. The source may forget a range only when every device that the
//! job requires holds it durably (R1).

use std::collections::BTreeSet;
use std::sync::Arc;

use super::Task;
use crate::engine::{EngineError, LogRange, LogSink};
use crate::graph::step::StepKind;
use crate::media::log::{self, LogSource};
use crate::media::{Device, DeviceError};
use crate::resolve::plan::Codec;
use crate::run::message::{Message, Record, StepDone, StepFailure};

/// Ships all log committed since the last position known to be stored.
pub(super) fn archive(task: &Task<'_>) -> Result<StepDone, StepFailure> {
    let StepKind::ArchiveLog { service, .. } = &task.step.kind else {
        return Err(StepFailure::new("not an archiving step"));
    };
    let context = task.context;
    let engine = context.engine(service)?;
    let mut sink = Shipment::new(task)?;
    let after = context.logs.head(service);
    let archived = engine.archive(after.as_ref(), context.clock.now(), &mut sink)?;
    let bytes = sink.bytes;
    if let Some(detail) = archived.broken {
        let service = service.clone();
        let _ = task.messages.send(Message::Broken { service, detail });
    }
    let at = archived.position.map_or_else(String::new, |position| {
        format!(" up to {}:{}", position.incarnation, position.value)
    });
    let said = format!("{} transactions{at}", archived.transactions);
    Ok(StepDone::moved(bytes).says(said))
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
        } = &task.step.kind
        else {
            return Err(StepFailure::new("not an archiving step"));
        };
        let engine = task.context.engine(service)?;
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
            lost: BTreeSet::new(),
            bytes: 0,
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
        let mut failed = None;
        for device in self.devices.clone() {
            let name = device.name().to_owned();
            if self.lost.contains(&name) {
                continue;
            }
            if let Err(error) = self.store(device.as_ref(), &range) {
                self.task.lost(&name, &error);
                self.lost.insert(name.clone());
                if self.required.contains(&name) {
                    failed = Some(error);
                }
            }
        }
        self.bytes += range.payload.len() as u64;
        match failed {
            Some(error) => Err(error.into()),
            None if self.lost.len() == self.devices.len() => Err(DeviceError::Io {
                device: self.source.job.clone(),
                action: "store",
                object: "log on any device".to_owned(),
                cause: std::io::Error::other("all devices failed"),
            }
            .into()),
            None => Ok(()),
        }
    }
}
