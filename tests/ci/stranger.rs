//! A stranger's plan is judged without starting, connecting, writing, or opening what it does
//! not name.

use std::path::Path;
use std::process::{Command, Output};

use super::{NOW, site, text};

const PLANC: &str = env!("CARGO_BIN_EXE_planc");

/// What a stranger would try: secrets by command, devices and services elsewhere, probes.
const STRANGE: &str = "\
planc 1
plan notes
timezone Europe/Berlin
environment prod inventory \"notes.yaml\"
key stolen from command \"curl http://203.0.113.9/\"
key spied from file \"/etc/shadow\"
service pg is postgresql { tablespace hot }
device bucket is s3
objectives of notes { rpo 5min for loss of disk }
backup nightly of service notes {
  physical full every day at 04:30
  store on bucket
  encrypt with stolen
}
drill restored every sun at 12:00 {
  restore service notes to scratch from any
  probe notes \"attach '/tmp/x' as x\" is true
}
";
const INVENTORY: &str = "\
inventory: 1
services:
  notes: {engine: sqlite, host: here, path: /etc/hostname}
  pg: {engine: postgresql, host: here, connect: {host: 203.0.113.9, password: {env: HOME}}}
devices:
  bucket: {s3: {endpoint: http://203.0.113.9, bucket: x}}
  near: {host: here, path: /tmp}
facts: notes.facts.yaml
state: /tmp/planc-state
";

fn strange() -> tempfile::TempDir {
    let folder = site(false);
    std::fs::write(folder.path().join("notes.plan"), STRANGE).expect("written");
    std::fs::write(folder.path().join("notes.yaml"), INVENTORY).expect("written");
    folder
}

/// Runs a program behind the filter.
fn fenced(folder: &Path, words: &[&str]) -> Output {
    let fence = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/ci/fence.py");
    let mut command = Command::new("python3");
    let command = command.arg(fence).args(words).current_dir(folder);
    command.output().expect("python3 runs")
}

fn was_killed(output: &Output) -> bool {
    use std::os::unix::process::ExitStatusExt as _;
    const SIGSYS: i32 = 31;
    output.status.signal() == Some(SIGSYS)
}

#[test]
fn checking_needs_no_program_no_socket_and_no_writing() {
    let folder = strange();
    for format in ["human", "short", "json", "sarif", "github", "junit"] {
        let args = [
            PLANC,
            "check",
            "--now",
            NOW,
            "--format",
            format,
            "notes.plan",
        ];
        let output = fenced(folder.path(), &args);
        let (shown, said) = (text(output.stdout.clone()), text(output.stderr.clone()));
        assert_eq!(output.status.code(), Some(1), "{format}: {shown}{said}");
        assert!(shown.contains("P0610"), "{format}: {shown}");
    }
    let below = fenced(folder.path(), &[PLANC, "check", "--now", NOW]);
    assert_eq!(below.status.code(), Some(1), "every plan below the folder");
}

#[test]
fn the_fence_holds() {
    let folder = strange();
    let at = folder.path();
    let written = fenced(
        at,
        &[PLANC, "check", "--output", "json=out.json", "notes.plan"],
    );
    assert!(was_killed(&written), "writing a file: {:?}", written.status);
    assert!(!at.join("out.json").exists());
    let started = fenced(at, &["/bin/sh", "-c", "/bin/echo started; exit 0"]);
    assert!(
        was_killed(&started) || started.stdout.is_empty(),
        "{:?}",
        started.status
    );
    std::fs::write(
        at.join("notes.plan"),
        STRANGE.replace("  store", "    store"),
    )
    .expect("written");
    let formatted = fenced(at, &[PLANC, "fmt", "notes.plan"]);
    assert!(
        was_killed(&formatted),
        "rewriting a plan: {:?}",
        formatted.status
    );
    let shown = fenced(at, &["/bin/echo", "shown"]);
    assert_eq!(text(shown.stdout), "shown\n", "what is harmless works");
}

/// Files that a traced program opened, or tried to open.
fn opened(folder: &Path, words: &[&str]) -> Vec<String> {
    let log = folder.join("trace.log");
    let mut command = Command::new("strace");
    // cargo tells the loader to look for libraries in its own folders; users have no such thing
    command.env_remove("LD_LIBRARY_PATH");
    let calls = "trace=open,openat,openat2,creat,execve,execveat,connect,socket";
    let command = command.args(["-f", "-qq", "-e", calls, "-o"]).arg(&log);
    let output = command.args(words).current_dir(folder).output();
    let output = output.expect("strace is installed by tests/run");
    assert!(
        matches!(output.status.code(), Some(0 | 1)),
        "{}",
        text(output.stderr)
    );
    let log = std::fs::read_to_string(log).expect("traced");
    assert!(
        !log.contains("socket(") && !log.contains("connect("),
        "{log}"
    );
    assert_eq!(
        log.matches("execve").count(),
        1,
        "only the start of planc itself: {log}"
    );
    let opens = log.lines().filter(|line| line.contains("open"));
    opens
        .map(|line| line.split('"').nth(1).expect("a path").to_owned())
        .collect()
}

/// What every program opens that is linked as this one is, and what counts processors and zones.
fn is_of_the_system(path: &str) -> bool {
    const SYSTEM: [&str; 8] = [
        "/etc/ld.so",
        "/lib/",
        "/lib64/",
        "/usr/lib/",
        "/proc/self/",
        "/sys/fs/cgroup/",
        "/sys/devices/system/cpu/",
        "/usr/share/zoneinfo",
    ];
    SYSTEM.iter().any(|own| path.starts_with(own))
}

#[test]
fn nothing_is_opened_but_the_files_of_the_plan() {
    let folder = strange();
    let paths = opened(folder.path(), &[PLANC, "check", "--now", NOW, "notes.plan"]);
    let mut own: Vec<&str> = paths
        .iter()
        .map(String::as_str)
        .filter(|path| !is_of_the_system(path))
        .collect();
    own.sort_unstable();
    own.dedup();
    assert_eq!(own, ["notes.facts.yaml", "notes.plan", "notes.yaml"]);
}

#[test]
fn what_lies_outside_the_root_is_not_opened_and_told() {
    let folder = strange();
    let repository = folder.path().join("repository");
    std::fs::create_dir(&repository).expect("made");
    let secret = folder.path().join("notes.yaml");
    // by a path that leads out, and by a link that does
    let plan = STRANGE.replace("notes.yaml", "../notes.yaml").replace(
        "key stolen",
        "environment other inventory \"link.yaml\"\nimport \"../lib.plan\" as lib\nkey stolen",
    );
    std::fs::write(repository.join("notes.plan"), plan).expect("written");
    std::fs::write(folder.path().join("lib.plan"), "planc 1\n").expect("written");
    std::os::unix::fs::symlink(&secret, repository.join("link.yaml")).expect("linked");
    let words = [
        PLANC, "check", "--root", ".", "--now", NOW, "--format", "short",
    ];
    let paths = opened(&repository, &words);
    let own: Vec<&String> = paths
        .iter()
        .filter(|path| !is_of_the_system(path))
        .collect();
    let outside = ["notes.yaml", "link.yaml", "lib.plan"];
    let is_outside = |path: &&&String| outside.iter().any(|name| path.ends_with(name));
    assert_eq!(own.iter().find(is_outside), None, "{own:?}");
    let output = Command::new(PLANC)
        .args(&words[1..])
        .current_dir(&repository)
        .output();
    let said = text(output.expect("planc runs").stdout);
    assert_eq!(said.matches("it lies outside").count(), 3, "{said}");
}

#[test]
fn a_plan_outside_the_root_is_refused() {
    let folder = strange();
    let repository = folder.path().join("repository");
    std::fs::create_dir(&repository).expect("made");
    let words = ["check", "--root", "repository", "notes.plan"];
    let output = Command::new(PLANC)
        .args(words)
        .current_dir(folder.path())
        .output();
    let output = output.expect("planc runs");
    assert_eq!(output.status.code(), Some(2));
    assert!(text(output.stderr).contains("outside"));
}

/// Memory is bounded, so that a reading without end harms nobody.
#[test]
fn what_has_no_end_is_not_read_to_its_end() {
    for (file, input) in [("/dev/zero", "/dev/null"), ("-", "/dev/zero")] {
        let line = format!("ulimit -v 2000000; exec \"$0\" check {file} < {input}");
        let output = Command::new("sh").args(["-c", &line, PLANC]).output();
        let output = output.expect("sh runs");
        let said = text(output.stderr);
        assert_eq!(output.status.code(), Some(2), "{said}");
        assert!(said.contains("it is longer than 64 MiB"), "{said}");
    }
}
