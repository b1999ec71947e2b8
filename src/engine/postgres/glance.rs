//! Owns what the record of a stored segment says of its content, so that nobody has to read all of
//! it: when its transactions ended, and which restore points it holds. Pure.

use jiff::Timestamp;

use super::find;
use super::records::{Record, Records, manager};

/// More restore points than this in one segment are not told.
const FEW: usize = 16;

/// What a segment holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Glance {
    /// Times of the first and last transaction that ended in it; none when none did.
    pub times: Option<(Timestamp, Timestamp)>,
    /// Names of the restore points whose records begin in it; none when they are many, or when the
    /// record that goes on in the next segment may be one.
    pub points: Option<Vec<String>>,
}

/// Looks through the records that begin in a segment.
#[must_use]
pub fn at(mut records: Records<'_>) -> Glance {
    let mut glance = Glance {
        times: None,
        points: Some(Vec::new()),
    };
    let is_told = |kind, info| kind == manager::TRANSACTION || find::is_point(kind, info);
    while let Some(record) = records.next_where(is_told) {
        glance.add(&record);
    }
    if records.may_cross(find::is_point) {
        glance.points = None;
    }
    glance
}

impl Glance {
    fn add(&mut self, record: &Record) {
        if let Some((_, at)) = record.ending() {
            let (first, last) = self.times.unwrap_or((at, at));
            self.times = Some((at.min(first), at.max(last)));
        }
        let Some((name, _)) = find::restore_point(record) else {
            return;
        };
        let name = String::from_utf8_lossy(name).into_owned();
        self.points = self.points.take().filter(|points| points.len() < FEW);
        if let Some(points) = &mut self.points {
            points.push(name);
        }
    }
}
