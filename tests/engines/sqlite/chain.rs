//! The log archive: what is shipped, restored, and recognised as broken.

use planc::engine::memory::MemoryLog;
use planc::engine::{Engine, EngineError, LogRange, LogSink};
use planc::facts::holdings::Position;
use planc::graph::step::RecoveryTarget;

use crate::engines::support::{Database, archive, at, connect, full, notes, restore};

#[test]
fn a_full_and_the_log_give_every_state() {
    let database = Database::new();
    database.add("before");
    let engine = database.engine();
    let copy = full(&engine, 0);
    let mut log = MemoryLog::default();
    for (round, pair) in [["one", "two"], ["three", "four"]].iter().enumerate() {
        for note in pair {
            database.add(note);
        }
        let now = 5 * (i64::try_from(round).unwrap() + 1);
        assert_eq!(archive(&engine, now, &mut log).transactions, 2);
    }
    let start = copy.1.until.clone().unwrap();
    let place = |value: u64| Position {
        value: start.value + value,
        ..start.clone()
    };
    let all = ["before", "one", "two", "three", "four"];
    for (until, wanted) in [
        (RecoveryTarget::Latest, 5),
        (RecoveryTarget::Backup, 1),
        (RecoveryTarget::Instant(at(5)), 3),
        (RecoveryTarget::Instant(at(4)), 1),
        (RecoveryTarget::Transaction(place(1)), 2),
        (RecoveryTarget::Transaction(place(4)), 5),
        (RecoveryTarget::Before(place(4)), 4),
        (RecoveryTarget::Before(place(1)), 1),
    ] {
        let (_folder, session) = restore(&engine, &copy, &log.ranges, &until).unwrap();
        assert_eq!(
            notes(&engine, &session.result()),
            all[..wanted],
            "{until:?}"
        );
    }
    for beyond in [
        RecoveryTarget::Transaction(place(5)),
        RecoveryTarget::Instant(at(10)),
    ] {
        let error = restore(&engine, &copy, &log.ranges, &beyond).err().unwrap();
        assert!(matches!(error, EngineError::NotReached(_)), "{error}");
    }
    let gap = restore(&engine, &copy, &log.ranges[1..], &RecoveryTarget::Latest);
    assert!(matches!(
        gap.err().unwrap(),
        EngineError::ChainBroken { .. }
    ));
    assert_eq!(engine.inspect(&log.ranges[0]).unwrap().len(), 2);
}

/// A chain with a full, one archived transaction, and the engine closed again.
fn closed_chain(database: &Database) -> MemoryLog {
    let engine = database.engine();
    full(&engine, 0);
    let mut log = MemoryLog::default();
    database.add("archived");
    assert_eq!(archive(&engine, 1, &mut log).broken, None);
    log
}

/// The next process finds the chain broken for this reason, until a full was taken.
fn is_broken(database: &Database, mut log: MemoryLog, reason: &str) {
    let engine = database.engine();
    for now in [10, 11] {
        let broken = archive(&engine, now, &mut log).broken.unwrap();
        assert!(broken.contains(reason), "{broken}");
    }
    let copy = full(&engine, 12);
    database.add("new life");
    assert_eq!(archive(&engine, 13, &mut log).broken, None);
    let fresh: Vec<LogRange> = log.ranges.split_off(1);
    let latest = RecoveryTarget::Latest;
    let (_folder, session) = restore(&engine, &copy, &fresh, &latest).unwrap();
    assert_eq!(
        notes(&engine, &session.result()).last().unwrap(),
        "new life"
    );
}

#[test]
fn another_process_goes_on_where_the_last_one_stopped() {
    let database = Database::new();
    let mut log = closed_chain(&database);
    database.add("between");
    let archived = archive(&database.engine(), 2, &mut log);
    assert_eq!((archived.transactions, archived.broken), (1, None));
    assert_eq!(log.ranges[0].until, log.ranges[1].from);
}

#[test]
fn a_foreign_truncation_breaks_the_chain() {
    let database = Database::new();
    let log = closed_chain(&database);
    database.add("lost");
    database
        .writer
        .execute_batch("PRAGMA wal_checkpoint(TRUNCATE)")
        .unwrap();
    is_broken(&database, log, "is gone");
}

#[test]
fn a_foreign_restart_breaks_the_chain() {
    let database = Database::new();
    let log = closed_chain(&database);
    database
        .writer
        .execute_batch("PRAGMA wal_checkpoint(RESTART)")
        .unwrap();
    database.add("in a new generation");
    is_broken(&database, log, "somebody else checkpointed");
}

#[test]
fn a_round_trip_through_another_journal_mode_breaks_the_chain() {
    let database = Database::new();
    let log = closed_chain(&database);
    database
        .writer
        .execute_batch("PRAGMA journal_mode=DELETE")
        .unwrap();
    database.add("unlogged");
    database
        .writer
        .execute_batch("PRAGMA journal_mode=WAL")
        .unwrap();
    database.add("logged");
    is_broken(&database, log, "somebody else checkpointed");
}

#[test]
fn leaving_wal_mode_is_said() {
    let database = Database::new();
    let mut log = closed_chain(&database);
    database
        .writer
        .execute_batch("PRAGMA journal_mode=DELETE")
        .unwrap();
    let engine = database.engine();
    let archived = archive(&engine, 5, &mut log);
    assert!(archived.broken.unwrap().contains("journal mode"));
    assert_eq!(archived.position, None);
    let error = engine.archive(None, at(6), &mut log).unwrap_err();
    assert!(error.to_string().contains("journal_mode=WAL"), "{error}");
}

#[test]
fn a_replaced_file_is_another_source() {
    let mut database = Database::new();
    let log = closed_chain(&database);
    let before = database.engine().identity().unwrap();
    let other = database.path.with_extension("other");
    let writer = connect(&other);
    writer
        .execute_batch(
            "PRAGMA journal_mode=WAL; CREATE TABLE ledger(id INTEGER PRIMARY KEY, note TEXT);
             INSERT INTO ledger(note) VALUES('foreign');",
        )
        .unwrap();
    drop(writer);
    database.writer = connect(&other);
    let _ = std::fs::remove_file(database.path.with_extension("db-wal"));
    std::fs::rename(&other, &database.path).unwrap();
    database.writer = connect(&database.path);
    assert_ne!(database.engine().identity().unwrap(), before);
    is_broken(&database, log, "replaced");
}

#[test]
fn lost_or_damaged_records_break_the_chain() {
    let database = Database::new();
    let log = closed_chain(&database);
    let record = database.folder.path().join("state/log.json");
    std::fs::write(&record, "nonsense").unwrap();
    is_broken(&database, log, "damaged");
    let database = Database::new();
    let log = closed_chain(&database);
    std::fs::remove_file(database.folder.path().join("state/log.json")).unwrap();
    is_broken(&database, log, "missing");
}

#[test]
fn copies_that_lost_log_break_the_chain() {
    let database = Database::new();
    let mut log = closed_chain(&database);
    database.add("second");
    archive(&database.engine(), 3, &mut log);
    let known = log.ranges[0].until.clone();
    let answer = database
        .engine()
        .archive(Some(&known), at(4), &mut log)
        .unwrap();
    assert!(answer.broken.unwrap().contains("copies hold"));
}

/// A sink that takes the range and then fails, as a crash right after the store looks.
struct Stored<'a>(&'a mut MemoryLog);

impl LogSink for Stored<'_> {
    fn put(&mut self, range: LogRange) -> Result<(), EngineError> {
        self.0.put(range)?;
        Err(EngineError::Sink(planc::media::DeviceError::Cancelled))
    }
}

#[test]
fn a_range_that_was_stored_twice_is_the_same() {
    let database = Database::new();
    let mut log = closed_chain(&database);
    let after = log.ranges.last().map(|range| range.until.clone());
    database.add("second");
    let engine = database.engine();
    let stored = engine.archive(after.as_ref(), at(5), &mut Stored(&mut log));
    assert!(matches!(stored, Err(EngineError::Sink(_))));
    drop(engine);
    database.add("third");
    // the catalog knows the range or does not: both are the same crash
    for after in [after, log.ranges.last().map(|range| range.until.clone())] {
        let archived = database
            .engine()
            .archive(after.as_ref(), at(9), &mut log)
            .unwrap();
        assert_eq!(archived.broken, None);
        if archived.transactions > 0 {
            assert_eq!(archived.transactions, 2);
        }
        if log.ranges.len() == 3 {
            break;
        }
    }
    assert_eq!((log.ranges.len(), log.puts), (3, 4));
    assert_eq!(log.ranges[1].until, log.ranges[2].from);
}

#[test]
fn a_kept_engine_survives_foreign_checkpoints_and_empties_the_log_itself() {
    let database = Database::with("PRAGMA journal_mode=WAL; PRAGMA wal_autocheckpoint=2;");
    let engine = database.engine().with_checkpoint_at(20_000);
    let copy = full(&engine, 0);
    let mut log = MemoryLog::default();
    let mut emptied = 0;
    for number in 0..60 {
        database.add(&format!("row {number}"));
        if number % 7 == 0 {
            let mode = ["PASSIVE", "FULL"][number % 2];
            let other = rusqlite::Connection::open(&database.path).unwrap();
            let _ = other.execute_batch(&format!("PRAGMA wal_checkpoint({mode})"));
        }
        if number % 3 == 0 {
            let now = i64::try_from(number).unwrap();
            assert_eq!(archive(&engine, now, &mut log).broken, None, "row {number}");
        }
        let length = std::fs::metadata(database.path.with_extension("db-wal"))
            .unwrap()
            .len();
        emptied += u32::from(length == 0);
        assert!(length < 60_000, "the log grew to {length}");
    }
    archive(&engine, 99, &mut log);
    assert!(emptied > 0);
    let latest = RecoveryTarget::Latest;
    let (_folder, session) = restore(&engine, &copy, &log.ranges, &latest).unwrap();
    assert_eq!(notes(&engine, &session.result()).len(), 60);
}

#[test]
fn planc_leaves_the_log_of_a_closed_application() {
    let database = Database::new();
    let mut log = closed_chain(&database);
    let engine = database.engine();
    archive(&engine, 2, &mut log);
    database.add("last words");
    let Database {
        writer,
        folder,
        path,
    } = database;
    drop(writer);
    let after = log.ranges.last().map(|range| range.until.clone());
    let archived = engine.archive(after.as_ref(), at(3), &mut log).unwrap();
    assert_eq!((archived.transactions, archived.broken), (1, None));
    drop(engine);
    assert!(path.with_extension("db-wal").exists());
    drop(folder);
}

#[test]
fn a_log_that_planc_emptied_goes_on_in_the_next_process() {
    let database = Database::new();
    let engine = database.engine().with_checkpoint_at(1);
    let copy = full(&engine, 0);
    let mut log = MemoryLog::default();
    database.add("first");
    archive(&engine, 1, &mut log);
    let length = std::fs::metadata(database.path.with_extension("db-wal")).unwrap();
    assert_eq!(length.len(), 0);
    drop(engine);
    assert_eq!(archive(&database.engine(), 2, &mut log).broken, None);
    database.add("second");
    let engine = database.engine();
    assert_eq!(archive(&engine, 3, &mut log).broken, None);
    let latest = RecoveryTarget::Latest;
    let (_folder, session) = restore(&engine, &copy, &log.ranges, &latest).unwrap();
    assert_eq!(notes(&engine, &session.result()), ["first", "second"]);
}

#[test]
fn an_emptied_log_that_others_wrote_and_checkpointed_is_broken() {
    let database = Database::new();
    let engine = database.engine().with_checkpoint_at(1);
    full(&engine, 0);
    let mut log = MemoryLog::default();
    database.add("first");
    archive(&engine, 1, &mut log);
    drop(engine);
    database.add("lost");
    database
        .writer
        .execute_batch("PRAGMA wal_checkpoint(TRUNCATE)")
        .unwrap();
    is_broken(&database, log, "was written since");
}

#[test]
fn a_full_does_not_hide_what_was_checkpointed_after_the_log_was_emptied() {
    let database = Database::new();
    let engine = database.engine().with_checkpoint_at(1);
    full(&engine, 0);
    let mut log = MemoryLog::default();
    database.add("first");
    archive(&engine, 1, &mut log);
    drop(engine);
    let engine = database.engine();
    database.add("never archived");
    let checkpoint = |mode: &str| {
        let sql = format!("PRAGMA wal_checkpoint({mode})");
        let _ = database.writer.execute_batch(&sql);
    };
    full(&engine, 2);
    checkpoint("FULL");
    std::thread::sleep(std::time::Duration::from_millis(100));
    full(&engine, 3);
    drop(engine);
    checkpoint("RESTART");
    database.add("over it");
    is_broken(&database, log, "");
}

#[test]
fn a_checkpointed_log_is_taken_out_before_it_can_be_overwritten() {
    let database = Database::new();
    let mut log = closed_chain(&database);
    database.add("second");
    database
        .writer
        .execute_batch("PRAGMA wal_checkpoint(FULL)")
        .unwrap();
    // the anchor of this full cannot keep a writer from beginning the log anew
    let engine = database.engine();
    full(&engine, 2);
    database.add("third");
    let archived = archive(&engine, 3, &mut log);
    assert_eq!((archived.transactions, archived.broken), (2, None));
}

#[test]
fn a_foreign_truncation_while_planc_watches_loses_nothing() {
    let database = Database::new();
    let engine = database.engine().with_checkpoint_at(1);
    let copy = full(&engine, 0);
    let mut log = MemoryLog::default();
    for number in 0..6 {
        database.add(&format!("row {number}"));
        let other = connect(&database.path);
        other.busy_timeout(std::time::Duration::ZERO).unwrap();
        for mode in ["RESTART", "TRUNCATE", "FULL"] {
            let _ = other.execute_batch(&format!("PRAGMA wal_checkpoint({mode})"));
        }
        assert_eq!(archive(&engine, number, &mut log).broken, None, "{number}");
    }
    let latest = RecoveryTarget::Latest;
    let (_folder, session) = restore(&engine, &copy, &log.ranges, &latest).unwrap();
    assert_eq!(notes(&engine, &session.result()).len(), 6);
}

/// A sink during whose every call another transaction is committed.
struct Busy<'a>(&'a Database, MemoryLog);

impl LogSink for Busy<'_> {
    fn put(&mut self, range: LogRange) -> Result<(), EngineError> {
        assert!(self.1.puts < 10, "the call does not end");
        self.0.add("while it is stored");
        self.1.put(range)
    }
}

#[test]
fn one_call_ships_few_ranges_and_ends_while_the_writer_goes_on() {
    for limit in [u64::MAX, 1] {
        let database = Database::new();
        let engine = database.engine().with_checkpoint_at(limit);
        full(&engine, 0);
        let mut sink = Busy(&database, MemoryLog::default());
        let mut after = archive(&engine, 1, &mut sink.1).position;
        let mut puts = sink.1.puts;
        for now in 2..5 {
            for _ in 0..50 {
                database.add("before the call");
            }
            let archived = engine.archive(after.as_ref(), at(now), &mut sink).unwrap();
            assert_eq!(archived.broken, None);
            assert!(archived.transactions >= 50);
            assert!(sink.1.puts - puts <= 2, "{} ranges", sink.1.puts - puts);
            (after, puts) = (archived.position, sink.1.puts);
        }
    }
}
