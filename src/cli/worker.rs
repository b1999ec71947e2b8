//! Owns starting the process that works ahead of a server's calls: the same command once more,
//! with `--ahead`, in a process group of its own, so that the call can end before it.

use std::fs::File;
use std::io;
use std::os::unix::process::CommandExt;
use std::process::{Command, Stdio};
use std::time::Duration;

use crate::engine::postgres::spool::Spool;

/// How long a worker may take until it holds its right to work.
pub(crate) const START: Duration = Duration::from_secs(2);

/// Makes sure that a worker is there.
///
/// # Errors
/// When it cannot be started.
pub(crate) fn start(spool: &Spool, what: &str) -> io::Result<()> {
    if !is_free(spool, what) {
        return Ok(());
    }
    let words: Vec<_> = std::env::args_os().skip(1).collect();
    Command::new(std::env::current_exe()?)
        .args(words)
        .arg("--ahead")
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(File::create(spool.diary())?)
        .process_group(0)
        .spawn()?;
    Ok(())
}

/// Does no worker have the right to work?
pub(crate) fn is_free(spool: &Spool, what: &str) -> bool {
    // what cannot be told counts as taken: the caller waits, and at last does the work itself
    spool.lock(what).is_ok_and(|right| right.is_some())
}
