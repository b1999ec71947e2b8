//! Owns putting parts and archived log back together with the engine's restore session.

use std::path::PathBuf;

use planc::engine::postgres::glance;
use planc::engine::postgres::lsn::{SegmentSize, Timeline, WalFile};
use planc::engine::postgres::records::Records;
use planc::engine::postgres::replay::Replayed;
use planc::engine::postgres::restore::ClusterRestore;
use planc::engine::postgres::target::Target;
use planc::engine::{EngineError, EntryKind, LogRange, RestoreSession};
use planc::graph::step::RecoveryTarget;

use super::cluster::Cluster;
use super::parts::{self, Part};

/// Archived segments of a stopped or running cluster as ranges of log, in order.
pub(crate) fn log(of: &Cluster) -> Vec<LogRange> {
    let size = SegmentSize::new(1 << 20).expect("a size");
    let entries = std::fs::read_dir(of.archive()).expect("archive");
    let mut paths: Vec<PathBuf> = entries.map(|entry| entry.expect("entry").path()).collect();
    paths.sort();
    let mut ranges = Vec::new();
    for path in paths {
        let name = path
            .file_name()
            .and_then(|name| name.to_str())
            .expect("a name");
        let Ok(WalFile::Segment(segment)) = WalFile::parse(name, size) else {
            continue;
        };
        let payload = std::fs::read(&path).expect("segment");
        let glance = glance::at(Records::new(&payload).expect("records"));
        let none = jiff::Timestamp::UNIX_EPOCH;
        let (first_at, last_at) = glance.times.unwrap_or((none, none));
        ranges.push(LogRange {
            from: segment.timeline.at(segment.start(size)),
            until: segment.timeline.at(segment.end(size).expect("an end")),
            tail: false,
            first_at,
            last_at,
            points: glance.points,
            payload: payload.into(),
        });
    }
    ranges
}

/// Hands the files of a part to a session.
pub(crate) fn hand_over(session: &mut ClusterRestore, part: &Part) -> Result<(), EngineError> {
    session.begin_part(&part.ended)?;
    for entry in &part.entries {
        session.entry(entry)?;
        if entry.kind == EntryKind::File {
            let bytes = std::fs::read(part.folder.path().join(&entry.path)).expect("a file");
            session.data(0, &bytes)?;
            session.close(bytes.len() as u64)?;
        }
    }
    session.finish_part(&part.ended)
}

/// Where to end: as a graph says it, or as only PostgreSQL can.
#[derive(Debug, Clone)]
pub(crate) enum Until {
    Graph(RecoveryTarget),
    Own(Target),
}

/// Restores parts and log into a cluster of its own, not started.
pub(crate) fn restore(
    of: &Cluster,
    parts: &[&Part],
    log: &[LogRange],
    until: &Until,
) -> Result<(Cluster, Replayed), EngineError> {
    let folder = super::cluster::folder();
    let spec = parts::spec(of, "postgres", &[]);
    let mut session = ClusterRestore::new(spec, &folder.path().join("staging"))?;
    for part in parts {
        hand_over(&mut session, part)?;
    }
    let graph = match until {
        Until::Graph(target) => target.clone(),
        Until::Own(target) => {
            session.end_at(target.clone());
            RecoveryTarget::Latest
        }
    };
    let starts = parts.iter().filter_map(|part| part.ended.from.as_ref());
    let oldest = starts.map(|start| start.value).min().expect("a part");
    let log: Vec<&LogRange> = (log.iter())
        .filter(|range| range.until.value > oldest)
        .collect();
    let mut earlier = log.iter().rev().map(|range| (*range).clone());
    session.foresee(&graph, &mut || Ok(earlier.next()))?;
    for range in log {
        if session.apply(range, &graph)? {
            break;
        }
    }
    session.check()?;
    let replayed = session.replayed().expect("a replay").clone();
    let position = session.position().expect("a position");
    assert_eq!(
        Timeline::of(&position).expect("a position").1,
        replayed.ended
    );
    // the result is whole: it works under another name
    let published = folder.path().join("published");
    std::fs::rename(session.result(), &published).expect("published");
    Ok((
        Cluster::adopt(of.version, folder, published.join("data")),
        replayed,
    ))
}

/// The restored cluster, running.
pub(crate) fn running(
    of: &Cluster,
    parts: &[&Part],
    log: &[LogRange],
    until: &Until,
) -> (Cluster, Replayed) {
    let restored = restore(of, parts, log, until);
    let (cluster, replayed) = restored.unwrap_or_else(|error| panic!("{until:?}: {error}"));
    let auto = cluster.data.join("postgresql.auto.conf");
    let auto = std::fs::read_to_string(auto).expect("settings");
    assert!(auto.contains("archive_mode = 'off'"), "{auto}");
    let sockets = cluster.folder.path().display().to_string();
    cluster.configure(&[&format!("unix_socket_directories = '{sockets}'")]);
    cluster.start();
    assert_eq!(cluster.ask("select pg_is_in_recovery()"), "false");
    (cluster, replayed)
}
