//! Measures the frame pipeline and what bounds it on the same bytes, one figure a process, so that
//! the peak memory is its own: `bench_pipeline read|compress|prove|write|pipeline TREE …`.
//! `tests/bench/pipeline.sh` puts the figures side by side.

use std::fs::File;
use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use planc::engine::{EngineError, Entry, EntryKind, PartSink};
use planc::media::Device;
use planc::media::directory::DirectoryDevice;
use planc::media::frame::FrameEncoder;
use planc::media::keyed::KeyedDevice;
use planc::media::keys::aead::{PackKey, Piece, TAG};
use planc::media::keys::{Key, Keyring, escrow};
use planc::media::pack;
use planc::media::part::{PartWriter, WriteSettings};
use planc::resolve::plan::Codec;
use rayon::iter::{IntoParallelRefIterator, ParallelIterator};

type Failure = Box<dyn std::error::Error>;

/// The unit of all of it.
const FRAME: usize = 1 << 20;

/// Frames that are compressed at a time.
const AT_ONCE: usize = 256;

const USAGE: &str = "usage: bench_pipeline read TREE
       bench_pipeline compress TREE CODEC
       bench_pipeline prove TREE CODEC plain|sealed
       bench_pipeline write FILE BYTES
       bench_pipeline pipeline TREE FOLDER CODEC plain|sealed MEMORY-MIB";

#[expect(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a program for people"
)]
fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let measured = match words.as_slice() {
        ["read", tree] => read(Path::new(tree)),
        ["compress", tree, codec] => compress(Path::new(tree), codec),
        ["prove", tree, codec, seal] => prove(Path::new(tree), codec, seal),
        ["write", file, bytes] => write(Path::new(file), bytes),
        ["pipeline", tree, folder, codec, seal, memory] => {
            pipeline(Path::new(tree), Path::new(folder), codec, seal, memory)
        }
        _ => Err(USAGE.into()),
    };
    match measured {
        Ok(measured) => {
            println!(
                "{} {} {} {}",
                measured.0,
                measured.1,
                measured.2.as_micros(),
                peak()
            );
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

/// Bytes of content, bytes stored, time.
type Measured = (u64, u64, Duration);

/// Reads every file of the tree.
fn read(tree: &Path) -> Result<Measured, Failure> {
    let files = files(tree)?;
    let begun = Instant::now();
    let mut bytes = 0;
    let mut buffer = vec![0; FRAME];
    for path in files {
        let mut file = File::open(path)?;
        loop {
            let read = file.read(&mut buffer)?;
            if read == 0 {
                break;
            }
            bytes += read as u64;
        }
    }
    Ok((bytes, bytes, begun.elapsed()))
}

/// Compresses every file in frames on all cores.
fn compress(tree: &Path, codec: &str) -> Result<Measured, Failure> {
    let codec = parse(codec)?;
    on_all_cores(tree, &|frame| {
        Ok(match codec {
            Codec::None => frame.to_vec().len(),
            Codec::Lz4 => lz4_flex::block::compress(frame).len(),
            Codec::Zstd(level) => zstd::bulk::compress(frame, level)
                .map_err(|cause| cause.to_string())?
                .len(),
        })
    })
}

/// What is left of the compressor when each frame is hashed, decoded again and compared as the
/// pipeline does it, and sealed and opened where it is encrypted.
fn prove(tree: &Path, codec: &str, seal: &str) -> Result<Measured, Failure> {
    let codec = parse(codec)?;
    let seal = (seal == "sealed").then(|| keys()?.seal("k", "part", "run").map_err(Failure::from));
    let seal = seal.transpose()?;
    let prover = |_| -> Result<_, Failure> {
        Ok(Mutex::new(Prover {
            encoder: FrameEncoder::new(codec)?,
            key: seal.as_ref().map(|seal| seal.pack(0)).transpose()?,
            buffers: Default::default(),
        }))
    };
    let provers: Result<Vec<_>, Failure> = (0..rayon::current_num_threads()).map(prover).collect();
    let provers = provers?;
    on_all_cores(tree, &|frame| {
        let own = &provers[rayon::current_thread_index().unwrap_or(0)];
        own.lock()
            .unwrap_or_else(PoisonError::into_inner)
            .frame(frame)
    })
}

/// What one core proves with.
struct Prover {
    encoder: FrameEncoder,
    key: Option<PackKey>,
    /// The stored frame, its ciphertext, and what that gives back.
    buffers: [Vec<u8>; 3],
}

impl Prover {
    fn frame(&mut self, plain: &[u8]) -> Result<usize, String> {
        let [stored, sealed, opened] = &mut self.buffers;
        let (_, length) = self.encoder.encode(plain, stored)?;
        let Some(key) = &self.key else {
            return Ok(length);
        };
        sealed.resize(stored.len() + TAG, 0);
        opened.resize(stored.len(), 0);
        let (sealed, opened) = (&mut sealed[..length + TAG], &mut opened[..length]);
        let sealing = key.seal(Piece::Frame(0), &stored[..length], sealed);
        let opening = sealing.and_then(|()| key.open(Piece::Frame(0), sealed, opened));
        opening.map_err(|cause| cause.to_string())?;
        if *opened == stored[..length] {
            Ok(length + TAG)
        } else {
            Err("a sealed frame does not give back its content".into())
        }
    }
}

/// Hands every file in frames to all cores; only what they do is timed.
fn on_all_cores(
    tree: &Path,
    work: &(dyn Fn(&[u8]) -> Result<usize, String> + Sync),
) -> Result<Measured, Failure> {
    let (mut plain, mut stored, mut time) = (0, 0, Duration::ZERO);
    let mut frames = Vec::new();
    for path in files(tree)? {
        let mut file = File::open(path)?;
        loop {
            let mut frame = Vec::with_capacity(FRAME);
            let piece = Read::by_ref(&mut file).take(FRAME as u64);
            if { piece }.read_to_end(&mut frame)? == 0 {
                break;
            }
            plain += frame.len() as u64;
            frames.push(frame);
            if frames.len() == AT_ONCE {
                stored += squeeze(&mut frames, work, &mut time)?;
            }
        }
    }
    stored += squeeze(&mut frames, work, &mut time)?;
    Ok((plain, stored, time))
}

fn squeeze(
    frames: &mut Vec<Vec<u8>>,
    work: &(dyn Fn(&[u8]) -> Result<usize, String> + Sync),
    time: &mut Duration,
) -> Result<u64, Failure> {
    let begun = Instant::now();
    let lengths = frames.par_iter().map(|frame| work(frame));
    let lengths: Result<Vec<usize>, String> = lengths.collect();
    *time += begun.elapsed();
    frames.clear();
    Ok(lengths?.into_iter().map(|length| length as u64).sum())
}

/// Writes so many bytes to a file and makes them durable.
fn write(path: &Path, bytes: &str) -> Result<Measured, Failure> {
    let bytes: u64 = bytes.parse()?;
    let mut noise = vec![0; FRAME];
    blake3::Hasher::new().finalize_xof().fill(&mut noise);
    let begun = Instant::now();
    let mut file = File::create(path)?;
    let mut left = bytes;
    while left > 0 {
        let now = usize::try_from(left).map_or(FRAME, |left| left.min(FRAME));
        file.write_all(&noise[..now])?;
        left -= now as u64;
    }
    file.sync_all()?;
    Ok((bytes, bytes, begun.elapsed()))
}

/// Backs the tree up to a fresh device.
fn pipeline(
    tree: &Path,
    folder: &Path,
    codec: &str,
    seal: &str,
    memory: &str,
) -> Result<Measured, Failure> {
    std::fs::create_dir_all(folder)?;
    let device: Arc<dyn Device> = Arc::new(DirectoryDevice::init("device", folder)?);
    let device: Arc<dyn Device> = Arc::new(KeyedDevice::new(device, Arc::new(keys()?)));
    let seal = match seal {
        "sealed" => Some(device.keys().seal("k", "part", "run")?),
        _ => None,
    };
    let frames = WriteSettings::frames_within(memory.parse::<u64>()? << 20);
    let settings = WriteSettings::new(parse(codec)?).held_to(frames);
    let files = files(tree)?;
    let begun = Instant::now();
    let devices = [device];
    let mut writer = PartWriter::begin_sealed(&devices, settings, seal, &|_| true, pack::ROLL)?;
    for path in &files {
        add(&mut writer, tree, path)?;
    }
    let part = writer.finish()?;
    let stored = part.packs.iter().map(|pack| pack.length).sum();
    Ok((part.bytes, stored, begun.elapsed()))
}

fn keys() -> Result<Keyring, Failure> {
    let (text, _) = escrow::generate("2026-01-01", &[]);
    let key = Key::parse(age::secrecy::ExposeSecret::expose_secret(&text))?;
    Ok(Keyring::of([("k".to_owned(), Ok(key))].into()))
}

fn add(sink: &mut dyn PartSink, tree: &Path, path: &Path) -> Result<(), Failure> {
    let name = path.strip_prefix(tree)?.to_string_lossy().into_owned();
    sink.entry(Entry {
        path: name,
        kind: EntryKind::File,
        mode: 0o600,
        uid: 0,
        gid: 0,
        mtime: (0, 0),
    })?;
    let mut source = File::open(path)?;
    sink.read_from(&mut source, u64::MAX, path)?;
    sink.close().map_err(|error: EngineError| error.into())
}

fn files(tree: &Path) -> Result<Vec<PathBuf>, Failure> {
    let mut files = Vec::new();
    for entry in walkdir::WalkDir::new(tree).sort_by_file_name() {
        let entry = entry?;
        if entry.file_type().is_file() {
            files.push(entry.into_path());
        }
    }
    Ok(files)
}

fn parse(word: &str) -> Result<Codec, Failure> {
    Ok(match word {
        "none" => Codec::None,
        "lz4" => Codec::Lz4,
        "zstd1" => Codec::Zstd(1),
        "zstd3" => Codec::Zstd(3),
        other => return Err(format!("no codec is called {other}").into()),
    })
}

/// Peak memory of this process in KiB, as the kernel says it.
fn peak() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let words = line.and_then(|line| line.split_whitespace().next());
    words.and_then(|word| word.parse().ok()).unwrap_or(0)
}
