//! Owns what stands in the calendar of a stretch of time: windows that are open and trips of
//! volumes. Must not know runs.

use jiff::Timestamp;

use super::{Band, BandKind, Mark, Sure};
use crate::estimate::calendar::Calendar;
use crate::resolve::plan::{ResolvedPlan, WindowId};

/// A stretch of time of a plan.
#[derive(Debug, Clone, Copy)]
pub(super) struct Frame<'f, 'a> {
    pub(super) plan: &'a ResolvedPlan,
    pub(super) calendar: &'f Calendar<'a>,
    pub(super) begin: Timestamp,
    pub(super) seconds: f64,
}

impl Frame<'_, '_> {
    fn at(&self, instant: Timestamp) -> f64 {
        instant.duration_since(self.begin).as_secs_f64()
    }

    /// A band for each window.
    pub(super) fn windows(&self) -> Vec<Band> {
        let windows = self.plan.windows.iter().enumerate();
        windows
            .map(|(at, window)| Band {
                kind: BandKind::Window,
                name: window.name.clone(),
                marks: self.openings(WindowId::from_index(at)),
            })
            .collect()
    }

    fn openings(&self, window: WindowId) -> Vec<Mark> {
        let mut next = self
            .calendar
            .opening(window.index(), self.begin)
            .or_else(|| self.calendar.next_opening(window.index(), self.begin));
        let mut marks = Vec::new();
        while let Some(slot) = next.filter(|slot| self.at(slot.start) < self.seconds) {
            let end = slot.end.map_or(self.seconds, |end| self.at(end));
            marks.push(Mark {
                start: self.at(slot.start).max(0.0),
                end: end.min(self.seconds),
                label: "open".to_owned(),
                sure: Sure::Planned,
            });
            next = self.calendar.next_opening(window.index(), slot.start);
        }
        marks
    }

    /// A band for each device whose volumes travel.
    pub(super) fn trips(&self) -> Vec<Band> {
        let rotating = self.plan.devices.iter();
        let rotating = rotating.filter_map(|device| Some((device, device.rotate.as_ref()?)));
        rotating
            .map(|(device, rotation)| {
                let mut marks = Vec::new();
                let mut at = self.begin;
                while let Some(slot) = self.calendar.next(&rotation.schedule, at) {
                    let start = self.at(slot.start);
                    if start >= self.seconds {
                        break;
                    }
                    marks.push(Mark {
                        start,
                        end: start,
                        label: format!("to {}", rotation.to),
                        sure: Sure::Planned,
                    });
                    at = slot.start;
                }
                Band {
                    kind: BandKind::Trip,
                    name: device.name.clone(),
                    marks,
                }
            })
            .collect()
    }
}
