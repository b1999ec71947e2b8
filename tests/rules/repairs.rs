//! A repair that a finding proposes cures it: the changed plan is compiled again.

use planc::check::rule;
use planc::diagnostic::{Code, Diagnostic};
use planc::source::SourceMap;

use super::judged;

/// The bad plan of a rule, and its finding with the texts it points into.
fn broken(code: u16) -> (String, Diagnostic, SourceMap) {
    let rule = rule::find(Code(code)).expect("a rule");
    let (sources, mut findings) = judged(rule.bad);
    (
        rule.bad.to_owned(),
        findings.pop().expect("a finding"),
        sources,
    )
}

pub(super) fn codes(example: &str) -> Vec<String> {
    let (_, findings) = judged(example);
    findings
        .iter()
        .map(|found| found.code.to_string())
        .collect()
}

/// Applies the edits of a finding; examples begin with the plan, so places are those of the file.
pub(super) fn applied(code: u16) -> String {
    let (text, finding, sources) = broken(code);
    edited(&text, &finding, &sources)
}

pub(super) fn edited(text: &str, finding: &Diagnostic, sources: &SourceMap) -> String {
    let mut text = text.to_owned();
    let fix = finding.fix.as_ref().expect("an edit");
    for edit in fix.edits.iter().rev() {
        assert!(text.starts_with(sources.file(edit.span.file).text()));
        let range = edit.span.start as usize..edit.span.end as usize;
        text.replace_range(range, &edit.text);
    }
    text
}

#[test]
fn the_computed_interval_keeps_the_rpo_and_is_the_longest_that_does() {
    let cured = applied(602);
    assert!(cured.contains("ship every 599s or 64 MiB"), "{cured}");
    assert_eq!(codes(&cured), [""; 0]);
    let longer = cured.replace("every 599s", "every 600s");
    assert_eq!(codes(&longer), ["P0602"]);
}

#[test]
fn a_server_that_ends_its_segments_by_itself_keeps_the_rpo() {
    let bad = &rule::find(Code(602)).expect("a rule").bad;
    let with = |settings: &str| {
        let facts = format!("instances:\n  orders_db: {{settings: {{{settings}}}}}\n");
        codes(&(bad.to_string() + &facts))
    };
    let own = "archive_mode: on, archive_command: planc, archive_timeout";
    assert_eq!(with(&format!("{own}: 5min")), [""; 0]);
    for not_so in [
        format!("{own}: 15min"),
        format!("{own}: \"0\""),
        "archive_mode: on, archive_command: other, archive_timeout: 5min".to_owned(),
        "archive_mode: off, archive_command: planc, archive_timeout: 5min".to_owned(),
    ] {
        let found = with(&not_so);
        assert!(found.contains(&"P0602".to_owned()), "{not_so}: {found:?}");
    }
}

#[test]
fn the_further_copy_is_enough() {
    assert_eq!(codes(&applied(604)), [""; 0]);
}

#[test]
fn the_computed_rate_keeps_up_with_the_log() {
    let (text, finding, _) = broken(618);
    let help = finding.help.expect("a rate");
    let rate = help.strip_prefix("allow at least ").expect("a rate");
    let rate = rate.split(',').next().expect("a rate");
    let cured = text.replace("throttle 6 MiB/s", &format!("throttle {rate}"));
    assert_eq!(codes(&cured), [""; 0]);
}

#[test]
fn keeping_as_long_as_the_help_says_gives_the_window() {
    let (text, finding, _) = broken(615);
    let help = finding.help.expect("a span");
    assert!(help.contains("window 35d"), "{help}");
    assert_eq!(codes(&text.replace("window 15d", "window 35d")), [""; 0]);
}

#[test]
fn what_is_not_known_is_neither_proved_nor_broken() {
    let rule = rule::find(Code(602)).expect("a rule");
    let without = rule.good.replace("facts: facts.yaml\n", "");
    assert_eq!(codes(&without), ["P0611"]);
}

#[test]
fn todays_word_takes_the_place_of_the_older_one() {
    let rule = rule::find(Code(1205)).expect("a rule");
    assert_eq!(applied(1205), rule.good);
}

/// The good plan of a rule with further statements and other words in it.
fn changed(statements: &str, words: &[(&str, &str)]) -> String {
    let rule = rule::find(Code(1205)).expect("a rule");
    let (head, rest) = rule.good.split_once("objectives").expect("a block");
    let mut text = format!("{head}{statements}\nobjectives{rest}");
    for (from, to) in words {
        assert!(text.contains(from), "{from}");
        text = text.replace(from, to);
    }
    text
}

#[test]
fn parameters_of_time_text_and_name_stand_where_such_a_value_may() {
    let time = changed(
        "param start: time = 04:30",
        &[("day at 04:30", "day at $start")],
    );
    assert_eq!(codes(&time), [""; 0]);
    let name = changed(
        "param what: name = notes",
        &[
            ("of service notes", "of service $what"),
            ("of notes", "of $what"),
        ],
    );
    assert_eq!(codes(&name), [""; 0]);
    let policy = changed(
        "policy p for service $it {\n  param start: time = 03:00\n  backup other of $it {\n    \
         physical full every sun at $start\n    store on spare\n    retain last 3\n  }\n}\n\
         apply p to notes with start 05:30",
        &[],
    );
    assert_eq!(codes(&policy), [""; 0]);
}

#[test]
fn parameters_of_another_kind_are_refused_where_they_stand() {
    let wrong = changed(
        "param start: duration = 5min",
        &[("day at 04:30", "day at $start")],
    );
    assert_eq!(codes(&wrong), ["P0305"]);
    let unknown = changed(
        "param what: name = noted",
        &[("of service notes", "of service $what")],
    );
    assert_eq!(codes(&unknown), ["P0201"]);
    let time = changed(
        "param what: time = 04:30",
        &[("of service notes", "of service $what")],
    );
    assert_eq!(codes(&time), ["P0202"]);
}
