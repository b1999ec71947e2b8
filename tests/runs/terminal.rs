//! What a run shows while it goes on: bars on a terminal, plain lines elsewhere. The terminal is a
//! real one, made by Python's standard library; the copy is slowed by the plan, so that the bars
//! have something to tell however fast or busy the machine is.

use std::collections::BTreeSet;

use super::site::{NOW, Site};

/// Runs a program on a terminal of 120 columns and hands on all that it draws, and its exit code.
const TERMINAL: &str = r#"
import fcntl, os, pty, struct, subprocess, sys, termios
ours, theirs = pty.openpty()
fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 40, 120, 0, 0))
child = subprocess.Popen(sys.argv[1:], stdin=theirs, stdout=theirs, stderr=theirs,
                         start_new_session=True)
os.close(theirs)
while True:
    try:
        drawn = os.read(ours, 65536)
    except OSError:
        break
    if not drawn:
        break
    sys.stdout.buffer.write(drawn)
sys.stdout.flush()
sys.exit(child.wait())
"#;

/// A site with one job: 4 MiB that do not shrink, at 1 MiB a second.
fn slow_site() -> Site {
    let site = Site::new();
    let noise: Vec<u8> = (0..1_u32 << 17)
        .flat_map(|n| blake3::hash(&n.to_le_bytes()).as_bytes().to_owned())
        .collect();
    std::fs::write(site.path("docs/noise"), noise).expect("file");
    let plan = std::fs::read_to_string(site.path("shop.plan")).expect("plan");
    let (before, papers) = plan.split_once("backup papers").expect("the job");
    let papers = papers.replacen("{\n", "{\n  throttle 1 MiB/s\n", 1);
    let plan = format!("{before}backup papers{papers}");
    std::fs::write(site.path("shop.plan"), plan).expect("plan");
    site
}

/// Columns of the terminal.
const WIDTH: usize = 120;

/// The text between the control sequences, line by line as the terminal shows it: full lines are
/// drawn without an end.
fn drawn(raw: &str) -> Vec<String> {
    let mut text = String::new();
    let mut letters = raw.chars();
    while let Some(letter) = letters.next() {
        match letter {
            '\u{1b}' => {
                let ends = |c: &char| c.is_ascii_alphabetic();
                letters.find(ends);
                text.push('\n');
            }
            '\r' => text.push('\n'),
            other => text.push(other),
        }
    }
    let letters: Vec<Vec<char>> = text.lines().map(|line| line.chars().collect()).collect();
    let rows = letters.iter().flat_map(|line| line.chunks(WIDTH));
    let rows = rows.map(|row| row.iter().collect::<String>().trim_end().to_owned());
    rows.filter(|row| !row.is_empty()).collect()
}

/// The words before `/s` in a line, for example `1.02 MiB`.
fn rate(line: &str) -> Option<f64> {
    let (before, _) = line.split_once("iB/s")?;
    let number = before.split_whitespace().rev().nth(1)?;
    number.parse().ok()
}

/// Seconds behind `left`.
fn left(line: &str) -> Option<u64> {
    let (_, after) = line.split_once(" left ")?;
    after
        .split_whitespace()
        .next()?
        .strip_suffix('s')?
        .parse()
        .ok()
}

#[test]
fn a_terminal_sees_a_line_a_lane_and_one_with_total_rate_and_time_left() {
    let site = slow_site();
    let line = format!("run papers --now {NOW}");
    let mut command = site.wrapped(&["python3", "-c", TERMINAL], &line);
    let output = command
        .env("TERM", "xterm")
        .output()
        .expect("python3 starts");
    let raw = String::from_utf8(output.stdout).expect("UTF-8");
    assert_eq!(output.status.code(), Some(0), "{raw}");
    let lines = drawn(&raw);
    let shown = lines.join("\n");

    let copies = |line: &&String| line.contains("copy docs/files/tree -> disk, nas");
    let copying: Vec<&String> = lines.iter().filter(copies).collect();
    let named = |line: &&String| line.trim_start().starts_with("source/docs");
    assert!(copying.iter().any(named), "{shown}");
    assert!(copying.iter().any(|line| rate(line) > Some(0.0)), "{shown}");

    let totals: Vec<&String> = lines
        .iter()
        .filter(|line| line.contains(" left "))
        .collect();
    let rated = |line: &&&String| rate(line) > Some(0.0) && left(line) > Some(0);
    assert!(totals.iter().any(|line| rated(&line)), "{shown}");
    let counts: BTreeSet<&str> = totals
        .iter()
        .filter_map(|line| line.split("  ").last())
        .filter(|count| count.contains(" of 4 steps, "))
        .collect();
    assert!(counts.len() > 2, "the total moves: {shown}");
    let last = totals.last().expect("a total");
    assert!(
        last.ends_with("4 of 4 steps, 4 MiB"),
        "no byte counts twice: {last}"
    );
    let done = lines.iter().any(|line| line.contains(": done in "));
    assert!(done, "the summary stands behind the bars: {shown}");
}

#[test]
fn no_terminal_sees_plain_lines() {
    let site = slow_site();
    let text = site.good(&format!("run papers --now {NOW}"));
    assert!(!text.contains('\u{1b}') && !text.contains('\r'), "{text:?}");
    let told = |line: &str| text.lines().any(|own| own.starts_with(line));
    assert!(told("done: copy docs/files/tree -> disk, nas ("), "{text}");
    assert!(
        told("done: commit docs/files/tree on disk, nas ("),
        "{text}"
    );
    assert!(!text.contains(" left "), "{text}");
}
