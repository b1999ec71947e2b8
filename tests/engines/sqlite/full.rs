//! Hot full copies, what is refused, and questions to the result.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use planc::engine::memory::MemoryPart;
use planc::engine::{Engine, EngineError, Retry};
use planc::facts::holdings::Method;
use planc::graph::step::RecoveryTarget;
use planc::resolve::plan::EngineKind;

use crate::engines::support::{Database, at, connect, full, notes, restore, spec};

#[test]
fn a_full_holds_everything_and_needs_no_log() {
    let database = Database::new();
    for number in 0..50 {
        database.add(&format!("row {number}"));
    }
    let engine = database.engine();
    let copy = full(&engine, 0);
    assert_eq!(copy.0.entries.len(), 1);
    let (_folder, session) = restore(&engine, &copy, &[], &RecoveryTarget::Backup).unwrap();
    assert_eq!(notes(&engine, &session.result()).len(), 50);
    let beside: Vec<_> = std::fs::read_dir(session.result().parent().unwrap())
        .unwrap()
        .collect();
    assert_eq!(beside.len(), 1, "{beside:?}");
    let state: Vec<_> = std::fs::read_dir(database.folder.path().join("state"))
        .unwrap()
        .collect();
    assert!(
        state
            .iter()
            .flatten()
            .all(|one| !one.file_name().to_string_lossy().contains("copy"))
    );
}

/// Writes pairs of rows that only together are consistent, until told to stop; answers how many
/// pairs and the longest time that one commit took.
fn busy_writer(
    path: std::path::PathBuf,
    stop: Arc<AtomicBool>,
) -> std::thread::JoinHandle<(u64, Duration)> {
    std::thread::spawn(move || {
        let connection = connect(&path);
        // the time of a sync is not what is measured
        connection.execute_batch("PRAGMA synchronous=OFF").unwrap();
        let mut longest = Duration::ZERO;
        let mut pairs = 0;
        while !stop.load(Ordering::Relaxed) {
            let began = Instant::now();
            connection
                .execute_batch(
                    "BEGIN IMMEDIATE; INSERT INTO ledger(note) VALUES('debit');
                     INSERT INTO ledger(note) VALUES('credit'); COMMIT;",
                )
                .unwrap();
            longest = longest.max(began.elapsed());
            pairs += 1;
            std::thread::sleep(Duration::from_millis(2));
        }
        (pairs, longest)
    })
}

fn copies_under_load(database: &Database) {
    database
        .writer
        .execute_batch("CREATE TABLE ballast(x); INSERT INTO ballast VALUES(zeroblob(6000000));")
        .unwrap();
    let stop = Arc::new(AtomicBool::new(false));
    let writer = busy_writer(database.path.clone(), stop.clone());
    let engine = database.engine();
    let mut counts = Vec::new();
    for _ in 0..3 {
        std::thread::sleep(Duration::from_millis(60));
        let copy = full(&engine, 0);
        let (_folder, session) = restore(&engine, &copy, &[], &RecoveryTarget::Backup).unwrap();
        let sql = "SELECT sum(note='debit'), sum(note='credit') FROM ledger";
        let row = engine.query(&session.result(), sql).unwrap().remove(0);
        assert_eq!(row[0], row[1]);
        counts.push(row[0].as_ref().unwrap().parse::<u64>().unwrap());
    }
    stop.store(true, Ordering::Relaxed);
    let (pairs, longest) = writer.join().unwrap();
    assert!(counts.is_sorted() && counts[0] < counts[2], "{counts:?}");
    assert!(counts[2] <= pairs);
    assert!(
        longest < Duration::from_secs(10),
        "a writer waited {longest:?}"
    );
}

#[test]
fn a_busy_database_in_wal_mode_is_copied_consistently() {
    copies_under_load(&Database::new());
}

#[test]
fn a_busy_database_in_rollback_mode_is_copied_consistently() {
    copies_under_load(&Database::with(
        "PRAGMA journal_mode=DELETE; PRAGMA synchronous=OFF;",
    ));
}

#[test]
fn a_dropped_session_leaves_nothing_behind() {
    let database = Database::new();
    let engine = database.engine();
    let session = engine.begin("c", Method::PhysicalFull, at(0)).unwrap();
    drop(session);
    drop(engine);
    database.add("more");
    // nobody reads any more, so the log can be emptied
    let busy: i64 = database
        .writer
        .query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |row| row.get(0))
        .unwrap();
    assert_eq!(busy, 0);
}

#[test]
fn a_damaged_database_is_not_committed() {
    let database = Database::with("PRAGMA page_size=1024; PRAGMA journal_mode=DELETE;");
    for number in 0..200 {
        database.add(&format!("row {number} {}", "x".repeat(100)));
    }
    let path = database.path.clone();
    drop(database.writer);
    let mut bytes = std::fs::read(&path).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle..middle + 1024].fill(0xA5);
    std::fs::write(&path, bytes).unwrap();
    let state = database.folder.path().join("state");
    let engine = planc::engine::open(&spec(EngineKind::Sqlite, &path, &state)).unwrap();
    let mut session = engine.begin("c", Method::PhysicalFull, at(0)).unwrap();
    let error = session.copy(&mut MemoryPart::default()).unwrap_err();
    assert!(matches!(error, EngineError::Damaged { .. }), "{error}");
}

#[test]
fn what_is_no_database_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("text.db");
    std::fs::write(&path, "this is a letter, not a database".repeat(100)).unwrap();
    let engine = planc::engine::open(&spec(EngineKind::Sqlite, &path, folder.path())).unwrap();
    let error = engine.identity().unwrap_err();
    assert!(matches!(error, EngineError::NotASource { .. }), "{error}");
    assert!(error.to_string().contains("text.db"));
    let absent = folder.path().join("absent.db");
    let engine = planc::engine::open(&spec(EngineKind::Sqlite, &absent, folder.path())).unwrap();
    assert!(matches!(engine.identity(), Err(EngineError::Io { .. })));
    assert!(!absent.exists());
    let engine = planc::engine::open(&spec(EngineKind::Sqlite, folder.path(), &absent)).unwrap();
    assert!(matches!(
        engine.identity(),
        Err(EngineError::NotASource { .. })
    ));
}

#[test]
fn a_locked_database_is_busy_and_may_be_tried_again() {
    let database = Database::with("PRAGMA journal_mode=WAL; PRAGMA locking_mode=EXCLUSIVE;");
    database.add("held");
    let error = database.engine().identity().unwrap_err();
    assert!(matches!(error, EngineError::Busy { .. }), "{error}");
    assert_eq!(error.retry(), Retry::Later);
}

#[test]
fn live_and_used_targets_are_refused() {
    let database = Database::new();
    let engine = database.engine();
    let folder = tempfile::tempdir().unwrap();
    let refused = |path: &std::path::Path| engine.check_target(path).unwrap_err().to_string();
    assert!(refused(&database.path).contains("live source"));
    assert!(refused(&database.path.with_extension("db-wal")).contains("live source"));
    let used = folder.path().join("used.db");
    std::fs::write(&used, "content").unwrap();
    assert!(refused(&used).contains("exists"));
    assert!(refused(folder.path()).contains("folder"));
    std::fs::write(folder.path().join("gone.db-wal"), "").unwrap();
    assert!(refused(&folder.path().join("gone.db")).contains("in use"));
    engine.check_target(&folder.path().join("new.db")).unwrap();
}

#[test]
fn questions_change_nothing() {
    let database = Database::new();
    database.add("one");
    let engine = database.engine();
    let copy = full(&engine, 0);
    let (_folder, session) = restore(&engine, &copy, &[], &RecoveryTarget::Backup).unwrap();
    let path = session.result();
    let before = std::fs::read(&path).unwrap();
    let rows = engine.query(&path, "SELECT NULL, 1, 'a', x'0A'").unwrap();
    let text = |text: &str| Some(text.to_owned());
    assert_eq!(rows, [[None, text("1"), text("a"), text("0A")]]);
    for sql in [
        "DELETE FROM ledger",
        "ATTACH '/tmp/x' AS x",
        "CREATE TABLE y(z)",
        "nonsense",
    ] {
        assert!(engine.query(&path, sql).is_err(), "{sql}");
    }
    assert_eq!(std::fs::read(&path).unwrap(), before);
}
