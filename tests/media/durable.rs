//! What is made durable before a name counts, seen by the calls of the program itself: no file
//! system here loses the name of a folder whose file was synced, others do.

use std::collections::{BTreeMap, BTreeSet};
use std::process::Command;

use crate::runs::site::{NOW, Site};

/// The path that a call of `strace -y` is about: of a handle, or of a name below a handle.
fn path(line: &str) -> Option<String> {
    let (_, rest) = line.split_once('<')?;
    let (handle, rest) = rest.split_once('>')?;
    match rest.strip_prefix(", \"") {
        Some(name) => Some(format!("{handle}/{}", name.split('"').next()?)),
        None => Some(handle.to_owned()),
    }
}

/// The calls that went well, those whole that other threads broke into.
fn calls(trace: &str) -> Vec<String> {
    let mut begun: BTreeMap<&str, &str> = BTreeMap::new();
    let mut calls = Vec::new();
    for line in trace.lines() {
        let (thread, call) = line.split_once(' ').expect("a thread");
        let call = call.trim_start();
        if let Some(half) = call.strip_suffix(" <unfinished ...>") {
            begun.insert(thread, half);
        } else if let Some((_, half)) = call.split_once(" resumed>") {
            let first = begun.remove(thread).expect("it began");
            calls.push(format!("{first}{half}"));
        } else {
            calls.push(call.to_owned());
        }
    }
    calls.retain(|call| call.ends_with("= 0"));
    calls
}

fn parent(path: &str) -> String {
    path.rsplit_once('/')
        .map_or("", |(parent, _)| parent)
        .to_owned()
}

#[test]
fn the_folder_of_every_new_name_is_synced_before_the_run_ends() {
    let site = Site::new();
    let trace = site.path("trace");
    let traced = Command::new("strace")
        .args(["-f", "-y", "-qq", "-s", "4096", "-o"])
        .arg(&trace)
        .args(["-e", "trace=mkdirat,renameat2,fsync"])
        .arg(env!("CARGO_BIN_EXE_planc"))
        .args(["run", "--now", NOW, "--quiet"])
        .current_dir(site.path(""))
        .output()
        .expect("strace is there");
    assert!(traced.status.success(), "{traced:?}");
    let devices = site.path("devices");
    let devices = devices.canonicalize().expect("there");
    let devices = devices.to_str().expect("text");
    let mut open: BTreeSet<String> = BTreeSet::new();
    let mut made = 0;
    let text = std::fs::read_to_string(&trace).expect("trace");
    for line in calls(&text) {
        let Some(path) = path(&line).filter(|path| path.starts_with(devices)) else {
            continue;
        };
        if line.starts_with("mkdirat(") || line.starts_with("renameat2(") {
            // of a rename, the second handle and name are the new ones
            let new = match line.split_once("\", ") {
                Some((_, new)) if line.starts_with("renameat2(") => self::path(new),
                _ => Some(path),
            };
            let new = new.expect("a new name");
            made += 1;
            open.insert(parent(&new));
        } else {
            open.remove(&path);
        }
    }
    assert!(made > 4, "{made} names were made:\n{text}");
    assert!(open.is_empty(), "never synced: {open:?}\n{text}");
}
