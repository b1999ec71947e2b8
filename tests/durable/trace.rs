//! Reads what `strace` wrote of a command: calls that went well, with the paths that they are about,
//! and whether planc made them or a program that it started.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::{Command, Output};

/// Calls that change what a file system holds, or make it durable. A call that this machine does
/// not have is passed over.
const CALLS: &[&str] = &[
    "openat,openat2,?open,?creat,write,pwrite64,writev,pwritev,pwritev2,ftruncate,?truncate",
    "fallocate,copy_file_range,sendfile,?mkdir,mkdirat,?rename,?renameat,renameat2,?link,linkat",
    "?symlink,symlinkat,?unlink,unlinkat,?rmdir,fsync,fdatasync,syncfs,sync_file_range",
];
/// Calls that tell which program a thread belongs to.
const FAMILY: &str = "execve,clone,clone3,?fork,?vfork";

/// One call that went well.
#[derive(Debug)]
pub(super) struct Call {
    /// Whether planc made it itself.
    pub(super) ours: bool,
    /// Its name.
    pub(super) name: String,
    /// Paths of the handles that it was given.
    pub(super) handles: Vec<String>,
    /// Paths that it names.
    pub(super) names: Vec<String>,
    /// All arguments, as written.
    pub(super) arguments: String,
    /// What it answered.
    answer: String,
}

impl Call {
    /// Whether it is a call of planc that begins so and is about a path with this piece.
    fn is(&self, name: &str, piece: &str) -> bool {
        let mut paths = self.names.iter().chain(&self.handles);
        self.ours && self.name.starts_with(name) && paths.any(|path| path.contains(piece))
    }
}

/// Asserts that there are these calls, by beginning and piece of a path, one after the other.
pub(super) fn in_order(calls: &[Call], wanted: &[(&str, &str)]) {
    let mut rest = calls.iter();
    for (name, piece) in wanted {
        let found = rest.any(|call| call.is(name, piece));
        assert!(found, "no {name} of {piece} where {wanted:?} are due");
    }
}

/// Runs a command under `strace`, in its own folder; what it printed, and its calls.
pub(super) fn run(command: &Command, folder: &Path) -> (Output, Vec<Call>) {
    let trace = tempfile::NamedTempFile::new().expect("a file");
    let mut traced = Command::new("strace");
    traced
        .args([
            "-f",
            "-y",
            "-qq",
            "-s",
            "0",
            "-e",
            "signal=none",
            "--seccomp-bpf",
        ])
        .arg(format!("--trace={},{FAMILY}", CALLS.join(",")))
        .arg("-o")
        .arg(trace.path())
        .arg(command.get_program())
        .args(command.get_args())
        .current_dir(folder)
        .stdin(std::process::Stdio::null());
    let output = traced.output().expect("strace is installed by tests/run");
    let text = std::fs::read(trace.path()).expect("a trace");
    let calls = calls(&String::from_utf8_lossy(&text), folder);
    (output, calls)
}

/// The calls of a trace in order. `folder` is where names without a handle begin.
pub(super) fn calls(trace: &str, folder: &Path) -> Vec<Call> {
    let folder = folder.to_str().expect("text");
    let mut found = Vec::new();
    let mut family = Family::default();
    for (thread, line) in whole(trace) {
        let Some(call) = call(&line, folder) else {
            continue;
        };
        family.learn(thread, &call);
        found.push((thread, call));
    }
    let judged = found.into_iter().map(|(thread, call)| Call {
        ours: family.is_ours(thread),
        ..call
    });
    judged.collect()
}

/// Lines by thread; calls that other threads broke into are put together where they ended.
fn whole(trace: &str) -> Vec<(u32, String)> {
    let mut begun: BTreeMap<u32, &str> = BTreeMap::new();
    let mut lines = Vec::new();
    for line in trace.lines() {
        let (thread, call) = line.split_once(' ').expect("a thread");
        let (thread, call) = (thread.parse().expect("a number"), call.trim_start());
        if let Some(half) = call.strip_suffix(" <unfinished ...>") {
            begun.insert(thread, half);
        } else if let Some((_, half)) = call.split_once(" resumed>") {
            let first = begun.remove(&thread).unwrap_or_default();
            lines.push((thread, format!("{first}{half}")));
        } else {
            lines.push((thread, call.to_owned()));
        }
    }
    lines
}

/// Reads one line; none of a call that failed or did not end.
fn call(line: &str, folder: &str) -> Option<Call> {
    let (name, rest) = line.split_once('(')?;
    let (arguments, answer) = rest.rsplit_once(" = ")?;
    if answer.starts_with(['-', '?']) {
        return None;
    }
    let (handles, names) = paths(arguments, folder);
    Some(Call {
        ours: true,
        name: name.to_owned(),
        handles,
        names,
        arguments: arguments.to_owned(),
        answer: answer.to_owned(),
    })
}

/// Paths of handles, and of names: one that is relative begins at the handle before it.
fn paths(arguments: &str, folder: &str) -> (Vec<String>, Vec<String>) {
    let (mut handles, mut names) = (Vec::new(), Vec::new());
    let mut from = folder.to_owned();
    let mut rest = arguments;
    while let Some(at) = rest.find(['<', '"']) {
        let (is_name, tail) = (rest.as_bytes()[at] == b'"', &rest[at + 1..]);
        let end = tail
            .find(if is_name { '"' } else { '>' })
            .unwrap_or(tail.len());
        let (text, after) = (&tail[..end], tail.get(end + 1..).unwrap_or_default());
        rest = after;
        if !is_name {
            text.clone_into(&mut from);
            handles.push(text.to_owned());
            continue;
        }
        let path = match text {
            absolute if absolute.starts_with('/') => absolute.to_owned(),
            "." | "" => from.clone(),
            name => format!("{from}/{}", name.trim_start_matches("./")),
        };
        names.push(path.replace("/./", "/"));
        folder.clone_into(&mut from);
    }
    (handles, names)
}

/// Which threads are planc's: those of the program itself, not of others that it started.
#[derive(Default)]
struct Family {
    parents: BTreeMap<u32, u32>,
    programs: BTreeMap<u32, bool>,
}

impl Family {
    fn learn(&mut self, thread: u32, call: &Call) {
        match call.name.as_str() {
            "execve" => {
                let program = call.names.first().map_or("", String::as_str);
                self.programs.insert(thread, program.ends_with("/planc"));
            }
            "clone" | "clone3" | "fork" | "vfork" => {
                let child = call.answer.split(['<', ' ']).next();
                if let Some(child) = child.and_then(|child| child.parse().ok()) {
                    self.parents.insert(child, thread);
                }
            }
            _ => {}
        }
    }

    fn is_ours(&self, thread: u32) -> bool {
        match (self.programs.get(&thread), self.parents.get(&thread)) {
            (Some(ours), _) => *ours,
            (None, Some(parent)) => self.is_ours(*parent),
            (None, None) => false,
        }
    }
}
