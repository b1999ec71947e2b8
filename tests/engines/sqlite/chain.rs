//! The log archive: what is shipped, restored, and recognised as broken.

use planc::engine::Engine;
use planc::engine::memory::MemoryLog;
use planc::graph::step::RecoveryTarget;

use crate::engines::support::{Database, archive, full, notes, restore};

#[test]
fn a_full_and_the_log_give_the_newest_state() {
    let database = Database::new();
    database.add("before");
    let engine = database.engine();
    let copy = full(&engine, 0);
    let mut log = MemoryLog::default();
    database.add("one");
    database.add("two");
    let archived = archive(&engine, 5, &mut log);
    assert_eq!(archived.transactions, 2);
    assert_eq!(archived.broken, None);
    let latest = RecoveryTarget::Latest;
    let (_folder, session) = restore(&engine, &copy, &log.ranges, &latest).unwrap();
    assert_eq!(notes(&engine, &session.result()), ["before", "one", "two"]);
    assert_eq!(session.position(), archived.position);
    assert_eq!(archive(&engine, 6, &mut log).transactions, 0);
}
