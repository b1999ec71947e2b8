//! Owns running one client program whose output is a part's file, or that only has to end well.
//! A program that is not wanted any more is ended.

use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use crate::engine::postgres::files::cannot;
use crate::engine::postgres::logical;
use crate::engine::{EngineError, PartSink};

/// Last bytes of a program's words that are read.
const WORDS: u64 = 4096;

/// A program at work.
struct Running {
    child: Child,
    name: String,
    words: File,
}

/// Runs a program and hands what it writes to the file of a part that is announced already.
///
/// # Errors
/// When it fails, or the sink does.
pub(super) fn stream(command: &mut Command, sink: &mut dyn PartSink) -> Result<(), EngineError> {
    let program = Path::new(command.get_program()).to_owned();
    let mut running = Running::start(command.stdout(Stdio::piped()))?;
    if let Some(mut output) = running.child.stdout.take() {
        sink.read_from(&mut output, u64::MAX, &program)?;
    }
    running.wait()
}

/// Runs a program to its end.
///
/// # Errors
/// When it fails, with its last words.
pub(super) fn run(command: &mut Command) -> Result<(), EngineError> {
    Running::start(command.stdout(Stdio::null()))?.wait()
}

/// Runs a program; what it writes.
///
/// # Errors
/// As [`run`].
pub(super) fn output(command: &mut Command) -> Result<String, EngineError> {
    let program = Path::new(command.get_program()).to_owned();
    let mut running = Running::start(command.stdout(Stdio::piped()))?;
    let mut text = Vec::new();
    if let Some(mut output) = running.child.stdout.take() {
        let read = output.read_to_end(&mut text);
        read.map_err(|error| cannot("read the output of", &program, error))?;
    }
    running.wait()?;
    Ok(String::from_utf8_lossy(&text).into_owned())
}

impl Running {
    fn start(command: &mut Command) -> Result<Self, EngineError> {
        let program = Path::new(command.get_program()).to_owned();
        let name = program.file_name().unwrap_or_default();
        let name = name.to_string_lossy().into_owned();
        let failed = |error| cannot("start", &program, error);
        let words = tempfile::tempfile().map_err(failed)?;
        let errors = words.try_clone().map_err(failed)?;
        let child = command.stdin(Stdio::null()).stderr(errors).spawn();
        Ok(Self {
            child: child.map_err(failed)?,
            name,
            words,
        })
    }

    fn wait(&mut self) -> Result<(), EngineError> {
        let status = self.child.wait();
        let status = status.map_err(|error| cannot("wait for", Path::new(&self.name), error))?;
        if status.success() {
            return Ok(());
        }
        let what = format!("run {}", self.name);
        Err(EngineError::refused(what, self.last_words()))
    }

    fn last_words(&mut self) -> String {
        let length = self.words.metadata().map_or(0, |about| about.len());
        let from = SeekFrom::Start(length.saturating_sub(WORDS));
        let mut text = Vec::new();
        let read = self.words.seek(from);
        if read.is_err() || self.words.read_to_end(&mut text).is_err() {
            return "it failed, and its words cannot be read".to_owned();
        }
        logical::last_words(&String::from_utf8_lossy(&text))
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if matches!(self.child.try_wait(), Ok(None)) {
            // nobody waits for its answer any more
            let _ = self.child.kill();
            let _ = self.child.wait();
        }
    }
}
