//! Owns the worker that archives ahead of the server's calls: it sees in `archive_status` which
//! files wait, stores several at once, and notes each in the spool when it is durable.

use std::collections::{BTreeSet, VecDeque};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use super::push::{self, PushRequest};
use super::spool::{Mark, Spool};

/// How often it looks for new files while there are none.
const PAUSE: Duration = Duration::from_millis(50);

/// How long a file that failed is left alone.
const REST: Duration = Duration::from_secs(2);

/// What the worker needs.
pub struct AheadRequest {
    /// Everything but the file.
    pub push: PushRequest,
    /// The folder `pg_wal`.
    pub wal: PathBuf,
    /// How many files at once.
    pub workers: usize,
    /// It ends after so long without a file.
    pub idle: Duration,
}

/// Files that the server offers, in the order in which it asks: histories first, then oldest.
///
/// # Errors
/// What the system says.
pub fn offered(wal: &Path) -> io::Result<Vec<String>> {
    let mut names = Vec::new();
    for entry in std::fs::read_dir(wal.join("archive_status"))? {
        let name = entry?.file_name();
        let name = name.to_str().and_then(|name| name.strip_suffix(".ready"));
        names.extend(name.map(str::to_owned));
    }
    let key = |name: &String| (!name.ends_with(".history"), name.clone());
    names.sort_by_key(key);
    Ok(names)
}

/// Works until the server offered nothing for a while, the plan is another, or a round of files
/// stored none: a device that was away may come back as another folder, which the worker of the
/// next call opens. Files stored.
///
/// # Errors
/// When the server's folder or the spool cannot be used. What happens to single files is in the
/// spool.
pub fn work(request: &AheadRequest, spool: &Spool) -> io::Result<u64> {
    let mut stored = 0;
    let mut failed: Vec<(Instant, String)> = Vec::new();
    let mut last = Instant::now();
    loop {
        // the devices were those of the plan as it was; the next call starts another worker
        if !spool.is_current() {
            return Ok(stored);
        }
        let offered = offered(&request.wal)?;
        failed.retain(|(at, _)| at.elapsed() < REST);
        let resting: BTreeSet<&str> = failed.iter().map(|(_, name)| name.as_str()).collect();
        let known = |name: &&String| {
            !resting.contains(name.as_str()) && !spool.is_acknowledged(&request.wal.join(name))
        };
        let waiting: Vec<String> = offered.iter().filter(known).cloned().collect();
        if waiting.is_empty() {
            spool.forget(|name| offered.iter().any(|one| one == name))?;
            if last.elapsed() >= request.idle {
                return Ok(stored);
            }
            std::thread::sleep(PAUSE);
            continue;
        }
        let done = round(request, spool, waiting);
        stored += done.stored;
        if done.stored == 0 {
            return Ok(stored);
        }
        let now = Instant::now();
        failed.extend(done.failed.into_iter().map(|name| (now, name)));
        last = now;
    }
}

/// What became of the files of one round.
#[derive(Default)]
struct Done {
    stored: u64,
    failed: Vec<String>,
}

/// Stores the files that wait, several at once.
fn round(request: &AheadRequest, spool: &Spool, waiting: Vec<String>) -> Done {
    let queue = Mutex::new(VecDeque::from(waiting));
    let done = Mutex::new(Done::default());
    std::thread::scope(|scope| {
        for _ in 0..request.workers.max(1) {
            scope.spawn(|| {
                loop {
                    let next = held(&queue).pop_front();
                    let Some(name) = next else { break };
                    let stored = one(request, spool, &name);
                    let mut done = held(&done);
                    match stored {
                        Ok(()) => done.stored += 1,
                        Err(cause) => {
                            // the caller finds no note and asks the devices itself
                            let _ = spool.fail(&name, &cause);
                            done.failed.push(name);
                        }
                    }
                }
            });
        }
    });
    done.into_inner().unwrap_or_else(PoisonError::into_inner)
}

fn held<T>(of: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    of.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Stores one file and notes it. One that changed while it was read is not noted.
fn one(request: &AheadRequest, spool: &Spool, name: &str) -> Result<(), String> {
    let file = request.wal.join(name);
    let told = |error: io::Error| format!("cannot look at {}: {error}", file.display());
    let before = Mark::of(&file).map_err(told)?;
    let push = PushRequest {
        file: file.clone(),
        ..request.push.clone()
    };
    push::push(&push).map_err(|error| error.to_string())?;
    if Mark::of(&file).map_err(told)? != before {
        return Err(format!("{} changed while it was archived", file.display()));
    }
    let noted = spool.acknowledge(name, &before);
    noted.map_err(|error| format!("the spool cannot be written: {error}"))
}
