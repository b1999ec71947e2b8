//! Timelines as text, drawing and page. Must not compute what runs when.

mod html;
mod svg;
mod text;

pub use html::html;
pub use svg::svg;
pub use text::text;

use crate::check::proof::Unit;
use crate::outlook::timeline::{Band, BandKind, Mark, Sure, Timeline, instant};

/// `window night`, `device nvme`.
fn band_name(band: &Band) -> String {
    match band.kind {
        BandKind::Window => format!("window {}", band.name),
        BandKind::Device => format!("device {}", band.name),
        BandKind::Mode => format!("backup mode {}", band.name),
        BandKind::Trip => format!("trips of {}", band.name),
        BandKind::Lane => band.name.clone(),
    }
}

/// `sat 2026-03-07 22:00`, or with seconds for pictures of less than a day.
fn moment(timeline: &Timeline, at: f64) -> String {
    let form = if timeline.seconds < 86_400.0 {
        "%a %F %T"
    } else {
        "%a %F %H:%M"
    };
    let zoned = instant(timeline, at).to_zoned(timeline.zone.clone());
    zoned.strftime(form).to_string().to_lowercase()
}

/// `2h 29min`; nothing for moments.
fn length(mark: &Mark) -> String {
    let seconds = mark.end - mark.start;
    if seconds <= 0.0 {
        return String::new();
    }
    let words = Unit::Seconds.words(seconds);
    match mark.sure {
        Sure::Allowed => format!("within {words}"),
        Sure::Failed => format!("{words}, failed"),
        Sure::Planned | Sure::Measured => words,
    }
}
