//! Owns finding the client programs for a server: none that is older than the server may dump it.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::engine::EngineError;
use crate::engine::postgres::files::cannot;
use crate::facts::capability::POSTGRESQL_VERSIONS;
use crate::media::keys::withhold;

/// A folder of client programs and their version.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Client {
    pub(super) folder: PathBuf,
    /// Major version.
    pub(super) major: u32,
}

/// The programs that may dump a server, or load what a program of this version dumped.
///
/// # Errors
/// When there are none, or they are older.
pub(super) fn find(given: Option<&Path>, program: &str, least: u32) -> Result<Client, EngineError> {
    let places: Vec<PathBuf> = match given {
        Some(folder) => vec![folder.to_owned()],
        None => usual(least),
    };
    let found = places.iter().find(|place| place.join(program).is_file());
    let Some(folder) = found else {
        let places: Vec<String> = places.iter().map(|one| one.display().to_string()).collect();
        return Err(EngineError::refused(
            format!("find {program} of PostgreSQL {least} or later"),
            format!(
                "looked in {}; install the client programs on this host, or name their folder as \
                 `programs` of the service in the inventory",
                places.join(", ")
            ),
        ));
    };
    let client = Client {
        folder: folder.clone(),
        major: version(&folder.join(program))?,
    };
    client.at_least(program, least)?;
    Ok(client)
}

impl Client {
    fn at_least(&self, program: &str, least: u32) -> Result<(), EngineError> {
        if self.major >= least {
            return Ok(());
        }
        Err(EngineError::refused(
            format!("use {}", self.folder.join(program).display()),
            format!(
                "it is of PostgreSQL {}, and {least} is needed: a client that is older than the \
                 server cannot be used; name the folder of newer programs as `programs` of the \
                 service in the inventory",
                self.major
            ),
        ))
    }
}

/// Where packages put the programs of this version and of later ones.
fn usual(least: u32) -> Vec<PathBuf> {
    let known = POSTGRESQL_VERSIONS.into_iter();
    let majors = known.filter(|major| *major >= least);
    let places = majors.flat_map(|major| {
        [
            format!("/usr/lib/postgresql/{major}/bin"),
            format!("/usr/pgsql-{major}/bin"),
            format!("/opt/postgresql/{major}/bin"),
        ]
    });
    places.map(PathBuf::from).collect()
}

/// The major version that a program says it is of.
fn version(program: &Path) -> Result<u32, EngineError> {
    let mut command = Command::new(program);
    let asked = withhold(&mut command).arg("--version");
    let output = asked.stdin(Stdio::null()).output();
    let output = output.map_err(|error| cannot("start", program, error))?;
    let text = String::from_utf8_lossy(&output.stdout);
    major(&text).ok_or_else(|| {
        EngineError::refused(
            format!("ask {} its version", program.display()),
            format!("it answers `{}`", text.trim()),
        )
    })
}

/// `pg_dump (PostgreSQL) 15.14 (Debian …)` is of 15.
fn major(text: &str) -> Option<u32> {
    let number = text.split_whitespace().nth(2)?;
    let end = number.find(|sign: char| !sign.is_ascii_digit());
    number[..end.unwrap_or(number.len())].parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_version_is_read() {
        assert_eq!(major("pg_dump (PostgreSQL) 15.14 (Debian 1)\n"), Some(15));
        assert_eq!(major("pg_dump (PostgreSQL) 18beta1"), Some(18));
        assert_eq!(major("pg_dump"), None);
    }

    #[test]
    fn an_older_client_is_refused() {
        let client = Client {
            folder: "/programs".into(),
            major: 15,
        };
        assert!(client.at_least("pg_dump", 15).is_ok());
        let told = client.at_least("pg_dump", 18).expect_err("older");
        assert!(told.to_string().contains("older than the server"), "{told}");
    }

    #[test]
    fn programs_that_are_not_there_are_named() {
        let folder = tempfile::tempdir().expect("a folder");
        let told = find(Some(folder.path()), "pg_dump", 15).expect_err("none");
        assert!(told.to_string().contains("`programs`"), "{told}");
    }
}
