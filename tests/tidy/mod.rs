//! Style and structure as tests: who may import whom, which folders are pure, how long files and
//! functions are, which words may not stand in the sources, that no test file is forgotten, and that
//! the durability mutants fit.

mod functions;
mod layers;
mod mutants;
mod text;

use std::path::{Path, PathBuf};

/// A source file of this crate, with its path relative to the crate.
pub(crate) struct Source {
    pub(crate) path: String,
    pub(crate) text: String,
}

impl Source {
    /// The text without the unit tests at its end; nothing of a file of unit tests.
    pub(crate) fn production(&self) -> &str {
        if self.path.ends_with("tests.rs") {
            return "";
        }
        self.text
            .find("#[cfg(test)]")
            .map_or(&self.text, |at| &self.text[..at])
    }
}

/// All Rust files below `folder`, by path.
pub(crate) fn sources(folder: &str) -> Vec<Source> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut found: Vec<PathBuf> = walkdir::WalkDir::new(root.join(folder))
        .into_iter()
        .filter_map(Result::ok)
        .map(walkdir::DirEntry::into_path)
        .filter(|path| path.extension().is_some_and(|ending| ending == "rs"))
        .collect();
    found.sort();
    assert!(!found.is_empty(), "no sources below {folder}");
    let read = |path: PathBuf| Source {
        text: std::fs::read_to_string(&path).expect("sources are readable"),
        path: path
            .strip_prefix(root)
            .expect("below the root")
            .to_string_lossy()
            .into_owned(),
    };
    found.into_iter().map(read).collect()
}

/// Fails with all complaints at once.
pub(crate) fn report(complaints: &[String]) {
    assert!(
        complaints.is_empty(),
        "{} places:\n{}",
        complaints.len(),
        complaints.join("\n")
    );
}
