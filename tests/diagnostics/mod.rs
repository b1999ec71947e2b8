//! Golden files: `*.md` beside this file hold a plan, its further files, and what commands print
//! about them at width 80. `UPDATE=1` rewrites what is printed.
//!
//! A file is a fenced block whose first line is `NAME`, as in ```` ```plan orders.plan ````; a
//! command is a block ```` ```console ```` with `$ planc …`, then stdout and the exit code.

use std::path::{Path, PathBuf};

mod fixes;
mod formats;
mod found;

const FENCE: &str = "```";

/// A golden file taken apart; joined again it gives the same text.
enum Piece {
    Text(String),
    File {
        head: String,
        name: String,
        body: String,
    },
    Command {
        line: String,
        shown: String,
    },
}

fn pieces(text: &str) -> Vec<Piece> {
    let mut pieces = Vec::new();
    let mut lines = text.lines();
    while let Some(line) = lines.next() {
        let Some(head) = line.strip_prefix(FENCE) else {
            pieces.push(Piece::Text(format!("{line}\n")));
            continue;
        };
        let body: Vec<&str> = lines.by_ref().take_while(|line| *line != FENCE).collect();
        if head == "console" {
            let (line, shown) = body.split_first().expect("a command");
            pieces.push(Piece::Command {
                line: (*line).to_owned(),
                shown: shown.join("\n"),
            });
        } else {
            let name = head.split(' ').nth(1).expect("a file name").to_owned();
            let head = head.to_owned();
            let body = body.join("\n") + "\n";
            pieces.push(Piece::File { head, name, body });
        }
    }
    pieces
}

fn joined(pieces: &[Piece]) -> String {
    let text = |piece: &Piece| match piece {
        Piece::Text(text) => text.clone(),
        Piece::File { head, body, .. } => format!("{FENCE}{head}\n{body}{FENCE}\n"),
        Piece::Command { line, shown } => format!("{FENCE}console\n{line}\n{shown}\n{FENCE}\n"),
    };
    pieces.iter().map(text).collect()
}

/// Runs `planc` in a folder; gives stdout and the exit code as a golden file shows them.
pub(crate) fn run(folder: &Path, line: &str) -> String {
    let words = line.strip_prefix("$ planc ").expect("a planc command");
    let mut command = assert_cmd::Command::cargo_bin("planc").expect("built");
    let output = command
        .args(words.split(' '))
        .current_dir(folder)
        .env_remove("GITHUB_STEP_SUMMARY")
        .output()
        .expect("runs");
    let code = output.status.code().expect("ended by itself");
    let (stdout, stderr) = (output.stdout, output.stderr);
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("UTF-8");
    format!("{}{}[exit {code}]", text(stdout), text(stderr))
}

fn replay(path: &Path) -> (String, String) {
    let text = std::fs::read_to_string(path).expect("readable");
    let folder = tempfile::tempdir().expect("a temporary folder");
    let mut pieces = pieces(&text);
    for piece in &mut pieces {
        match piece {
            Piece::File { name, body, .. } => {
                let path = folder.path().join(name);
                std::fs::create_dir_all(path.parent().expect("has a folder")).expect("made");
                std::fs::write(path, body).expect("written");
            }
            Piece::Command { line, shown } => *shown = run(folder.path(), line),
            Piece::Text(_) => {}
        }
    }
    (text, joined(&pieces))
}

fn goldens() -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/diagnostics");
    let entries = std::fs::read_dir(folder).expect("listed");
    let paths = entries.map(|entry| entry.expect("listed").path());
    let mut goldens: Vec<PathBuf> = paths
        .filter(|path| path.extension().is_some_and(|ending| ending == "md"))
        .collect();
    goldens.sort();
    goldens
}

#[test]
fn golden_files_show_what_is_printed() {
    let update = std::env::var_os("UPDATE").is_some();
    let mut wrong = Vec::new();
    let goldens = goldens();
    assert!(goldens.len() >= 12, "golden files are missing");
    for path in goldens {
        let (before, after) = replay(&path);
        if before == after {
            continue;
        }
        if update {
            std::fs::write(&path, after).expect("written");
        } else {
            wrong.push(format!("{}\n{after}", path.display()));
        }
    }
    assert!(
        wrong.is_empty(),
        "`UPDATE=1` rewrites:\n{}",
        wrong.join("\n")
    );
}
