//! Runs a program of a graph that the operator handed in. No shell; a process group of its own,
//! so that a wish to stop reaches everything it started.

use std::io::{self, PipeReader, Read as _};
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};

use rustix::process::{Pid, WaitId, WaitIdOptions, waitid};

use super::Task;
use crate::media::keys::withhold;
use crate::run::message::{StepDone, StepFailure};
use crate::run::programs;

/// Bytes of a program's output that a failure shows at most: its end.
const SHOWN_OUTPUT: usize = 2000;

/// Runs the program and waits for it.
pub(super) fn exec(task: &Task<'_>, argv: &[String]) -> Result<StepDone, StepFailure> {
    let Some((program, arguments)) = argv.split_first() else {
        return Err(StepFailure::new("the step names no program"));
    };
    let file = task.context.programs.locate(program);
    let ended =
        spawn(program, &file, arguments).and_then(|(child, output)| wait(task, child, output));
    let (status, output) =
        ended.map_err(|error| StepFailure::new(format!("cannot run {program}: {error}")))?;
    if status.success() {
        return Ok(StepDone::default());
    }
    let shown = String::from_utf8_lossy(&output);
    let cause = format!("{program} ended with {status}: {}", shown.trim_end());
    Err(StepFailure::new(cause.trim_end_matches([':', ' '])))
}

/// Both outputs go into one pipe, so that their order stays.
fn spawn(program: &str, file: &Path, arguments: &[String]) -> io::Result<(Child, PipeReader)> {
    let (reader, writer) = io::pipe()?;
    let child = withhold(Command::new(file).arg0(program))
        .args(arguments)
        .stdin(Stdio::null())
        .stdout(writer.try_clone()?)
        .stderr(writer)
        .process_group(0)
        .spawn()?;
    Ok((child, reader))
}

fn wait(
    task: &Task<'_>,
    mut child: Child,
    mut output: PipeReader,
) -> io::Result<(ExitStatus, Vec<u8>)> {
    let group = i32::try_from(child.id()).ok().and_then(Pid::from_raw);
    let group = group.ok_or_else(|| io::Error::other("the system gave no process id"))?;
    let running = &task.context.programs;
    running.began(group);
    if task.stop.asked() {
        programs::stop(group);
    }
    let said = tail(&mut output);
    // the id must not be given to another process while it is still in the table
    let left = waitid(
        WaitId::Pid(group),
        WaitIdOptions::EXITED | WaitIdOptions::NOWAIT,
    );
    running.ended(group);
    let status = child.wait()?;
    left?;
    Ok((status, said?))
}

/// Reads to the end and keeps the last bytes.
fn tail(output: &mut PipeReader) -> io::Result<Vec<u8>> {
    let mut kept = Vec::new();
    let mut chunk = [0; 4096];
    loop {
        let count = output.read(&mut chunk)?;
        if count == 0 {
            return Ok(kept);
        }
        kept.extend_from_slice(&chunk[..count]);
        let surplus = kept.len().saturating_sub(SHOWN_OUTPUT);
        kept.drain(..surplus);
    }
}
