//! A timeline as a drawing: time from left to right, a band for each thing, exposure as curves.

use std::fmt::Write as _;

use crate::check::proof::Unit;
use crate::outlook::timeline::{Band, BandKind, Curve, Mark, Sure, Timeline};
use crate::report::timeline::{band_name, length, moment};

const LEFT: f64 = 190.0;
const WIDTH: f64 = 960.0;
const ROW: f64 = 24.0;
const TOP: f64 = 34.0;
const CURVE: f64 = 64.0;

/// The drawing, without outside parts.
#[must_use]
pub fn svg(timeline: &Timeline) -> String {
    let bands = float(timeline.bands.len()) * ROW;
    let curves = float(timeline.curves.len()) * (CURVE + 12.0);
    let (width, height) = (LEFT + WIDTH + 20.0, TOP + bands + curves + 16.0);
    let mut out = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width:.0} {height:.0}\" \
         width=\"{width:.0}\" height=\"{height:.0}\" font-family=\"sans-serif\" font-size=\"11\">\n\
         <style>.window{{fill:#e6ebf0}}.planned{{fill:#7fb3d5}}.allowed{{fill:#cfe3f1}}\
         .measured{{fill:#6aa84f}}.failed{{fill:#c0392b}}.trip{{stroke:#8e44ad;stroke-width:2}}\
         .grid{{stroke:#dde2e7}}.curve{{fill:#f9d7c5;stroke:#d35400}}</style>\n"
    );
    grid(&mut out, timeline, height);
    for (at, band) in timeline.bands.iter().enumerate() {
        row(&mut out, timeline, band, TOP + float(at) * ROW);
    }
    for (at, curve) in timeline.curves.iter().enumerate() {
        let top = TOP + bands + float(at) * (CURVE + 12.0) + 8.0;
        exposure(&mut out, timeline, curve, top);
    }
    out.push_str("</svg>\n");
    out
}

fn float(count: usize) -> f64 {
    u32::try_from(count).map_or(f64::MAX, f64::from)
}

fn x(timeline: &Timeline, at: f64) -> f64 {
    LEFT + (at / timeline.seconds).clamp(0.0, 1.0) * WIDTH
}

fn grid(out: &mut String, timeline: &Timeline, height: f64) {
    let days = timeline.seconds / 86_400.0;
    let parts = if (2.0..=21.0).contains(&days) {
        days
    } else {
        7.0
    };
    let mut part = 0.0;
    while part < parts {
        let at = timeline.seconds * part / parts;
        let x = x(timeline, at);
        let name = moment(timeline, at);
        let short: String = name.chars().take(14).collect();
        // writing to a string cannot fail
        let _ = writeln!(
            out,
            "<line class=\"grid\" x1=\"{x:.1}\" x2=\"{x:.1}\" y1=\"{TOP}\" y2=\"{height:.0}\"/>\
             <text x=\"{:.1}\" y=\"{:.0}\">{}</text>",
            x + 2.0,
            if days > 10.0 && part % 2.0 > 0.5 {
                24.0
            } else {
                12.0
            },
            escaped(&short)
        );
        part += 1.0;
    }
}

fn row(out: &mut String, timeline: &Timeline, band: &Band, top: f64) {
    let _ = writeln!(
        out,
        "<text x=\"6\" y=\"{:.0}\">{}</text>",
        top + 16.0,
        escaped(&band_name(band))
    );
    for mark in &band.marks {
        shape(out, timeline, band, mark, top);
    }
}

fn shape(out: &mut String, timeline: &Timeline, band: &Band, mark: &Mark, top: f64) {
    let (from, until) = (x(timeline, mark.start), x(timeline, mark.end));
    let tip = format!(
        "{} {} {}",
        mark.label,
        moment(timeline, mark.start),
        length(mark)
    );
    let tip = escaped(&tip);
    if band.kind == BandKind::Trip {
        let _ = writeln!(
            out,
            "<path class=\"trip\" d=\"M{from:.1} {:.1}V{:.1}\"><title>{tip}</title></path>",
            top + 3.0,
            top + 21.0
        );
        return;
    }
    let class = match (band.kind, mark.sure) {
        (BandKind::Window, _) => "window",
        (_, Sure::Planned) => "planned",
        (_, Sure::Allowed) => "allowed",
        (_, Sure::Measured) => "measured",
        (_, Sure::Failed) => "failed",
    };
    let (inset, height) = match mark.sure {
        Sure::Allowed => (8.0, 8.0),
        _ => (4.0, 16.0),
    };
    let _ = writeln!(
        out,
        "<rect class=\"{class}\" x=\"{from:.1}\" y=\"{:.1}\" width=\"{:.1}\" height=\"{height}\">\
         <title>{tip}</title></rect>",
        top + inset,
        (until - from).max(1.5)
    );
}

fn exposure(out: &mut String, timeline: &Timeline, curve: &Curve, top: f64) {
    let highest = curve.highest().max(1.0);
    let y = |value: f64| top + CURVE - value / highest * (CURVE - 4.0);
    let _ = writeln!(
        out,
        "<text x=\"6\" y=\"{:.0}\">{}</text><text x=\"6\" y=\"{:.0}\">up to {}</text>",
        top + 14.0,
        escaped(&format!("at risk {}", curve.service)),
        top + 30.0,
        Unit::Seconds.words(curve.highest())
    );
    let (Some(first), Some(last)) = (curve.points.first(), curve.points.last()) else {
        return;
    };
    let mut path = format!("M{:.1} {:.1}", x(timeline, first.0), top + CURVE);
    for (at, value) in &curve.points {
        let _ = write!(path, "L{:.1} {:.1}", x(timeline, *at), y(*value));
    }
    let _ = write!(path, "L{:.1} {:.1}Z", x(timeline, last.0), top + CURVE);
    let _ = writeln!(out, "<path class=\"curve\" d=\"{path}\"/>");
}

/// Text inside XML.
fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for letter in text.chars() {
        match letter {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            letter if letter.is_control() => out.push(' '),
            letter => out.push(letter),
        }
    }
    out
}
