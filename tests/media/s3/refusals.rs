//! What bad input gets from devices: each kind is refused or contained, named, and told with the
//! next action.

use std::sync::Arc;

use planc::engine::{Engine, EngineError, Entry, EntryKind};
use planc::facts::inventory::Setting;
use planc::media::certify::{Verdict, certify};
use planc::media::keyed::KeyedDevice;
use planc::media::manifest::{Manifest, ManifestEntry};
use planc::media::memory::MemoryDevice;
use planc::media::volumes::{FileLibrary, Limits, SetSpec, VolumeDevice};
use planc::media::{Device, DeviceError, part};
use planc::resolve::plan::EngineKind;

use super::super::fixture::{
    Piece, always, bytes, ring, settings, small, store, store_sealed, write,
};
use super::proxy::{self, Spoil};
use super::server::{Server, at, init, open, writable};
use crate::engines::support::spec;

/// What a person is told: the message and what to do next.
struct Told {
    message: String,
    help: String,
}

impl From<DeviceError> for Told {
    fn from(error: DeviceError) -> Self {
        Self {
            message: error.to_string(),
            help: error.help().to_owned(),
        }
    }
}

impl From<EngineError> for Told {
    fn from(error: EngineError) -> Self {
        Self {
            message: error.to_string(),
            help: error.help().to_owned(),
        }
    }
}

struct Case {
    name: &'static str,
    give: fn() -> Told,
    says: &'static [&'static str],
    next: &'static str,
}

const CASES: &[Case] = &[
    Case {
        name: "a store without conditional put",
        give: no_conditional_put,
        says: &["put-if-absent"],
        next: "one host",
    },
    Case {
        name: "a bucket of another plan",
        give: || {
            let server = Server::start();
            drop(server.device(&server.store()));
            refused(open(&server.store(), "other", server.folder.path()))
        },
        says: &["bucket", "belongs to plan shop"],
        next: "`bucket`",
    },
    Case {
        name: "wrong credentials",
        give: || {
            let server = Server::start();
            drop(server.device(&server.store()));
            let mut store = server.store();
            store.secret_key = Some(Setting::Text("wrong".into()));
            refused(init(&store, "shop", server.folder.path()))
        },
        says: &["bucket", "does not let this host"],
        next: "`secret_key`",
    },
    Case {
        name: "credentials that have expired",
        give: || behind(Spoil::Expired),
        says: &["bucket", "does not let this host", "ExpiredToken"],
        next: "`token`",
    },
    Case {
        name: "a bucket of another region",
        give: || behind(Spoil::Moved),
        says: &["bucket", "does not let this host", "region"],
        next: "`region`",
    },
    Case {
        name: "a clock that is far off",
        give: || {
            let server = Server::start();
            drop(server.device(&server.store()));
            let store = at(proxy::start(server.port, Spoil::WrongDate));
            refused(writable(&store, server.folder.path()))
        },
        says: &["device bucket", "clock", "300 s are allowed"],
        next: "time server",
    },
    Case {
        name: "a volume with a foreign label",
        give: foreign_volume,
        says: &["tapes", "v00"],
        next: "volume",
    },
    Case {
        name: "a full volume in mid-frame",
        give: full_volume,
        says: &["tapes", "full"],
        next: "add volumes",
    },
    Case {
        name: "a missing key",
        give: || {
            let memory = MemoryDevice::new("a");
            let keyed = KeyedDevice::new(Arc::new(memory.clone()), Arc::new(ring()));
            store_sealed(&small(), &[Arc::new(keyed) as Arc<dyn Device>], "p", true);
            refused(part::load(&memory, "p"))
        },
        says: &["device a", "sealed for other keys"],
        next: "escrow",
    },
    Case {
        name: "a manifest with a path that leads out",
        give: || hostile(|manifest| manifest.entries[1].entry.path = "../canary".into()),
        says: &["restore an entry", ".."],
        next: "remove the cause",
    },
    Case {
        name: "a manifest with a link that leads out",
        give: || {
            hostile(|manifest| {
                manifest.entries[0].entry.kind = EntryKind::Symlink {
                    target: "..".to_owned(),
                };
                manifest.entries[0].entry.path = "way".into();
                manifest.entries[1].entry.path = "way/canary".into();
            })
        },
        says: &["open the folder of", "way/canary"],
        next: "look at the path",
    },
    Case {
        name: "a manifest with a path that begins at the root",
        give: || hostile(|manifest| manifest.entries[1].entry.path = "/tmp/canary".into()),
        says: &["restore an entry"],
        next: "remove the cause",
    },
    Case {
        name: "a manifest with a path that hides its separators",
        give: || hostile(|manifest| manifest.entries[1].entry.path = "..%2fcanary".into()),
        says: &["restore an entry"],
        next: "remove the cause",
    },
    Case {
        name: "a manifest with a hard link that leads out",
        give: || hostile(|manifest| manifest.entries.push(hard_link("../canary"))),
        says: &["restore the link way", "no file of this part"],
        next: "remove the cause",
    },
    Case {
        name: "a manifest with a hard link to a file of the host",
        give: || hostile(|manifest| manifest.entries.push(hard_link("/etc/passwd"))),
        says: &["restore the link way", "no file of this part"],
        next: "remove the cause",
    },
    Case {
        name: "a manifest with a length that cannot be",
        give: || hostile(|manifest| manifest.entries[1].length = u64::MAX),
        says: &["damaged", "longer than a file can be"],
        next: "other copies",
    },
    Case {
        name: "a manifest with a ratio that cannot be",
        give: || hostile(|manifest| manifest.frames[0].plain = u32::MAX),
        says: &["damaged"],
        next: "other copies",
    },
    Case {
        name: "a manifest with a file over nothing",
        give: || hostile(|manifest| manifest.entries[1].entry.kind = EntryKind::Over),
        says: &["damaged", "a part that is not named"],
        next: "other copies",
    },
];

fn refused<T>(answer: Result<T, DeviceError>) -> Told {
    match answer {
        Ok(_) => panic!("it was taken"),
        Err(error) => error.into(),
    }
}

/// Opens a bucket behind a relay.
fn behind(spoil: Spoil) -> Told {
    let server = Server::start();
    drop(server.device(&server.store()));
    let store = at(proxy::start(server.port, spoil));
    refused(open(&store, "shop", server.folder.path()))
}

/// It is used, by one host at a time; `planc device certify` tells.
fn no_conditional_put() -> Told {
    let server = Server::start();
    let store = at(proxy::start(server.port, Spoil::NoConditionalPut));
    let proofs = certify(&server.device(&store), "t");
    let proof = proofs.iter().find(|proof| proof.name == "put-if-absent");
    let proof = proof.unwrap();
    assert_ne!(proof.verdict, Verdict::Proved, "{proof:?}");
    Told {
        message: proof.name.to_owned(),
        help: proof.detail.clone(),
    }
}

fn set(library: &FileLibrary) -> SetSpec<'static> {
    SetSpec {
        name: "tapes",
        library: Box::new(library.clone()),
        drives: 1,
        capacity: Some(1 << 20),
        limits: Limits::default(),
        folder: None,
    }
}

fn foreign_volume() -> Told {
    let folder = tempfile::tempdir().unwrap();
    let library = FileLibrary::new(folder.path().to_owned(), 1 << 20);
    std::fs::write(folder.path().join("v00.volume"), "somebody's letters").unwrap();
    let now = "2026-03-01T00:00:00Z".parse().unwrap();
    let told = refused(VolumeDevice::init(set(&library), 0, "set-1", now));
    let there = std::fs::read(folder.path().join("v00.volume")).unwrap();
    assert_eq!(there, b"somebody's letters", "it was left alone");
    told
}

fn full_volume() -> Told {
    let folder = tempfile::tempdir().unwrap();
    let library = FileLibrary::new(folder.path().to_owned(), 1 << 20);
    library.add("v00").unwrap();
    library.add("v01").unwrap();
    let now = "2026-03-01T00:00:00Z".parse().unwrap();
    let device: Arc<dyn Device> =
        Arc::new(VolumeDevice::init(set(&library), 0, "set-1", now).unwrap());
    let large = vec![(
        "large".to_owned(),
        vec![Piece::Data(bytes(1, 5 << 20, true))],
    )];
    let told = refused(write(&large, &[Arc::clone(&device)], settings(1), 1 << 30));
    assert_eq!(device.list("").unwrap(), [], "nothing looks whole");
    told
}

fn hard_link(target: &str) -> ManifestEntry {
    let target = target.to_owned();
    ManifestEntry {
        entry: Entry {
            path: "way".into(),
            kind: EntryKind::Hardlink { target },
            mode: 0o644,
            uid: 0,
            gid: 0,
            mtime: (0, 0),
        },
        length: 0,
        hash: None,
        extents: Vec::new(),
    }
}

/// Restores a part whose manifest somebody made; nothing outside the target is written.
fn hostile(spoil: impl Fn(&mut Manifest)) -> Told {
    let device: Arc<dyn Device> = Arc::new(MemoryDevice::new("a"));
    let mut manifest = store(&small(), &[Arc::clone(&device)], "p");
    manifest.header.part = "h".into();
    spoil(&mut manifest);
    part::commit(&manifest, device.as_ref()).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let staging = folder.path().join("staging");
    std::fs::create_dir(&staging).unwrap();
    std::fs::write(folder.path().join("canary"), "alive").unwrap();
    let spec = spec(
        EngineKind::Files,
        folder.path(),
        &folder.path().join("state"),
    );
    let engine: Box<dyn Engine> = planc::engine::open(&spec).unwrap();
    let mut session = engine.restore(&staging).unwrap();
    let restored = part::restore("h", &[device], session.as_mut(), &always);
    let restored = restored.and_then(|_| session.check());
    let canary = std::fs::read(folder.path().join("canary")).unwrap();
    assert_eq!(canary, b"alive");
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 2);
    match restored {
        Ok(()) => panic!("it was restored"),
        Err(error) => error.into(),
    }
}

#[test]
fn every_kind_of_bad_input_is_named_with_what_to_do_next() {
    for case in CASES {
        let told = (case.give)();
        for word in case.says {
            let message = &told.message;
            assert!(message.contains(word), "{}: {message}", case.name);
        }
        assert!(
            told.help.contains(case.next),
            "{}: {}",
            case.name,
            told.help
        );
    }
}
