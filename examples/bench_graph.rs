//! Writes graph files of the shapes that executors are compared with: `wide` (no edges) and
//! `layered` (100 steps a layer, two parents each), as JSON. With `--time` it reads each of them
//! back, checks it and prepares its schedule, and prints how long that took.
//!
//! `cargo run --release --example bench_graph -- FOLDER [--sizes 1000,10000] [--argv true] [--time]`

#![allow(clippy::print_stdout, reason = "a small program for people")]

use std::error::Error;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::time::Instant;

use jiff::Timestamp;
use planc::graph::{file, order};
use planc::schedule::{Outcome, Schedule};

/// Width of a layer.
const LAYER: usize = 100;

fn main() -> Result<(), Box<dyn Error>> {
    let options = Options::read(std::env::args().skip(1))?;
    std::fs::create_dir_all(&options.folder)?;
    for size in &options.sizes {
        for shape in ["wide", "layered"] {
            let path = options.folder.join(format!("{shape}-{size}.json"));
            std::fs::write(&path, graph(shape, *size, &options.argv))?;
            if options.time {
                time(&path)?;
            }
        }
    }
    Ok(())
}

struct Options {
    folder: PathBuf,
    sizes: Vec<usize>,
    argv: Vec<String>,
    time: bool,
}

impl Options {
    fn read(mut args: impl Iterator<Item = String>) -> Result<Self, Box<dyn Error>> {
        let mut options = Self {
            folder: PathBuf::new(),
            sizes: vec![1000, 10_000, 100_000],
            argv: vec!["true".to_owned()],
            time: false,
        };
        while let Some(arg) = args.next() {
            let mut value = || args.next().ok_or(format!("{arg} needs a value"));
            match arg.as_str() {
                "--sizes" => {
                    let sizes: Result<_, _> = value()?.split(',').map(str::parse).collect();
                    options.sizes = sizes?;
                }
                "--argv" => options.argv = value()?.split(' ').map(str::to_owned).collect(),
                "--time" => options.time = true,
                _ => options.folder = arg.into(),
            }
        }
        if options.folder.as_os_str().is_empty() {
            return Err("name the folder that the files are written to".into());
        }
        Ok(options)
    }
}

/// The file's text. An empty `argv` makes steps that do nothing.
fn graph(shape: &str, size: usize, argv: &[String]) -> String {
    let mut random = Random(3);
    let mut steps = String::new();
    let mut edges = String::new();
    let action = match argv {
        [one] if one.is_empty() => "\"step\":\"barrier\"".to_owned(),
        argv => {
            let words: Vec<String> = argv.iter().map(|word| format!("\"{word}\"")).collect();
            format!("\"step\":\"exec\",\"argv\":[{}]", words.join(","))
        }
    };
    for step in 0..size {
        let comma = if step == 0 { "" } else { ",\n" };
        let _ = write!(steps, "{comma}{{\"id\":\"{:016x}\",{action}}}", step + 1);
        if shape == "wide" || step < LAYER {
            continue;
        }
        let layer = (step / LAYER - 1) * LAYER;
        let (one, other) = (layer + random.below(LAYER), layer + random.below(LAYER));
        for parent in if one == other {
            vec![one]
        } else {
            vec![one, other]
        } {
            let comma = if edges.is_empty() { "" } else { ",\n" };
            let _ = write!(edges, "{comma}[{parent},{step}]");
        }
    }
    format!(
        "{{\"format\":\"planc-graph/1\",\"plan\":\"{shape}-{size}\",\n\"steps\":[\n{steps}],\n\
         \"edges\":[\n{edges}]}}\n"
    )
}

/// Reads, checks and schedules a file.
fn time(path: &Path) -> Result<(), Box<dyn Error>> {
    let began = Instant::now();
    let text = std::fs::read_to_string(path)?;
    let graph = file::read(&text, file::Format::Json, Timestamp::UNIX_EPOCH)?;
    drop(text);
    let read = began.elapsed();
    order::check(&graph)?;
    let checked = began.elapsed();
    let mut schedule = Schedule::new(&graph, &[]);
    let ready = began.elapsed();
    while let Some(step) = schedule.take() {
        schedule.finish(step, Outcome::Done);
    }
    println!(
        "{}: read {read:.1?}, checked {:.1?}, scheduled {:.1?}, played {:.1?}, all {:.1?}",
        path.display(),
        checked.saturating_sub(read),
        ready.saturating_sub(checked),
        began.elapsed().saturating_sub(ready),
        began.elapsed(),
    );
    Ok(())
}

/// A small generator of its own, so that the files are the same everywhere.
struct Random(u64);

impl Random {
    fn below(&mut self, limit: usize) -> usize {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(self.0 >> 33).unwrap_or(0) % limit
    }
}
