//! A folder with a SQLite database, a plan and three claimed devices, driven by the real binary.

use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use tempfile::TempDir;

/// The moment all runs of these tests take for now.
pub(crate) const NOW: &str = "2026-03-02T10:00:00Z";

const PLAN: &str = r#"planc 1
plan shop "A shop"
timezone UTC
environment test inventory "inventory.yaml"

backup nightly of service shop {
  physical full every day at 02:00
  store on disk
  copy to nas within 1h
  retain window 7d
  encrypt none
}

archive wal of shop {
  ship every 1s to disk
  copy to nas within 1min
  retain window 8d
  encrypt none
}

backup papers of service docs {
  physical full every day at 02:00
  store on disk
  copy to nas within 1h
  retain window 7d
  encrypt none
}

recovery oops {
  for human error
  given victim: table, bad: transaction
  restore service shop to scratch
  replay log until before $bad
  probe shop "select count(*) from t" > 0
  extract table $victim into service shop as "found"
}
"#;

pub(crate) const INVENTORY: &str = r"inventory: 1
sites: {fra: {}, dub: {}}
hosts:
  till: {site: fra}
  bk1: {site: fra}
  bk2: {site: dub}
services:
  shop: {engine: sqlite, host: till, path: data/shop.db}
  docs: {engine: files, host: till, path: docs}
devices:
  disk: {host: bk1, path: devices/disk}
  nas: {host: bk2, path: devices/nas}
state: state
";

/// The folder; removed at the end.
pub(crate) struct Site {
    pub folder: TempDir,
    // the application: as long as it is there, nobody else takes the log away
    application: rusqlite::Connection,
}

impl Site {
    /// A new site with claimed devices and some rows.
    pub(crate) fn new() -> Self {
        Self::of(PLAN, INVENTORY)
    }

    /// As [`Site::new`], with another plan and inventory of the same services.
    pub(crate) fn of(plan: &str, inventory: &str) -> Self {
        let folder = tempfile::tempdir().expect("folder");
        for name in ["data", "docs/sub", "devices/disk", "devices/nas"] {
            std::fs::create_dir_all(folder.path().join(name)).expect("folder");
        }
        let application = rusqlite::Connection::open(folder.path().join("data/shop.db"));
        let site = Self {
            application: application.expect("open"),
            folder,
        };
        std::fs::write(site.path("shop.plan"), plan).expect("plan");
        std::fs::write(site.path("inventory.yaml"), inventory).expect("inventory");
        std::fs::write(site.path("docs/a.txt"), "a".repeat(3_000)).expect("file");
        std::fs::write(site.path("docs/sub/b.txt"), "b").expect("file");
        site.sql(
            "PRAGMA journal_mode = wal; PRAGMA wal_autocheckpoint = 0; CREATE TABLE t (id INTEGER PRIMARY KEY, x TEXT);
            INSERT INTO t (x) VALUES ('one'), ('two'), ('three');",
        );
        site.good("device init --all");
        site
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Runs statements on the live database.
    pub(crate) fn sql(&self, text: &str) {
        self.application.execute_batch(text).expect("statements");
    }

    pub(crate) fn command(&self, line: &str) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_planc"));
        command
            .args(line.split(' '))
            .current_dir(self.folder.path())
            .env("NO_COLOR", "1")
            .stdin(Stdio::null());
        command
    }

    /// The command behind a program that starts it.
    pub(crate) fn wrapped(&self, program: &[&str], line: &str) -> Command {
        let inner = self.command(line);
        let mut command = Command::new(program[0]);
        command
            .args(&program[1..])
            .arg(inner.get_program())
            .args(inner.get_args())
            .current_dir(self.folder.path())
            .env("NO_COLOR", "1")
            .stdin(Stdio::null());
        command
    }

    /// The command as one who may not write everywhere: the superuser without that right is a user
    /// like any other.
    pub(crate) fn as_a_user(&self, line: &str) -> Command {
        if rustix::process::geteuid().is_root() {
            return self.wrapped(&["setpriv", "--bounding-set=-dac_override"], line);
        }
        self.command(line)
    }

    /// How many runs the state folder knows.
    pub(crate) fn runs(&self) -> usize {
        let runs = std::fs::read_dir(self.path("state/shop@test/runs"));
        runs.map_or(0, Iterator::count)
    }

    /// Records of all journals.
    pub(crate) fn journal_records(&self) -> usize {
        let journals = self.journals().into_iter().filter_map(|(_, path)| {
            let text = std::fs::read(path).ok()?;
            Some(text.split(|byte| *byte == b'\n').count() - 1)
        });
        journals.sum()
    }

    /// Removes the journal that was written last.
    pub(crate) fn remove_newest_journal(&self) {
        let newest = self.journals().pop().expect("a journal");
        std::fs::remove_file(newest.1).expect("removed");
    }

    fn journals(&self) -> Vec<(std::time::SystemTime, PathBuf)> {
        let runs = std::fs::read_dir(self.path("state/shop@test/runs"));
        let entries = runs.into_iter().flatten();
        let journals = entries.filter_map(|entry| {
            let path = entry.ok()?.path().join("journal");
            let at = std::fs::metadata(&path).and_then(|data| data.modified());
            Some((at.ok()?, path))
        });
        let mut journals: Vec<_> = journals.collect();
        journals.sort();
        journals
    }

    /// How many staging folders lie about.
    pub(crate) fn leftovers(&self) -> usize {
        let names = std::fs::read_dir(self.folder.path()).expect("list");
        let staging = names.filter(|entry| {
            let name = entry.as_ref().expect("entry").file_name();
            name.to_string_lossy().contains("planc-staging")
        });
        staging.count()
    }

    pub(crate) fn planc(&self, line: &str) -> Output {
        self.command(line).output().expect("planc starts")
    }

    /// Runs a command that must succeed; returns what it printed.
    pub(crate) fn good(&self, line: &str) -> String {
        self.ends(line, 0)
    }

    /// Runs a command that must end with this code; returns both outputs.
    pub(crate) fn ends(&self, line: &str, code: i32) -> String {
        let output = self.planc(line);
        let text = String::from_utf8_lossy(&output.stdout).into_owned()
            + &String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(code), "planc {line}: {text}");
        text
    }

    /// Keeps state and devices as they are now; the sources stay where they are, because a copied
    /// source is another source.
    pub(crate) fn keep(&self) -> TempDir {
        let kept = tempfile::tempdir().expect("folder");
        for name in ["state", "devices"] {
            copy(&self.path(name), &kept.path().join(name));
        }
        kept
    }

    /// Puts state and devices back.
    pub(crate) fn put_back(&self, kept: &TempDir) {
        for name in ["state", "devices"] {
            std::fs::remove_dir_all(self.path(name)).expect("removed");
            copy(&kept.path().join(name), &self.path(name));
        }
    }
}

/// Waits until every file there is can be told from one that changes later: whether it could when
/// it was copied is part of a copy.
pub(crate) fn settle() {
    std::thread::sleep(std::time::Duration::from_millis(3_100));
}

fn copy(from: &Path, to: &Path) {
    let status = Command::new("cp").arg("-a").arg(from).arg(to).status();
    assert!(status.expect("cp starts").success());
}

/// Rows of the table in a database file.
pub(crate) fn rows(path: &Path) -> Vec<(i64, String)> {
    let flags = rusqlite::OpenFlags::SQLITE_OPEN_READ_ONLY;
    let database = rusqlite::Connection::open_with_flags(path, flags).expect("open");
    let mut query = database
        .prepare("SELECT id, x FROM t ORDER BY id")
        .expect("query");
    let rows = query.query_map([], |row| Ok((row.get(0)?, row.get(1)?)));
    rows.expect("rows").map(|row| row.expect("row")).collect()
}
