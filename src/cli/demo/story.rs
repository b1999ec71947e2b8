//! Owns the order of the demo and what it proves. Must not reach into the runtime: it runs the
//! same commands that it prints.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use super::sample::{self, Content};
use super::{CliError, Exit, files};

/// How long the demo waits for something that takes a second or two on an idle machine.
const PATIENCE: Duration = Duration::from_mins(5);

struct Story {
    folder: PathBuf,
    planc: PathBuf,
}

/// Plays the whole story in a new folder.
pub(super) fn play(folder: &Path, seed: u64) -> Result<Exit, CliError> {
    let story = Story::prepare(folder, seed)?;
    story.check_and_claim_devices()?;
    let (expected, bad) = story.live_through_the_mistake(seed)?;
    story.lose_the_database()?;
    story.recover(&bad)?;
    story.prove(&expected)?;
    say("Have a look yourself; every command above can be repeated in this folder:")?;
    say(&format!("  cd {}", story.folder.display()))?;
    say("  planc status; planc list; planc verify")?;
    Ok(Exit::Ok)
}

impl Story {
    fn prepare(folder: &Path, seed: u64) -> Result<Self, CliError> {
        if folder.exists() {
            let message = format!("{} exists already", folder.display());
            return Err(CliError::refused(message)
                .help("remove it, or choose another folder with `planc demo --dir FOLDER`"));
        }
        for part in ["data", "devices/disk", "devices/nas", "devices/cellar"] {
            std::fs::create_dir_all(folder.join(part)).map_err(|error| failed(folder, error))?;
        }
        for (name, text) in [
            ("shop.plan", files::PLAN),
            ("inventory.yaml", files::INVENTORY),
        ] {
            std::fs::write(folder.join(name), text).map_err(|error| failed(folder, error))?;
        }
        let planc = std::env::current_exe().map_err(|error| failed(folder, error))?;
        let story = Self {
            folder: folder.to_owned(),
            planc,
        };
        sample::create(&story.database(), seed).map_err(|error| failed(folder, error))?;
        let held = content(&story.database())?;
        say(&format!(
            "Made {}: a plan, an inventory, three devices on two sites, and",
            folder.display()
        ))?;
        say(&format!("a shop database with {}.", rows(&held)))?;
        Ok(story)
    }

    fn check_and_claim_devices(&self) -> Result<(), CliError> {
        say("\nThe compiler proves the plan before anything runs.")?;
        self.planc("check shop.plan")?;
        say("\nThe three folders become devices; planc writes nowhere else.")?;
        self.planc("device init --all")
    }

    /// Backs up under load, makes the mistake, and returns what the shop held just before it and
    /// the name of the bad transaction.
    fn live_through_the_mistake(&self, seed: u64) -> Result<(Content, String), CliError> {
        say("\nA writer places orders all the time while planc copies the database to three")?;
        say("devices at once and ships its log every second.")?;
        let writer = Writer::start(self.database(), seed);
        let mut watch = Watch::start(self, "run --watch")?;
        wait_for("the first full backup", || self.has_part())?;
        std::thread::sleep(Duration::from_secs(3));
        let placed = writer
            .stop()
            .map_err(|error| failed(&self.database(), error))?;
        say(&format!(
            "The writer placed {placed} orders meanwhile and was never turned away."
        ))?;

        let expected = content(&self.database())?;
        let gone = sample::make_the_mistake(&self.database());
        let gone = gone.map_err(|error| failed(&self.database(), error))?;
        say(&format!(
            "\nA mistake: `delete from order_lines` removes all {gone} lines."
        ))?;
        say(&format!(
            "Just before it the shop held {}.",
            rows(&expected)
        ))?;
        let writer = Writer::start(self.database(), seed + 1);
        std::thread::sleep(Duration::from_secs(2));
        let placed = writer
            .stop()
            .map_err(|error| failed(&self.database(), error))?;
        say(&format!(
            "Nobody noticed: {placed} more orders came in after it."
        ))?;
        watch.stop()?;
        // the watch may have been told to stop before it saw the last orders
        self.planc("run")?;
        let bad = self.find_the_bad_transaction()?;
        Ok((expected, bad))
    }

    fn find_the_bad_transaction(&self) -> Result<String, CliError> {
        say("\nWhich transaction was it? The log says: the one that wrote the most pages.")?;
        self.planc("log list shop --largest 3")?;
        let output = self.output("log list shop --largest 1 --format json")?;
        let found: serde_json::Value = serde_json::from_str(&output)
            .map_err(|error| CliError::failed(format!("cannot read the log list: {error}")))?;
        let name = found["transactions"][0]["transaction"].as_str();
        name.map(str::to_owned)
            .ok_or_else(|| CliError::failed("the log lists no transaction"))
    }

    fn lose_the_database(&self) -> Result<(), CliError> {
        say("\nAnd now the disk of the till dies: the database is gone.")?;
        for file in ["shop.db", "shop.db-wal", "shop.db-shm"] {
            let path = self.folder.join("data").join(file);
            if path.exists() {
                std::fs::remove_file(&path).map_err(|error| failed(&path, error))?;
                say(&format!("$ rm data/{file}"))?;
            }
        }
        Ok(())
    }

    fn recover(&self, bad: &str) -> Result<(), CliError> {
        say("\nRecovery to just before that transaction, as the plan describes it.")?;
        self.planc(&format!(
            "recover bad_transaction bad={bad} --to data/shop.db --yes"
        ))
    }

    fn prove(&self, expected: &Content) -> Result<(), CliError> {
        let found = content(&self.database())?;
        if &found != expected {
            let message = format!(
                "the recovered shop differs: {} instead of {}",
                rows(&found),
                rows(expected)
            );
            return Err(CliError::failed(message));
        }
        say("\nProof: every row of every table is as it was just before the mistake.")?;
        for (table, count, hash) in &found.tables {
            say(&format!(
                "  {table:12} {count:6} rows, content {hash} before and after"
            ))?;
        }
        Ok(())
    }

    fn database(&self) -> PathBuf {
        self.folder.join("data/shop.db")
    }

    fn command(&self, line: &str) -> Command {
        let mut command = Command::new(&self.planc);
        command
            .args(line.split(' '))
            .current_dir(&self.folder)
            .stdin(Stdio::null());
        command
    }

    /// Prints a command, runs it, and insists on success.
    fn planc(&self, line: &str) -> Result<(), CliError> {
        say(&format!("$ planc {line}"))?;
        let status = self
            .command(line)
            .status()
            .map_err(|error| failed(&self.planc, error))?;
        if status.success() {
            return Ok(());
        }
        Err(CliError::failed(format!(
            "`planc {line}` ended with {status}"
        )))
    }

    fn output(&self, line: &str) -> Result<String, CliError> {
        let output = self
            .command(line)
            .output()
            .map_err(|error| failed(&self.planc, error))?;
        if !output.status.success() {
            let cause = String::from_utf8_lossy(&output.stderr).into_owned();
            return Err(CliError::failed(format!("`planc {line}`: {cause}")));
        }
        Ok(String::from_utf8_lossy(&output.stdout).into_owned())
    }

    fn has_part(&self) -> Result<bool, CliError> {
        let listed = self.output("list --format json")?;
        let listed: serde_json::Value = serde_json::from_str(&listed)
            .map_err(|error| CliError::failed(format!("cannot read the list: {error}")))?;
        Ok(listed["parts"]
            .as_array()
            .is_some_and(|parts| !parts.is_empty()))
    }
}

fn say(line: &str) -> Result<(), CliError> {
    let mut out = std::io::stdout().lock();
    writeln!(out, "{line}")?;
    out.flush()?;
    Ok(())
}

fn wait_for(what: &str, ready: impl Fn() -> Result<bool, CliError>) -> Result<(), CliError> {
    let began = Instant::now();
    while !ready()? {
        if began.elapsed() > PATIENCE {
            return Err(CliError::failed(format!(
                "{what} did not come within {PATIENCE:?}"
            )));
        }
        std::thread::sleep(Duration::from_millis(200));
    }
    Ok(())
}

fn content(path: &Path) -> Result<Content, CliError> {
    sample::content(path).map_err(|error| failed(path, error))
}

/// A thread that places orders.
struct Writer {
    stop: Arc<AtomicBool>,
    thread: std::thread::JoinHandle<rusqlite::Result<i64>>,
}

impl Writer {
    fn start(database: PathBuf, seed: u64) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let flag = Arc::clone(&stop);
        let thread = std::thread::spawn(move || sample::keep_busy(&database, seed, &flag));
        Self { stop, thread }
    }

    fn stop(self) -> rusqlite::Result<i64> {
        self.stop.store(true, Ordering::Relaxed);
        self.thread
            .join()
            .unwrap_or(Err(rusqlite::Error::InvalidQuery))
    }
}

/// `planc run --watch` in the background; killed when the story breaks off.
struct Watch(Child);

impl Watch {
    fn start(story: &Story, line: &str) -> Result<Self, CliError> {
        say(&format!("$ planc {line} &"))?;
        let child = story.command(line).spawn();
        child.map(Self).map_err(|error| failed(&story.planc, error))
    }

    fn stop(&mut self) -> Result<(), CliError> {
        let id = i32::try_from(self.0.id())
            .ok()
            .and_then(rustix::process::Pid::from_raw);
        if let Some(id) = id {
            rustix::process::kill_process(id, rustix::process::Signal::TERM)
                .map_err(|error| CliError::failed(format!("cannot stop the watch: {error}")))?;
        }
        self.0
            .wait()
            .map(drop)
            .map_err(|error| CliError::failed(format!("the watch: {error}")))
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        // already gone in the good case; nothing is left to do about an error here
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn rows(content: &Content) -> String {
    let tables = content
        .tables
        .iter()
        .map(|(table, count, _)| format!("{count} {table}"));
    tables.collect::<Vec<_>>().join(", ")
}

fn failed(path: &Path, error: impl std::fmt::Display) -> CliError {
    CliError::failed(format!("{}: {error}", path.display()))
}
