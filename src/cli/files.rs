//! Owns where the texts of a plan come from: the disk, or a revision that git keeps. Programs
//! are started with arguments only, never through a shell.

use std::fs::File;
use std::io::{Error, ErrorKind, Read};
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::cli::exit::CliError;

/// Variables by which git finds its programs, its settings and the repository, also in hooks. It
/// gets no others: which of them hold secrets is said by the plan that it is asked for (R29).
const FOR_GIT: [&str; 11] = [
    "PATH",
    "HOME",
    "XDG_CONFIG_HOME",
    "SUDO_UID",
    "GIT_CONFIG_GLOBAL",
    "GIT_DIR",
    "GIT_COMMON_DIR",
    "GIT_WORK_TREE",
    "GIT_OBJECT_DIRECTORY",
    "GIT_ALTERNATE_OBJECT_DIRECTORIES",
    "GIT_CEILING_DIRECTORIES",
];

/// Longest text that is read, in bytes.
const LONGEST: u64 = 64 << 20;

/// Where files are read.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Files {
    /// As they lie on the disk.
    #[default]
    Disk,
    /// As they lie on the disk, but only below this folder, links followed.
    Below(PathBuf),
    /// As they were at a commit, by its full hash.
    Revision(String),
}

impl Files {
    /// The files below a folder, for plans of strangers.
    ///
    /// # Errors
    /// When the folder cannot be found.
    pub fn below(root: &Path) -> Result<Self, CliError> {
        let found = root.canonicalize().map_err(|error| {
            let message = format!("cannot use the root {}: {error}", root.display());
            CliError::refused(message).help("name a folder that exists")
        })?;
        Ok(Self::Below(found))
    }

    /// The files of a revision: a branch, tag or commit.
    ///
    /// # Errors
    /// When git cannot be started, or does not know the revision.
    pub fn at(revision: &str) -> Result<Self, CliError> {
        let asked = format!("{revision}^{{commit}}");
        let words = [
            "rev-parse",
            "--verify",
            "--quiet",
            "--end-of-options",
            &asked,
        ];
        let found = git(Path::new("."), &words).map_err(|error| {
            CliError::refused(format!(
                "`{revision}` is neither a file nor a revision: {error}"
            ))
            .help("name a plan file, or a branch, tag or commit of this git repository")
        })?;
        Ok(Self::Revision(found.trim().to_owned()))
    }

    /// The text of a file.
    ///
    /// # Errors
    /// When it does not exist there, cannot be read, or is not UTF-8. Only what is surely absent
    /// is "not found".
    pub fn read(&self, path: &str) -> Result<String, Error> {
        match self {
            Self::Disk => text_at(Path::new(path)),
            Self::Below(root) => read_below(root, Path::new(path)),
            Self::Revision(commit) => read_at(commit, Path::new(path)),
        }
    }
}

/// Looks where a path really leads before anything is opened.
fn read_below(root: &Path, path: &Path) -> Result<String, Error> {
    let real = path.canonicalize()?;
    if !real.starts_with(root) {
        return Err(Error::other(format!(
            "it lies outside {}, and nothing else may be read",
            root.display()
        )));
    }
    text_at(&real)
}

fn text_at(path: &Path) -> Result<String, Error> {
    text_of(File::open(path)?)
}

/// Reads text to its end, or until it is too long to be a plan: some things have no end.
///
/// # Errors
/// [`ErrorKind::FileTooLarge`], or [`ErrorKind::InvalidData`] when it is not UTF-8.
pub(crate) fn text_of(from: impl Read) -> Result<String, Error> {
    let mut bytes = Vec::new();
    from.take(LONGEST + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > LONGEST {
        return Err(ErrorKind::FileTooLarge.into());
    }
    String::from_utf8(bytes).map_err(|error| Error::new(ErrorKind::InvalidData, error))
}

/// Reads by a path relative to its own folder, so that it does not matter where the repository
/// begins; a folder that is gone from the disk is named from here.
fn read_at(commit: &str, path: &Path) -> Result<String, Error> {
    let folder = path.parent().filter(|folder| folder.is_dir());
    let (folder, name) = match (folder, path.file_name()) {
        (Some(folder), Some(name)) => (folder, Path::new(name)),
        _ => (Path::new("."), path),
    };
    let object = format!("{commit}:./{}", name.display());
    if git(folder, &["cat-file", "-e", &object]).is_ok() {
        return git(folder, &["cat-file", "blob", &object]);
    }
    // the commit is there, so what is missing is the file
    git(folder, &["cat-file", "-e", commit])?;
    Err(ErrorKind::NotFound.into())
}

fn git(folder: &Path, words: &[&str]) -> Result<String, Error> {
    let mut command = Command::new("git");
    if !folder.as_os_str().is_empty() {
        command.current_dir(folder);
    }
    let known = FOR_GIT.iter();
    let known = known.filter_map(|name| Some((name, std::env::var_os(name)?)));
    let output = command
        .env_clear()
        .envs(known)
        .args(["--no-pager", "--literal-pathspecs"])
        .args(words)
        .output()
        .map_err(|error| Error::new(error.kind(), format!("git cannot be started: {error}")))?;
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr);
        let said = said.trim().lines().next().unwrap_or("git does not know it");
        return Err(Error::other(said.to_owned()));
    }
    String::from_utf8(output.stdout).map_err(|_| ErrorKind::InvalidData.into())
}
