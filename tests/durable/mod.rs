//! What is made durable, and when, seen by the calls of the program itself: no file system here
//! loses the name of a folder whose file was synced, others do.

mod commands;
mod law;
mod postgres;
mod trace;
mod volumes;

use std::path::Path;
use std::process::Command;

use law::Spared;
use trace::Call;

/// What may be lost whatever the command was.
const SPARED: &[Spared] = &[
    Spared::all("/lock", "who has a lock is told while the process lives"),
    Spared::all("/tmp/reserve", "room that is set aside is made again"),
    Spared::all("/changes.json", "without it a copy is made once more"),
    Spared::all(
        "/volumes/tapes/manifests",
        "a cache, proven when it is read",
    ),
    Spared::all("/#", "a file without a name is nobody's"),
    Spared::all("/past", "an old run is only looked at"),
    Spared::absence("/runs/", "an old run is cleared away again"),
    Spared::absence("-wal", "SQLite knows a log that it has done with"),
    Spared::absence("-shm", "SQLite makes it anew"),
    Spared::absence("/tmp/", "an object on its way is removed by a later run"),
    Spared::absence("/copy-", "a copy of a database on its way to a device"),
    Spared::absence("/log-", "a queued range that is stored is removed again"),
    Spared::absence("planc-staging-", "what is left is removed by the next run"),
];

/// Runs a command that must end well, and holds its calls below a folder against the law.
fn holds(command: &Command, root: &Path, spared: &[Spared]) -> Vec<Call> {
    let root = root.canonicalize().expect("a folder");
    let before = law::listed(&root);
    let (output, calls) = trace::run(command, &root);
    let text = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{command:?}: {text}");
    let ours = calls.iter().filter(|call| call.ours).count();
    assert!(ours > 0, "{command:?}: no call was seen");
    let spared = [SPARED, spared].concat();
    let complaints = law::complaints(before, &calls, &root, &spared);
    assert!(complaints.is_empty(), "{command:?}: {complaints:#?}");
    calls
}
