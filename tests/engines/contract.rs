//! The contract suite, run for every engine and the fake.

use std::path::{Path, PathBuf};

use planc::engine::contract::{Subject, hold};
use planc::engine::fake::{Call, FakeEngine, Script};
use planc::engine::memory::MemoryPart;
use planc::engine::sqlite::SqliteEngine;
use planc::engine::{Engine, Retry};
use planc::facts::holdings::Method;
use planc::resolve::plan::EngineKind;

use super::support::{Database, at, notes, spec};
use super::trees::picture;

struct Sqlite(Database, SqliteEngine);

impl Subject for Sqlite {
    fn engine(&self) -> &dyn Engine {
        &self.1
    }
    fn change(&mut self) {
        self.0.add("a change");
    }
    fn live(&self) -> String {
        let count = "SELECT count(*) FROM ledger";
        let rows: u32 = self
            .0
            .writer
            .query_row(count, [], |row| row.get(0))
            .unwrap();
        format!("{:?}", vec!["a change"; rows as usize])
    }
    fn restored(&self, path: &Path) -> String {
        format!("{:?}", notes(&self.1, path))
    }
    fn place(&self) -> PathBuf {
        self.0.path.clone()
    }
}

struct Tree(tempfile::TempDir, Box<dyn Engine>, u32);

impl Subject for Tree {
    fn engine(&self) -> &dyn Engine {
        self.1.as_ref()
    }
    fn change(&mut self) {
        self.2 += 1;
        std::fs::write(self.place().join(format!("file-{}", self.2)), "content").unwrap();
    }
    fn live(&self) -> String {
        picture(&self.place())
    }
    fn restored(&self, path: &Path) -> String {
        picture(path)
    }
    fn place(&self) -> PathBuf {
        self.0.path().join("data")
    }
}

struct Fake(FakeEngine, u32);

impl Subject for Fake {
    fn engine(&self) -> &dyn Engine {
        &self.0
    }
    fn change(&mut self) {
        self.1 += 1;
        self.0.commit(&format!("key {}", self.1), "value");
    }
    fn live(&self) -> String {
        serde_json::to_string(&self.0.table()).unwrap()
    }
    fn restored(&self, path: &Path) -> String {
        std::fs::read_to_string(path).unwrap()
    }
    fn place(&self) -> PathBuf {
        PathBuf::from("/nowhere/fake.db")
    }
}

fn holds(subject: &mut dyn Subject) {
    let scratch = tempfile::tempdir().unwrap();
    hold(subject, scratch.path()).unwrap();
}

#[test]
fn sqlite_holds_the_contract() {
    let database = Database::new();
    let engine = database.engine();
    holds(&mut Sqlite(database, engine));
}

#[test]
fn files_hold_the_contract() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path().join("data");
    std::fs::create_dir(&root).unwrap();
    let engine = spec(EngineKind::Files, &root, &folder.path().join("state"));
    holds(&mut Tree(folder, planc::engine::open(&engine).unwrap(), 0));
}

#[test]
fn the_fake_holds_the_contract() {
    holds(&mut Fake(
        FakeEngine::new(Path::new("/nowhere/fake.db"), Script::default()),
        0,
    ));
}

#[test]
fn the_fake_fails_as_told_and_hides_changes_made_while_it_is_read() {
    let script = Script {
        failures: vec![
            (Call::Copy, 1, Retry::Later),
            (Call::Begin, 3, Retry::Never),
        ],
        change_while_reading: Some(("late".to_owned(), "x".to_owned())),
        ..Script::default()
    };
    let fake = FakeEngine::new(Path::new("/nowhere/fake.db"), script);
    let begin = || fake.begin("c", Method::PhysicalFull, at(0));
    let mut session = begin().unwrap();
    let error = session.copy(&mut MemoryPart::default()).unwrap_err();
    assert_eq!(error.retry(), Retry::Later);
    assert_eq!(fake.open_sessions(), 1);
    drop(session);
    assert_eq!(fake.open_sessions(), 0);
    let mut session = begin().unwrap();
    let mut part = MemoryPart::default();
    session.copy(&mut part).unwrap();
    session.end().unwrap();
    assert_eq!(part.find("main.db").unwrap().pieces[0].1, b"{}");
    assert_eq!(fake.table().len(), 1);
    assert_eq!(begin().err().unwrap().retry(), Retry::Never);
}
