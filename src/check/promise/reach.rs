//! Owns how far back a service can be restored: what retention keeps of data and of log.

use crate::check::cadence::days;
use crate::check::context::Context;
use crate::check::job::Job;
use crate::check::promise::{Broken, Verdict, cover};
use crate::estimate::Figure;
use crate::facts::capability;
use crate::quantity::Duration;
use crate::resolve::plan::{ComponentId, DeviceId, JobId, ServiceId, Tier};
use crate::source::Span;

/// How far back a component can be restored at most.
#[derive(Debug, Clone)]
pub(in crate::check) struct Reach {
    /// The component that reaches least.
    pub(in crate::check) component: ComponentId,
    /// Data is kept so long on the device that keeps it longest.
    pub(in crate::check) data: (Duration, Option<DeviceId>, Span),
    /// Log likewise; none when the engine needs none.
    pub(in crate::check) log: Option<(Duration, Option<DeviceId>, Span)>,
}

impl Reach {
    /// The shorter of data and log.
    pub(in crate::check) fn span(&self) -> Duration {
        let log = self.log.map_or(Duration(u64::MAX), |log| log.0);
        self.data.0.min(log)
    }
}

/// Judges a recovery window.
pub(in crate::check) fn judge(
    context: &Context<'_>,
    service: ServiceId,
    limit: Duration,
) -> Verdict {
    if cover::has_gaps(context, service) {
        return Verdict::Open;
    }
    let Some(least) = least(context, service) else {
        return Verdict::Open;
    };
    let span = least.span();
    if span >= limit {
        return Verdict::Proved(Figure::of("data and log are kept", span.as_secs()));
    }
    Verdict::Broken(Broken::Reach(least))
}

/// The component that reaches back least; `None` when nothing is copied or kept.
pub(in crate::check) fn least(context: &Context<'_>, service: ServiceId) -> Option<Reach> {
    let log = log_reach(context, service);
    let classes = cover::classes(context, service);
    let reaches = classes.iter().filter_map(|class| {
        let devices = class.backups.iter().flat_map(|id| {
            let backup = &context.plan.backups[id.index()];
            let job = Job::new(context.plan, JobId::Backup(*id));
            let holders = cover::holders(backup);
            holders.map(move |(device, _)| kept(&job, device))
        });
        let data = devices.max_by_key(|kept| kept.0)?;
        Some(Reach {
            component: class.example,
            data,
            log,
        })
    });
    reaches.min_by_key(Reach::span)
}

/// How long log is kept on the device that keeps it longest.
fn log_reach(
    context: &Context<'_>,
    service: ServiceId,
) -> Option<(Duration, Option<DeviceId>, Span)> {
    let archives = context.service_archives(service);
    let kept = archives.flat_map(|(id, _)| {
        let job = Job::new(context.plan, JobId::Archive(id));
        let devices = job.devices().into_iter();
        devices.map(move |device| kept(&job, device))
    });
    let engine = context.plan.service(service).engine;
    let kept = kept.max_by_key(|kept| kept.0);
    kept.filter(|_| capability::of(engine).log)
}

/// How long a job keeps what it has on a device, at least. Without any `retain` it is kept for
/// ever, and another rule says so.
pub(in crate::check) fn kept(
    job: &Job<'_>,
    device: DeviceId,
) -> (Duration, Option<DeviceId>, Span) {
    let tiers = job.tiers(device);
    let longest = tiers.into_iter().max_by_key(|(tier, _)| tier_span(*tier));
    match longest {
        Some((tier, span)) => (tier_span(tier), Some(device), span),
        None => (Duration(u64::MAX), Some(device), job.span),
    }
}

/// The age that the oldest of n kept copies has at least, just before the next is taken.
pub(in crate::check) fn tier_span(tier: Tier) -> Duration {
    let before = |count: u32, length: u64| days(u64::from(count.saturating_sub(1)) * length);
    match tier {
        Tier::Window(span) => span,
        Tier::Daily(count) => before(count, 1),
        Tier::Weekly(count) => before(count, 7),
        Tier::Monthly(count) => before(count, 28),
        Tier::Yearly(count) => before(count, 365),
        Tier::Last(_) => Duration(0),
    }
}
