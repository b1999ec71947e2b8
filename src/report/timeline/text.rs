//! A timeline as text: a row of cells for each band, the exposure as small columns, and a list of
//! what happens when.

use std::fmt::Write as _;

use crate::check::proof::Unit;
use crate::outlook::timeline::{Band, BandKind, Curve, Sure, Timeline};
use crate::report::columns::columns;
use crate::report::timeline::{band_name, length, moment};

/// How many cells a row has.
const CELLS: usize = 84;
/// Heights of exposure, from nothing to the most.
const HEIGHTS: [char; 9] = [' ', '▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];

/// The picture and the list.
#[must_use]
pub fn text(timeline: &Timeline) -> String {
    let zone = timeline.zone.iana_name().unwrap_or("UTC");
    let begin = moment(timeline, 0.0);
    let mut out = format!("{}, from {begin} ({zone})\n", timeline.title);
    if timeline.partial {
        out.push_str("some lengths are not known and drawn as short as they can be\n");
    }
    let names = timeline.bands.iter().map(band_name);
    let curves = timeline.curves.iter().map(exposed);
    let widest = names.chain(curves).map(|name| name.chars().count()).max();
    let width = widest.unwrap_or(0);
    // writing to a string cannot fail
    let _ = writeln!(out, "\n{:width$} |{}|", "", ruler(timeline));
    for band in &timeline.bands {
        let _ = writeln!(out, "{:<width$} |{}|", band_name(band), row(timeline, band));
    }
    for curve in &timeline.curves {
        let line = exposure(timeline, curve);
        let most = Unit::Seconds.words(curve.highest());
        let _ = writeln!(out, "{:<width$} |{line}| up to {most}", exposed(curve));
    }
    out.push('\n');
    list(&mut out, timeline);
    out
}

fn exposed(curve: &Curve) -> String {
    format!("at risk {}", curve.service)
}

/// Cells from which a mark is drawn to which, at least one.
fn cells(timeline: &Timeline, start: f64, end: f64) -> std::ops::Range<usize> {
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        clippy::cast_precision_loss,
        reason = "saturates; a few cells"
    )]
    let cell = |at: f64| (at / timeline.seconds * CELLS as f64).max(0.0) as usize;
    let first = cell(start).min(CELLS - 1);
    first..cell(end).clamp(first + 1, CELLS)
}

/// Marks where a seventh of the picture begins, or a day.
fn ruler(timeline: &Timeline) -> String {
    let days = timeline.seconds / 86_400.0;
    let parts = if (2.0..=21.0).contains(&days) {
        days
    } else {
        7.0
    };
    let mut row = vec![' '; CELLS];
    let mut part = 0.0;
    while part < parts {
        let at = timeline.seconds * part / parts;
        let name = moment(timeline, at);
        let cells = cells(timeline, at, at);
        // days by name, less than two days by the clock
        let mut words = name.split(' ');
        let word = if days < 2.0 {
            words.next_back()
        } else {
            words.next()
        };
        let letters = word.unwrap_or_default().chars();
        for (slot, letter) in row[cells.start..].iter_mut().zip(letters) {
            *slot = letter;
        }
        part += 1.0;
    }
    row.into_iter().collect()
}

fn row(timeline: &Timeline, band: &Band) -> String {
    let mut row = vec!['·'; CELLS];
    for mark in &band.marks {
        let letter = match (band.kind, mark.sure) {
            (BandKind::Window, _) => '░',
            (BandKind::Trip, _) => '>',
            (_, Sure::Allowed) => '-',
            (_, Sure::Failed) => '!',
            (_, Sure::Planned | Sure::Measured) => '█',
        };
        for slot in &mut row[cells(timeline, mark.start, mark.end)] {
            // a run is not hidden by the deadline of a copy
            if *slot != '█' {
                *slot = letter;
            }
        }
    }
    row.into_iter().collect()
}

/// The most at risk in each cell, against the most of all.
fn exposure(timeline: &Timeline, curve: &Curve) -> String {
    let highest = curve.highest().max(1.0);
    let mut heights = [0.0_f64; CELLS];
    for pair in curve.points.windows(2) {
        let [(from, low), (until, high)] = pair else {
            continue;
        };
        let range = cells(timeline, *from, *until);
        let span = (until - from).max(1e-9);
        for cell in range {
            #[expect(clippy::cast_precision_loss, reason = "a few cells")]
            let end = (cell + 1) as f64 * timeline.seconds / CELLS as f64;
            let share = ((end.min(*until) - from) / span).clamp(0.0, 1.0);
            heights[cell] = heights[cell].max(low + share * (high - low));
        }
    }
    let height = |value: &f64| {
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "from 0 to 8"
        )]
        let step = (value / highest * 8.0).ceil().clamp(0.0, 8.0) as usize;
        HEIGHTS[step]
    };
    heights.iter().map(height).collect()
}

/// Everything that begins, in order; windows are only drawn.
fn list(out: &mut String, timeline: &Timeline) {
    let mut marks: Vec<_> = timeline
        .bands
        .iter()
        .filter(|band| !matches!(band.kind, BandKind::Window | BandKind::Mode))
        .flat_map(|band| band.marks.iter().map(move |mark| (band, mark)))
        .collect();
    marks.sort_by(|a, b| a.1.start.total_cmp(&b.1.start));
    let line = |(band, mark): (&Band, &crate::outlook::timeline::Mark)| {
        [
            moment(timeline, mark.start),
            length(mark),
            mark.label.clone(),
            band_name(band),
        ]
    };
    columns(
        out,
        ["AT", "TAKES", "WHAT", "ON"],
        marks.into_iter().map(line),
    );
}
