//! The oracle: a client that writes rows and remembers each commit the server acknowledged.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;

use super::cluster::Cluster;

/// One acknowledged commit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Commit {
    pub(crate) number: i64,
    pub(crate) text: String,
}

/// A writer at work in another thread.
pub(crate) struct Writer {
    stop: Arc<AtomicBool>,
    thread: JoinHandle<Vec<Commit>>,
}

impl Writer {
    /// Creates the ledger table `name` in tablespace `place` and begins to write.
    pub(crate) fn start(cluster: &Cluster, name: &str, place: &str) -> Self {
        Self::start_in(cluster, "postgres", name, place)
    }

    /// As [`Writer::start`], in a database.
    pub(crate) fn start_in(cluster: &Cluster, database: &str, name: &str, place: &str) -> Self {
        let mut client = cluster.client_of("postgres", database);
        let table = format!("create table {name} (number int8 primary key, text text) ");
        let made = client.batch_execute(&format!("{table} tablespace {place}"));
        made.expect("a ledger");
        let stop = Arc::new(AtomicBool::new(false));
        let (stopped, name) = (Arc::clone(&stop), name.to_owned());
        let thread = std::thread::spawn(move || {
            let mut acknowledged: Vec<Commit> = Vec::new();
            let insert = format!("insert into {name} values ($1, $2)");
            let rework = format!("update {name} set text = text || '.' where number = $1");
            for number in 0.. {
                if stopped.load(Ordering::Relaxed) {
                    break;
                }
                let text = format!("row {number} {}", "x".repeat(80));
                client.execute(&insert, &[&number, &text]).expect("insert");
                acknowledged.push(Commit { number, text });
                if number % 3 == 0 {
                    let old = number / 2;
                    client.execute(&rework, &[&old]).expect("update");
                    let row = usize::try_from(old).expect("a row");
                    acknowledged[row].text.push('.');
                }
            }
            acknowledged
        });
        Self { stop, thread }
    }

    /// Waits until there is something to lose.
    pub(crate) fn rest() {
        std::thread::sleep(std::time::Duration::from_millis(150));
    }

    /// Stops writing; all that was acknowledged.
    pub(crate) fn finish(self) -> Vec<Commit> {
        self.stop.store(true, Ordering::Relaxed);
        self.thread.join().expect("the writer")
    }
}

/// What a cluster holds of a ledger.
pub(crate) fn read(cluster: &Cluster, name: &str) -> Vec<Commit> {
    read_in(cluster, "postgres", name)
}

/// As [`read`], of a database.
pub(crate) fn read_in(cluster: &Cluster, database: &str, name: &str) -> Vec<Commit> {
    let query = format!("select number, text from {name} order by number");
    let mut client = cluster.client_of("postgres", database);
    let rows = client.query(&query, &[]).expect("the ledger");
    let commit = |row: postgres::Row| Commit {
        number: row.get(0),
        text: row.get(1),
    };
    rows.into_iter().map(commit).collect()
}
