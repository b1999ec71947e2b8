//! A timeline as one page without outside parts: the drawing, and what happens when.

use askama::Template;

use crate::outlook::timeline::{BandKind, Timeline};
use crate::report::timeline::{band_name, length, moment, svg};

#[derive(Template)]
#[template(path = "timeline/page.html", config = "src/report/askama.toml")]
struct Page<'a> {
    title: &'a str,
    begin: String,
    partial: bool,
    svg: String,
    rows: Vec<[String; 4]>,
}

/// The page.
#[must_use]
pub fn html(timeline: &Timeline) -> String {
    let mut marks: Vec<_> = timeline
        .bands
        .iter()
        .filter(|band| band.kind != BandKind::Window)
        .flat_map(|band| band.marks.iter().map(move |mark| (band, mark)))
        .collect();
    marks.sort_by(|a, b| a.1.start.total_cmp(&b.1.start));
    let rows = marks.into_iter().map(|(band, mark)| {
        [
            moment(timeline, mark.start),
            length(mark),
            mark.label.clone(),
            band_name(band),
        ]
    });
    let page = Page {
        title: &timeline.title,
        begin: moment(timeline, 0.0),
        partial: timeline.partial,
        svg: svg(timeline),
        rows: rows.collect(),
    };
    // the template writes into a string, which cannot fail
    page.render().unwrap_or_default()
}
