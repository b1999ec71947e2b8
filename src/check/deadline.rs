//! Owns how long it takes at least to copy what a backup has stored to a further device.
//! Must not judge deadlines; rules do.

use crate::check::context::Context;
use crate::estimate::pace::{self, Pace};
use crate::resolve::plan::{BackupId, CopyScope, DeviceId, Method};

/// Bytes of the largest run that such a copy carries, as far as known, and the slowest thing on
/// its way. `None` when nothing is known of the way.
pub(in crate::check) fn needed(
    context: &Context<'_>,
    id: BackupId,
    to: DeviceId,
    scope: CopyScope,
) -> Option<(f64, Pace)> {
    let backup = &context.plan.backups[id.index()];
    let pace = way(context, backup.keeping.store?.value, to)?;
    let loads = context.agenda.as_ref()?.loads_of(id).iter();
    let carried = loads.filter(|load| carries(scope, backup.takes[load.take].method));
    let bytes = carried.map(crate::estimate::load::Load::bytes);
    Some((bytes.reduce(f64::max)?, pace))
}

/// Whether a copy of this scope takes what such a run stores.
pub(in crate::check) fn carries(scope: CopyScope, method: Method) -> bool {
    let full = matches!(method, Method::PhysicalFull | Method::Logical);
    match scope {
        CopyScope::All => true,
        CopyScope::Full => full,
        CopyScope::Incremental => !full,
        CopyScope::Log => false,
    }
}

/// The slowest thing between two devices.
fn way(context: &Context<'_>, from: DeviceId, to: DeviceId) -> Option<Pace> {
    let (plan, known) = (context.plan, context.known);
    let ends = Pace::slower(pace::reading(known, from), pace::writing(known, to));
    let site = |id: DeviceId| plan.device(id).site.as_deref();
    Pace::slower(ends, pace::link(plan, site(from), site(to)))
}
