//! The language: the four plans, slips in them, formatting, hostile input.

mod compiled;
mod findings;
mod formatting;
mod hostile;
mod large;
mod mutants;
mod plans;
mod resolve_plans;
mod resolved;
mod slips;
mod structure;
mod words;

use planc::diagnostic::{Diagnostic, Diagnostics};
use planc::source::FileId;
use planc::syntax::ast::Ast;

/// The four plans of the language's description, and the file that one of them imports.
const PLANS: [(&str, &str); 5] = [
    ("orders", include_str!("../../plans/orders.plan")),
    ("notes", include_str!("../../plans/notes.plan")),
    ("shop", include_str!("../../plans/shop.plan")),
    ("fleet", include_str!("../../plans/fleet.plan")),
    ("devices", include_str!("../../plans/lib/devices.plan")),
];

/// Parses and returns the findings in the order people read them.
fn parse(text: &str) -> (Ast, Vec<Diagnostic>) {
    let mut out = Diagnostics::new();
    let ast = planc::syntax::parse(FileId(0), text, &mut out);
    (ast, out.into_sorted())
}

/// Code and text under the first label of each finding.
fn seen(text: &str) -> Vec<(String, &str)> {
    let (_, findings) = parse(text);
    let place = |finding: &Diagnostic| {
        let span = finding.span();
        let under = text.get(span.start as usize..span.end as usize);
        (finding.code.to_string(), under.unwrap_or("?"))
    };
    findings.iter().map(place).collect()
}
