//! Owns how many bytes one copy of a component has: full, incremental, logical (Q3).
//! Must not know devices or times of day.

use crate::estimate::Known;
use crate::quantity::Duration;
use crate::resolve::plan::{ComponentId, Method};

const DAY: f64 = 86_400.0;

/// Bytes of one copy. An increment is what changed since its base, at most everything. `None`
/// when the size or the rate of change is not known.
#[must_use]
pub fn copied(
    known: &Known,
    id: ComponentId,
    method: Method,
    since_base: Option<Duration>,
) -> Option<f64> {
    of(known.size(id)?, known.change(id), method, since_base)
}

/// As [`copied`], of a size and a share that changes in a day.
#[must_use]
pub fn of(
    size: f64,
    share: Option<f64>,
    method: Method,
    since_base: Option<Duration>,
) -> Option<f64> {
    match method {
        Method::PhysicalFull | Method::Logical => Some(size),
        Method::PhysicalIncremental | Method::PhysicalDifferential => {
            let days = since_base?.as_secs() / DAY;
            Some(changed(size, share?, days))
        }
    }
}

/// What changes of a size within some days at a share a day, at most everything.
#[must_use]
pub fn changed(size: f64, share: f64, days: f64) -> f64 {
    (size * share * days).clamp(0.0, size)
}
