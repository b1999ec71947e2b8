//! Every device keeps the contract of devices.

use std::sync::Arc;

use planc::media::contract;
use planc::media::directory::DirectoryDevice;
use planc::media::fault::{Fault, FaultDevice};
use planc::media::memory::MemoryDevice;

#[test]
fn a_directory_keeps_the_contract() {
    let folder = tempfile::tempdir().unwrap();
    let device = DirectoryDevice::init("a", folder.path()).unwrap();
    contract::check(&device).unwrap();
    let temps = std::fs::read_dir(folder.path().join("tmp")).unwrap();
    assert_eq!(temps.count(), 0);
}

#[test]
fn memory_keeps_the_contract() {
    contract::check(&MemoryDevice::new("a")).unwrap();
}

#[test]
fn a_decorator_without_a_fault_keeps_the_contract() {
    let inner = Arc::new(MemoryDevice::new("a"));
    contract::check(&FaultDevice::new(inner, Fault::None)).unwrap();
}

#[test]
fn the_suite_finds_a_device_that_breaks_it() {
    for call in 1..10 {
        let inner = Arc::new(MemoryDevice::new("a"));
        let device = FaultDevice::new(inner, Fault::Call(call));
        assert!(contract::check(&device).is_err(), "call {call}");
    }
}
