//! The table of durability mutants fits the sources: a mutant whose text is gone would never be
//! tried again.

use super::{report, sources};

/// Name, file and text of each mutant.
fn mutants() -> Vec<(String, String, String)> {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/campaign/mutants.table");
    let table = std::fs::read_to_string(path).expect("the table");
    let each = table.split("\n# ").skip(1);
    let mutants = each.map(|mutant| {
        let mut lines = mutant.lines();
        let mut next = || lines.next().expect("a line").to_owned();
        let (name, file, _seen_by) = (next(), next(), next());
        let text: Vec<&str> = lines.filter_map(|line| line.strip_prefix('-')).collect();
        (name, file, text.join("\n"))
    });
    mutants.collect()
}

#[test]
fn the_text_of_every_mutant_stands_in_its_file_once() {
    let mutants = mutants();
    assert!(mutants.len() > 100, "{} mutants", mutants.len());
    let sources = sources("src");
    let mut complaints = Vec::new();
    for (at, (name, file, text)) in mutants.iter().enumerate() {
        let source = sources.iter().find(|source| source.path == *file);
        let count = source.map_or(0, |source| source.text.matches(text.as_str()).count());
        if count != 1 || text.is_empty() {
            complaints.push(format!("{file} holds the text of `{name}` {count} times"));
        }
        if mutants[..at].iter().any(|(other, ..)| other == name) {
            complaints.push(format!("two mutants are named `{name}`"));
        }
    }
    report(&complaints);
}
