//! Owns the close look at a recovered copy: `pg_amcheck` reads every table and index of it. It is
//! part of what servers come with in most packages only; where it is missing that is told.

use std::path::Path;
use std::process::Stdio;

use super::component::raw;
use super::connect::refused;
use super::instance::Instance;
use super::{PostgresSpec, logical, scratch};
use crate::engine::{EngineError, Examined};

/// Findings that are repeated.
const SHOWN: usize = 5;
/// How the program ends when it found damage.
const DAMAGED: i32 = 2;

/// Looks at every database of a copy that is thrown away afterwards; says what was looked at, or why
/// nothing was.
///
/// # Errors
/// [`EngineError::Damaged`] with the first findings.
pub fn examine(spec: &PostgresSpec, restored: &Path) -> Result<Examined, EngineError> {
    logical::open(spec, restored)?.using(look)
}

fn look(instance: &Instance) -> Result<Examined, EngineError> {
    let mut command = instance.tool("pg_amcheck");
    if !Path::new(command.get_program()).is_file() {
        let told = "pg_amcheck is not there: tables and indexes were not examined";
        return Ok(Examined::Left(told.to_owned()));
    }
    if !has_extension(instance)? {
        let told = "the extension amcheck is not installed beside the server (it comes with the \
                    contrib package): tables and indexes were not examined";
        return Ok(Examined::Left(told.to_owned()));
    }
    command.args([
        "--all",
        "--install-missing",
        "--no-password",
        "--no-strict-names",
    ]);
    command
        .arg("--maintenance-db=postgres")
        .stdin(Stdio::null());
    let_go(instance)?;
    let program = Path::new(command.get_program()).to_owned();
    let output = command.output();
    let output = output.map_err(|error| super::files::cannot("start", &program, error))?;
    if output.status.success() {
        return Ok(Examined::Looked("pg_amcheck found nothing".to_owned()));
    }
    if output.status.code() == Some(DAMAGED) {
        return Err(EngineError::Damaged {
            what: "the restored copy".to_owned(),
            detail: first_lines(&output.stdout),
        });
    }
    Err(EngineError::refused(
        "run pg_amcheck",
        first_lines(&output.stderr),
    ))
}

/// Takes away what the program would wait for without end, locks of prepared transactions, and what
/// would forbid it to work, event triggers.
fn let_go(instance: &Instance) -> Result<(), EngineError> {
    let query = concat!(
        "select ",
        raw!("datname"),
        " from pg_database where datallowconn and datname <> 'template0'"
    );
    let rows = instance.home()?.query(query, &[]);
    for row in rows.map_err(|error| refused("list the databases of the copy", &error))? {
        // one whose name is no text here cannot be asked for by it
        if let Ok(database) = std::str::from_utf8(row.get(0)) {
            let (mut client, _) = scratch::open(instance, database)?;
            scratch::calm(&mut client)?;
        }
    }
    Ok(())
}

fn has_extension(instance: &Instance) -> Result<bool, EngineError> {
    let mut client = instance.home()?;
    let query = "select exists (select from pg_available_extensions where name = 'amcheck')";
    let row = client.query_one(query, &[]);
    let row = row.map_err(|error| refused("list the extensions of the copy", &error))?;
    Ok(row.get(0))
}

fn first_lines(text: &[u8]) -> String {
    let text = String::from_utf8_lossy(text);
    let lines: Vec<&str> = text.lines().map(str::trim).take(SHOWN).collect();
    lines.join("; ")
}
