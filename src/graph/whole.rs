//! Owns which parts of different age and which log make one cluster whole at a target: one part of
//! every component, and the log from the oldest part's start, through all histories on the way.
//! Must not make steps. When nothing reaches the target it says what is missing.

use std::fmt::Write;

use jiff::Timestamp;

use super::chain::{Chain, no_copy};
use super::error::GraphError;
use super::lineage::{self, Broken, Lineage};
use super::past::Past;
use super::step::RecoveryTarget;
use super::world::{World, is_full, job_name};
use crate::facts::holdings::{LogHolding, Method, PartHolding, Position, lsn};
use crate::resolve::plan::{ComponentId, ComponentKind, JobId, Service, ServiceId};

/// What a whole is looked for in.
#[derive(Debug)]
pub(super) struct Whole<'w, 'a> {
    pub(super) world: &'w World<'a>,
    pub(super) id: ServiceId,
    pub(super) service: &'a Service,
    /// Only copies on this device.
    pub(super) from: Option<&'w str>,
    /// Only this history.
    pub(super) incarnation: Option<&'w str>,
    /// An older whole will do where the newest copies lack their log.
    pub(super) settles: bool,
}

/// The components of a service that are copied physically: base and the parts it leaves out.
pub(super) fn components(world: &World<'_>, id: ServiceId) -> Vec<ComponentId> {
    let physical = world.backups_of(id).filter(|backup| {
        let mut takes = backup.takes.iter();
        takes.any(|take| take.method != Method::Logical)
    });
    let mut all: Vec<ComponentId> = physical
        .flat_map(|backup| backup.targets.iter().copied())
        .filter(|target| {
            let component = world.plan.component(*target);
            component.service == id && is_place(component.kind)
        })
        .collect();
    all.sort_unstable();
    all.dedup();
    all
}

/// Whether a component is files of its own that can be copied as they are.
pub(super) fn is_place(kind: ComponentKind) -> bool {
    matches!(
        kind,
        ComponentKind::Base | ComponentKind::Tablespace | ComponentKind::Database
    )
}

impl<'a> Whole<'_, 'a> {
    /// The parts and the log to a target.
    ///
    /// # Errors
    /// When a component has no usable part, the log has a gap or ends too early, or more than one
    /// history goes on.
    pub(super) fn chain(&self, target: &RecoveryTarget) -> Result<Chain<'a>, GraphError> {
        let components = components(self.world, self.id);
        if components.is_empty() {
            return Err(GraphError::new(
                format!("no backup copies `{}` physically", self.service.name),
                "write `backup … of service NAME { physical full … }` and run it",
            ));
        }
        let past = self.past(target)?;
        let settles = self.settles && *target == RecoveryTarget::Latest;
        let whole = self.together(&components, target, &past, Among::default());
        whole.or_else(|error| {
            let older = settles.then(|| self.older(&components, &past, &error));
            older.flatten().ok_or(error)
        })
    }

    /// The newest whole that the stored log makes consistent, when it does not make the newest copies
    /// so; `error` says why.
    fn older(
        &self,
        components: &[ComponentId],
        past: &Past,
        error: &GraphError,
    ) -> Option<Chain<'a>> {
        let target = RecoveryTarget::Latest;
        let parts = components.iter().flat_map(|id| {
            let key = self.world.plan.component_key(*id);
            self.world.parts_of(&key).iter().copied()
        });
        let mut ends: Vec<u64> = parts
            .filter_map(|part| Some(part.until.as_ref()?.value))
            .collect();
        ends.sort_unstable();
        ends.dedup();
        let within = |end: &u64| {
            let among = Among {
                until: Some(*end),
                ..Among::default()
            };
            self.together(components, &target, past, among).ok()
        };
        let mut chain = ends.iter().rev().skip(1).find_map(within)?;
        let why = error
            .problems
            .first()
            .map_or("", |one| one.message.as_str());
        let _ = write!(
            chain.why,
            "; NOT THE NEWEST COPIES, whose log is missing: {why}; to reach them ship the log, or \
             bring the device that holds it and run `planc catalog rebuild`"
        );
        Some(chain)
    }

    /// The chain of one component only, to the end of the log: all else is where it should be.
    /// Single `files` and pages are taken out of a part that has them whole.
    pub(super) fn lost(
        &self,
        component: ComponentId,
        files: &[String],
    ) -> Result<Chain<'a>, GraphError> {
        let target = RecoveryTarget::Latest;
        let past = self.past(&target)?;
        let among = Among {
            beside: true,
            files,
            until: None,
        };
        self.together(&[component], &target, &past, among)
    }

    /// One part of each component and the log; newer parts that cannot be put together are named.
    fn together(
        &self,
        components: &[ComponentId],
        target: &RecoveryTarget,
        past: &Past,
        among: Among<'_>,
    ) -> Result<Chain<'a>, GraphError> {
        let mut lineages = Vec::new();
        let mut passed = String::new();
        for component in components {
            let found = self.part(*component, target, past, among)?;
            passed.extend(found.passed.iter().map(Broken::passed_over));
            lineages.push(found.lineage);
        }
        lineages.sort_by_key(|one| one.tip.from.as_ref().map(|from| from.value));
        match self.with_log(&lineages, target, past, among) {
            Ok(mut chain) => {
                chain.why.push_str(&passed);
                Ok(chain)
            }
            Err(mut error) => {
                if let Some(first) = error.problems.first_mut() {
                    first.message.push_str(&passed);
                }
                Err(error)
            }
        }
    }

    fn reachable(&self, devices: &[String]) -> bool {
        devices.iter().any(|name| self.reads(name))
    }

    fn reads(&self, device: &str) -> bool {
        let wanted = self.from.is_none_or(|from| from == device);
        wanted && self.world.device_named(device).is_some()
    }

    /// The histories that lead to the target.
    fn past(&self, target: &RecoveryTarget) -> Result<Past, GraphError> {
        let wanted = match target {
            RecoveryTarget::Transaction(at) | RecoveryTarget::Before(at)
                if !at.incarnation.is_empty() =>
            {
                Some(at.incarnation.as_str())
            }
            _ => self.incarnation,
        };
        let mut known: Vec<&str> = (self.world.logs_of(&self.service.name).iter())
            .map(|log| log.until.incarnation.as_str())
            .collect();
        known.sort_unstable();
        known.dedup();
        let wanted = wanted.or(self.world.followed().filter(|one| known.contains(one)));
        let histories = &self.world.holdings.histories;
        let of_service = histories
            .iter()
            .filter(|history| history.service == self.service.name);
        let all: Vec<_> = of_service.collect();
        if let Some(wanted) = wanted {
            return Ok(Past::of(wanted, &all));
        }
        let ends = Past::ends(&known, &all);
        match ends.as_slice() {
            [] => Err(GraphError::new(
                format!("no log of `{}` is stored", self.service.name),
                "set archive_command to `/PATH/planc log push --plan /PATH/X.plan --service NAME %p`, \
                 and run the archive",
            )),
            [one] => Ok(Past::of(one, &all)),
            many => Err(GraphError::new(
                format!(
                    "the log of `{}` goes on in more than one history: {}",
                    self.service.name,
                    many.join(", ")
                ),
                "say which is meant: `--timeline N`",
            )),
        }
    }

    /// The newest part of a component that the target shows and that can be put together.
    fn part(
        &self,
        component: ComponentId,
        target: &RecoveryTarget,
        past: &Past,
        among: Among<'_>,
    ) -> Result<FoundPart<'a>, GraphError> {
        let key = self.world.plan.component_key(component);
        let here =
            |part: &&PartHolding| part.method != Method::Logical && self.reachable(&part.devices);
        let all = self.world.parts_of(&key).iter().copied();
        let all = all.filter(|part| among.files.is_empty() || is_full(part.method));
        let parts: Vec<&PartHolding> = all.filter(here).collect();
        let Some(oldest) = parts.first() else {
            return Err(no_copy(self.world, &key, self.from));
        };
        let fits = parts
            .iter()
            .filter(|part| is_before(part, target, past) && among.ends(part));
        let mut fits: Vec<&PartHolding> = fits.copied().collect();
        let holdings = self.world.holdings;
        let is_good = |part: &&PartHolding| !holdings.is_spoilt(&part.part, among.files);
        if fits.iter().any(is_good) {
            fits.retain(is_good);
        }
        let found = lineage::newest(self.world, &fits, &|device| self.reads(device));
        let Some(found) = found else {
            return Err(GraphError::new(
                format!(
                    "no copy of `{key}` is as old as the target; the oldest ended at {}",
                    oldest.taken_at
                ),
                format!("choose a target after {}", oldest.taken_at),
            ));
        };
        match (found.lineage, found.passed) {
            (None, Some(broken)) => Err(broken.refusal(&key, None)),
            // the log cannot lead from an older copy to the state of the newest one
            (Some(older), Some(broken)) if *target == RecoveryTarget::Backup => {
                Err(broken.refusal(&key, Some(older.tip)))
            }
            (Some(lineage), passed) => Ok(FoundPart { lineage, passed }),
            (None, None) => Err(GraphError::new(
                format!("there is no copy of `{key}` to restore from"),
                "run a backup first",
            )),
        }
    }

    fn place(&self) -> String {
        self.from
            .map_or(String::new(), |from| format!(" on `{from}`"))
    }

    /// Adds the log from the oldest part's start to the target.
    fn with_log(
        &self,
        lineages: &[Lineage<'a>],
        target: &RecoveryTarget,
        past: &Past,
        among: Among<'_>,
    ) -> Result<Chain<'a>, GraphError> {
        let parts: Vec<&PartHolding> = lineages.iter().map(|one| one.tip).collect();
        let start = parts.iter().filter_map(|part| part.from.as_ref());
        let start = start.map(|from| from.value).min().unwrap_or(0);
        let stop = parts.iter().filter_map(|part| part.until.as_ref());
        let stop = stop.map(|until| until.value).max().unwrap_or(0);
        let identity = parts.first().map_or("", |part| part.identity.as_str());
        let least = match target {
            RecoveryTarget::Transaction(at) | RecoveryTarget::Before(at) => at.value.max(stop),
            _ => stop,
        };
        let (mut logs, mut reached, gap) = self.logs(identity, start, past);
        if !among.beside && gap.is_none() {
            reached = self.add_tails(&mut logs, identity, reached, past);
        }
        if reached < least {
            return Err(self.too_short(reached, least, gap));
        }
        let until = self.cut(&mut logs, &past.placed(target), stop)?;
        // the log is replayed to its end: that it ends at a gap is no end
        let gap = gap.filter(|_| until == RecoveryTarget::Latest);
        if gap.is_some() && matches!(target, RecoveryTarget::Instant(_)) {
            return Err(self.too_short(reached, least, gap));
        }
        let oldest = parts.iter().map(|part| part.taken_at).min();
        let newest = parts.iter().map(|part| part.taken_at).max();
        let mut why = match (oldest, newest) {
            (Some(oldest), Some(newest)) if oldest != newest => format!(
                "parts taken between {oldest} and {newest} become one by the log since the oldest"
            ),
            (_, Some(newest)) => format!("the newest copy before the target, of {newest}"),
            _ => String::new(),
        };
        if let Some(next) = gap {
            why = format!(
                "{why}; the stored log has a gap from {} to {}, so what came behind it is not shown",
                lsn(reached),
                lsn(next)
            );
        }
        if *target == RecoveryTarget::Latest {
            why.extend(self.left_behind(identity, past));
        }
        let all = lineages.iter().flat_map(|one| one.parts.iter().copied());
        Ok(Chain {
            parts: all.collect(),
            logs,
            until,
            why,
        })
    }

    /// The log from a position on, without a gap; how far it goes; where it goes on after a gap.
    fn logs(
        &self,
        identity: &str,
        start: u64,
        past: &Past,
    ) -> (Vec<&'a LogHolding>, u64, Option<u64>) {
        let mut logs: Vec<&LogHolding> = (self.world.logs_of(&self.service.name).iter())
            .filter(|log| {
                let from = &log.from;
                log.identity == identity
                    && log.until.value > start
                    && past.uses(&from.incarnation, from.value, log.until.value)
                    && self.reachable(&log.devices)
            })
            .copied()
            .collect();
        // of a range that two histories hold, the younger one's is replayed
        logs.sort_by_key(|log| (log.from.value, past.rank(&log.from.incarnation)));
        let mut chain: Vec<&LogHolding> = Vec::new();
        let mut reached = start;
        for log in logs {
            if log.from.value > reached {
                return (chain, reached, Some(log.from.value));
            }
            if log.until.value > reached {
                reached = log.until.value;
                chain.push(log);
            } else if let Some(last) = chain.last_mut()
                && last.from.value == log.from.value
            {
                *last = log;
            }
        }
        (chain, reached, None)
    }

    /// What is stored of a history that went on behind the place where the one that is restored left
    /// it: somebody wrote there, too.
    fn left_behind(&self, identity: &str, past: &Past) -> Option<String> {
        let logs = self.world.logs_of(&self.service.name).iter();
        let others = logs.filter_map(|log| {
            let from = &log.from;
            let left = past.left_before(&from.incarnation, from.value)?;
            (log.identity == identity).then_some((left, &log.until))
        });
        let (left, until) = others.max_by_key(|(_, until)| until.value)?;
        Some(format!(
            "; history {} was left at {} and goes on to {}: that is not shown, `--timeline` chooses",
            until.incarnation,
            lsn(left),
            lsn(until.value)
        ))
    }

    /// Adds the stored pieces of the range that begins where the log ends; how far they reach.
    fn add_tails(
        &self,
        logs: &mut Vec<&'a LogHolding>,
        identity: &str,
        end: u64,
        past: &Past,
    ) -> u64 {
        let mut reached = end;
        let tails = self.world.holdings.tails.iter();
        let mut tails: Vec<&LogHolding> = tails
            .filter(|tail| {
                let from = &tail.from;
                tail.service == self.service.name
                    && tail.identity == identity
                    && from.value >= end
                    && past.uses(&from.incarnation, from.value, tail.until.value)
                    && self.reachable(&tail.devices)
            })
            .collect();
        tails.sort_by_key(|tail| (tail.from.value, std::cmp::Reverse(tail.until.value)));
        for tail in tails {
            if tail.from.value == reached {
                reached = tail.until.value;
                logs.push(tail);
            }
        }
        reached
    }

    /// Leaves out log behind the target; tells how far the rest is replayed.
    fn cut(
        &self,
        logs: &mut Vec<&'a LogHolding>,
        target: &RecoveryTarget,
        stop: u64,
    ) -> Result<RecoveryTarget, GraphError> {
        let enough = match target {
            RecoveryTarget::Latest => None,
            RecoveryTarget::Backup => logs.iter().position(|log| log.until.value > stop),
            RecoveryTarget::Instant(at) => logs
                .iter()
                .position(|log| log.last_at > *at && log.until.value > stop),
            // the record behind the target shows that it is reached
            RecoveryTarget::Transaction(at) | RecoveryTarget::Before(at) => {
                logs.iter().position(|log| log.from.value >= at.value)
            }
        };
        if let Some(last) = enough {
            logs.truncate(last + 1);
            return Ok(target.clone());
        }
        if let RecoveryTarget::Instant(at) = target {
            let ends = logs.iter().map(|log| log.last_at).max();
            let ends = ends.unwrap_or(Timestamp::MIN);
            if ends < *at && !self.archived_at(*at) {
                return Err(GraphError::new(
                    format!(
                        "the stored log of `{}` ends at {ends}; {at} is not reached",
                        self.service.name
                    ),
                    "ship the log (`planc run` with the archive's name), or restore to an \
                     earlier point",
                ));
            }
            return Ok(RecoveryTarget::Latest);
        }
        Ok(target.clone())
    }

    /// Whether a shipment that began at or after this moment ended well: then everything committed
    /// before it is stored.
    fn archived_at(&self, at: Timestamp) -> bool {
        let archive = self.world.archive_of(self.id);
        let job = archive.map(|id| job_name(self.world.plan, JobId::Archive(id)));
        job.and_then(|job| self.world.last(&job, None))
            .is_some_and(|began| began >= at)
    }

    fn too_short(&self, reached: u64, least: u64, gap: Option<u64>) -> GraphError {
        let name = &self.service.name;
        let (reached, least) = (lsn(reached), lsn(least));
        match gap {
            Some(next) => GraphError::new(
                format!(
                    "the stored log of `{name}` has a gap: it ends at {reached} and goes on at {}",
                    lsn(next)
                ),
                "bring the device that holds the rest and run `planc catalog rebuild`, or choose \
                 an older target; where the server ran with wal_level = minimal, which `planc log \
                 status` tells, there is no rest",
            ),
            None => GraphError::new(
                format!(
                    "the stored log of `{name}` ends at {reached}; {least} is needed{}",
                    self.place()
                ),
                "ship the log (`planc run` with the archive's name), or restore to an earlier point",
            ),
        }
    }
}

/// The parts that are looked at.
#[derive(Debug, Clone, Copy, Default)]
struct Among<'f> {
    /// A component beside others that are where they were: what is not archived yet lies there.
    beside: bool,
    /// Files that are wanted alone: of a part that stands alone and, if there is one, does not hold
    /// them as they were damaged at the source.
    files: &'f [String],
    /// Only parts that are consistent at this position.
    until: Option<u64>,
}

impl Among<'_> {
    fn ends(&self, part: &PartHolding) -> bool {
        let end = part.until.as_ref().map_or(0, |until| until.value);
        self.until.is_none_or(|until| end <= until)
    }
}

/// What one component is restored from.
struct FoundPart<'a> {
    lineage: Lineage<'a>,
    /// A newer part that cannot be put together.
    passed: Option<Broken<'a>>,
}

/// Whether a part was complete before the target, in one of the histories that lead there.
fn is_before(part: &PartHolding, target: &RecoveryTarget, past: &Past) -> bool {
    let (Some(_), Some(until)) = (&part.from, &part.until) else {
        return false;
    };
    let in_time = match target {
        RecoveryTarget::Latest | RecoveryTarget::Backup => true,
        RecoveryTarget::Instant(at) => part.taken_at <= *at,
        RecoveryTarget::Transaction(at) => until.value <= at.value,
        RecoveryTarget::Before(at) => until.value < at.value,
    };
    in_time && past.contains(&until.incarnation, until.value)
}

/// A position in words, for people who know the engine's own.
pub(super) fn words(at: &Position) -> String {
    let position = lsn(at.value);
    match at.incarnation.as_str() {
        "" => position,
        history => format!("{position} of history {history}"),
    }
}
