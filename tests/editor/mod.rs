//! `planc lsp` driven from outside: the real binary, the real protocol, on standard streams.

mod client;
mod completing;
mod fixing;
mod grammar;
mod hostile;
mod naming;
mod shape;
mod showing;
mod typing;

use std::path::Path;

use client::Editor;
use serde_json::{Value, json};

pub(crate) const PLAN: &str = "\
planc 1
plan notes
timezone Europe/Berlin
environment prod inventory \"prod.yaml\"
environment staging inventory \"staging.yaml\"
import \"lib/places.plan\" as lib
param log_every: duration = 5min, staging: 8min

key seal from file \"/etc/planc/notes.key\" escrow at away
window night every day 01:00..05:30

assume {
  log peak notes 1 GiB/h
}

objectives of notes {
  rpo 10min for loss of disk
  recovery window 7d
}

backup nightly of service notes {
  physical full every day during night
  store on near
  copy to lib.far within 6h
  encrypt with seal
  retain window 7d, monthly 3
}

archive wal of notes {
  ship every $log_every or 1 MiB to near
  copy to lib.far within 1h
  encrypt with seal
  retain window 9d
}
";

pub(crate) const LIBRARY: &str = "\
planc 1
# where copies go that have to survive the house
device far is directory
";

pub(crate) const INVENTORY: &str = "\
inventory: 1
sites: {home: {}, away: {}}
hosts:
  desk: {site: home, disks: {d0: {}}}
  vault: {site: away}
  depot: {site: home}
services:
  notes: {engine: sqlite, host: desk, disk: d0, path: /srv/notes.db}
devices:
  near: {host: vault, path: /srv/near, write: 50 MiB/s}
  lib.far: {host: depot, path: /srv/far, write: 50 MiB/s}
";

/// The files of a plan in a folder of their own.
pub(crate) fn site() -> tempfile::TempDir {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let at = folder.path();
    std::fs::create_dir(at.join("lib")).expect("made");
    for (name, text) in [
        ("notes.plan", PLAN),
        ("lib/places.plan", LIBRARY),
        ("prod.yaml", INVENTORY),
        ("staging.yaml", INVENTORY),
    ] {
        std::fs::write(at.join(name), text).expect("written");
    }
    folder
}

/// An editor that has `notes.plan` open.
pub(crate) fn open(folder: &Path) -> Editor {
    let mut editor = Editor::start(folder);
    editor.open("notes.plan");
    editor
}

/// A place in a text: the first byte of `word` in the first line that begins with `line`, blanks
/// aside, as line and UTF-16 column.
pub(crate) fn at(text: &str, line: &str, word: &str) -> Value {
    let mut lines = text.lines().enumerate();
    let (number, found) = lines
        .find(|(_, found)| found.trim_start().starts_with(line))
        .unwrap_or_else(|| panic!("no line `{line}`"));
    let byte = found
        .find(word)
        .unwrap_or_else(|| panic!("no `{word}` in `{found}`"));
    let character = found[..byte].encode_utf16().count();
    json!({"line": number, "character": character})
}

/// The text between two places.
pub(crate) fn between<'t>(text: &'t str, range: &Value) -> &'t str {
    let byte = |place: &Value| {
        let number =
            |key: &str| usize::try_from(place[key].as_u64().expect("a number")).expect("small");
        let starts = text.split_inclusive('\n').scan(0, |at, line| {
            *at += line.len();
            Some(*at - line.len())
        });
        let starts: Vec<usize> = starts.collect();
        let start = starts.get(number("line")).copied().unwrap_or(text.len());
        let mut units = 0;
        let inside = text[start..].char_indices().find(|(_, c)| {
            let here = units;
            units += c.len_utf16();
            here >= number("character")
        });
        inside.map_or(text.len(), |(at, _)| start + at)
    };
    &text[byte(&range["start"])..byte(&range["end"])]
}

/// A text with edits of the protocol applied, last first.
pub(crate) fn edited(text: &str, edits: &Value) -> String {
    let mut edits: Vec<&Value> = edits.as_array().expect("edits").iter().collect();
    let key = |edit: &&Value| {
        let start = &edit["range"]["start"];
        (start["line"].as_u64(), start["character"].as_u64())
    };
    edits.sort_by_key(key);
    let mut text = text.to_owned();
    for edit in edits.into_iter().rev() {
        let old = between(&text, &edit["range"]);
        let start = old.as_ptr() as usize - text.as_ptr() as usize;
        let end = start + old.len();
        text.replace_range(start..end, edit["newText"].as_str().expect("a text"));
    }
    text
}
