//! Owns what a survey tells of a tree of files: how much of it was modified in the last day.

use std::path::Path;
use std::time::{Duration, SystemTime};

use super::walk::{self, Found};
use crate::engine::{EngineError, Survey};
use crate::facts::instance::Instance;
use crate::quantity::float;

const DAY: Duration = Duration::from_hours(24);

/// Bytes of all regular files, and of those that were modified within the last day.
#[derive(Default)]
struct Counted {
    files: u64,
    bytes: u64,
    recent: u64,
}

/// Looks at every file of the tree once.
pub(super) fn ask(root: &Path, now: SystemTime) -> Result<Survey, EngineError> {
    let mut counted = Counted::default();
    for found in walk::entries(root) {
        let Found::Entry(entry) = found? else {
            continue;
        };
        if !entry.file_type().is_file() {
            continue;
        }
        // one that vanished meanwhile counts for nothing
        if let Ok(meta) = entry.metadata() {
            counted.add(&meta, now);
        }
    }
    let mut survey = Survey::default();
    let files = ("files".to_owned(), counted.files.to_string());
    survey.instance = Instance {
        settings: [files].into(),
        ..Instance::default()
    };
    if counted.bytes > 0 {
        let share = float(counted.recent) / float(counted.bytes);
        survey.changes.insert("files/tree".to_owned(), share);
    }
    Ok(survey)
}

impl Counted {
    fn add(&mut self, meta: &std::fs::Metadata, now: SystemTime) {
        self.files += 1;
        self.bytes = self.bytes.saturating_add(meta.len());
        let age = meta.modified().ok().map(|at| now.duration_since(at));
        // a time to come counts as now
        if matches!(age, Some(Err(_))) || matches!(age, Some(Ok(age)) if age < DAY) {
            self.recent = self.recent.saturating_add(meta.len());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_modified_today_is_the_change_of_a_day() {
        let folder = tempfile::tempdir().expect("a folder");
        let old = folder.path().join("old");
        std::fs::write(&old, vec![0; 3000]).expect("written");
        std::fs::write(folder.path().join("new"), vec![0; 1000]).expect("written");
        let now = SystemTime::now();
        let long_ago = now - 3 * DAY;
        let file = std::fs::File::options().write(true).open(&old);
        file.expect("open").set_modified(long_ago).expect("aged");
        let survey = ask(folder.path(), now).expect("asked");
        let share = survey.changes["files/tree"];
        assert!((share - 0.25).abs() < 1e-9, "{share}");
        assert_eq!(survey.instance.setting("files"), Some("2"));
    }
}
