//! The four plans of the language's description.

use super::{PLANS, parse};

#[test]
fn the_four_plans_parse_without_a_finding() {
    for (name, text) in PLANS {
        let (ast, findings) = parse(text);
        let said: Vec<&str> = findings
            .iter()
            .map(|finding| finding.message.as_str())
            .collect();
        assert!(said.is_empty(), "{name}: {said:?}");
        assert!(ast.items.len() > 2, "{name}");
    }
}

#[test]
fn the_four_plans_are_in_the_one_style() {
    for (name, text) in PLANS {
        let formatted = planc::syntax::format(text).expect("a plan without slips");
        assert_eq!(formatted, text, "{name}");
    }
}
