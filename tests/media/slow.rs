//! A device that stands still: it holds up nobody but itself, and is finished later. Nothing here
//! depends on how long anything takes: the device moves when the test opens its gate.

use std::io::{self, Write};
use std::ops::Range;
use std::sync::{Arc, Condvar, Mutex};

use planc::media::memory::MemoryDevice;
use planc::media::part::{self, PartWriter, WriteSettings};
use planc::media::{Device, DeviceError, ObjectWriter, Put};
use planc::resolve::plan::Codec;

use super::fixture::*;

/// Opened once; whoever comes before waits.
#[derive(Default)]
pub(crate) struct Gate {
    open: Mutex<bool>,
    opened: Condvar,
}

impl Gate {
    pub(crate) fn open(&self) {
        *self.open.lock().unwrap() = true;
        self.opened.notify_all();
    }

    fn pass(&self) {
        let shut = self.open.lock().unwrap();
        drop(self.opened.wait_while(shut, |open| !*open).unwrap());
    }
}

/// Takes no byte before its gate is open.
pub(crate) struct Gated {
    pub(crate) inner: MemoryDevice,
    pub(crate) gate: Arc<Gate>,
}

impl Gated {
    pub(crate) fn new(name: &str) -> Self {
        Self {
            inner: MemoryDevice::new(name),
            gate: Arc::default(),
        }
    }
}

struct GatedObject {
    inner: Box<dyn ObjectWriter>,
    gate: Arc<Gate>,
}

impl Write for GatedObject {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.gate.pass();
        self.inner.write(bytes)
    }
    fn flush(&mut self) -> io::Result<()> {
        self.inner.flush()
    }
}

impl ObjectWriter for GatedObject {
    fn publish(&mut self, name: &str) -> Result<Put, DeviceError> {
        self.inner.publish(name)
    }
}

impl Device for Gated {
    fn name(&self) -> &str {
        self.inner.name()
    }
    fn identity(&self) -> Result<String, DeviceError> {
        self.inner.identity()
    }
    fn create(&self) -> Result<Box<dyn ObjectWriter>, DeviceError> {
        Ok(Box::new(GatedObject {
            inner: self.inner.create()?,
            gate: Arc::clone(&self.gate),
        }))
    }
    fn put_if_absent(&self, name: &str, bytes: &[u8]) -> Result<Put, DeviceError> {
        self.gate.pass();
        self.inner.put_if_absent(name, bytes)
    }
    fn get(&self, name: &str, range: Option<Range<u64>>) -> Result<Vec<u8>, DeviceError> {
        self.inner.get(name, range)
    }
    fn size(&self, name: &str) -> Result<u64, DeviceError> {
        self.inner.size(name)
    }
    fn list(&self, prefix: &str) -> Result<Vec<(String, u64)>, DeviceError> {
        self.inner.list(prefix)
    }
    fn delete(&self, name: &str) -> Result<bool, DeviceError> {
        self.inner.delete(name)
    }
}

/// As few frames in flight as can be.
fn narrow() -> WriteSettings {
    WriteSettings {
        threads: 1,
        memory: 0,
        grace: std::time::Duration::ZERO,
        ..WriteSettings::new(Codec::None)
    }
}

fn plain(path: &str, pieces: Vec<Piece>) -> (String, Vec<Piece>) {
    (path.to_owned(), pieces)
}

/// Many more frames than are in flight.
fn large() -> Files {
    vec![plain("large", vec![Piece::Data(bytes(7, 24 << 20, false))])]
}

fn gated() -> (Arc<Gated>, Vec<Arc<dyn Device>>) {
    let slow = Arc::new(Gated::new("slow"));
    let quick: Arc<dyn Device> = Arc::new(MemoryDevice::new("quick"));
    (slow.clone(), vec![slow, quick])
}

#[test]
fn a_device_that_stands_still_holds_up_nobody_and_is_finished_from_a_stored_copy() {
    let (slow, devices) = gated();
    let mut written = write(&large(), &devices, narrow(), 4 << 20).unwrap();
    assert_eq!(written.devices, ["quick"]);
    assert_eq!(written.behind, ["slow"]);
    assert!(written.lost.is_empty());
    let manifest = part::manifest(&mut written, header("p"), ended());
    part::commit(&manifest, devices[1].as_ref()).unwrap();
    part::verify("p", devices[1].as_ref(), &always).unwrap();
    let packs = |device: &dyn Device| device.list("packs/").unwrap().len();
    assert_eq!(packs(&slow.inner), 0, "not one pack passed the gate");
    slow.gate.open();
    part::copy("p", &devices[1..], slow.as_ref(), &always).unwrap();
    part::verify("p", slow.as_ref(), &always).unwrap();
    assert_eq!(packs(&slow.inner), packs(devices[1].as_ref()));
}

#[test]
fn a_part_is_whole_on_one_device_while_another_still_writes_what_it_was_given() {
    let (slow, devices) = gated();
    let small = vec![plain("small", vec![Piece::Data(bytes(3, 1 << 20, false))])];
    let mut writer = PartWriter::begin(&devices, narrow(), &always).unwrap();
    feed(&mut writer, &small).unwrap();
    let mut written = writer.finish_first().unwrap();
    assert_eq!(written.devices, ["quick"], "the gate is still shut");
    assert!(written.behind.is_empty());
    slow.gate.open();
    written.settle(&always).unwrap();
    assert_eq!(written.devices, ["slow", "quick"]);
    assert!(written.lost.is_empty() && written.behind.is_empty());
}

#[test]
fn a_part_that_is_given_up_leaves_nothing_on_a_device_that_stands_still() {
    let (slow, devices) = gated();
    let mut writer = PartWriter::begin(&devices, narrow(), &always).unwrap();
    feed(&mut writer, &large()).unwrap();
    let written = writer.finish_first().unwrap();
    drop(written);
    slow.gate.open();
    assert_eq!(slow.list("packs/").unwrap(), []);
}
