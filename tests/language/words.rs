//! The pages of words keep their word: their examples are read where they say they belong, and
//! the list of reserved words is the grammar's.

use std::collections::BTreeSet;

use planc::syntax::words::{OLDER, RESERVED, WORDS};

use super::parse;

const GRAMMAR: &str = include_str!("../../grammar/plan.pest");

/// A file in which a line stands as a clause of the block.
fn inside(block: &str, line: &str) -> String {
    let head = match block {
        "file" => return format!("{line}\n"),
        "archive" => "archive wal of s",
        "assume" => "assume",
        "backup" => "backup b of s",
        "database" => {
            return format!("service s is mariadb {{\n  database d {{\n    {line}\n  }}\n}}\n");
        }
        "device" => "device d is directory at here",
        "drill" => "drill d every 7d",
        "for each" => "for each service $s",
        "objectives" => "objectives of s",
        "policy" => "policy p for service $it",
        "recovery" => "recovery r",
        "service" => "service s is mariadb",
        "switchover" => "switchover w",
        "apply" => "apply p to s",
        other => panic!("no head for a block `{other}`"),
    };
    format!("{head} {{\n  {line}\n}}\n")
}

const BLOCKS: [&str; 14] = [
    "file",
    "archive",
    "assume",
    "backup",
    "database",
    "device",
    "drill",
    "for each",
    "objectives",
    "policy",
    "recovery",
    "service",
    "switchover",
    "apply",
];

/// What is wrong with a line in a block, apart from the clauses that the block still lacks.
fn wrong(block: &str, line: &str) -> Vec<String> {
    let text = inside(block, line);
    let text = if line.starts_with("planc ") {
        text
    } else {
        format!("planc 1\n{text}")
    };
    let (_, findings) = parse(&text);
    let findings = findings
        .iter()
        .filter(|finding| !matches!(finding.code.0, 109 | 110));
    findings
        .map(|finding| format!("{}: {}", finding.code, finding.message))
        .collect()
}

#[test]
fn examples_are_read_in_the_blocks_they_belong_to() {
    let mut complaints = Vec::new();
    for page in WORDS.iter().filter(|page| !page.example.contains('…')) {
        for block in page.blocks {
            let found = wrong(block, page.example);
            if !found.is_empty() {
                complaints.push(format!("{} in {block}: {}", page.word, found.join("; ")));
            }
        }
        let takes = |line: &str| BLOCKS.iter().any(|block| wrong(block, line).is_empty());
        let phrase = page.blocks.is_empty();
        let somewhere = takes(page.example)
            || phrase && takes(&format!("physical full {}", page.example))
            || phrase && takes(&format!("ship {} to near", page.example));
        if !somewhere {
            complaints.push(format!("{}: no block takes `{}`", page.word, page.example));
        }
    }
    assert!(complaints.is_empty(), "{}", complaints.join("\n"));
}

#[test]
fn examples_are_refused_in_blocks_they_do_not_belong_to() {
    assert!(!wrong("objectives", "store on near").is_empty());
    assert!(!wrong("backup", "rpo 1d for loss of disk").is_empty());
    assert!(!wrong("file", "retain daily 7").is_empty());
}

#[test]
fn the_reserved_words_are_those_of_the_grammar() {
    let (_, rule) = GRAMMAR.split_once("\nreserved = @{ (").expect("the rule");
    let (words, _) = rule
        .split_once(") ~ !nchar }")
        .expect("the end of the rule");
    let words: BTreeSet<&str> = words.split('"').skip(1).step_by(2).collect();
    let listed: BTreeSet<&str> = RESERVED.iter().copied().collect();
    assert_eq!(words, listed);
    assert_eq!(listed.len(), RESERVED.len());
    assert!(RESERVED.is_sorted());
}

#[test]
fn older_spellings_are_those_of_the_grammar_and_mean_the_same() {
    let (_, rule) = GRAMMAR.split_once("\nolder    = @{ ").expect("the rule");
    let (words, _) = rule.split_once(" ~ !nchar }").expect("its end");
    let words: Vec<&str> = words.split('"').skip(1).step_by(2).collect();
    let listed: Vec<&str> = OLDER.iter().map(|(older, _)| *older).collect();
    assert_eq!(words, listed);
    for (older, today) in OLDER {
        let page = WORDS
            .iter()
            .find(|page| page.word == *today)
            .expect("a page");
        // blanks make up for the length, so that all places are the same
        let padded = format!("{older:width$}", width = today.len());
        for block in page.blocks {
            let new = format!("planc 1\n{}", inside(block, page.example));
            let old = new.replacen(today, &padded, 1);
            let ((meant, _), (read, findings)) = (parse(&new), parse(&old));
            assert_eq!(
                format!("{read:?}"),
                format!("{meant:?}"),
                "{older} in {block}"
            );
            let codes: Vec<u16> = findings.iter().map(|finding| finding.code.0).collect();
            assert_eq!(
                codes.iter().filter(|code| **code == 1205).count(),
                1,
                "{codes:?}"
            );
        }
    }
}
