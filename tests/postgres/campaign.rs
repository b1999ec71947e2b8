//! Random schedules of parts, random targets: whatever parts of whatever age are put together,
//! every row acknowledged before the target is there, unaltered, and none after it.
//!
//! `PLANC_CAMPAIGN_SEED` repeats a schedule, `PLANC_CAMPAIGN_SCHEDULES` sets how many there are.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;

use jiff::Timestamp;
use planc::engine::postgres::lsn::Lsn;
use planc::engine::postgres::target::Target;
use planc::graph::step::RecoveryTarget;

use super::backup::divided;
use super::cluster::{Cluster, run_ok, versions};
use super::ledger::{self, Commit};
use super::parts::{self, Part, copy};
use super::restored::{Until, log, running};

const BASE: &str = "shop/base/base";
const APART: [&str; 2] = ["shop/tablespace/hot", "shop/database/billing"];

/// Numbers that look random and can be had again.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, below: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 % below as u64).expect("small")
    }
}

/// What was true when a commit had been acknowledged and the next one not begun.
#[derive(Debug, Clone)]
struct Moment {
    number: i64,
    xid: u32,
    at: Timestamp,
    lsn: Lsn,
    point: Option<String>,
}

/// Writes the same row into two tablespaces in one transaction.
struct Clerk {
    stop: Arc<AtomicBool>,
    thread: JoinHandle<Vec<Moment>>,
}

const MOMENT: &str = "select (extract(epoch from clock_timestamp()) * 1000000)::int8, pg_current_wal_insert_lsn()::text";

impl Clerk {
    fn start(cluster: &Cluster) -> Self {
        for (name, place) in [("cold_ledger", "pg_default"), ("hot_ledger", "hot")] {
            cluster.sql(&format!(
                "create table {name} (number int8 primary key, text text) tablespace {place}"
            ));
        }
        let mut client = cluster.client();
        let stop = Arc::new(AtomicBool::new(false));
        let stopped = Arc::clone(&stop);
        let thread = std::thread::spawn(move || {
            let mut moments = Vec::new();
            for number in 0.. {
                if stopped.load(Ordering::Relaxed) {
                    break;
                }
                moments.push(enter(&mut client, number));
            }
            moments
        });
        Self { stop, thread }
    }

    fn finish(self) -> Vec<Moment> {
        self.stop.store(true, Ordering::Relaxed);
        self.thread.join().expect("the clerk")
    }
}

fn enter(client: &mut postgres::Client, number: i64) -> Moment {
    let mut both = client.transaction().expect("a transaction");
    for name in ["cold_ledger", "hot_ledger"] {
        let text = first(number);
        let insert = format!("insert into {name} values ($1, $2)");
        both.execute(&insert, &[&number, &text]).expect("insert");
        if number % 3 == 0 {
            let rework = format!("update {name} set text = text || '.' where number = $1");
            both.execute(&rework, &[&(number / 2)]).expect("update");
        }
    }
    let xid = both.query_one("select pg_current_xact_id()::text::int8", &[]);
    let xid: i64 = xid.expect("an id").get(0);
    both.commit().expect("a commit");
    let moment = client.query_one(MOMENT, &[]).expect("a moment");
    let point = (number % 7 == 0).then(|| format!("after {number}"));
    if let Some(point) = &point {
        let create = "select pg_create_restore_point($1)";
        client.execute(create, &[point]).expect("a restore point");
    }
    Moment {
        number,
        xid: u32::try_from(xid).expect("an id"),
        at: Timestamp::from_microsecond(moment.get(0)).expect("a time"),
        lsn: moment.get::<_, &str>(1).parse().expect("a position"),
        point,
    }
}

fn first(number: i64) -> String {
    format!("row {number} {}", "y".repeat(60))
}

/// What the ledgers hold after a number.
fn expected(until: i64) -> Vec<Commit> {
    let mut rows: Vec<Commit> = (0..=until)
        .map(|number| Commit {
            number,
            text: first(number),
        })
        .collect();
    for number in (0..=until).step_by(3) {
        let old = usize::try_from(number / 2).expect("a row");
        rows[old].text.push('.');
    }
    rows
}

/// Tables come, go, are emptied and written anew, in every part.
fn storm(cluster: &Cluster, dice: &mut Dice, round: usize) {
    for (database, place) in [("postgres", "hot"), ("billing", "pg_default")] {
        let statements = [
            format!(
                "create table storm_{round} tablespace {place} as select generate_series(1, 800) i"
            ),
            "create table if not exists churn (i int8, t text)".to_owned(),
            "insert into churn select i, repeat('s', 90) from generate_series(1, 300) i".to_owned(),
            "update churn set t = t || 'u' where i % 3 = 0".to_owned(),
            "truncate churn".to_owned(),
            "vacuum full churn".to_owned(),
            "create index if not exists churn_i on churn (i); reindex table churn".to_owned(),
            format!("drop table if exists storm_{}", round.wrapping_sub(1)),
            "checkpoint".to_owned(),
            "select pg_switch_wal()".to_owned(),
        ];
        let mut client = cluster.client_of("postgres", database);
        client.batch_execute(&statements[1]).expect("a table");
        for _ in 0..4 {
            let one = &statements[dice.roll(statements.len())];
            // a table of this round may be there already
            let _ = client.batch_execute(one);
        }
    }
}

/// A target, what it means, and the position by which parts must be whole.
fn target(dice: &mut Dice, moments: &[Moment], oldest: u64) -> (Until, i64, u64) {
    let may: Vec<&Moment> = moments.iter().filter(|one| one.lsn.0 >= oldest).collect();
    let one = may[dice.roll(may.len())];
    let before = moments.iter().rev().find(|other| other.number < one.number);
    let inclusive = |inclusive| Target::Transaction {
        xid: one.xid,
        inclusive,
    };
    match (dice.roll(6), before, &one.point) {
        (0, ..) => {
            let last = moments.last().expect("a moment");
            (
                Until::Graph(RecoveryTarget::Latest),
                last.number,
                last.lsn.0,
            )
        }
        (1, ..) => (Until::Own(Target::Time(one.at)), one.number, one.lsn.0),
        (2, Some(before), _) if before.lsn.0 >= oldest => {
            (Until::Own(inclusive(false)), before.number, before.lsn.0)
        }
        (3, ..) => {
            let position = Target::Position {
                lsn: one.lsn,
                inclusive: false,
            };
            (Until::Own(position), one.number, one.lsn.0)
        }
        (4, _, Some(point)) => {
            let name = Target::Name(point.clone());
            (Until::Own(name), one.number, one.lsn.0)
        }
        _ => (Until::Own(inclusive(true)), one.number, one.lsn.0),
    }
}

fn end(part: &Part) -> u64 {
    part.ended.until.as_ref().map_or(u64::MAX, |at| at.value)
}

/// One schedule of parts in random order, and recoveries of it to random targets.
fn campaign(version: u32, seed: u64, copies: usize, targets: usize) {
    let mut dice = Dice(seed | 1);
    let source = divided(version);
    let engine = parts::engine(&source, &APART);
    let clerk = Clerk::start(&source);
    let mut all: Vec<(&str, Part)> = Vec::new();
    let keys = [BASE, APART[0], APART[1]];
    let start = dice.roll(3);
    for round in 0..copies {
        storm(&source, &mut dice, round);
        // the first three are one of each
        let key = if round < 3 {
            keys[(start + round) % 3]
        } else {
            keys[dice.roll(3)]
        };
        all.push((key, copy(&engine, key).expect("a part")));
    }
    storm(&source, &mut dice, copies);
    let moments = clerk.finish();
    // a time is reached when a later commit is met
    source.sql("create table the_end ()");
    source.sql("select pg_switch_wal()");
    source.stop("fast");
    let log = log(&source);
    // from here on there is one of each
    let oldest = all
        .iter()
        .take(3)
        .map(|(_, part)| end(part))
        .max()
        .expect("parts");
    for round in 0..targets {
        let (until, number, position) = target(&mut dice, &moments, oldest);
        let chosen: Vec<&Part> = keys
            .iter()
            .map(|key| {
                let fit = all
                    .iter()
                    .filter(|(of, part)| of == key && end(part) <= position);
                let fit: Vec<&Part> = fit.map(|(_, part)| part).collect();
                fit[dice.roll(fit.len())]
            })
            .collect();
        let what = format!("version {version} seed {seed} round {round}: {until:?}");
        let (restored, _) = running(&source, &chosen, &log, &until);
        let expected = expected(number);
        for name in ["cold_ledger", "hot_ledger"] {
            assert!(ledger::read(&restored, name) == expected, "{what}: {name}");
        }
        restored.stop("fast");
        let data = restored.data.display().to_string();
        run_ok(version, "pg_checksums", &["--check", "-D", &data]);
    }
}

fn setting(name: &str, default: u64) -> u64 {
    let text = std::env::var(name).ok();
    text.and_then(|text| text.parse().ok()).unwrap_or(default)
}

#[test]
fn a_few_random_schedules_reach_random_targets() {
    for (version, seed) in versions().into_iter().zip([20_260_301, 77, 4_711]) {
        campaign(version, seed, 4, 3);
    }
}

#[test]
#[ignore = "takes minutes: 20 schedules, 200 targets"]
fn twenty_random_schedules_reach_two_hundred_targets() {
    let schedules = setting("PLANC_CAMPAIGN_SCHEDULES", 20);
    let seed = setting("PLANC_CAMPAIGN_SEED", 1);
    for (number, version) in (0..schedules).zip([15, 16, 18].into_iter().cycle()) {
        let own = (seed + number).wrapping_mul(0x9E37_79B9_7F4A_7C15);
        campaign(version, own, 6, 10);
    }
}
