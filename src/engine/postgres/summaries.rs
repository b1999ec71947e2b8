//! Owns asking a server of version 17 or later which pages changed, from the summaries it keeps of
//! its own log (`summarize_wal`). Only summaries that cover the whole range count.

use std::ops::Range;
use std::time::{Duration, Instant};

use postgres::Client;

use super::PostgresSpec;
use super::changes::{ChangeSet, Relation};
use super::connect::refused;
use super::lsn::{Lsn, Timeline};
use crate::engine::EngineError;

/// How long the summarizer may lag behind.
const PATIENCE: Duration = Duration::from_mins(1);
const PAUSE: Duration = Duration::from_millis(100);

const STATE: &str = "\
    select current_setting('server_version_num')::int8 >= 170000 \
       and coalesce(current_setting('summarize_wal', true), 'off') = 'on'";

const SUMMARIZED: &str = "select summarized_lsn::text from pg_get_wal_summarizer_state()";

const AVAILABLE: &str = "\
    select start_lsn::text, end_lsn::text from pg_available_wal_summaries() \
    where tli = $1::int8 order by start_lsn";

const CONTENTS: &str = "\
    select relfilenode::int8, reltablespace::int8, reldatabase::int8, relforknumber::int8, \
           relblocknumber, is_limit_block \
    from pg_wal_summary_contents($1::int8, $2::text::pg_lsn, $3::text::pg_lsn)";

/// Pages that changed in a range of one timeline; none when the server cannot tell.
///
/// # Errors
/// When the session is lost.
pub(super) fn ask(
    client: &mut Client,
    spec: &PostgresSpec,
    (timeline, range): &(Timeline, Range<Lsn>),
) -> Result<Option<ChangeSet>, EngineError> {
    let what = || format!("ask {} for its log summaries", spec.service);
    let able = client.query_one(STATE, &[]);
    if !able
        .map_err(|error| refused(what(), &error))?
        .get::<_, bool>(0)
    {
        return Ok(None);
    }
    // a role that may not read them is one that cannot tell
    if !wait(client, range.end) {
        return Ok(None);
    }
    let number = i64::from(timeline.number());
    let Ok(rows) = client.query(AVAILABLE, &[&number]) else {
        return Ok(None);
    };
    let pieces = rows.iter().filter_map(|row| {
        let (start, end): (&str, &str) = (row.get(0), row.get(1));
        Some((start.parse().ok()?, end.parse().ok()?))
    });
    let pieces: Vec<(Lsn, Lsn)> = pieces.collect();
    let Some(cover) = cover(&pieces, range) else {
        return Ok(None);
    };
    let mut changes = ChangeSet::default();
    for (start, end) in cover {
        let (start, end) = (start.to_string(), end.to_string());
        let Ok(rows) = client.query(CONTENTS, &[&number, &start, &end]) else {
            return Ok(None);
        };
        for row in rows {
            let number = |at: usize| u32::try_from(row.get::<_, i64>(at)).unwrap_or(0);
            let relation = Relation {
                tablespace: number(1),
                database: number(2),
                number: number(0),
            };
            let (fork, limit): (i64, bool) = (row.get(3), row.get(5));
            add(&mut changes, relation, fork, limit, number(4));
        }
    }
    Ok(Some(changes))
}

fn add(changes: &mut ChangeSet, relation: Relation, fork: i64, limit: bool, block: u32) {
    match (limit, relation.number) {
        (true, 0) => changes.doubt_database(relation.database),
        (true, _) => changes.doubt(relation, "its file was created or cut"),
        (false, _) if fork == 0 => changes.block(relation, block),
        (false, _) => {}
    }
}

/// Waits until the summaries reach the end of the range.
fn wait(client: &mut Client, end: Lsn) -> bool {
    let deadline = Instant::now() + PATIENCE;
    loop {
        let Ok(row) = client.query_one(SUMMARIZED, &[]) else {
            return false;
        };
        let reached: Option<Lsn> = row
            .get::<_, Option<&str>>(0)
            .and_then(|text| text.parse().ok());
        match reached {
            Some(reached) if reached >= end => return true,
            _ if Instant::now() >= deadline => return false,
            _ => std::thread::sleep(PAUSE),
        }
    }
}

/// Summaries that follow each other without a gap over the whole range.
fn cover(pieces: &[(Lsn, Lsn)], range: &Range<Lsn>) -> Option<Vec<(Lsn, Lsn)>> {
    let mut reached = range.start;
    let mut taken = Vec::new();
    for (start, end) in pieces {
        if reached >= range.end {
            break;
        }
        if *end <= reached {
            continue;
        }
        if *start > reached {
            return None;
        }
        taken.push((*start, *end));
        reached = *end;
    }
    (reached >= range.end).then_some(taken)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_cover_without_a_gap_counts() {
        let pieces = |ends: &[(u64, u64)]| -> Vec<(Lsn, Lsn)> {
            ends.iter().map(|(a, b)| (Lsn(*a), Lsn(*b))).collect()
        };
        let range = Lsn(15)..Lsn(35);
        let three = pieces(&[(0, 10), (10, 20), (20, 30), (30, 40), (40, 50)]);
        assert_eq!(cover(&three, &range), Some(three[1..4].to_vec()));
        assert_eq!(cover(&pieces(&[(10, 20), (30, 40)]), &range), None);
        assert_eq!(cover(&pieces(&[(10, 20), (20, 30)]), &range), None);
        assert_eq!(cover(&pieces(&[(20, 40)]), &range), None);
        assert_eq!(cover(&[], &range), None);
    }
}
