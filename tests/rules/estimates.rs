//! Repairs that estimates propose: the changed plan is compiled again.

use planc::check::rule;
use planc::diagnostic::Code;

use super::judged;
use super::repairs::{applied, codes, edited};

#[test]
fn the_computed_rate_fits_the_window() {
    let rule = rule::find(Code(404)).expect("a rule");
    let slow = rule.good.replace(
        "store on near",
        "store on near\n  throttle 40 MiB/s in early, 20 MiB/s otherwise",
    );
    let (sources, mut findings) = judged(&slow);
    let finding = findings.pop().expect("too slow for the window");
    assert_eq!((finding.code, findings.len()), (Code(404), 0));
    assert!(finding.message.contains("3h 30min on 2026-03-29"));
    let cured = edited(&slow, &finding, &sources);
    assert!(cured.contains("throttle 84 MiB/s in early"), "{cured}");
    // it fits, though with little room
    assert_eq!(codes(&cured), ["P0405"]);
}

#[test]
fn the_computed_spans_are_long_enough() {
    let cured = applied(407);
    assert!(cured.contains("every 77min"), "{cured}");
    assert_eq!(codes(&cured), [""; 0]);
    let cured = applied(410);
    assert!(cured.contains("within 103min"), "{cured}");
    assert_eq!(codes(&cured), [""; 0]);
}

#[test]
fn the_order_that_is_proposed_frees_the_drive() {
    assert_eq!(codes(&applied(805)), [""; 0]);
}

#[test]
fn the_computed_interval_keeps_the_rto_with_its_reserve() {
    let cured = applied(603);
    assert_eq!(codes(&cured), [""; 0], "{cured}");
}

#[test]
fn the_computed_rate_keeps_log_within_its_space() {
    let rule = rule::find(Code(613)).expect("a rule");
    let (_, findings) = judged(rule.bad);
    let help = findings[0].help.as_deref().expect("a rate");
    let (_, rate) = help.split_once("copy at ").expect("a rate");
    let rate = rate.strip_suffix(" or more").expect("a rate");
    let cured = rule.bad.replace("120 MiB/s", rate);
    assert_eq!(codes(&cured), [""; 0], "{cured}");
}

#[test]
fn the_computed_window_fits_the_device() {
    let cured = applied(703);
    assert_eq!(codes(&cured), [""; 0], "{cured}");
    let longer = cured.replace("window 15d", "window 16d");
    assert_ne!(longer, cured);
    assert_eq!(codes(&longer), ["P0704"]);
}

#[test]
fn the_computed_span_of_log_bridges_the_parts() {
    assert_eq!(codes(&applied(617)), [""; 0]);
}

#[test]
fn a_promise_close_to_its_limit_is_neither_proved_nor_broken() {
    let rule = rule::find(Code(603)).expect("a rule");
    let (_, findings) = judged(rule.bad);
    let found = findings[0].proof.as_ref().expect("a sum").found;
    let close = rule
        .bad
        .replace("rto 2h", &format!("rto {}s", found.ceil()));
    let (_, findings) = judged(&close);
    assert_eq!(findings.len(), 1);
    assert!(
        findings[0].message.contains("20 % reserve"),
        "{:?}",
        findings[0].message
    );
}
