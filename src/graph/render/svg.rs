//! Owns the drawing of a graph: time from left to right, a band for each lane, arrows for edges.
//!
//! A step lies in the band of its first lane; steps without a lane share a band of their own.
//! Bars that overlap in time get rows of their own within the band. Large graphs are drawn with
//! one bar for all steps of the same kind in a band, without arrows.

use std::collections::BTreeMap;
use std::fmt::Write;

use super::{duration, kind_word, subject};
pub use crate::estimate::Bar;
use crate::graph::step::{EdgeKind, StepGraph};

/// From this many steps on a drawing is made of groups.
const MANY: usize = 300;
const LEFT: f64 = 200.0;
const WIDTH: f64 = 1000.0;
const ROW: f64 = 34.0;
const TOP: f64 = 40.0;
const NARROWEST: f64 = 14.0;

/// A rectangle to draw.
#[derive(Debug, Clone)]
struct Shape {
    band: usize,
    row: usize,
    x: f64,
    width: f64,
    label: String,
    tip: String,
    class: &'static str,
}

/// The graph as one SVG image. `bars` gives the time of each step, by index.
#[must_use]
pub fn svg(graph: &StepGraph, bars: &[Option<Bar>]) -> String {
    let grouped = graph.steps.len() > MANY;
    let span = bars.iter().flatten().map(|bar| bar.end).fold(0.0, f64::max);
    let scale = WIDTH / if span > 0.0 { span } else { 1.0 };
    let mut shapes = if grouped {
        groups(graph, bars, scale)
    } else {
        steps(graph, bars, scale)
    };
    let rows = stack(&mut shapes, graph.lanes.len() + 1);
    let tops: Vec<f64> = std::iter::once(TOP)
        .chain(rows.iter().scan(TOP, |top, rows| {
            *top += to_float(*rows) * ROW;
            Some(*top)
        }))
        .collect();
    let height = tops.last().copied().unwrap_or(TOP) + 20.0;
    let mut out = head(LEFT + WIDTH + 40.0, height);
    bands(&mut out, graph, &rows, &tops);
    if !grouped {
        arrows(&mut out, graph, &shapes, &tops);
    }
    for shape in &shapes {
        rectangle(
            &mut out,
            shape,
            tops[shape.band] + to_float(shape.row) * ROW,
        );
    }
    axis(&mut out, span);
    out.push_str("</svg>\n");
    out
}

fn to_float(number: usize) -> f64 {
    u32::try_from(number).map_or(f64::MAX, f64::from)
}

/// The band of a step: its first lane, or the last band for steps without one.
fn band_of(graph: &StepGraph, step: usize) -> usize {
    let lane = graph.steps[step].lanes.first().map(|lane| *lane as usize);
    lane.filter(|lane| *lane < graph.lanes.len())
        .unwrap_or(graph.lanes.len())
}

fn steps(graph: &StepGraph, bars: &[Option<Bar>], scale: f64) -> Vec<Shape> {
    let shape = |(index, step): (usize, &crate::graph::step::Step)| {
        let bar = bars.get(index).copied().flatten();
        let bar = bar.unwrap_or(Bar {
            start: 0.0,
            end: 0.0,
        });
        Shape {
            band: band_of(graph, index),
            row: 0,
            x: LEFT + bar.start * scale,
            width: ((bar.end - bar.start) * scale).max(NARROWEST),
            label: index.to_string(),
            tip: format!(
                "{index} {}: {}\n{}",
                kind_word(&step.kind),
                subject(step),
                step.why
            ),
            class: class(kind_word(&step.kind)),
        }
    };
    graph.steps.iter().enumerate().map(shape).collect()
}

fn groups(graph: &StepGraph, bars: &[Option<Bar>], scale: f64) -> Vec<Shape> {
    let mut found: BTreeMap<(usize, &'static str), (usize, Bar)> = BTreeMap::new();
    for (index, step) in graph.steps.iter().enumerate() {
        let bar = bars.get(index).copied().flatten();
        let bar = bar.unwrap_or(Bar {
            start: 0.0,
            end: 0.0,
        });
        let key = (band_of(graph, index), kind_word(&step.kind));
        let (count, whole) = found.entry(key).or_insert((0, bar));
        *count += 1;
        whole.start = whole.start.min(bar.start);
        whole.end = whole.end.max(bar.end);
    }
    let shapes = found.into_iter().map(|((band, word), (count, bar))| Shape {
        band,
        row: 0,
        x: LEFT + bar.start * scale,
        width: ((bar.end - bar.start) * scale).max(NARROWEST),
        label: format!("{count} {word}"),
        tip: format!("{count} steps {word}"),
        class: class(word),
    });
    shapes.collect()
}

/// Gives shapes that overlap rows of their own; returns how many rows each band has.
fn stack(shapes: &mut [Shape], bands: usize) -> Vec<usize> {
    let mut ends: Vec<Vec<f64>> = vec![Vec::new(); bands];
    let mut order: Vec<usize> = (0..shapes.len()).collect();
    order.sort_by(|a, b| shapes[*a].x.total_cmp(&shapes[*b].x).then(a.cmp(b)));
    for index in order {
        let shape = &mut shapes[index];
        let rows = &mut ends[shape.band];
        let free = rows.iter().position(|end| *end <= shape.x);
        let row = free.unwrap_or(rows.len());
        if row == rows.len() {
            rows.push(0.0);
        }
        rows[row] = shape.x + shape.width + 2.0;
        shape.row = row;
    }
    ends.iter().map(Vec::len).collect()
}

fn class(word: &str) -> &'static str {
    match word {
        "copy-part" | "fetch-part" | "copy-stored" => "copy",
        "archive-log" | "replay-log" => "log",
        "verify-stored" | "check-restored" | "probe" => "proof",
        _ => "step",
    }
}

fn head(width: f64, height: f64) -> String {
    let mut out = String::new();
    let _ = writeln!(
        out,
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{width:.0}\" height=\"{height:.0}\" \
         viewBox=\"0 0 {width:.0} {height:.0}\" font-family=\"sans-serif\" font-size=\"12\">"
    );
    out.push_str(
        "<style>.copy{fill:#7fb3d5}.log{fill:#a9d08e}.proof{fill:#f4d27a}.step{fill:#d0d3d6}\
         .edge{fill:none;stroke:#444}.failure{stroke:#c0392b;stroke-dasharray:6 3}\
         .always{stroke-dasharray:2 3}.band{fill:#f6f7f8}</style>\n\
         <defs><marker id=\"tip\" viewBox=\"0 0 8 8\" refX=\"7\" refY=\"4\" markerWidth=\"7\" \
         markerHeight=\"7\" orient=\"auto\"><path d=\"M0 0L8 4L0 8z\"/></marker></defs>\n",
    );
    out
}

fn bands(out: &mut String, graph: &StepGraph, rows: &[usize], tops: &[f64]) {
    for (band, count) in rows.iter().enumerate().filter(|(_, count)| **count > 0) {
        let name = graph
            .lanes
            .get(band)
            .map_or("no lane", |lane| lane.name.as_str());
        let (top, height) = (tops[band], to_float(*count) * ROW);
        let _ = writeln!(
            out,
            "<rect class=\"band\" x=\"0\" y=\"{top:.0}\" width=\"{:.0}\" height=\"{:.0}\"/>\
             <text x=\"8\" y=\"{:.0}\">{}</text>",
            LEFT + WIDTH + 40.0,
            height - 4.0,
            top + 20.0,
            escaped(name)
        );
    }
}

fn arrows(out: &mut String, graph: &StepGraph, shapes: &[Shape], tops: &[f64]) {
    let middle = |shape: &Shape| tops[shape.band] + to_float(shape.row) * ROW + 14.0;
    for edge in &graph.edges {
        let ends = (shapes.get(edge.from as usize), shapes.get(edge.to as usize));
        let (Some(from), Some(to)) = ends else {
            continue;
        };
        let (x1, y1, x2, y2) = (from.x + from.width, middle(from), to.x, middle(to));
        let bend = ((x2 - x1).abs() / 2.0).max(12.0);
        let class = match edge.kind {
            EdgeKind::Success => "edge",
            EdgeKind::Failure => "edge failure",
            EdgeKind::Always => "edge always",
        };
        let _ = writeln!(
            out,
            "<path class=\"{class}\" marker-end=\"url(#tip)\" d=\"M{x1:.1} {y1:.1}\
             C{:.1} {y1:.1} {:.1} {y2:.1} {x2:.1} {y2:.1}\"><title>{}</title></path>",
            x1 + bend,
            x2 - bend,
            escaped(&edge.why)
        );
    }
}

fn rectangle(out: &mut String, shape: &Shape, top: f64) {
    let _ = writeln!(
        out,
        "<g><title>{}</title><rect class=\"{}\" x=\"{:.1}\" y=\"{:.1}\" width=\"{:.1}\" \
         height=\"24\" rx=\"3\" stroke=\"#555\"/><text x=\"{:.1}\" y=\"{:.1}\">{}</text></g>",
        escaped(&shape.tip),
        shape.class,
        shape.x,
        top + 2.0,
        shape.width,
        shape.x + 3.0,
        top + 18.0,
        escaped(&shape.label)
    );
}

fn axis(out: &mut String, span: f64) {
    const TICKS: u32 = 4;
    for tick in 0..=TICKS {
        let share = f64::from(tick) / f64::from(TICKS);
        let _ = writeln!(
            out,
            "<text x=\"{:.1}\" y=\"24\" text-anchor=\"middle\">{}</text>",
            LEFT + share * WIDTH,
            duration(share * span)
        );
    }
}

/// Text inside SVG.
fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for letter in text.chars() {
        match letter {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\n' => out.push('\n'),
            // XML has no way to write other control characters
            letter if letter.is_control() => out.push(' '),
            letter => out.push(letter),
        }
    }
    out
}
