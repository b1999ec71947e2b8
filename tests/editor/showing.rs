//! Hover, lenses and hints: proofs, names, words and values where they are wanted.

use super::{PLAN, at, open, site};

fn hover(line: &str, word: &str) -> String {
    let folder = site();
    let mut editor = open(folder.path());
    let found = editor.ask_at("textDocument/hover", "notes.plan", &at(PLAN, line, word));
    let text = found["contents"]["value"].as_str().unwrap_or_default();
    text.to_owned()
}

#[test]
fn an_objective_shows_its_proof_and_the_sum() {
    let page = hover("rpo", "10min");
    assert!(page.contains("`rpo 10min for loss of disk`"), "{page}");
    assert!(page.contains("**proved: 5min"), "{page}");
    assert!(page.contains("of 10min** (notes in prod)"), "{page}");
    assert!(page.contains("**proved: 8min"), "{page}");
    assert!(page.contains("- 5min between shipments"), "{page}");
}

#[test]
fn words_show_their_pages_and_names_their_declarations() {
    let page = hover("store on", "store");
    assert!(
        page.starts_with("**store on**: ") && page.contains("store on DEVICE"),
        "{page}"
    );
    let page = hover("recovery window", "window");
    assert!(
        page.starts_with("**recovery window**"),
        "the pair and not the word: {page}"
    );
    let page = hover("store on", "near");
    assert!(page.starts_with("device **near**"), "{page}");
    assert!(
        page.contains("near: {host: vault") && page.contains("prod.yaml, line 10"),
        "{page}"
    );
    let page = hover("physical", "night");
    assert!(
        page.contains("window night every day 01:00..05:30"),
        "{page}"
    );
    assert!(
        page.contains("next: ") && page.contains("01:00 to 05:30"),
        "{page}"
    );
    let page = hover("ship", "log_every");
    assert!(page.contains("5min prod · 8min staging"), "{page}");
    assert_eq!(
        hover("planc", "1"),
        "",
        "nothing is said where nothing is known"
    );
}

#[test]
fn a_lens_says_how_a_promise_came_out() {
    let folder = site();
    let mut editor = open(folder.path());
    let lenses = editor.ask_of("textDocument/codeLens", "notes.plan");
    let lenses = lenses.as_array().expect("a list");
    let of = |line: &str| {
        let number = at(PLAN, line, line)["line"].clone();
        let found = lenses
            .iter()
            .find(|lens| lens["range"]["start"]["line"] == number);
        found.expect("a lens")["command"]["title"]
            .as_str()
            .expect("a title")
            .to_owned()
    };
    let rpo = of("rpo");
    assert!(
        rpo.contains("proved: 5min") && rpo.contains("of 10min [prod]"),
        "{rpo}"
    );
    assert!(
        rpo.contains("proved: 8min") && rpo.contains("[staging]"),
        "{rpo}"
    );
    let window = of("recovery window");
    assert!(
        window.starts_with("proved: ") && !window.contains('['),
        "the same in both: {window}"
    );
}

#[test]
fn a_hint_shows_the_values_of_a_parameter() {
    let folder = site();
    let mut editor = open(folder.path());
    let hints = editor.ask_of("textDocument/inlayHint", "notes.plan");
    let hints = hints.as_array().expect("a list");
    assert_eq!(hints.len(), 1, "{hints:?}");
    assert_eq!(hints[0]["label"], "5min prod · 8min staging");
    let place = &hints[0]["position"];
    assert_eq!(place["line"], at(PLAN, "ship", "ship")["line"]);
    let end = at(PLAN, "ship", " or 1 MiB");
    assert_eq!(place["character"], end["character"]);
}
