//! Fills a directory device with many small parts and rebuilds a catalog from it:
//! `bench_catalog fill FOLDER COUNT`, `bench_catalog rebuild FOLDER CATALOG`. Prints count, seconds
//! and peak memory. `tests/bench/catalog.sh` asks the catalog afterwards.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Instant;

use planc::catalog::{Catalog, Owner};
use planc::engine::EndedBackup;
use planc::facts::holdings::Method;
use planc::media::directory::DirectoryDevice;
use planc::media::manifest::PartHeader;
use planc::media::memory::MemoryDevice;
use planc::media::part::{self, PartWriter, WriteSettings, WrittenPart};
use planc::media::{Device, name};
use planc::resolve::plan::{Codec, EngineKind};

type Failure = Box<dyn std::error::Error>;

/// Components among which the parts are spread.
const COMPONENTS: u64 = 10_000;

#[expect(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a program for people"
)]
fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let begun = Instant::now();
    let done = match words.as_slice() {
        ["fill", folder, count] => fill(Path::new(folder), count),
        ["rebuild", folder, catalog] => rebuild(Path::new(folder), Path::new(catalog)),
        _ => Err("usage: bench_catalog fill FOLDER COUNT | rebuild FOLDER CATALOG".into()),
    };
    match done {
        Ok(count) => {
            let seconds = begun.elapsed().as_secs_f64();
            println!(
                "{} {count} parts in {seconds:.2} s; peak {}",
                words[0],
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

/// Every part is one empty file in no pack; only its manifest differs.
fn fill(folder: &Path, count: &str) -> Result<u64, Failure> {
    let count: u64 = count.parse()?;
    std::fs::create_dir_all(folder)?;
    DirectoryDevice::init("a", folder)?;
    let parts = folder.join(name::PARTS);
    std::fs::create_dir_all(&parts)?;
    let mut written = nothing()?;
    for number in 0..count {
        let header = header(number);
        let object = name::manifest(&header.part);
        let memory = MemoryDevice::new("memory");
        part::commit(
            &part::manifest(&mut written, header, ended(number)?),
            &memory,
        )?;
        // not synced: it is only there to be read
        std::fs::write(folder.join(&object), memory.get(&object, None)?)?;
    }
    Ok(count)
}

fn nothing() -> Result<WrittenPart, Failure> {
    let device: Arc<dyn Device> = Arc::new(MemoryDevice::new("memory"));
    let settings = WriteSettings::new(Codec::None);
    Ok(PartWriter::begin(&[device], settings, &|_| true)?.finish()?)
}

fn header(number: u64) -> PartHeader {
    PartHeader {
        part: format!("part-{number:09}"),
        component: format!("many/files/c{:05}", number % COMPONENTS),
        service: "many".into(),
        engine: EngineKind::Files,
        job: "nightly".into(),
        run: format!("run-{}", number / COMPONENTS),
        plan: "many".into(),
        environment: "bench".into(),
        plan_hash: "00".into(),
        method: Method::PhysicalFull,
        identity: "source".into(),
        base: None,
    }
}

fn ended(number: u64) -> Result<EndedBackup, Failure> {
    let day = i64::try_from(number / COMPONENTS)?;
    Ok(EndedBackup {
        taken_at: jiff::Timestamp::from_second(1_600_000_000 + day * 86_400)?,
        from: None,
        until: None,
        warnings: Vec::new(),
        notes: BTreeMap::new(),
    })
}

fn rebuild(folder: &Path, catalog: &Path) -> Result<u64, Failure> {
    let device: Arc<dyn Device> = Arc::new(DirectoryDevice::open("a", folder, None)?);
    let owner = Owner {
        plan: "many".to_owned(),
        environment: "bench".to_owned(),
    };
    let path = PathBuf::from(catalog);
    let (catalog, problems) = Catalog::rebuild(&path, &[device], &owner)?;
    if let Some(problem) = problems.first() {
        return Err(format!("{} problems, first: {problem}", problems.len()).into());
    }
    Ok(catalog.counts()?.0)
}

/// Peak memory of this process, as the kernel says it.
fn peak() -> String {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    line.map_or_else(|| "unknown".to_owned(), |words| words.trim().to_owned())
}
