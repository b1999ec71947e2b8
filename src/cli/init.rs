//! `planc init`: writes a first plan and inventory for a SQLite file or a folder, ready to check.

use std::io::Write as _;
use std::path::{Path, PathBuf};

use super::exit::{CliError, Exit};

/// Write a first plan for a SQLite file or a folder
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// What is to be kept
    engine: Engine,
    /// The SQLite file or the folder
    source: PathBuf,
    /// Folder that will hold the copies; it is claimed by `planc device init`
    #[arg(long, default_value = "backup", value_name = "FOLDER")]
    device: PathBuf,
    /// Where the two files are written
    #[arg(long, default_value = ".", value_name = "FOLDER")]
    dir: PathBuf,
    /// Name of the service and of the plan; default: from the source's name
    #[arg(long)]
    name: Option<String>,
}

/// The engines that run without a server.
#[derive(Debug, Clone, Copy, clap::ValueEnum)]
enum Engine {
    /// One SQLite database
    Sqlite,
    /// A folder with everything below it
    Files,
}

/// Writes `NAME.plan` and `NAME.yaml`.
///
/// # Errors
/// When the source does not exist or one of the files does.
pub(super) fn run(args: &Args) -> Result<Exit, CliError> {
    if !args.source.exists() {
        return Err(
            CliError::refused(format!("{} does not exist", args.source.display()))
                .help("name the SQLite file or the folder that is to be kept"),
        );
    }
    let name = args.name.clone().unwrap_or_else(|| name_from(&args.source));
    let has_log = match args.engine {
        Engine::Sqlite => is_in_wal_mode(&args.source)?,
        Engine::Files => false,
    };
    let source = absolute(&args.source)?;
    let device = absolute(&args.device)?;
    let apart = file_system(&source) != file_system(&device);
    let inventory = inventory(args.engine, &name, (&source, &device), apart);
    write_new(
        &args.dir.join(format!("{name}.plan")),
        &plan(&name, has_log, apart),
    )?;
    write_new(&args.dir.join(format!("{name}.yaml")), &inventory)?;
    let mut out = std::io::stdout().lock();
    writeln!(
        out,
        "wrote {name}.plan and {name}.yaml in {}",
        args.dir.display()
    )?;
    if matches!(args.engine, Engine::Sqlite) && !has_log {
        writeln!(
            out,
            "note:  the database is not in WAL mode, so the plan archives no log;"
        )?;
        writeln!(
            out,
            "       run `PRAGMA journal_mode=WAL` in it once and init again to change that"
        )?;
    }
    if !apart {
        writeln!(
            out,
            "note:  source and copies lie on one file system, so the plan promises"
        )?;
        writeln!(
            out,
            "       nothing for the loss of that disk; choose another `--device`"
        )?;
    }
    writeln!(out, "next:  mkdir -p {}", args.device.display())?;
    writeln!(out, "       planc check {name}.plan")?;
    writeln!(out, "       planc device init --all")?;
    writeln!(out, "       planc run")?;
    Ok(Exit::Ok)
}

/// The file system that a path lies on, or will lie on once it is made.
fn file_system(path: &Path) -> Option<u64> {
    use std::os::unix::fs::MetadataExt as _;
    let there = path.ancestors().find_map(|path| path.metadata().ok());
    there.map(|there| there.dev())
}

/// A planc name from a file name: letters, digits, `_` and `-`, beginning with a letter.
fn name_from(source: &Path) -> String {
    let stem = source
        .file_stem()
        .map(|stem| stem.to_string_lossy().into_owned());
    let fit = |c: char| {
        if c.is_ascii_alphanumeric() || c == '_' || c == '-' {
            c
        } else {
            '_'
        }
    };
    let name: String = stem.unwrap_or_default().chars().map(fit).collect();
    if name.starts_with(|c: char| c.is_ascii_alphabetic()) {
        name
    } else {
        format!("my_{name}")
    }
}

/// True when the header of a SQLite file says that its log is a WAL (format versions of 2, in
/// bytes 18 and 19 of <https://www.sqlite.org/fileformat.html>).
fn is_in_wal_mode(source: &Path) -> Result<bool, CliError> {
    let refused = |cause: &dyn std::fmt::Display| {
        CliError::refused(format!(
            "{} is no SQLite database: {cause}",
            source.display()
        ))
        .help("name the database file, or `planc init files` for a folder")
    };
    let mut header = [0; 20];
    let mut file = std::fs::File::open(source).map_err(|error| refused(&error))?;
    std::io::Read::read_exact(&mut file, &mut header).map_err(|error| refused(&error))?;
    if !header.starts_with(b"SQLite format 3\0") {
        return Err(refused(&"its first bytes say otherwise"));
    }
    Ok(header[18] == 2)
}

fn plan(name: &str, has_log: bool, apart: bool) -> String {
    let loss = if apart { "loss of disk" } else { "human error" };
    let (rpo, assume, archive) = if has_log {
        let ship = "ship every 10s or 1 MiB to disk";
        let archive = format!("\narchive wal of {name} {{\n  {ship}\n  retain window 9d\n}}\n");
        let assume = format!(
            "assume {{\n  log peak {name} 1 GiB/h  # state what yours writes at its busiest\n}}\n\n"
        );
        ("1min", assume, archive)
    } else {
        ("25h", String::new(), String::new())
    };
    format!(
        "planc 1\nplan {name}\ntimezone UTC\nenvironment here inventory \"{name}.yaml\"\n\n\
         {assume}objectives of {name} {{\n  rpo {rpo} for {loss}\n  recovery window 7d\n}}\n\n\
         backup nightly of service {name} {{\n  physical full every day at 03:30\n  \
         store on disk\n  retain window 7d, monthly 3\n}}\n{archive}"
    )
}

fn inventory(engine: Engine, name: &str, paths: (&Path, &Path), apart: bool) -> String {
    let engine = match engine {
        Engine::Sqlite => "sqlite",
        Engine::Files => "files",
    };
    let quoted = |path: &Path| serde_json::Value::from(path.to_string_lossy()).to_string();
    let (source, device) = (quoted(paths.0), quoted(paths.1));
    // disks are named only where the two file systems differ: else nothing is known of them
    let (disks, source_disk, device_disk) = if apart {
        (
            ", disks: {source: {}, copies: {}}",
            ", disk: source",
            ", disk: copies",
        )
    } else {
        ("", "", "")
    };
    format!(
        "inventory: 1\nsites: {{here: {{}}}}\nhosts: {{localhost: {{site: here{disks}}}}}\n\
         services:\n  {name}: {{engine: {engine}, host: localhost{source_disk}, path: {source}}}\n\
         devices:\n  disk: {{host: localhost{device_disk}, path: {device}, write: 50 MiB/s}}  \
         # state what yours writes\n"
    )
}

fn absolute(path: &Path) -> Result<PathBuf, CliError> {
    std::path::absolute(path)
        .map_err(|error| CliError::refused(format!("{}: {error}", path.display())))
}

fn write_new(path: &Path, text: &str) -> Result<(), CliError> {
    let file = std::fs::File::options()
        .write(true)
        .create_new(true)
        .open(path);
    file.and_then(|mut file| file.write_all(text.as_bytes()))
        .map_err(|error| {
            CliError::refused(format!("cannot write {}: {error}", path.display()))
                .help("remove the file, or choose another place with `--dir` or `--name`")
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_come_from_file_names() {
        assert_eq!(name_from(Path::new("/srv/my notes.db")), "my_notes");
        assert_eq!(name_from(Path::new("2026")), "my_2026");
    }
}
