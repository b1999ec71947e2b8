//! Tests of the log parser against files that the library wrote, and against damaged ones.

use std::io::Cursor;

use proptest::prelude::*;
use rusqlite::Connection;

use super::connection::beside;
use super::wal::{Next, WalReader};

/// A log of four commits, the last of which shrinks nothing and adds pages.
fn real_log() -> Vec<u8> {
    let folder = tempfile::tempdir().expect("it works here");
    let path = folder.path().join("db");
    let connection = Connection::open(&path).expect("it works here");
    connection
        .execute_batch(
            "PRAGMA page_size=512; PRAGMA journal_mode=WAL; PRAGMA wal_autocheckpoint=0;
             CREATE TABLE t(x); INSERT INTO t VALUES(1); INSERT INTO t VALUES(2);
             INSERT INTO t VALUES(zeroblob(3000));",
        )
        .expect("it works here");
    std::fs::read(beside(&path, "-wal")).expect("it works here")
}

fn commits(bytes: &[u8]) -> Vec<(u32, usize)> {
    let Some(mut reader) = WalReader::open(Cursor::new(bytes)).expect("it works here") else {
        return Vec::new();
    };
    let mut found = Vec::new();
    while let Next::Commit(commit) = reader.next(Some(1 << 20)).expect("it works here") {
        found.push((commit.db_pages, commit.pages.len()));
    }
    found
}

#[test]
fn a_real_log_is_read_commit_by_commit() {
    let found = commits(&real_log());
    assert_eq!(found.len(), 4);
    assert!(found[3].0 > found[2].0, "{found:?}");
}

#[test]
fn every_truncation_gives_a_prefix() {
    let bytes = real_log();
    let whole = commits(&bytes);
    for length in 0..bytes.len() {
        let part = commits(&bytes[..length]);
        assert!(whole.starts_with(&part), "{length}");
        assert!(part.len() < whole.len(), "{length}");
    }
}

#[test]
fn resuming_needs_the_very_frame() {
    let bytes = real_log();
    let mut reader = WalReader::open(Cursor::new(&bytes))
        .expect("it works here")
        .expect("it works here");
    reader.next(None).expect("it works here");
    reader.next(None).expect("it works here");
    let mark = reader.mark();
    let mut again = WalReader::open(Cursor::new(&bytes))
        .expect("it works here")
        .expect("it works here");
    assert!(again.resume(mark).expect("it works here"));
    assert!(matches!(
        again.next(None).expect("it works here"),
        Next::Commit(_)
    ));
    let cut = &bytes[..usize::try_from(mark.offset()).expect("it works here") - 530];
    let mut short = WalReader::open(Cursor::new(cut))
        .expect("it works here")
        .expect("it works here");
    assert!(!short.resume(mark).expect("it works here"));
    let other = real_log();
    let mut other = WalReader::open(Cursor::new(&other))
        .expect("it works here")
        .expect("it works here");
    assert!(!other.resume(mark).expect("it works here"));
}

#[test]
fn a_transaction_over_the_limit_is_told() {
    let bytes = real_log();
    let mut reader = WalReader::open(Cursor::new(&bytes))
        .expect("it works here")
        .expect("it works here");
    assert_eq!(
        reader.next(Some(512)).expect("it works here"),
        Next::TooLarge
    );
}

proptest! {
    #[test]
    fn any_bytes_are_read_without_panic(bytes in prop::collection::vec(any::<u8>(), 0..4000)) {
        commits(&bytes);
    }

    #[test]
    fn a_flipped_bit_gives_a_prefix(at in any::<prop::sample::Index>(), bit in 0..8_u32) {
        let mut bytes = real_log();
        let whole = commits(&bytes);
        let at = at.index(bytes.len());
        bytes[at] ^= 1 << bit;
        let part = commits(&bytes);
        prop_assert!(whole.starts_with(&part));
        prop_assert!(part.len() < whole.len());
    }
}
