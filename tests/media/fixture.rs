//! Trees in memory, how they become parts, and a restore session that collects them again.

use std::collections::BTreeMap;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use planc::engine::{
    EndedBackup, EngineError, Entry, EntryKind, LogRange, PartSink, RestoreSession,
};
use planc::facts::holdings::{Method, Position};
use planc::graph::step::RecoveryTarget;
use planc::media::keys::{Key, Keyring, escrow};
use planc::media::log::LogSource;
use planc::media::manifest::{Manifest, PartHeader};
use planc::media::memory::MemoryDevice;
use planc::media::part::{self, PartWriter, WriteSettings, WrittenPart};
use planc::media::{Device, DeviceError};
use planc::resolve::plan::{Codec, EngineKind};

/// A piece of a file: data or a hole.
#[derive(Debug, Clone)]
pub(super) enum Piece {
    /// Bytes.
    Data(Vec<u8>),
    /// Zeros that take no space.
    Hole(u64),
}

/// Files by path.
pub(super) type Files = Vec<(String, Vec<Piece>)>;

/// What comes back: path and content, holes as zeros.
pub(super) type Contents = BTreeMap<String, Vec<u8>>;

/// The same bytes for the same seed, hardly compressible when `noise`.
pub(crate) fn bytes(seed: u64, length: usize, noise: bool) -> Vec<u8> {
    if !noise {
        let line = format!("line {seed} of some text that repeats. ");
        return line.bytes().cycle().take(length).collect();
    }
    let mut bytes = vec![0; length];
    let mut hash = blake3::Hasher::new();
    hash.update(&seed.to_le_bytes());
    hash.finalize_xof().fill(&mut bytes);
    bytes
}

/// What a tree holds.
pub(super) fn contents(files: &Files) -> Contents {
    let whole = |pieces: &Vec<Piece>| {
        let mut all = Vec::new();
        for piece in pieces {
            match piece {
                Piece::Data(bytes) => all.extend_from_slice(bytes),
                Piece::Hole(length) => all.resize(all.len() + usize::try_from(*length).unwrap(), 0),
            }
        }
        all
    };
    files
        .iter()
        .map(|(path, pieces)| (path.clone(), whole(pieces)))
        .collect()
}

pub(super) fn entry(path: &str, kind: EntryKind) -> Entry {
    Entry {
        path: path.to_owned(),
        kind,
        mode: 0o640,
        uid: 1000,
        gid: 1000,
        mtime: (1_700_000_000, 5),
    }
}

/// A source that gives its bytes in pieces of odd lengths, as pipes do.
struct Dribble<'a>(&'a [u8], usize);

impl Read for Dribble<'_> {
    fn read(&mut self, target: &mut [u8]) -> std::io::Result<usize> {
        let now = target.len().min(self.1).min(self.0.len());
        target[..now].copy_from_slice(&self.0[..now]);
        self.0 = &self.0[now..];
        Ok(now)
    }
}

/// Hands a tree to a sink.
pub(super) fn feed(sink: &mut dyn PartSink, files: &Files) -> Result<(), EngineError> {
    sink.entry(entry("folder", EntryKind::Directory))?;
    sink.close()?;
    for (path, pieces) in files {
        sink.entry(entry(path, EntryKind::File))?;
        for piece in pieces {
            match piece {
                Piece::Hole(length) => sink.hole(*length)?,
                Piece::Data(bytes) => {
                    let mut source = Dribble(bytes, 300_007);
                    let read = sink.read_from(&mut source, u64::MAX, Path::new(path))?;
                    assert_eq!(read, bytes.len() as u64);
                }
            }
        }
        sink.close()?;
    }
    Ok(())
}

/// Devices in memory.
pub(super) fn memory(names: &[&str]) -> Vec<Arc<dyn Device>> {
    let device = |name: &&str| Arc::new(MemoryDevice::new(name)) as Arc<dyn Device>;
    names.iter().map(device).collect()
}

/// A few small files, so that every bit of the part can be tried.
pub(super) fn small() -> Files {
    let file = |name: &str, pieces: Vec<Piece>| (name.to_owned(), pieces);
    vec![
        file("a", vec![Piece::Data(bytes(1, 200, false))]),
        file("b", vec![Piece::Data(bytes(2, 60, true)), Piece::Hole(40)]),
        file("c", vec![]),
    ]
}

pub(super) fn log_source() -> LogSource {
    LogSource {
        service: "service".into(),
        engine: EngineKind::Sqlite,
        job: "archive".into(),
        identity: "source-1".into(),
    }
}

pub(super) fn log_range(from: u64, until: u64, payload: &[u8]) -> LogRange {
    let at = |value| Position {
        incarnation: "first".into(),
        value,
    };
    LogRange {
        from: at(from),
        until: at(until),
        tail: false,
        first_at: "2026-01-02T03:04:05.000000006Z".parse().unwrap(),
        last_at: "2026-01-02T03:04:06Z".parse().unwrap(),
        points: None,
        payload: payload.to_vec().into(),
    }
}

pub(super) fn settings(threads: usize) -> WriteSettings {
    WriteSettings {
        threads,
        memory: 16 << 20,
        ..WriteSettings::new(Codec::Zstd(1))
    }
}

pub(super) fn always(_: u64) -> bool {
    true
}

/// Writes a tree as packs that roll over at `roll`.
pub(super) fn write(
    files: &Files,
    devices: &[Arc<dyn Device>],
    settings: WriteSettings,
    roll: u64,
) -> Result<WrittenPart, DeviceError> {
    let mut writer = PartWriter::begin_rolling(devices, settings, &always, roll)?;
    match feed(&mut writer, files) {
        Ok(()) => writer.finish(),
        Err(EngineError::Sink(error)) => Err(error),
        Err(error) => panic!("{error}"),
    }
}

pub(super) fn header(part: &str) -> PartHeader {
    PartHeader {
        part: part.to_owned(),
        component: "service/files".into(),
        service: "service".into(),
        engine: EngineKind::Files,
        job: "nightly".into(),
        run: "run-1".into(),
        plan: "plan".into(),
        environment: "default".into(),
        plan_hash: "00".into(),
        method: Method::PhysicalFull,
        identity: "source-1".into(),
        base: None,
    }
}

pub(super) fn ended() -> EndedBackup {
    EndedBackup {
        taken_at: "2026-01-02T03:04:05Z".parse().unwrap(),
        from: None,
        until: None,
        warnings: Vec::new(),
        notes: BTreeMap::from([("label".to_owned(), "text".to_owned())]),
    }
}

/// Writes and commits a tree on all devices.
pub(super) fn store(files: &Files, devices: &[Arc<dyn Device>], part: &str) -> Manifest {
    store_as(files, devices, header(part))
}

/// Keys with one key, `k`, both halves.
pub(super) fn ring() -> Keyring {
    ring_of(&escrow::generate("2026-01-01", &[]).0)
}

/// Keys with this text as the key `k`.
pub(super) fn ring_of(text: &age::secrecy::SecretString) -> Keyring {
    let key = Key::parse(age::secrecy::ExposeSecret::expose_secret(text)).unwrap();
    Keyring::of(BTreeMap::from([("k".to_owned(), Ok(key))]))
}

/// As [`store`], sealed with the key `k` of the first device when asked for.
pub(super) fn store_sealed(
    files: &Files,
    devices: &[Arc<dyn Device>],
    part: &str,
    sealed: bool,
) -> Manifest {
    let seal = sealed.then(|| devices[0].keys().seal("k", part, "run-1").unwrap());
    let mut writer =
        PartWriter::begin_sealed(devices, settings(2), seal, &always, 1 << 30).unwrap();
    feed(&mut writer, files).unwrap();
    let manifest = part::manifest(&mut writer.finish().unwrap(), header(part), ended());
    for device in devices {
        part::commit(&manifest, device.as_ref()).unwrap();
    }
    manifest
}

/// As [`store`], under a header of the caller's.
pub(super) fn store_as(files: &Files, devices: &[Arc<dyn Device>], header: PartHeader) -> Manifest {
    let mut written = write(files, devices, settings(2), 1 << 30).unwrap();
    let manifest = part::manifest(&mut written, header, ended());
    for device in devices {
        part::commit(&manifest, device.as_ref()).unwrap();
    }
    manifest
}

/// Collects what is restored.
#[derive(Default)]
pub(super) struct Collect {
    pub(super) files: Contents,
    pub(super) folders: Vec<String>,
    pub(super) finished: bool,
    open: Option<(Entry, Vec<u8>)>,
}

impl RestoreSession for Collect {
    fn entry(&mut self, entry: &Entry) -> Result<(), EngineError> {
        assert!(
            self.open.is_none(),
            "an entry begins before the last one is closed"
        );
        self.open = Some((entry.clone(), Vec::new()));
        Ok(())
    }

    fn data(&mut self, offset: u64, bytes: &[u8]) -> Result<(), EngineError> {
        let (_, content) = self.open.as_mut().unwrap();
        content.resize(usize::try_from(offset).unwrap(), 0);
        content.extend_from_slice(bytes);
        Ok(())
    }

    fn close(&mut self, length: u64) -> Result<(), EngineError> {
        let (entry, mut content) = self.open.take().unwrap();
        content.resize(usize::try_from(length).unwrap(), 0);
        match entry.kind {
            EntryKind::File => drop(self.files.insert(entry.path, content)),
            _ => self.folders.push(entry.path),
        }
        Ok(())
    }

    fn finish_part(&mut self, found: &EndedBackup) -> Result<(), EngineError> {
        assert_eq!(*found, ended());
        self.finished = true;
        Ok(())
    }

    fn apply(&mut self, _: &LogRange, _: &RecoveryTarget) -> Result<bool, EngineError> {
        Ok(false)
    }

    fn position(&self) -> Option<Position> {
        None
    }

    fn check(&mut self) -> Result<(), EngineError> {
        Ok(())
    }

    fn result(&self) -> PathBuf {
        PathBuf::new()
    }
}
