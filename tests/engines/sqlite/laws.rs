//! Laws: whatever happens between transactions, a restored state is exactly the state that was.

use planc::engine::EndedBackup;
use planc::engine::Engine;
use planc::engine::memory::{MemoryLog, MemoryPart};
use planc::facts::holdings::Position;
use planc::graph::step::RecoveryTarget;
use proptest::prelude::*;

use crate::engines::support::{Database, archive, full, restore};

#[derive(Debug, Clone, Copy)]
enum Act {
    Put(u8),
    Delete,
    Archive,
    Full,
    Foreign,
    Reopen,
}

fn acts() -> impl Strategy<Value = Vec<Act>> {
    let act = prop_oneof![
        6 => any::<u8>().prop_map(Act::Put),
        1 => Just(Act::Delete),
        3 => Just(Act::Archive),
        1 => Just(Act::Full),
        1 => Just(Act::Foreign),
        1 => Just(Act::Reopen),
    ];
    prop::collection::vec(act, 4..40)
}

fn content(rows: &[Vec<Option<String>>]) -> String {
    format!("{rows:?}")
}

const ALL: &str = "SELECT id, note FROM ledger ORDER BY id";

fn live(database: &Database) -> String {
    let mut statement = database.writer.prepare(ALL).unwrap();
    let row = |row: &rusqlite::Row<'_>| {
        let id: i64 = row.get(0)?;
        Ok(vec![Some(id.to_string()), row.get::<_, Option<String>>(1)?])
    };
    let rows: Vec<_> = statement
        .query_map([], row)
        .unwrap()
        .map(Result::unwrap)
        .collect();
    content(&rows)
}

/// States by position, as they were seen when they were committed.
#[derive(Default)]
struct Model {
    states: Vec<(Position, String)>,
    fulls: Vec<(MemoryPart, EndedBackup)>,
}

fn play(acts: &[Act]) {
    let database = Database::new();
    let limit = 30_000;
    let mut engine = database.engine().with_checkpoint_at(limit);
    let mut log = MemoryLog::default();
    let mut model = Model::default();
    model.fulls.push(full(&engine, 0));
    let mut at = model.fulls[0].1.until.clone().unwrap();
    model.states.push((at.clone(), live(&database)));
    for (act, now) in acts.iter().zip(1..) {
        match act {
            Act::Put(size) => database.add(&"x".repeat(usize::from(*size) * 20)),
            Act::Delete => {
                // an empty deletion commits nothing, so something is always there to delete
                database
                    .writer
                    .execute_batch(
                        "BEGIN; INSERT INTO ledger(note) VALUES('y');
                    DELETE FROM ledger WHERE id % 3 = 0; COMMIT;",
                    )
                    .unwrap();
            }
            Act::Archive => assert_eq!(archive(&engine, now, &mut log).broken, None),
            Act::Full => model.fulls.push(full(&engine, now)),
            Act::Foreign => {
                let _ = database
                    .writer
                    .execute_batch("PRAGMA wal_checkpoint(PASSIVE)");
            }
            Act::Reopen => {
                // what was not archived when nobody watches may be gone: somebody else may have
                // copied the log, and the next commit begins it anew
                assert_eq!(archive(&engine, now, &mut log).broken, None);
                drop(engine);
                engine = database.engine().with_checkpoint_at(limit);
                assert_eq!(archive(&engine, now, &mut log).broken, None);
            }
        }
        if matches!(act, Act::Put(_) | Act::Delete) {
            at.value += 1;
            model.states.push((at.clone(), live(&database)));
        }
    }
    assert_eq!(archive(&engine, 1000, &mut log).position, Some(at));
    verify(&engine, &model, &log);
}

fn verify(engine: &dyn Engine, model: &Model, log: &MemoryLog) {
    for copy in &model.fulls {
        let start = copy.1.until.clone().unwrap();
        let later: Vec<_> = model
            .states
            .iter()
            .filter(|state| state.0 >= start)
            .collect();
        let step = (later.len() / 3).max(1);
        for (position, wanted) in later.into_iter().step_by(step) {
            let until = RecoveryTarget::Transaction(position.clone());
            let (_folder, session) = restore(engine, copy, &log.ranges, &until).unwrap();
            let found = engine.query(&session.result(), ALL).unwrap();
            assert_eq!(&content(&found), wanted, "after {}", position.value);
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 12, ..ProptestConfig::default() })]

    #[test]
    fn every_state_that_was_committed_can_be_restored(acts in acts()) {
        play(&acts);
    }
}
