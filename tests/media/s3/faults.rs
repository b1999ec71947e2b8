//! What goes wrong between planc and a store: nothing is lost, nothing is believed too early.

use planc::media::{Device, DeviceError, Put, contract};

use super::super::fixture::bytes;
use super::proxy::{self, Spoil};
use super::server::{Server, at, open, publish, writable};

#[test]
fn a_store_without_conditional_put_is_noticed_and_used_with_care() {
    let server = Server::start();
    let store = at(proxy::start(server.port, Spoil::NoConditionalPut));
    let device = server.device(&store);
    assert!(!device.capabilities().exclusive, "known from the claim on");
    contract::check(&device).unwrap();
}

#[test]
fn a_put_whose_answer_is_lost_is_the_same_object() {
    let server = Server::start();
    drop(server.device(&server.store()));
    let store = at(proxy::start(server.port, Spoil::LoseAnswers(2)));
    let device = open(&store, "shop", server.folder.path()).unwrap();
    let put = device.put_if_absent("parts/a", b"bytes").unwrap();
    assert_eq!(put, Put::Same, "the try before it was carried out");
    assert_eq!(device.get("parts/a", None).unwrap(), b"bytes");
}

#[test]
fn a_busy_store_is_asked_again() {
    let server = Server::start();
    drop(server.device(&server.store()));
    let store = at(proxy::start(server.port, Spoil::Busy(2)));
    let device = open(&store, "shop", server.folder.path()).unwrap();
    assert_eq!(
        device.put_if_absent("parts/a", b"bytes").unwrap(),
        Put::Created
    );
}

#[test]
fn an_error_in_the_body_of_a_success_is_an_error() {
    let server = Server::start();
    drop(server.device(&server.store()));
    let store = at(proxy::start(server.port, Spoil::ErrorIn200));
    let device = open(&store, "shop", server.folder.path()).unwrap();
    let answer = publish(&device, "packs/aa/x", &bytes(1, 9 << 20, true));
    assert!(matches!(answer, Err(DeviceError::Io { .. })), "{answer:?}");
    let plain = open(&server.store(), "shop", server.folder.path()).unwrap();
    assert!(
        plain.list("packs/").unwrap().is_empty(),
        "nothing came to be"
    );
}

#[test]
fn an_upload_that_cannot_be_aborted_keeps_nobody_from_writing() {
    let server = Server::start();
    drop(server.device(&server.store()));
    let (folder, content) = (server.folder.path(), bytes(1, 9 << 20, true));
    let stage = || std::fs::read_dir(folder.join("stage")).unwrap().flatten();
    let strict = at(proxy::start(server.port, Spoil::NoParts));
    let device = writable(&strict, folder).unwrap();
    let answer = publish(&device, "packs/aa/x", &content);
    assert!(
        matches!(answer, Err(DeviceError::Denied { .. })),
        "{answer:?}"
    );
    let note = stage().next().expect("it is noted").path();
    // as if the process were gone
    std::fs::rename(note, folder.join("stage/1-0.upload")).unwrap();
    let device = writable(&strict, folder).expect("the note stands in nobody's way");
    device.put_if_absent("parts/a", b"bytes").unwrap();
    assert_eq!(stage().count(), 1, "a later run may be let");
    let device = writable(&server.store(), folder).unwrap();
    assert_eq!(stage().count(), 0, "it was aborted");
    publish(&device, "packs/aa/x", &content).unwrap();
    assert_eq!(stage().count(), 0, "nothing is noted of what is complete");
}

#[test]
fn a_clock_that_is_far_off_is_refused_before_anything_is_written() {
    let server = Server::start();
    drop(server.device(&server.store()));
    let store = at(proxy::start(server.port, Spoil::WrongDate));
    let error = writable(&store, server.folder.path()).err().unwrap();
    assert!(matches!(error, DeviceError::Skewed { .. }), "{error}");
    assert!(error.to_string().contains("s ahead"), "{error}");
    open(&store, "shop", server.folder.path()).expect("reading goes on");
    writable(&server.store(), server.folder.path()).unwrap();
}

#[test]
fn half_an_answer_is_no_answer() {
    let server = Server::start();
    let device = server.device(&server.store());
    let content = bytes(1, 100_000, true);
    publish(&device, "packs/aa/x", &content).unwrap();
    let store = at(proxy::start(server.port, Spoil::HalfBodies));
    let device = open(&store, "shop", server.folder.path()).unwrap();
    assert!(device.get("packs/aa/x", None).is_err());
    assert!(device.get("packs/aa/x", Some(0..90_000)).is_err());
}
