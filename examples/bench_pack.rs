//! Backs up a tree of files to directory devices through the frame pipeline and prints rate and
//! peak memory: `bench_pack TREE DEVICE [DEVICE…]`. The devices are folders that are made anew.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Instant;

use planc::engine::{EngineError, Entry, EntryKind, PartSink};
use planc::media::Device;
use planc::media::directory::DirectoryDevice;
use planc::media::part::{PartWriter, WriteSettings, WrittenPart};
use planc::resolve::plan::Codec;

type Failure = Box<dyn std::error::Error>;

#[expect(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a program for people"
)]
fn main() -> ExitCode {
    let mut arguments = std::env::args_os().skip(1).map(PathBuf::from);
    let Some(tree) = arguments.next() else {
        eprintln!("usage: bench_pack TREE DEVICE [DEVICE…]");
        return ExitCode::from(2);
    };
    let devices: Vec<PathBuf> = arguments.collect();
    let begun = Instant::now();
    match back_up(&tree, &devices) {
        Ok(part) => {
            println!("{}", report(&part, begun.elapsed().as_secs_f64()));
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

fn back_up(tree: &Path, folders: &[PathBuf]) -> Result<WrittenPart, Failure> {
    let mut devices: Vec<Arc<dyn Device>> = Vec::new();
    for (number, folder) in folders.iter().enumerate() {
        std::fs::create_dir_all(folder)?;
        let device = DirectoryDevice::init(&format!("device-{number}"), folder)?;
        devices.push(Arc::new(device));
    }
    let settings = WriteSettings::new(Codec::Zstd(1));
    let mut writer = PartWriter::begin(&devices, settings, &|_| true)?;
    for file in walkdir::WalkDir::new(tree).sort_by_file_name() {
        let file = file?;
        if file.file_type().is_file() {
            add(&mut writer, tree, file.path())?;
        }
    }
    let part = writer.finish()?;
    match part.lost.first() {
        Some((device, error)) => Err(format!("{device}: {error}").into()),
        None => Ok(part),
    }
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

#[expect(clippy::cast_precision_loss, reason = "figures for people")]
fn report(part: &WrittenPart, seconds: f64) -> String {
    let mib = |bytes: u64| bytes as f64 / f64::from(1 << 20);
    let stored = part.packs.iter().map(|pack| pack.length).sum();
    format!(
        "{:.0} MiB/s  {:.2} s  {:.0} MiB in {} files -> {:.0} MiB on {}; peak {}",
        mib(part.bytes) / seconds,
        seconds,
        mib(part.bytes),
        part.entries.len(),
        mib(stored),
        part.devices.join(" and "),
        peak(),
    )
}

/// Peak memory of this process, as the kernel says it.
fn peak() -> String {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    line.map_or_else(|| "unknown".to_owned(), |words| words.trim().to_owned())
}
