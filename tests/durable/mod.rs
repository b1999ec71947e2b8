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

/// What may be lost whatever the command was.
const SPARED: &[Spared] = &[
    ("/lock: ", "who has a lock is told while the process lives"),
    ("-wal: absence", "SQLite knows a log that it has done with"),
    ("-shm: absence", "SQLite makes it anew"),
    ("/tmp/reserve: ", "room that is set aside, made again"),
    (
        "/changes.json: ",
        "a cache: without it a copy is made once more",
    ),
    ("/tmp/", "an object on its way: removed by a later run"),
    ("/copy-", "a copy of a database on its way to a device"),
    (
        "/sources/shop/log-",
        "a queued range that is stored: removed again",
    ),
    (
        "planc-staging-",
        "what an ended restore leaves is removed by the next run",
    ),
    ("/state/shop@test/past", "an old run, to look at"),
];

/// Runs a command that must end well, and holds its calls below a folder against the law.
fn holds(command: &Command, root: &Path, spared: &[Spared]) {
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
}
