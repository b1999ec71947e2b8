//! What is looked up on devices before a plan is compiled: log that servers archived beside every
//! run, its tails, where its histories come from, and points of it by the names people know them by.

use crate::catalog::Catalog;
use crate::cli::ask::Silent;
use crate::cli::exit::CliError;
use crate::cli::site::{Site, catalog_error, open_error};
use crate::engine::LogRange;
use crate::engine::postgres::find::{self, Found, Wanted};
use crate::engine::postgres::lsn::{Lsn, Timeline};
use crate::engine::postgres::rounds;
use crate::facts::holdings::{Holdings, LogHistory, LogHolding, LogPoint, Position};
use crate::media::{Device, log, name};
use crate::resolve::plan::{EngineKind, ResolvedPlan};
use crate::run::open::{self, Places};
use crate::run::{KnownLogs, Record, shipped};

/// What devices tell of servers' logs and the catalog does not keep.
#[derive(Debug, Clone, Default)]
pub(crate) struct Learned {
    /// Where histories come from.
    histories: Vec<LogHistory>,
    /// Pieces of ranges that are not finished.
    tails: Vec<LogHolding>,
    /// Devices that could not be asked before something is brought back.
    pub(crate) silent: Silent,
}

impl Learned {
    /// What the catalog knows with what was looked up.
    pub(crate) fn with(&self, holdings: Holdings, points: &[LogPoint]) -> Holdings {
        Holdings {
            histories: self.histories.clone(),
            tails: self.tails.clone(),
            points: points.to_vec(),
            ..holdings
        }
    }

    fn add(&mut self, service: &str, device: &dyn Device) {
        for history in shipped::histories(service, device).unwrap_or_default() {
            if !self.histories.contains(&history) {
                self.histories.push(history);
            }
        }
        for tail in shipped::tails(service, device).unwrap_or_default() {
            match self.tails.iter_mut().find(|one| one.log == tail.log) {
                Some(same) => same.devices.extend(tail.devices),
                None => self.tails.push(tail),
            }
        }
    }
}

/// Teaches the catalog what servers archived by themselves, and tells what else their log says. A
/// device that is away says nothing now; [`Site::ask_devices`] tells it.
pub(crate) fn logs(
    plan: &ResolvedPlan,
    places: &Places,
    catalog: &mut Catalog,
) -> Result<Learned, CliError> {
    let servers = plan.services.iter();
    let servers = servers.filter(|service| service.engine == EngineKind::Postgresql);
    let names: Vec<&str> = servers.map(|service| service.name.as_str()).collect();
    let mut learned = Learned::default();
    if names.is_empty() {
        return Ok(learned);
    }
    let known = KnownLogs::of(&catalog.holdings().map_err(catalog_error)?);
    for service in names {
        let (_, devices) = open::log_devices(plan, service);
        for name in &devices {
            let Ok(device) = open::device(plan, places, catalog, name) else {
                continue;
            };
            let held = |object: &str| known.is_held(name, object);
            for record in shipped::shipped(service, device.as_ref(), &held).unwrap_or_default() {
                let record = Record::Log(Box::new(record), name.clone());
                record.apply(catalog).map_err(catalog_error)?;
            }
            learned.add(service, device.as_ref());
        }
    }
    Ok(learned)
}

impl Site {
    /// Looks through the stored log of a service for a point, the newest log first.
    ///
    /// # Errors
    /// When the log that may hold it cannot be read: what was not read may hold it.
    pub(crate) fn look_up(
        &mut self,
        service: &str,
        wanted: &Wanted,
    ) -> Result<Option<LogPoint>, CliError> {
        let holdings = self.holdings()?;
        let logs = holdings.logs.iter().filter(|log| log.service == service);
        let mut logs: Vec<&LogHolding> = logs.collect();
        logs.sort_by_key(|log| std::cmp::Reverse((log.last_at, log.until.value)));
        if let Wanted::Transaction(named) = wanted
            && !self.is_of_round(&logs, *named)?
        {
            return Ok(None);
        }
        // what a record says of its range is not proven: that a point is nowhere is believed only
        // after all was read
        match self.search(&logs, wanted, true)? {
            (None, true) => Ok(self.search(&logs, wanted, false)?.0),
            (found, _) => Ok(found),
        }
    }

    /// Whether the log counts transactions in the round that a number is named with; true where it
    /// is named without, or nothing tells.
    fn is_of_round(&mut self, logs: &[&LogHolding], named: u64) -> Result<bool, CliError> {
        if !rounds::has_rounds(named) {
            return Ok(true);
        }
        for holding in logs {
            let range = self.range(holding)?;
            let next = rounds::in_segment(&range.payload).map_err(CliError::failed)?;
            if let Some(next) = next {
                return Ok(rounds::fits(named, next));
            }
        }
        Ok(true)
    }

    /// Looks through ranges, and tells whether some were passed over because their records say
    /// that the point is not in them.
    fn search(
        &mut self,
        logs: &[&LogHolding],
        wanted: &Wanted,
        trust: bool,
    ) -> Result<(Option<LogPoint>, bool), CliError> {
        let mut next: Option<LogRange> = None;
        let mut passed = false;
        for (index, holding) in logs.iter().enumerate() {
            let told = trust.then(|| self.told(holding, wanted)).flatten();
            if told == Some(false) {
                passed = true;
                continue;
            }
            let range = self.range(holding)?;
            // a point that the record tells ends in its own range
            let newer = index.checked_sub(1).map(|newer| logs[newer]);
            let newer = newer.filter(|newer| told.is_none() && newer.from == range.until);
            let behind = match (next.take(), newer) {
                (_, None) => None,
                (Some(next), Some(_)) if next.from == range.until => Some(next),
                (_, Some(newer)) => Some(self.range(newer)?),
            };
            let behind = behind.as_ref().map(|next| next.payload.as_ref());
            let found = find::in_segment(&range.payload, behind, wanted);
            if let Some(found) = found.map_err(CliError::failed)? {
                return Ok((Some(point(holding, wanted, &found)), passed));
            }
            next = Some(range);
        }
        Ok((None, passed))
    }

    /// Whether a restore point is in a range, if the range's record tells.
    fn told(&mut self, holding: &LogHolding, wanted: &Wanted) -> Option<bool> {
        let Wanted::RestorePoint(point) = wanted else {
            return None;
        };
        let object = name::log_of_id(&holding.log)?;
        let record = holding.devices.iter().find_map(|name| {
            let device = open::device(self.plan.plan(), &self.places, &mut self.catalog, name);
            log::glance(device.ok()?.as_ref(), &object).ok()?
        });
        Some(record?.points?.contains(point))
    }

    /// Reads a range from a device that is there.
    fn range(&mut self, holding: &LogHolding) -> Result<LogRange, CliError> {
        let mut devices = Vec::new();
        let mut away = None;
        for name in &holding.devices {
            match open::device(self.plan.plan(), &self.places, &mut self.catalog, name) {
                Ok(device) => devices.push(device),
                Err(error) => away = Some(error),
            }
        }
        if devices.is_empty()
            && let Some(error) = away
        {
            return Err(open_error(&error));
        }
        let (_, range, _) = log::get(&holding.log, &devices).map_err(CliError::failed)?;
        Ok(range)
    }

    /// The position of a point of a PostgreSQL service as people name it: a transaction's number,
    /// `point:NAME`, or a position `0/3000028`.
    ///
    /// # Errors
    /// When no stored log holds it.
    pub(crate) fn server_position(
        &mut self,
        service: &str,
        text: &str,
    ) -> Result<Position, CliError> {
        let (history, reach) = text.rsplit_once(':').unwrap_or(("", text));
        let is_history = history.is_empty() || history.parse::<Timeline>().is_ok();
        if let (true, Ok(lsn)) = (is_history, reach.parse::<Lsn>()) {
            return Ok(Position {
                incarnation: history.to_owned(),
                value: lsn.0,
            });
        }
        let wanted = match (text.strip_prefix("point:"), text.parse::<u64>()) {
            (Some(name), _) => Wanted::RestorePoint(name.to_owned()),
            (None, Ok(xid)) => Wanted::Transaction(xid),
            (None, Err(_)) => {
                return crate::cli::restore::position(&self.holdings()?, service, text);
            }
        };
        let found = self.look_up(service, &wanted)?;
        let found = found.map(|found| found.at);
        found.ok_or_else(|| self.unheld(service, &wanted))
    }

    /// Looks up what a recovery of the plan and its input name by number or name.
    ///
    /// # Errors
    /// When the stored log cannot be read, or does not hold the transaction that is meant.
    pub(crate) fn look_up_inputs(
        &mut self,
        scenario: &str,
        inputs: &std::collections::BTreeMap<String, String>,
    ) -> Result<(), CliError> {
        let wanted = wanted(self.plan.plan(), scenario, inputs);
        for (service, wanted) in wanted {
            let found = self.look_up(&service, &wanted)?;
            // it may be one of another service, whose number is its position
            let only = self.plan.plan().services.len() == 1;
            if found.is_none() && only && matches!(wanted, Wanted::Transaction(_)) {
                return Err(self.unheld(&service, &wanted));
            }
            self.points.extend(found);
        }
        Ok(())
    }

    fn unheld(&self, service: &str, wanted: &Wanted) -> CliError {
        let silent = self.learned.silent.hint();
        CliError::refused(format!("no stored log of {service} holds {wanted}")).help(format!(
            "look at its number; one that was rolled back changed nothing; ship the log if it is \
             young; `planc list` shows the log{silent}",
        ))
    }
}

/// What was found in a range, by the name that it was looked for.
fn point(holding: &LogHolding, wanted: &Wanted, found: &Found) -> LogPoint {
    LogPoint {
        service: holding.service.clone(),
        name: match wanted {
            Wanted::Transaction(xid) => xid.to_string(),
            Wanted::RestorePoint(name) => format!("point:{name}"),
        },
        at: Position {
            incarnation: holding.from.incarnation.clone(),
            value: found.ends.0,
        },
        time: found.at,
    }
}

/// The transactions and restore points that a recovery of PostgreSQL services aims at.
fn wanted(
    plan: &ResolvedPlan,
    scenario: &str,
    inputs: &std::collections::BTreeMap<String, String>,
) -> Vec<(String, Wanted)> {
    use crate::resolve::plan::{ActionKind, Kind, ReplayPoint};
    let all = plan.recoveries.iter().chain(&plan.drills);
    let Some(found) = all.into_iter().find(|one| {
        one.name == scenario || crate::graph::full_name(&one.origin, &one.name) == scenario
    }) else {
        return Vec::new();
    };
    let mut wanted = Vec::new();
    for action in &found.actions {
        let ActionKind::Replay { point, .. } = &action.kind else {
            continue;
        };
        let point = match point {
            ReplayPoint::Transaction(text) => text.parse().ok().map(Wanted::Transaction),
            ReplayPoint::RestorePoint(name) => Some(Wanted::RestorePoint(name.clone())),
            ReplayPoint::Input(name) => {
                let input = found.inputs.iter().find(|input| input.name == *name);
                let text = inputs.get(name).map_or("", String::as_str);
                match input.map(|input| input.kind) {
                    Some(Kind::Transaction) => text.parse().ok().map(Wanted::Transaction),
                    _ => None,
                }
            }
            ReplayPoint::Latest | ReplayPoint::Instant(_) => None,
        };
        wanted.extend(point);
    }
    let servers = plan.services.iter();
    let servers = servers.filter(|service| service.engine == EngineKind::Postgresql);
    servers
        .flat_map(|service| {
            let wanted = wanted.iter();
            wanted.map(|one| (service.name.clone(), one.clone()))
        })
        .collect()
}
