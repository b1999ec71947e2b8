//! Owns the measured facts beside an inventory: sizes, rates of change and of log, speeds.
//! Must not open the file, and must not compare facts with the plan.
//!
//! ```yaml
//! measured: "2026-03-01"
//! components: {orders_db/tablespace/hot: {size: 900 GiB, change: 6%/day, growth: 1%/day}}
//! services:   {orders_db: {log_rate: 4 GiB/h, log_peak: 30 GiB/h}}
//! devices:    {nvme: {write: 2 GiB/s, read: 3 GiB/s}}
//! hosts:      {scratch: {replay: 200 MiB/s}}
//! certified:  {bucket: {at: "2026-03-01", place: "…", put-if-absent: proved, clock: proved}}
//! instances:  {orders_db: {version: "18.4", settings: {wal_level: replica}}}
//! ```

use std::collections::BTreeMap;

use super::instance::{self, Instance, map as section};
use super::inventory::fields::{Fields, Reader};
use crate::diagnostic::Diagnostics;
use crate::quantity::{Amount, Bytes, BytesPerSecond};
use crate::source::{FileId, Span};
use crate::yaml::{self, Entry};

const KNOWN: &[&str] = &[
    "measured",
    "components",
    "services",
    "devices",
    "hosts",
    "certified",
    "instances",
];

/// Size, and the shares by which it changes and grows in a day.
pub type SizeAndShares = (Option<Bytes>, Option<f64>, Option<f64>);

/// What was measured. What was not measured is absent, never zero.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct MeasuredFacts {
    /// The day or instant of the measurement, as written.
    pub measured: Option<String>,
    /// Where that is written.
    pub measured_span: Option<Span>,
    /// What is known of each component, by its key.
    pub components: BTreeMap<String, SizeAndShares>,
    /// Mean and peak of the log, by service.
    pub services: BTreeMap<String, (Option<BytesPerSecond>, Option<BytesPerSecond>)>,
    /// Write and read rate, by device.
    pub devices: BTreeMap<String, (Option<BytesPerSecond>, Option<BytesPerSecond>)>,
    /// Rate at which log is replayed, by host.
    pub hosts: BTreeMap<String, Option<BytesPerSecond>>,
    /// What `planc device certify` found, by device: when, where, and the verdict on each property.
    pub certified: BTreeMap<String, BTreeMap<String, String>>,
    /// What each instance said of itself, by service.
    pub instances: BTreeMap<String, Instance>,
}

/// Reads a facts file; what cannot be understood becomes a finding and is left out.
#[must_use]
pub fn read(file: FileId, text: &str, out: &mut Diagnostics) -> MeasuredFacts {
    let Some(root) = yaml::parse(file, text, out) else {
        return MeasuredFacts::default();
    };
    let reader = &mut Reader::new(out);
    let fields = reader.fields(&root, "a facts file", KNOWN);
    let measured = fields.name("measured", reader);
    MeasuredFacts {
        measured_span: measured.as_ref().map(|(_, span)| *span),
        measured: measured.map(|(text, _)| text),
        components: section(fields, "components", reader, |node, reader| {
            let part = reader.fields(node, "a component", &["size", "change", "growth"]);
            let (change, growth) = (
                change(part, "change", reader),
                change(part, "growth", reader),
            );
            (part.size("size", reader), change, growth)
        }),
        services: section(fields, "services", reader, |node, reader| {
            let one = reader.fields(node, "a service", &["log_rate", "log_peak"]);
            (one.rate("log_rate", reader), one.rate("log_peak", reader))
        }),
        devices: section(fields, "devices", reader, |node, reader| {
            let one = reader.fields(node, "a device", &["write", "read"]);
            (one.rate("write", reader), one.rate("read", reader))
        }),
        hosts: section(fields, "hosts", reader, |node, reader| {
            let one = reader.fields(node, "a host", &["replay"]);
            one.rate("replay", reader)
        }),
        certified: section(fields, "certified", reader, |node, reader| {
            let entries = reader.entries(node, "a certificate").iter();
            let text = |one: &Entry| {
                let text = reader.text_of(&one.key, &one.value)?;
                Some((one.key.clone(), text))
            };
            entries.filter_map(text).collect()
        }),
        instances: section(fields, "instances", reader, instance::read),
    }
}

fn change(fields: Fields<'_>, name: &str, reader: &mut Reader<'_>) -> Option<f64> {
    let entry = fields.find(name)?;
    match reader.amount(entry)? {
        Amount::Change(share) => Some(share),
        other => {
            reader.dimension(entry, other, "change rate", "6%/day");
            None
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn facts_are_read_and_slips_are_found() {
        let mut out = Diagnostics::new();
        let text = "services: {a: {log_rate: 4 GiB/h}}\ncomponents: {a/base/base: {size: 1 GiB}}\n";
        let facts = read(FileId(0), text, &mut out);
        assert!(out.is_empty());
        assert_eq!(facts.components["a/base/base"].0, Some(Bytes(1 << 30)));
        assert_eq!(facts.services["a"].1, None);
        let _ = read(
            FileId(0),
            "devices: {d: {wirte: 1 GiB/s, read: 1 GiB}}\n",
            &mut out,
        );
        let codes: Vec<u16> = out.iter().map(|found| found.code.0).collect();
        assert_eq!(codes, [1101, 305]);
    }
}
