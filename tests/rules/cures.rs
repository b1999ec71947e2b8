//! Every repair that a finding proposes cures it: the changed plan is compiled again and passes
//! that check, and no error takes its place. Edits are applied as they are; repairs in words are
//! written into the plan as the help says.

use planc::check::rule::{self, Rule, severity};
use planc::check::rules::RULES;
use planc::diagnostic::{Code, Diagnostic, Severity};
use planc::source::SourceMap;

use super::judged;

/// The example with the edits of a finding in its files.
fn edited(example: &str, finding: &Diagnostic, sources: &SourceMap) -> String {
    let fix = finding.fix.as_ref().expect("an edit");
    let mut files = rule::split_example(example);
    let mut edits: Vec<_> = fix.edits.iter().collect();
    edits.sort_by_key(|edit| std::cmp::Reverse(edit.span.start));
    for edit in edits {
        let path = sources.file(edit.span.file).path();
        let mut own = files.iter_mut();
        let own = own.find(|(name, _)| path.ends_with(name.as_str()));
        let (_, text) = own.expect("a file of the example");
        let range = edit.span.start as usize..edit.span.end as usize;
        text.replace_range(range, &edit.text);
    }
    let joined = files
        .into_iter()
        .map(|(name, text)| format!("--- {name}\n{text}"));
    joined.collect()
}

/// What is still wrong: the code itself, or another error.
fn left(example: &str, code: Code) -> Vec<String> {
    let (_, findings) = judged(example);
    let open = findings
        .iter()
        .filter(|finding| finding.code == code || severity(finding.code) == Severity::Error);
    open.map(|finding| format!("{} {}", finding.code, finding.message))
        .collect()
}

#[test]
fn every_proposed_edit_cures_its_finding() {
    let mut cured = Vec::new();
    let mut wrong = Vec::new();
    for rule in RULES {
        let (sources, findings) = judged(rule.bad);
        let Some(finding) = findings.first().filter(|finding| finding.fix.is_some()) else {
            continue;
        };
        let plan = edited(rule.bad, finding, &sources);
        let left = left(&plan, rule.code);
        cured.push(rule.code);
        if !left.is_empty() {
            wrong.push(format!("{}: {left:?}\n{plan}", rule.code));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    // a repair that is no longer proposed would not be tested either
    let promised = [407, 410, 602, 603, 604, 617, 703, 805].map(Code);
    assert!(
        promised.iter().all(|code| cured.contains(code)),
        "{cured:?}"
    );
    assert!(cured.len() >= 18, "{cured:?}");
}

/// The parts of a help text that stand in backquotes.
fn quoted(help: &str) -> Vec<&str> {
    help.split('`').skip(1).step_by(2).collect()
}

/// How a help in words is written into the bad plan.
type Write = fn(&str, &str) -> String;

const IN_WORDS: &[(u16, Write)] = &[
    (402, |bad, help| {
        bad.replace("every sun during weekend", quoted(help)[0])
    }),
    (406, |bad, help| {
        bad.replace(
            "store on spare",
            &format!("{}\n  store on spare", quoted(help)[0]),
        )
    }),
    (608, |bad, help| {
        bad.replace("retain window 9d", quoted(help)[0])
    }),
    (609, |bad, help| {
        let days = help
            .split_once("keep it ")
            .expect("a span")
            .1
            .replace(" there", "");
        bad.replace(
            "to nvme\n  encrypt none\n  retain window 15d",
            &format!(
                "to nvme\n  copy to tapes within 1h\n  encrypt none\n  retain on nvme window \
                 15d\n  retain on tapes window {days}"
            ),
        )
    }),
    (613, |bad, help| {
        let rate = help.split_once("copy at ").expect("a rate").1;
        bad.replace("120 MiB/s", rate.trim_end_matches(" or more"))
    }),
    (615, |bad, help| {
        let window = quoted(help)[0].replace("retain ", "");
        bad.replace("window 15d", &window)
    }),
    (618, |bad, help| {
        let rate = help.split_once("at least ").expect("a rate").1;
        let rate = rate.split(',').next().expect("a rate");
        bad.replace("throttle 6 MiB/s", &format!("throttle {rate}"))
    }),
    (701, |bad, help| bad.replace("window 5d", quoted(help)[0])),
    (705, |bad, help| {
        let device = format!(
            "device tapes is volumes at fra {{\n  {}\n}}\n",
            quoted(help)[0]
        );
        bad.replace("objectives of", &format!("{device}objectives of"))
    }),
    (706, |bad, help| {
        bad.replace("return after 5w", quoted(help)[0])
    }),
    (707, |bad, help| {
        let more: u32 = help
            .split(' ')
            .nth(1)
            .expect("a number")
            .parse()
            .expect("a number");
        bad.replace("volumes: 6", &format!("volumes: {}", 6 + more))
    }),
    (708, |bad, help| bad.replace("daily 14", quoted(help)[0])),
    (709, |bad, help| {
        bad.replace(
            "to nvme\n  encrypt",
            &format!("to nvme\n  {}\n  encrypt", quoted(help)[0]),
        )
    }),
    (712, |bad, help| {
        let days = help.split_once(" for ").expect("a span").1;
        let days = days.split(' ').next().expect("a span");
        bad.replace("window 3d", &format!("window {days}"))
    }),
    (807, |bad, help| bad.replace("parallel 2", quoted(help)[0])),
];

#[test]
fn every_repair_in_words_cures_its_finding() {
    let mut wrong = Vec::new();
    for (code, write) in IN_WORDS {
        let rule: &Rule = rule::find(Code(*code)).expect("a rule");
        let (_, findings) = judged(rule.bad);
        let help = findings[0].help.as_deref().expect("a help");
        let plan = write(rule.bad, help);
        assert_ne!(plan, rule.bad, "{}: {help}", rule.code);
        let left = left(&plan, rule.code);
        if !left.is_empty() {
            wrong.push(format!("{} ({help}): {left:?}", rule.code));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn one_volume_less_than_proposed_is_too_few() {
    let rule = rule::find(Code(707)).expect("a rule");
    let (_, findings) = judged(rule.bad);
    let help = findings[0].help.as_deref().expect("a help");
    let more: u32 = help
        .split(' ')
        .nth(1)
        .expect("a number")
        .parse()
        .expect("a number");
    let fewer = rule
        .bad
        .replace("volumes: 6", &format!("volumes: {}", 5 + more));
    assert_eq!(left(&fewer, rule.code).len(), 1);
}
