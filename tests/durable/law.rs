//! The law of order: what is renamed was made durable before, and when a command has ended, all that
//! it wrote and every name that it made, moved or removed is durable. A file system is free to
//! lose anything else when the power goes, whatever those at hand do.
//!
//! What other programs do that planc started is theirs, but a sync of theirs counts.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use super::trace::Call;

/// What may be lost.
#[derive(Clone, Copy)]
pub(super) struct Spared {
    /// A piece of its path.
    path: &'static str,
    /// Only that it went away may be lost.
    absence: bool,
}

impl Spared {
    /// All of it may be lost, and why.
    pub(super) const fn all(path: &'static str, _why: &'static str) -> Self {
        let absence = false;
        Self { path, absence }
    }

    /// It may come back after it was removed, and why.
    pub(super) const fn absence(path: &'static str, _why: &'static str) -> Self {
        let absence = true;
        Self { path, absence }
    }

    fn covers(&self, complaint: &str) -> bool {
        let (path, what) = complaint.split_once(": ").unwrap_or((complaint, ""));
        path.contains(self.path) && (!self.absence || what.starts_with("absence"))
    }
}

/// Calls that change the bytes of a handle.
const WRITES: &[&str] = &[
    "write",
    "pwrite64",
    "writev",
    "pwritev",
    "pwritev2",
    "ftruncate",
    "fallocate",
    "copy_file_range",
    "sendfile",
];

/// A file system as far as it is known from calls.
#[derive(Default)]
struct Disk {
    /// All paths.
    there: BTreeSet<String>,
    /// Files with bytes that are not durable.
    unsynced: BTreeSet<String>,
    /// Names that came or went and are not durable, by their folders.
    names: BTreeMap<String, BTreeSet<String>>,
    complaints: Vec<String>,
}

/// Complaints about the calls of a command below a folder that held these paths before.
pub(super) fn complaints(
    before: BTreeSet<String>,
    calls: &[Call],
    root: &Path,
    spared: &[Spared],
) -> Vec<String> {
    let mut disk = Disk {
        there: before,
        ..Disk::default()
    };
    let root = root.to_str().expect("text");
    for call in calls {
        disk.follow(call, root);
    }
    disk.end();
    let complaints = disk.complaints.iter().map(|text| text.replace(root, ""));
    let is_spared = |text: &String| spared.iter().any(|one| one.covers(text));
    complaints.filter(|text| !is_spared(text)).collect()
}

/// All paths below a folder.
pub(super) fn listed(root: &Path) -> BTreeSet<String> {
    let found = walkdir::WalkDir::new(root).into_iter().flatten();
    found
        .map(|entry| entry.path().display().to_string())
        .collect()
}

fn split(path: &str) -> (&str, &str) {
    path.rsplit_once('/').unwrap_or(("", path))
}

/// Whether a path is another one or lies below it.
fn is_within(path: &str, above: &str) -> bool {
    path.strip_prefix(above)
        .is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

impl Disk {
    fn follow(&mut self, call: &Call, root: &str) {
        let below = |paths: &[String]| -> Vec<String> {
            let paths = paths.iter().filter(|path| is_within(path, root));
            paths.cloned().collect()
        };
        let (names, handles) = (below(&call.names), below(&call.handles));
        // of links, renames and copies the last one is new
        match (call.name.as_str(), names.as_slice(), handles.last()) {
            ("openat" | "openat2" | "open" | "creat", [path], _) => self.open(path, call),
            ("mkdir" | "mkdirat", [path], _)
            | ("link" | "linkat" | "symlink" | "symlinkat", [.., path], _) => {
                self.come(path, call.ours);
            }
            ("rename" | "renameat" | "renameat2", [old, new], _) => {
                self.rename(old, new, call.ours);
            }
            ("unlink" | "unlinkat" | "rmdir", [path], _) => self.remove(path, call.ours),
            ("fsync" | "fdatasync", _, Some(path)) => self.sync(path),
            ("syncfs", ..) => {
                self.unsynced.clear();
                self.names.clear();
            }
            (name, _, Some(path)) if call.ours && WRITES.contains(&name) => {
                self.unsynced.insert(path.clone());
            }
            _ => {}
        }
    }

    fn open(&mut self, path: &str, call: &Call) {
        let has = |flag| call.arguments.contains(flag);
        // files without a name are nobody's
        if has("O_CREAT") && !self.there.contains(path) && !has("O_TMPFILE") {
            self.come(path, call.ours);
        } else if has("O_TRUNC") && call.ours {
            self.unsynced.insert(path.to_owned());
        }
    }

    /// A name came or went.
    fn note(&mut self, path: &str, ours: bool) {
        let (folder, name) = split(path);
        if ours {
            let names = self.names.entry(folder.to_owned()).or_default();
            names.insert(name.to_owned());
        }
    }

    fn come(&mut self, path: &str, ours: bool) {
        self.there.insert(path.to_owned());
        self.note(path, ours);
    }

    fn remove(&mut self, path: &str, ours: bool) {
        self.unsynced.remove(path);
        self.there.remove(path);
        self.names.remove(path);
        self.note(path, ours);
    }

    fn rename(&mut self, old: &str, new: &str, ours: bool) {
        let late = self.unsynced.iter().chain(self.names.keys());
        let late = late.filter(|path| is_within(path, old));
        if ours {
            let complaints = late.map(|path| format!("{path}: not durable when renamed to {new}"));
            self.complaints.extend(complaints);
        }
        let moved = |path: String| match path.strip_prefix(old) {
            Some(rest) if is_within(&path, old) => format!("{new}{rest}"),
            _ => path,
        };
        let all = |paths: &mut BTreeSet<String>| {
            let paths = std::mem::take(paths).into_iter();
            paths.map(moved).collect::<BTreeSet<String>>()
        };
        (self.unsynced, self.there) = (all(&mut self.unsynced), all(&mut self.there));
        let names = std::mem::take(&mut self.names).into_iter();
        self.names = names
            .map(|(folder, names)| (moved(folder), names))
            .collect();
        self.note(old, ours);
        self.note(new, ours);
    }

    fn sync(&mut self, path: &str) {
        self.unsynced.remove(path);
        self.names.remove(path);
    }

    fn end(&mut self) {
        let unsynced = self.unsynced.iter();
        self.complaints
            .extend(unsynced.map(|path| format!("{path}: bytes not durable at the end")));
        for (folder, names) in &self.names {
            let paths = names.iter().map(|name| format!("{folder}/{name}"));
            self.complaints.extend(paths.map(|path| {
                let what = if self.there.contains(&path) {
                    "name"
                } else {
                    "absence"
                };
                format!("{path}: {what} not durable at the end")
            }));
        }
    }
}
