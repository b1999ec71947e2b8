//! A writer that never pauses long, others that checkpoint as they like, and planc between them:
//! every transaction of the ledger can be restored, and none is lost in silence.

use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use planc::engine::memory::MemoryLog;
use planc::facts::holdings::Position;
use planc::graph::step::RecoveryTarget;
use proptest::prelude::*;

use crate::engines::support::{Database, archive, connect, full, notes, restore};

const MODES: [&str; 4] = ["PASSIVE", "FULL", "RESTART", "TRUNCATE"];

/// What transaction `number` writes; transactions differ in length.
fn note(seed: u64, number: u64) -> String {
    let hash = blake3::hash(&[seed.to_le_bytes(), number.to_le_bytes()].concat());
    let length = 1 + usize::from(hash.as_bytes()[0]) % 40;
    hash.to_hex().repeat(length)
}

/// Commits one transaction after the other; the ledger is their number.
fn write(path: &Path, seed: u64, transactions: u64) {
    let writer = connect(path);
    writer
        .execute_batch("PRAGMA synchronous=OFF; PRAGMA wal_autocheckpoint=20;")
        .unwrap();
    for number in 0..transactions {
        writer
            .execute("INSERT INTO ledger(note) VALUES(?1)", [note(seed, number)])
            .unwrap();
        std::thread::sleep(Duration::from_micros(300));
    }
}

/// Opens connections, checkpoints in one mode or the other, and closes them again.
fn disturb(path: &Path, seed: u64, stop: &AtomicBool) {
    for round in 0_u64.. {
        if stop.load(Ordering::Relaxed) {
            return;
        }
        let hash = blake3::hash(&[seed.to_le_bytes(), round.to_le_bytes()].concat());
        let mode = MODES[usize::from(hash.as_bytes()[0]) % MODES.len()];
        let other = connect(path);
        other.busy_timeout(Duration::from_millis(1)).unwrap();
        let _ = other.execute_batch(&format!("PRAGMA wal_checkpoint({mode})"));
        std::thread::sleep(Duration::from_micros(u64::from(hash.as_bytes()[1]) * 20));
    }
}

fn weather(seed: u64, limit: u64, transactions: u64, picks: &[prop::sample::Index]) {
    let database = Database::with("PRAGMA journal_mode=WAL; PRAGMA synchronous=OFF;");
    let engine = database.engine().with_checkpoint_at(limit);
    let copy = full(&engine, 0);
    let mut log = MemoryLog::default();
    let stop = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let writer = scope.spawn(|| write(&database.path, seed, transactions));
        let other = scope.spawn(|| disturb(&database.path, seed, &stop));
        let mut now = 0;
        while !writer.is_finished() {
            now += 1;
            assert_eq!(archive(&engine, now, &mut log).broken, None);
        }
        stop.store(true, Ordering::Relaxed);
        writer.join().unwrap();
        other.join().unwrap();
    });
    let start = copy.1.until.clone().unwrap();
    let end = archive(&engine, 1_000_000, &mut log);
    assert_eq!(end.broken, None);
    assert_eq!(end.position.unwrap().value, start.value + transactions);
    for pick in picks {
        let count = pick.index(usize::try_from(transactions).unwrap()) as u64 + 1;
        let until = RecoveryTarget::Transaction(Position {
            value: start.value + count,
            ..start.clone()
        });
        let (_folder, session) = restore(&engine, &copy, &log.ranges, &until).unwrap();
        let ledger: Vec<String> = (0..count).map(|number| note(seed, number)).collect();
        assert!(notes(&engine, &session.result()) == ledger, "after {count}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 6, ..ProptestConfig::default() })]

    #[test]
    fn nothing_is_lost_whatever_others_do(
        seed in any::<u64>(),
        limit in prop_oneof![Just(1), Just(100_000), Just(u64::MAX)],
        transactions in 50..400_u64,
        picks in prop::collection::vec(any::<prop::sample::Index>(), 1..4),
    ) {
        weather(seed, limit, transactions, &picks);
    }
}
