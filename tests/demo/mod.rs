//! The README's first command, and the first plan that `planc init` writes, from end to end.

use std::path::Path;
use std::process::{Command, Output};

fn planc(folder: &Path, line: &str) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_planc"));
    command.args(line.split(' ')).current_dir(folder);
    command.output().expect("planc starts")
}

fn text(output: &Output) -> String {
    let both = [output.stdout.as_slice(), output.stderr.as_slice()].concat();
    String::from_utf8_lossy(&both).into_owned()
}

#[track_caller]
fn succeeds(folder: &Path, line: &str) -> String {
    let output = planc(folder, line);
    assert!(output.status.success(), "planc {line}: {}", text(&output));
    text(&output)
}

#[test]
fn the_demo_proves_its_recovery_and_leaves_a_folder_to_look_at() {
    let folder = tempfile::tempdir().expect("a folder");
    let said = succeeds(folder.path(), "demo --seed 7");
    assert!(said.contains("Proof: every row of every table"), "{said}");
    assert_eq!(said.matches("before and after").count(), 3, "{said}");
    let demo = folder.path().join("demo");
    succeeds(&demo, "verify --quiet");
    assert!(succeeds(&demo, "status").contains("shop/database/main"));
    // a second demo must not run over the first
    let again = planc(folder.path(), "demo");
    assert_eq!(again.status.code(), Some(2), "{}", text(&again));
}

#[test]
fn a_first_plan_is_written_checked_and_run_for_a_file_and_for_a_folder() {
    let folder = tempfile::tempdir().expect("a folder");
    let notes = folder.path().join("notes.db");
    let source = rusqlite::Connection::open(&notes).expect("a database");
    source
        .execute_batch("pragma journal_mode = wal; create table note (id integer primary key)")
        .expect("a table");
    source
        .execute("insert into note values (1)", [])
        .expect("a row");
    let plain = rusqlite::Connection::open(folder.path().join("plain.db")).expect("a database");
    plain
        .execute_batch("create table note (id integer primary key)")
        .expect("a table");
    std::fs::create_dir_all(folder.path().join("docs")).expect("a folder");
    std::fs::write(folder.path().join("docs/a.txt"), "words").expect("a file");
    std::fs::create_dir(folder.path().join("backup")).expect("a folder");
    let sources = [
        ("sqlite", "notes.db", "notes"),
        ("sqlite", "plain.db", "plain"),
        ("files", "docs", "docs"),
    ];
    for (engine, source, name) in sources {
        succeeds(folder.path(), &format!("init {engine} {source}"));
        succeeds(
            folder.path(),
            &format!("check {name}.plan --fail-on advice"),
        );
        succeeds(folder.path(), &format!("device init -p {name}.plan --all"));
        succeeds(folder.path(), &format!("run {name}.plan"));
        succeeds(
            folder.path(),
            &format!("restore {name} -p {name}.plan --to back-{name} --yes"),
        );
    }
    let back = rusqlite::Connection::open(folder.path().join("back-notes")).expect("restored");
    let rows: i64 = back
        .query_row("select count(*) from note", [], |row| row.get(0))
        .expect("rows");
    assert_eq!(rows, 1);
    let words = std::fs::read_to_string(folder.path().join("back-docs/a.txt")).expect("restored");
    assert_eq!(words, "words");
    assert_eq!(
        planc(folder.path(), "init sqlite notes.db").status.code(),
        Some(2)
    );
}

/// The text of the first block of the README in this language.
fn block(readme: &str, language: &str) -> String {
    let begin = readme
        .split_once(&format!("```{language}\n"))
        .expect("the block begins")
        .1;
    begin
        .split_once("```")
        .expect("the block ends")
        .0
        .to_owned()
}

/// The commands of the README's first plan, word by word, but for the places they name.
#[test]
fn the_first_plan_of_the_readme_works_as_printed() {
    let readme = include_str!("../../README.md");
    let chapter = readme
        .split_once("## A first plan of your own")
        .expect("it is there");
    let folder = tempfile::tempdir().expect("a folder");
    let at = |place: &str| folder.path().join(place).display().to_string();
    let source = rusqlite::Connection::open(at("notes.db")).expect("a database");
    let sql = "pragma journal_mode = wal; create table note (id); insert into note values (1)";
    source.execute_batch(sql).expect("a table");
    let commands = block(chapter.1, "sh")
        .replace("/srv/notes/notes.db", &at("notes.db"))
        .replace("/backup/disk", &at("disk"))
        .replace("/tmp/back.db", &at("back.db"));
    let mut ran = 0;
    for line in commands.lines() {
        let line = line.split(" # ").next().expect("a command").trim();
        match line.split_once(' ') {
            Some(("mkdir", _)) => std::fs::create_dir(at("disk")).expect("made"),
            // stays until it is told to stop
            Some(("planc", rest)) if rest.ends_with("--watch") => {}
            Some(("planc", rest)) => {
                succeeds(folder.path(), rest);
                ran += 1;
            }
            _ => panic!("no command of planc: {line}"),
        }
    }
    assert_eq!(ran, 7);
    let back = rusqlite::Connection::open(at("back.db")).expect("restored");
    let rows = back.query_row("select count(*) from note", [], |row| row.get::<_, i64>(0));
    assert_eq!(rows, Ok(1));
}

#[test]
fn the_plan_of_the_readme_is_judged_well() {
    let readme = include_str!("../../README.md");
    let folder = tempfile::tempdir().expect("a folder");
    let plan = folder.path().join("notes.plan");
    std::fs::write(&plan, block(readme, "planc")).expect("written");
    let inventory = folder.path().join("notes.yaml");
    std::fs::write(inventory, block(readme, "yaml")).expect("written");
    let said = succeeds(folder.path(), "check notes.plan --fail-on warning");
    assert!(said.contains("plan notes"), "{said}");
}
