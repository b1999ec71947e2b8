//! Owns the DOT form of a graph, for graphviz.

use std::fmt::Write;

use super::{estimate, kind_word, lanes, subject};
use crate::graph::step::{EdgeKind, StepGraph};

/// The graph in DOT: a box a step, dashed edges for failure, dotted ones for always.
#[must_use]
pub fn dot(graph: &StepGraph) -> String {
    let mut out = String::from("digraph planc {\n  rankdir=LR;\n  node [shape=box];\n");
    for (index, step) in graph.steps.iter().enumerate() {
        let mut lines = vec![format!("{index} {}", kind_word(&step.kind)), subject(step)];
        let known = estimate(&step.estimate);
        if !known.is_empty() {
            lines.push(format!("~{known}"));
        }
        let label: Vec<String> = lines.iter().map(|line| escaped(line)).collect();
        let mut tip = vec![step.why.clone()];
        let claimed = lanes(graph, step);
        if !claimed.is_empty() {
            tip.push(format!("on {}", claimed.join(", ")));
        }
        let tip: Vec<String> = tip.iter().map(|line| escaped(line)).collect();
        let _ = writeln!(
            out,
            "  s{index} [label=\"{}\", tooltip=\"{}\"];",
            label.join("\\n"),
            tip.join("\\n")
        );
    }
    for edge in &graph.edges {
        let style = match edge.kind {
            EdgeKind::Success => "solid",
            EdgeKind::Failure => "dashed",
            EdgeKind::Always => "dotted",
        };
        let _ = writeln!(
            out,
            "  s{} -> s{} [style={style}, tooltip=\"{}\"];",
            edge.from,
            edge.to,
            escaped(&edge.why)
        );
    }
    out.push_str("}\n");
    out
}

/// Text inside a DOT string.
fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for letter in text.chars() {
        match letter {
            '"' | '\\' => out.extend(['\\', letter]),
            '\n' => out.push_str("\\n"),
            letter if letter.is_control() => out.push(' '),
            letter => out.push(letter),
        }
    }
    out
}
