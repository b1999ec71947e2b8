//! The table of allowed imports between the folders of `src`, and the purity of the front end
//! and the planner.

use super::{Source, report, sources};

/// For each stage the stages it may use, besides itself. A new arrow shows up in review here.
const MAY_USE: &[(&str, &[&str])] = &[
    ("source", &[]),
    ("similar", &[]),
    ("diagnostic", &["source"]),
    ("quantity", &["diagnostic"]),
    ("yaml", &["diagnostic", "source"]),
    ("syntax", &["diagnostic", "quantity", "similar", "source"]),
    (
        "resolve",
        &[
            "diagnostic",
            "facts",
            "quantity",
            "similar",
            "source",
            "syntax",
        ],
    ),
    (
        "check",
        &[
            "diagnostic",
            "estimate",
            "facts",
            "quantity",
            "resolve",
            "similar",
            "source",
            "syntax",
        ],
    ),
    (
        "facts",
        &[
            "diagnostic",
            "quantity",
            "resolve",
            "similar",
            "source",
            "syntax",
            "yaml",
        ],
    ),
    (
        "estimate",
        &["facts", "quantity", "resolve", "schedule", "source"],
    ),
    (
        "graph",
        &[
            "check", "estimate", "facts", "quantity", "resolve", "schedule", "similar", "yaml",
        ],
    ),
    ("schedule", &[]),
    ("durable", &[]),
    (
        "outlook",
        &[
            "check", "estimate", "facts", "graph", "quantity", "resolve", "schedule", "source",
        ],
    ),
    (
        "engine",
        &["durable", "facts", "graph", "media", "quantity", "resolve"],
    ),
    ("media", &["durable", "engine", "facts", "resolve"]),
    ("catalog", &["facts", "media"]),
    (
        "run",
        &[
            "catalog", "check", "durable", "engine", "facts", "graph", "media", "quantity",
            "resolve", "schedule",
        ],
    ),
];

/// What a pure stage may not name. `rayon` computes and is allowed; `jiff::Timestamp::now` and
/// `Zoned::now` read the clock.
const IMPURE: &[&str] = &[
    "std::fs",
    "std::net",
    "std::process",
    "std::thread",
    "std::env",
    "File::open",
    "SystemTime",
    "Instant::now",
    "Timestamp::now",
    "Zoned::now",
    "rusqlite",
    "postgres::",
    "rustix",
    "tempfile",
    "walkdir",
    "crossbeam_channel",
];

const PURE: &[&str] = &[
    "source",
    "similar",
    "diagnostic",
    "quantity",
    "yaml",
    "syntax",
    "resolve",
    "check",
    "facts",
    "estimate",
    "graph",
    "schedule",
    "outlook",
];

/// Libraries that only these files may use.
const WALLS: &[(&str, &[&str])] = &[
    ("pest", &["src/syntax/"]),
    ("petgraph", &["src/graph/order.rs"]),
    ("serde_yaml", &["src/yaml/mod.rs"]),
    ("indicatif", &["src/report/progress.rs"]),
    ("miette::", &["src/report/render"]),
    (
        "rayon",
        &["src/catalog/rebuild.rs", "src/engine/huge.rs", "src/media/"],
    ),
    ("libc::", &["src/main.rs"]),
    ("clap", &["src/cli/"]),
];

fn stage(source: &Source) -> &str {
    let path = source.path.strip_prefix("src/").unwrap_or(&source.path);
    path.split(['/', '.']).next().unwrap_or(path)
}

fn code_lines(text: &str) -> impl Iterator<Item = (usize, &str)> {
    let lines = text.lines().enumerate().map(|(at, line)| (at + 1, line));
    lines.filter(|(_, line)| !line.trim_start().starts_with("//"))
}

/// Names of stages after `crate::` in a line.
fn used_stages(line: &str) -> impl Iterator<Item = &str> {
    line.match_indices("crate::").map(|(at, found)| {
        let rest = &line[at + found.len()..];
        let end = rest
            .find(|c: char| !c.is_alphanumeric() && c != '_')
            .unwrap_or(rest.len());
        &rest[..end]
    })
}

#[test]
fn stages_use_only_what_the_table_allows() {
    let mut complaints = Vec::new();
    for source in &sources("src") {
        let own = stage(source);
        let Some((_, allowed)) = MAY_USE.iter().find(|(name, _)| *name == own) else {
            continue;
        };
        for (at, line) in code_lines(source.production()) {
            for used in used_stages(line) {
                let known = MAY_USE.iter().any(|(name, _)| *name == used)
                    || matches!(used, "cli" | "lsp" | "report");
                if known && used != own && !allowed.contains(&used) {
                    complaints.push(format!(
                        "{}:{at}: `{own}` may not use `{used}`",
                        source.path
                    ));
                }
            }
        }
    }
    report(&complaints);
}

#[test]
fn every_stage_is_in_the_table() {
    let mut complaints = Vec::new();
    for source in &sources("src") {
        let own = stage(source);
        let known = MAY_USE.iter().any(|(name, _)| *name == own);
        if !known && !matches!(own, "lib" | "main" | "cli" | "lsp" | "report") {
            complaints.push(format!(
                "{}: stage `{own}` is not in the table",
                source.path
            ));
        }
    }
    report(&complaints);
}

#[test]
fn front_end_and_planner_are_pure() {
    let mut complaints = Vec::new();
    for source in &sources("src") {
        if !PURE.contains(&stage(source)) {
            continue;
        }
        for (at, line) in code_lines(source.production()) {
            for word in IMPURE.iter().filter(|word| line.contains(**word)) {
                complaints.push(format!("{}:{at}: `{word}` in a pure stage", source.path));
            }
        }
    }
    report(&complaints);
}

#[test]
fn libraries_stay_behind_their_walls() {
    let mut complaints = Vec::new();
    for source in &sources("src") {
        for (at, line) in code_lines(source.production()) {
            for (library, files) in WALLS {
                let used = line.contains(&format!("use {library}"))
                    || line.contains(&format!("{}::", library.trim_end_matches("::")));
                if used && !files.iter().any(|file| source.path.starts_with(file)) {
                    complaints.push(format!(
                        "{}:{at}: `{library}` outside its wall",
                        source.path
                    ));
                }
            }
        }
    }
    report(&complaints);
}
