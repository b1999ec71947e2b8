//! Owns what the record of a stored segment says of its content, so that nobody has to read all of
//! it: when its transactions ended, which restore points it holds, and how far it leads. Pure.

use jiff::Timestamp;

use super::find;
use super::lsn::Lsn;
use super::records::{Record, Records, is_parameters, manager};

/// More restore points than this in one segment are not told.
const FEW: usize = 16;
/// `wal_level = minimal`, in a record.
pub(super) const MINIMAL: u32 = 0;

/// What a segment holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Glance {
    /// Times of the first and last transaction that ended in it; none when none did.
    pub times: Option<(Timestamp, Timestamp)>,
    /// Names of the restore points whose records begin in it; none when they are many, or when the
    /// record that goes on in the next segment may be one.
    pub points: Option<Vec<String>>,
    /// Where the server was set to `wal_level = minimal`: what it did from there on is not in the
    /// log, so no copy made before leads beyond, and nothing behind it is told.
    pub leads_until: Option<Lsn>,
}

/// Looks through the records that begin in a segment.
#[must_use]
pub fn at(mut records: Records<'_>) -> Glance {
    let mut glance = Glance {
        times: None,
        points: Some(Vec::new()),
        leads_until: None,
    };
    let is_told = |kind, info| {
        kind == manager::TRANSACTION || find::is_point(kind, info) || is_parameters(kind, info)
    };
    while let Some(record) = records.next_where(is_told) {
        if record.wal_level() == Some(MINIMAL) {
            glance.leads_until = Some(record.lsn);
            return glance;
        }
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
