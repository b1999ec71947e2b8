//! Owns the Mermaid form of a graph, for pages that draw it.

use std::fmt::Write;

use super::{kind_word, subject};
use crate::graph::step::{EdgeKind, StepGraph};

/// The graph as a Mermaid flow chart: dotted arrows for always, labelled ones for failure.
#[must_use]
pub fn mermaid(graph: &StepGraph) -> String {
    let mut out = String::from("flowchart LR\n");
    for (index, step) in graph.steps.iter().enumerate() {
        let word = kind_word(&step.kind);
        let _ = writeln!(
            out,
            "  s{index}[\"{index} {word}<br/>{}\"]",
            escaped(&subject(step))
        );
    }
    for edge in &graph.edges {
        let arrow = match edge.kind {
            EdgeKind::Success => "-->",
            EdgeKind::Failure => "-->|failure|",
            EdgeKind::Always => "-.->|always|",
        };
        let _ = writeln!(out, "  s{} {arrow} s{}", edge.from, edge.to);
    }
    out
}

/// Text inside a quoted Mermaid label: entities by number, as Mermaid reads them.
fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for letter in text.chars() {
        match letter {
            '"' | '#' | '<' | '>' | '&' | '`' => {
                let _ = write!(out, "#{};", u32::from(letter));
            }
            letter if letter.is_control() => out.push(' '),
            letter => out.push(letter),
        }
    }
    out
}
