//! Owns the resolved plan as text: a line a value, with what gave it behind a `#`.

use std::fmt::Write as _;

use super::{Block, From, Origin};
use crate::resolve::plan::Given;

/// Origins stand in this column, where the value is short enough.
const COLUMN: usize = 56;

/// The values of one environment as text.
#[must_use]
pub fn text(environment: &str, blocks: &[Block]) -> String {
    let mut out = String::new();
    for block in blocks {
        let _ = writeln!(out, "{} {{", head(block));
        for value in &block.values {
            let line = format!("  {} {}", value.key, one_line(&value.value));
            let origin = origin(&value.origin, environment);
            let _ = writeln!(out, "{:COLUMN$}  # {origin}", line.trim_end());
        }
        out.push_str("}\n");
    }
    out
}

fn head(block: &Block) -> String {
    let mut head = block.kind.clone();
    if !block.name.is_empty() {
        let _ = write!(head, " {}", block.name);
    }
    if let Some(instance) = &block.instance {
        let _ = write!(head, " for {instance}");
    }
    head
}

fn one_line(value: &str) -> String {
    value
        .split('\n')
        .map(str::trim)
        .collect::<Vec<_>>()
        .join(" ")
}

fn origin(origin: &Origin, environment: &str) -> String {
    let from = match &origin.from {
        From::Default => "default".to_owned(),
        From::Line => String::new(),
        From::Inventory => "inventory".to_owned(),
        From::Policy(policy) => format!("policy {policy}"),
        From::Override => "override".to_owned(),
    };
    let params = origin.params.iter().map(|param| {
        let given = match param.given {
            Given::Default => "default",
            Given::Environment => environment,
            Given::With => "with",
        };
        let (file, line) = &param.place;
        let place = if Some(&param.place) == origin.place.as_ref() {
            String::new()
        } else {
            format!(" {file}:{line}")
        };
        format!("param {} {given}{place}", param.name)
    });
    let place = origin
        .place
        .iter()
        .map(|(file, line)| format!("{file}:{line}"));
    let parts = std::iter::once(from).chain(params).chain(place);
    let parts: Vec<String> = parts.filter(|part| !part.is_empty()).collect();
    parts.join(", ")
}
