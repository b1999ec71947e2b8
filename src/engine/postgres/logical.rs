//! Owns opening a server on a restored copy, asking it, and running the client programs that take
//! something out of it.

use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use postgres::Client;

use super::connect::refused;
use super::instance::{Instance, InstanceSpec};
use super::{PostgresSpec, instance};
use crate::engine::{EngineError, GoOn, Rows};

/// How long a recovered server may take to open.
const PATIENCE: Duration = Duration::from_mins(10);
/// Lines of a client program that are told.
const WORDS: usize = 3;

/// Starts a server on a restored copy: a data directory, or the folder that holds one.
///
/// # Errors
/// When it does not open.
pub fn open(spec: &PostgresSpec, restored: &Path) -> Result<Instance, EngineError> {
    let inside = restored.join("data");
    let data = if inside.join("PG_VERSION").is_file() {
        inside
    } else {
        restored.to_owned()
    };
    let text = std::fs::read_to_string(data.join("PG_VERSION"));
    let text = text.map_err(|error| super::files::cannot("read", &data, error))?;
    let major = text.trim().parse().unwrap_or(0);
    let user = spec.connect.get("user").cloned();
    let mut instance = Instance::start(InstanceSpec {
        programs: instance::programs(spec.programs.as_deref(), major)?,
        data,
        user: user.unwrap_or_else(|| "postgres".to_owned()),
        log: None,
        settings: Vec::new(),
    })?;
    instance.wait_open(PATIENCE, &GoOn::default())?;
    Ok(instance)
}

/// Asks one question; the session cannot write.
///
/// # Errors
/// What the server says.
pub fn ask(client: &mut Client, sql: &str) -> Result<Rows, EngineError> {
    let what = || format!("ask `{}`", sql.trim());
    client
        .batch_execute("set default_transaction_read_only = on; reset search_path")
        .map_err(|error| refused(what(), &error))?;
    let answered = client.simple_query(sql);
    let answered = answered.map_err(|error| refused(what(), &error))?;
    let rows = answered.iter().filter_map(|message| match message {
        postgres::SimpleQueryMessage::Row(row) => {
            let cells = 0..row.len();
            Some(cells.map(|at| row.get(at).map(str::to_owned)).collect())
        }
        _ => None,
    });
    Ok(rows.collect())
}

/// Runs a client program to its end.
///
/// # Errors
/// With its last words.
pub(super) fn run(name: &str, command: &mut Command) -> Result<(), EngineError> {
    let output = command.stdin(Stdio::null()).output();
    let program = Path::new(command.get_program()).to_owned();
    let output = output.map_err(|error| super::files::cannot("start", &program, error))?;
    if output.status.success() {
        return Ok(());
    }
    let words = last_words(&String::from_utf8_lossy(&output.stderr));
    Err(EngineError::refused(format!("run {name}"), words))
}

/// What a client program said of its end. It says what is wrong first, then repeats a statement
/// that may be long.
pub(super) fn last_words(text: &str) -> String {
    let lines: Vec<&str> = text
        .lines()
        .filter(|line| !line.trim().is_empty())
        .collect();
    let wrong = lines.iter().position(|line| line.contains("error: "));
    let from = wrong.unwrap_or(lines.len().saturating_sub(WORDS));
    let lines = lines[from..].iter().take(WORDS);
    lines.copied().collect::<Vec<_>>().join("; ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_program_that_fails_says_why() {
        let error = run(
            "sh",
            Command::new("sh").args(["-c", "echo no such thing >&2; exit 3"]),
        );
        let told = error.expect_err("it fails").to_string();
        assert!(told.contains("no such thing"), "{told}");
        let text = "pg_restore: while working\npg_restore: error: could not execute query: \
                    ERROR:  it is taken\nCommand was: ALTER TABLE a\n    ADD CONSTRAINT b;\n\n\n";
        assert!(last_words(text).contains("it is taken"), "the cause");
    }
}
