//! Formatting: idempotent, comment-preserving, the same plan before and after.

use planc::diagnostic::Diagnostics;
use planc::source::FileId;
use planc::syntax::{format, parse};
use proptest::prelude::*;

/// The tree as text without its places.
fn tree(text: &str) -> String {
    let mut out = Diagnostics::new();
    let tree = format!("{:?}", parse(FileId(0), text, &mut out).items);
    let mut kept = String::new();
    let mut rest = tree.as_str();
    while let Some(at) = rest.find("Span {") {
        kept.push_str(&rest[..at]);
        let end = rest[at..].find('}').map_or(rest.len(), |end| at + end + 1);
        rest = &rest[end..];
    }
    kept + rest
}

fn comments(text: &str) -> Vec<&str> {
    // no string of these tests holds a `#`
    let lines = text.lines().filter_map(|line| line.split_once('#'));
    lines.map(|(_, comment)| comment.trim_end()).collect()
}

const CLAUSES: &[&str] = &[
    "physical full every sat during weekend",
    "physical incremental every mon..wed, fri at 05:45",
    "logical every last fri of month when changed",
    "store on nvme",
    "copy full to bucket, dev.far within 6h",
    "retain on bucket,tapes window 35d , weekly 5, last $n",
    "encrypt none",
    "throttle 400 MiB/s in night, $r in day, 80 MiB/s otherwise",
    "verify every 2d",
    "notify a, b on always",
    "allow P0606 until 2026-09-30 because \"two  blanks, and a , comma\"",
    "stroe on nvme",
    "copy  to\tin  6h",
];

const STATEMENTS: &[&str] = &[
    "planc 1",
    "plan p \"a title\"",
    "site a, b,c",
    "param log_every: duration = 5min, staging : 1h",
    "window w every day 22:00..sun 09:00",
    "service s is mariadb { database d { group g tables a, b } }",
    "device t is volumes at fra { rotate to dub every fri, return when expired }",
    "for each service $s where tier is gold and x is \"y\" { expect 1..2 }",
    "bananas   are   yellow",
];

fn blank() -> impl Strategy<Value = &'static str> {
    prop::sample::select(vec!["", " ", "   ", "\t"])
}

fn ending() -> impl Strategy<Value = &'static str> {
    prop::sample::select(vec![
        "\n",
        "  # note\n",
        "#note\n",
        "\n\n\n",
        "\r\n",
        "\n   # own line\n",
    ])
}

fn line(of: &'static [&'static str]) -> impl Strategy<Value = String> {
    (blank(), prop::sample::select(of), blank(), ending())
        .prop_map(|(before, text, after, end)| format!("{before}{text}{after}{end}"))
}

fn block() -> impl Strategy<Value = String> {
    let body = prop::collection::vec(line(CLAUSES), 0..8);
    let head = prop::sample::select(vec!["backup b of base, service s {", "archive a of s\t{"]);
    (head, ending(), body, blank(), ending()).prop_map(|(head, after, body, blank, end)| {
        format!("{head}{after}{}{blank}}}{end}", body.concat())
    })
}

fn plan() -> impl Strategy<Value = String> {
    let part = prop_oneof![line(STATEMENTS), block()];
    prop::collection::vec(part, 0..10).prop_map(|parts| parts.concat())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn formatting_keeps_the_plan_and_settles_at_once(text in plan()) {
        let once = format(&text).expect("even text");
        prop_assert_eq!(format(&once).expect("even text"), once.as_str());
        prop_assert_eq!(tree(&once), tree(&text));
        prop_assert_eq!(comments(&once), comments(&text));
    }
}
