//! Owns which stored part and which log ranges reach a recovery target, without a gap.
//! Must not make steps. When nothing reaches the target it says what is missing.

use std::collections::BTreeSet;

use jiff::{RoundMode, Timestamp, TimestampRound, Unit};

use super::error::GraphError;
use super::lineage;
use super::step::RecoveryTarget;
use super::world::{World, is_full};
use crate::facts::capability;
use crate::facts::holdings::{LogHolding, Method, PartHolding, Position};
use crate::resolve::plan::{ComponentId, JobId, Service};

/// Parts and the log after them, that together show the target.
#[derive(Debug)]
pub(super) struct Chain<'a> {
    /// One of each component that is restored with the others, the oldest first, and before each
    /// those that it builds on.
    pub(super) parts: Vec<&'a PartHolding>,
    pub(super) logs: Vec<&'a LogHolding>,
    /// How far the log is to be replayed: [`RecoveryTarget::Latest`] when all of it is wanted.
    pub(super) until: RecoveryTarget,
    /// Why these parts, in plain words.
    pub(super) why: String,
}

/// Most components that a refusal names.
const NAMED: usize = 3;

/// Why nothing can be restored: no copy of a component is known, or none on the device that was asked
/// for. Copies of services that the plan does not have are named: the service may have had another
/// name.
pub(super) fn no_copy(world: &World<'_>, key: &str, from: Option<&str>) -> GraphError {
    let place = from.map_or(String::new(), |from| format!(" on `{from}`"));
    let message = format!("there is no copy of `{key}`{place} to restore from");
    let service = |component: &str| component.split('/').next().map(str::to_owned);
    let parts = world.holdings.parts.iter();
    let components: BTreeSet<&str> = parts.map(|part| part.component.as_str()).collect();
    let others = components.into_iter().filter(|component| {
        service(component).is_some_and(|name| world.plan.find_service(&name).is_none())
    });
    let others: Vec<&str> = others.take(NAMED).collect();
    let help = match (from, others.as_slice()) {
        (Some(_), _) => {
            "`planc list` shows which device holds what; or leave out `--from`".to_owned()
        }
        (None, []) => "run a backup first; if the devices hold copies, `planc catalog rebuild \
                       --from DEVICE`"
            .to_owned(),
        (None, others) => format!(
            "there are copies of {}: a service sees its copies under the name that it had when \
             they were made",
            others.join(", ")
        ),
    };
    GraphError::new(message, help)
}

/// What a chain is looked for in.
#[derive(Debug, Clone, Copy)]
pub(super) struct Search<'w, 'a> {
    pub(super) world: &'w World<'a>,
    pub(super) service: &'a Service,
    pub(super) component: ComponentId,
    /// Only copies on this device.
    pub(super) from: Option<&'w str>,
}

impl<'a> Search<'_, 'a> {
    /// The chain to a target.
    ///
    /// # Errors
    /// When no chain reaches it: there is no part, the log has a gap, or it ends too early.
    pub(super) fn chain(&self, target: &RecoveryTarget) -> Result<Chain<'a>, GraphError> {
        if !capability::of(self.service.engine).point_in_time {
            return self.without_log(target);
        }
        let parts = self.parts();
        if parts.is_empty() {
            return Err(self.no_part());
        }
        match target {
            RecoveryTarget::Backup => self.without_log(target),
            RecoveryTarget::Latest => self.latest(&parts),
            RecoveryTarget::Instant(at) => self.instant(&parts, *at),
            RecoveryTarget::Transaction(at) => self.position(&parts, at, false),
            RecoveryTarget::Before(at) => self.position(&parts, at, true),
        }
    }

    fn reachable(&self, devices: &[String]) -> bool {
        devices.iter().any(|device| self.reads(device))
    }

    fn reads(&self, device: &str) -> bool {
        let wanted = self.from.is_none_or(|from| from == device);
        wanted && self.world.device_named(device).is_some()
    }

    /// Parts that stand alone, newest first.
    fn parts(&self) -> Vec<&'a PartHolding> {
        let key = self.world.plan.component_key(self.component);
        let parts = self.world.parts_of(&key).iter().rev().copied();
        parts
            .filter(|part| is_full(part.method) && self.reachable(&part.devices))
            .collect()
    }

    fn no_part(&self) -> GraphError {
        let key = self.world.plan.component_key(self.component);
        no_copy(self.world, &key, self.from)
    }

    /// For engines without log, and for the state of a part as it was taken.
    fn without_log(&self, target: &RecoveryTarget) -> Result<Chain<'a>, GraphError> {
        let key = self.world.plan.component_key(self.component);
        let all = self.world.parts_of(&key).iter().copied();
        let all = all.filter(|part| part.method != Method::Logical);
        let mut parts: Vec<_> = all.filter(|part| self.reachable(&part.devices)).collect();
        let Some(oldest) = parts.first().map(|part| part.taken_at) else {
            return Err(self.no_part());
        };
        let engine = self.service.engine.word();
        match target {
            RecoveryTarget::Instant(at) => {
                parts.retain(|part| part.taken_at <= *at);
                if parts.is_empty() {
                    return Err(self.too_early(oldest, *at));
                }
            }
            RecoveryTarget::Transaction(_) | RecoveryTarget::Before(_) => {
                return Err(GraphError::new(
                    format!(
                        "`{}` is {engine}: it has no transactions",
                        self.service.name
                    ),
                    "restore to a time, or to the latest copy",
                ));
            }
            RecoveryTarget::Latest | RecoveryTarget::Backup => {}
        }
        let found = lineage::newest(self.world, &parts, &|device| self.reads(device));
        let (lineage, passed) = match found.map(|found| (found.lineage, found.passed)) {
            Some((Some(older), Some(broken))) if *target == RecoveryTarget::Backup => {
                return Err(broken.refusal(&key, Some(older.tip)));
            }
            Some((Some(lineage), passed)) => (lineage, passed),
            Some((None, Some(broken))) => return Err(broken.refusal(&key, None)),
            _ => return Err(self.no_part()),
        };
        let why = match target {
            RecoveryTarget::Instant(at) => {
                format!("the newest copy at or before {at}; {engine} has no log")
            }
            _ => format!("the newest copy, of {:.0}", lineage.tip.taken_at),
        };
        let passed = passed.map_or(String::new(), |broken| broken.passed_over());
        Ok(Chain {
            why: format!("{why}{}{passed}", lineage.depth()),
            parts: lineage.parts,
            logs: Vec::new(),
            until: RecoveryTarget::Backup,
        })
    }

    fn latest(&self, parts: &[&'a PartHolding]) -> Result<Chain<'a>, GraphError> {
        let mut best: Option<(Timestamp, Chain<'a>)> = None;
        for part in parts {
            let Ok(logs) = self.logs_from(part, None) else {
                continue;
            };
            let shows = logs
                .last()
                .map_or(part.taken_at, |log| log.last_at.max(part.taken_at));
            if best.as_ref().is_none_or(|(newest, _)| shows > *newest) {
                let why = format!(
                    "the newest copy, with log shows the state of {shows}; log ranges: {}",
                    logs.len()
                );
                let until = RecoveryTarget::Latest;
                best = Some((
                    shows,
                    Chain {
                        parts: vec![*part],
                        logs,
                        until,
                        why,
                    },
                ));
            }
        }
        match best {
            Some((_, chain)) => Ok(chain),
            None => Err(self
                .logs_from(parts[0], None)
                .err()
                .unwrap_or_else(|| self.no_part())),
        }
    }

    fn instant(&self, parts: &[&'a PartHolding], at: Timestamp) -> Result<Chain<'a>, GraphError> {
        let mut first_error = None;
        for part in parts.iter().filter(|part| part.taken_at <= at) {
            match self.instant_from(part, at) {
                Ok(chain) => return Ok(chain),
                Err(error) => {
                    first_error.get_or_insert(error);
                }
            }
        }
        let oldest = parts.last().map_or(at, |part| part.taken_at);
        Err(first_error.unwrap_or_else(|| self.too_early(oldest, at)))
    }

    fn instant_from(&self, part: &'a PartHolding, at: Timestamp) -> Result<Chain<'a>, GraphError> {
        let mut logs = self.logs_from(part, None)?;
        let enough = logs.iter().position(|log| log.last_at > at);
        // every transaction up to the moment is wanted, and the log ends at or before it
        let (until, beyond) = match enough {
            Some(last) => {
                logs.truncate(last + 1);
                (RecoveryTarget::Instant(at), true)
            }
            None => (RecoveryTarget::Latest, false),
        };
        let ends = logs.last().map_or(part.taken_at, |log| log.last_at);
        if !beyond && ends < at && !self.archived_at(at) {
            return Err(self.ends_early(&format!("at {ends}"), &at.to_string()));
        }
        Ok(Chain {
            parts: vec![part],
            logs,
            until,
            why: format!("the newest copy before {at} from which the log has no gap"),
        })
    }

    /// Whether a shipment that began at or after this moment ended well: then everything
    /// committed before it is stored, even when nothing was.
    fn archived_at(&self, at: Timestamp) -> bool {
        let world = self.world;
        let Some(service) = world.plan.find_service(&self.service.name) else {
            return false;
        };
        let archive = world.archive_of(service);
        let job = archive.map(|id| super::world::job_name(world.plan, JobId::Archive(id)));
        job.and_then(|job| world.last(&job, None))
            .is_some_and(|began| began >= at)
    }

    fn position(
        &self,
        parts: &[&'a PartHolding],
        at: &Position,
        before: bool,
    ) -> Result<Chain<'a>, GraphError> {
        let at = self.placed(parts, at)?;
        // the position that the result shows
        let wanted = at.value.saturating_sub(u64::from(before));
        let mut first_error = None;
        for part in parts {
            let usable = part
                .until
                .as_ref()
                .is_some_and(|until| until.incarnation == at.incarnation && until.value <= wanted);
            if !usable {
                continue;
            }
            match self.logs_from(part, Some(wanted)) {
                Ok(logs) => return Ok(Self::position_chain(part, logs, &at, before)),
                Err(error) => {
                    first_error.get_or_insert(error);
                }
            }
        }
        Err(first_error.unwrap_or_else(|| self.no_part_before(parts, &at)))
    }

    fn position_chain(
        part: &'a PartHolding,
        logs: Vec<&'a LogHolding>,
        at: &Position,
        before: bool,
    ) -> Chain<'a> {
        let (until, words) = if before {
            (RecoveryTarget::Before(at.clone()), "before")
        } else {
            (RecoveryTarget::Transaction(at.clone()), "up to")
        };
        let wanted = at.value.saturating_sub(u64::from(before));
        let reached = logs.last().map(|log| log.until.value);
        Chain {
            parts: vec![part],
            until: if reached == Some(wanted) {
                RecoveryTarget::Latest
            } else {
                until
            },
            logs,
            why: format!("the newest copy {words} transaction {}", at.value),
        }
    }

    /// A position with its incarnation: the newest that has it, when none is said.
    fn placed(&self, parts: &[&'a PartHolding], at: &Position) -> Result<Position, GraphError> {
        if !at.incarnation.is_empty() {
            return Ok(at.clone());
        }
        let logs = self.world.logs_of(&self.service.name);
        let mut holders: Vec<(Timestamp, &str)> = (logs.iter())
            .filter(|log| log.from.value < at.value && at.value <= log.until.value)
            .map(|log| (log.last_at, log.until.incarnation.as_str()))
            .collect();
        holders.extend(parts.iter().filter_map(|part| {
            let until = part
                .until
                .as_ref()
                .filter(|until| until.value == at.value)?;
            Some((part.taken_at, until.incarnation.as_str()))
        }));
        let Some((_, incarnation)) = holders.into_iter().max() else {
            return Err(GraphError::new(
                format!(
                    "transaction {} of `{}` is in no stored log",
                    at.value, self.service.name
                ),
                "`planc log list SERVICE` lists the transactions that are stored",
            ));
        };
        Ok(Position {
            incarnation: incarnation.to_owned(),
            value: at.value,
        })
    }

    /// The log that continues a part, gapless: all of it, or until a position is reached.
    fn logs_from(
        &self,
        part: &PartHolding,
        wanted: Option<u64>,
    ) -> Result<Vec<&'a LogHolding>, GraphError> {
        let mut chain: Vec<&'a LogHolding> = Vec::new();
        let (Some(from), Some(until)) = (&part.from, &part.until) else {
            return Ok(chain);
        };
        let least = wanted.map_or(until.value, |wanted| wanted.max(until.value));
        let logs = self.continuing(part, from);
        let mut reached = from.value;
        let mut next = 0;
        while wanted.is_none_or(|_| reached < least) {
            // of the ranges that continue here, the one that leads farthest
            let mut best: Option<&'a LogHolding> = None;
            while let Some(log) = logs.get(next).filter(|log| log.from.value <= reached) {
                if log.until.value > best.map_or(reached, |best| best.until.value) {
                    best = Some(log);
                }
                next += 1;
            }
            let Some(log) = best else {
                break;
            };
            reached = log.until.value;
            chain.push(log);
        }
        if reached >= least {
            return Ok(chain);
        }
        Err(match logs.get(next) {
            Some(after) => self.gap(reached, after),
            None => self.ends_early(&format!("at transaction {reached}"), &least.to_string()),
        })
    }

    /// Ranges of the part's history that end after a position, by where they begin.
    fn continuing(&self, part: &PartHolding, from: &Position) -> Vec<&'a LogHolding> {
        let logs = self.world.logs_of(&self.service.name).iter().copied();
        let mut logs: Vec<_> = logs
            .filter(|log| {
                log.identity == part.identity
                    && log.from.incarnation == from.incarnation
                    && log.until.value > from.value
                    && self.reachable(&log.devices)
            })
            .collect();
        logs.sort_by_key(|log| (log.from.value, log.until.value));
        logs
    }

    fn gap(&self, reached: u64, after: &LogHolding) -> GraphError {
        GraphError::new(
            format!(
                "the stored log of `{}` has a gap: it ends at transaction {reached} and goes on \
                 after {}",
                self.service.name, after.from.value
            ),
            format!(
                "restore to transaction {reached} or before, or bring the device that holds the \
                 rest and run `planc catalog rebuild --from DEVICE`"
            ),
        )
    }

    fn ends_early(&self, end: &str, target: &str) -> GraphError {
        GraphError::new(
            format!(
                "the stored log of `{}` ends {end}; {target} is not reached",
                self.service.name
            ),
            "ship the log (`planc run` with the archive's name), or restore to an earlier point",
        )
    }

    fn too_early(&self, oldest: Timestamp, at: Timestamp) -> GraphError {
        // rounded up: the copy is not older than what is printed
        let up = TimestampRound::new()
            .smallest(Unit::Second)
            .mode(RoundMode::Ceil);
        let oldest = oldest.round(up).unwrap_or(oldest);
        GraphError::new(
            format!(
                "no copy of `{}` is as old as {at}; the oldest shows {oldest}",
                self.service.name
            ),
            format!("restore to {oldest} or later"),
        )
    }

    fn no_part_before(&self, parts: &[&PartHolding], at: &Position) -> GraphError {
        let same = parts.iter().filter_map(|part| part.until.as_ref());
        let oldest = same
            .filter(|until| until.incarnation == at.incarnation)
            .map(|u| u.value)
            .min();
        match oldest {
            Some(oldest) => GraphError::new(
                format!(
                    "every copy of `{}` is newer than transaction {}; the oldest shows {oldest}",
                    self.service.name, at.value
                ),
                format!("restore to transaction {oldest} or later"),
            ),
            None => GraphError::new(
                format!(
                    "no copy of `{}` belongs to incarnation {} of its log",
                    self.service.name, at.incarnation
                ),
                "`planc list` shows the incarnations and positions of all copies",
            ),
        }
    }
}
