//! Hostile input: any bytes, deep nesting, huge lines. Nothing may panic or take long.

use planc::syntax::format;
use proptest::prelude::*;

use super::{PLANS, parse};

/// Every span must lie in the text, on character boundaries.
fn sound(text: &str) {
    let (_, findings) = parse(text);
    let clean = findings.is_empty();
    for finding in findings {
        for label in finding
            .labels
            .iter()
            .chain(finding.related.iter().map(|r| &r.label))
        {
            let (start, end) = (label.span.start as usize, label.span.end as usize);
            assert!(
                text.get(start..end).is_some(),
                "{}: {start}..{end}",
                finding.message
            );
        }
    }
    let printed = format(text);
    if clean {
        let printed = printed.expect("a text without slips is formatted");
        assert_eq!(format(&printed).as_deref(), Ok(printed.as_str()));
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn any_text_is_survived(text in "\\PC{0,200}") {
        sound(&text);
    }

    #[test]
    fn any_signs_are_survived(text in "[a-z0-9 {}\"#,\\\\\n\r\t$.=é]{0,200}") {
        sound(&text);
    }

    #[test]
    fn any_mix_of_words_is_survived(words in prop::collection::vec(word(), 0..60)) {
        sound(&words.concat());
    }

    #[test]
    fn any_cut_of_a_plan_is_survived(from in 0_usize..6000, to in 0_usize..6000) {
        let text = PLANS[0].1;
        let cut = |at: usize| (0..=at.min(text.len())).rfind(|at| text.is_char_boundary(*at));
        let (from, to) = (cut(from).unwrap_or(0), cut(to).unwrap_or(0));
        sound(&text[from.min(to)..from.max(to)]);
    }
}

fn word() -> impl Strategy<Value = String> {
    let words = [
        "backup",
        "of",
        "service",
        "{",
        "}",
        "\n",
        " ",
        " ",
        " ",
        "  ",
        "\"",
        "\"\"\"",
        "#",
        ",",
        "every",
        "5min",
        "5",
        "to",
        "x",
        "store on",
        "policy",
        "for each",
        "$s",
        "{\n",
        "}\n",
        "database",
        "group",
        "tables",
        "a*",
        "planc 1\n",
        "\r\n",
        "\\",
        "é",
        "<=",
        "1am",
        "apply",
    ];
    prop::sample::select(words.to_vec()).prop_map(str::to_owned)
}

#[test]
fn deep_nesting_is_bounded() {
    for opening in [
        "{",
        "a {",
        "a {\n",
        "backup a of b {\n",
        "service a is b { ",
        "policy p for service $x {\n",
    ] {
        let open = opening.repeat(20_000);
        for text in [open.clone(), format!("{open}{}", "}\n".repeat(20_000))] {
            let (_, findings) = parse(&text);
            assert!(!findings.is_empty());
            // one for each line is the most that can be right: 20 000 empty backups are that many
            assert!(findings.len() <= 20_200, "{}", findings.len());
        }
    }
}

#[test]
fn huge_input_is_bounded() {
    let clause = "x".repeat(1 << 20);
    for text in [
        clause.clone(),
        format!("planc 1\nsite {clause}\n"),
        format!("planc 1\nplan {}\n", "a ".repeat(1 << 19)),
        "\"\n".repeat(100_000),
        "}\n".repeat(100_000),
        "stroe on x\n".repeat(50_000),
        format!("planc 1\nsite {}z\n", "a, ".repeat(100_000)),
    ] {
        let (_, findings) = parse(&text);
        assert!(findings.len() <= 1000, "{}", findings.len());
    }
}
