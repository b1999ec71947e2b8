//! Owns the programs that run now, so that a wish to stop reaches them and what they started.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Mutex;

use rustix::process::{Pid, Signal, kill_process_group};

use super::sessions::lock;

/// Process groups of running programs, and where programs lie.
#[derive(Debug, Default)]
pub struct Programs {
    running: Mutex<BTreeSet<i32>>,
    found: Mutex<BTreeMap<String, PathBuf>>,
}

impl Programs {
    /// The file of a program that is named without a folder, searched in `PATH` once a run instead
    /// of by every process that is started. One that is not found keeps its name, so that starting
    /// it tells why.
    pub fn locate(&self, program: &str) -> PathBuf {
        if program.contains('/') {
            return program.into();
        }
        let mut found = lock(&self.found);
        if let Some(path) = found.get(program) {
            return path.clone();
        }
        let path = search(program).unwrap_or_else(|| program.into());
        found.insert(program.to_owned(), path.clone());
        path
    }

    /// A program began; its group has its own id.
    pub fn began(&self, group: Pid) {
        lock(&self.running).insert(group.as_raw_nonzero().get());
    }

    /// A program ended but is not yet reaped, so that its id still is its own.
    pub fn ended(&self, group: Pid) {
        lock(&self.running).remove(&group.as_raw_nonzero().get());
    }

    /// Asks all to stop.
    pub fn stop_all(&self) {
        let running = lock(&self.running);
        for group in running.iter().filter_map(|raw| Pid::from_raw(*raw)) {
            stop(group);
        }
    }
}

/// Asks one group to stop; a group that is gone needs no signal.
pub(super) fn stop(group: Pid) {
    let _ = kill_process_group(group, Signal::TERM);
}

/// The first executable file of this name in an absolute folder of `PATH`.
fn search(program: &str) -> Option<PathBuf> {
    let folders = std::env::var_os("PATH")?;
    let mut files = std::env::split_paths(&folders).map(|folder| folder.join(program));
    files.find(|file| file.is_absolute() && is_program(file))
}

fn is_program(file: &Path) -> bool {
    file.is_file() && rustix::fs::access(file, rustix::fs::Access::EXEC_OK).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn programs_are_found_once_and_names_with_folders_stay() {
        let programs = Programs::default();
        let path = programs.locate("sh");
        assert!(path.is_absolute() && path.ends_with("sh"), "{path:?}");
        assert_eq!(programs.locate("sh"), path);
        assert_eq!(programs.locate("./sh"), Path::new("./sh"));
        assert_eq!(
            programs.locate("no such program"),
            Path::new("no such program")
        );
    }
}
