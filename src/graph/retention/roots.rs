//! Owns what the clauses of a plan ask for by themselves: points of each component on each device,
//! and log by its own age. What those need comes later, in `closure`.

use std::collections::{BTreeMap, BTreeSet};

use jiff::{SignedDuration, Timestamp};

use super::period::{Period, periods};
use super::reason::{Reason, words};
use super::stock::{Item, Stock};
use crate::facts::holdings::Method;
use crate::resolve::plan::Tier;

/// What is asked for on a device.
#[derive(Debug, Default)]
pub(super) struct Roots<'a> {
    /// Copies that stay by a clause or by circumstance.
    pub(super) copies: Vec<(Item, &'a str, Reason)>,
    /// Parts from which a window is recovered: all log since them is needed.
    pub(super) since: BTreeSet<(usize, &'a str)>,
}

/// How far a clock may be ahead of this one before its times count as future.
const SKEW: SignedDuration = SignedDuration::from_mins(5);

/// What the clauses ask for. With `sure`, only parts that can be restored for sure count as points;
/// without, all do.
pub(super) fn roots<'a>(stock: &Stock<'a>, sure: bool) -> Roots<'a> {
    let mut roots = Roots::default();
    for (key, parts) in stock.components() {
        points(stock, key, parts, sure, &mut roots);
    }
    if !sure {
        circumstances(stock, &mut roots);
        for (service, logs) in logs_of_services(stock) {
            logs_by_age(stock, service, &logs, &mut roots);
        }
    }
    roots
}

/// The points of one component: for each job, way of copying and device apart.
fn points<'a>(stock: &Stock<'a>, _key: &str, parts: &[usize], sure: bool, roots: &mut Roots<'a>) {
    let mut groups: BTreeMap<(&str, bool, &str), Vec<usize>> = BTreeMap::new();
    for index in parts {
        let part = stock.part(*index);
        if sure && !stock.sure(*index) || is_future(stock, part.taken_at) {
            continue;
        }
        for device in stock.holders(Item::Part(*index)) {
            if sure && stock.is_damaged(Item::Part(*index), device) {
                continue;
            }
            let group = (part.job.as_str(), part.method == Method::Logical, device);
            groups.entry(group).or_default().push(*index);
        }
    }
    for ((job, _, device), group) in groups {
        let rule = stock.question.jobs.get(job);
        let tiers = rule.and_then(|rule| rule.tiers.get(device));
        for tier in tiers.into_iter().flatten() {
            choose(stock, *tier, device, &group, roots);
        }
    }
}

/// What one tier keeps of points that are sorted by time.
fn choose<'a>(
    stock: &Stock<'a>,
    tier: Tier,
    device: &'a str,
    group: &[usize],
    roots: &mut Roots<'a>,
) {
    match tier {
        Tier::Window(span) => {
            let begin = before(stock.question.now, span.0);
            let inside = group.partition_point(|part| stock.part(*part).taken_at <= begin);
            let anchor = inside
                .checked_sub(1)
                .map(|at| (group[at], Reason::Anchor(span)));
            let within = group[inside..]
                .iter()
                .map(|part| (*part, Reason::Window(span)));
            for (part, reason) in anchor.into_iter().chain(within) {
                roots.copies.push((Item::Part(part), device, reason));
                roots.since.insert((part, device));
            }
        }
        Tier::Last(count) => {
            let newest = group.iter().rev().take(count as usize);
            let newest = newest.map(|part| (Item::Part(*part), device, Reason::Last(count)));
            roots.copies.extend(newest);
        }
        _ => newest_of_periods(stock, tier, device, group, roots),
    }
}

/// The newest point of each of the last n periods that have one.
fn newest_of_periods<'a>(
    stock: &Stock<'a>,
    tier: Tier,
    device: &'a str,
    group: &[usize],
    roots: &mut Roots<'a>,
) {
    let Some((count, _)) = periods(tier) else {
        return;
    };
    let mut last = None;
    let mut found = 0;
    for part in group.iter().rev() {
        let period = Period::of(tier, stock.part(*part).taken_at, &stock.question.zone);
        if period == last {
            continue;
        }
        if found == count {
            return;
        }
        (last, found) = (period, found + 1);
        let reason = Reason::Newest {
            tier: words(tier),
            period: period.map_or_else(String::new, Period::words),
        };
        roots.copies.push((Item::Part(*part), device, reason));
    }
}

/// What stays whatever the clauses say.
fn circumstances<'a>(stock: &Stock<'a>, roots: &mut Roots<'a>) {
    let question = stock.question;
    for item in stock.items() {
        let (job, rule, at) = match item {
            Item::Part(index) => {
                let part = stock.part(index);
                let rule = question.jobs.get(&part.job).map(|rule| &rule.tiers);
                (part.job.as_str(), rule, part.taken_at)
            }
            Item::Log(index) => {
                let log = stock.log(index);
                let rule = question.logs.get(&log.service).map(|rule| &rule.tiers);
                ("", rule, log.last_at)
            }
        };
        for device in stock.holders(item) {
            if is_future(stock, at) {
                roots.copies.push((item, device, Reason::Future(at)));
            }
            if question.in_use.contains(stock.id(item)) {
                roots.copies.push((item, device, Reason::InUse));
            }
            let clauses = rule.map(|tiers| tiers.get(device).is_some_and(|own| !own.is_empty()));
            let reason = match clauses {
                None => Reason::NoJob(job.to_owned()),
                Some(false) => Reason::NoClause(clause_owner(item, stock)),
                Some(true) => continue,
            };
            roots.copies.push((item, device, reason));
        }
    }
}

fn clause_owner(item: Item, stock: &Stock<'_>) -> String {
    match item {
        Item::Part(index) => stock.part(index).job.clone(),
        Item::Log(index) => format!("archive of {}", stock.log(index).service),
    }
}

fn logs_of_services<'a>(stock: &Stock<'a>) -> BTreeMap<&'a str, Vec<usize>> {
    let mut services: BTreeMap<&str, Vec<usize>> = BTreeMap::new();
    for item in stock.items() {
        if let Item::Log(index) = item {
            services
                .entry(&stock.log(index).service)
                .or_default()
                .push(index);
        }
    }
    services
}

/// Log that an archive's own clauses keep: by the time of its last transaction. Periods count as
/// the span they cover, so that no moment in them is lost.
fn logs_by_age<'a>(stock: &Stock<'a>, service: &str, logs: &[usize], roots: &mut Roots<'a>) {
    let Some(rule) = stock.question.logs.get(service) else {
        return;
    };
    let mut by_device: BTreeMap<&'a str, Vec<usize>> = BTreeMap::new();
    for log in logs {
        for device in stock.holders(Item::Log(*log)) {
            by_device.entry(device).or_default().push(*log);
        }
    }
    for (device, mut logs) in by_device {
        logs.retain(|log| !is_future(stock, stock.log(*log).last_at));
        logs.sort_by_key(|log| (stock.log(*log).last_at, &stock.log(*log).log));
        for tier in rule.tiers.get(device).into_iter().flatten() {
            let (first, reason) = match *tier {
                Tier::Last(count) => (
                    logs.len().saturating_sub(count as usize),
                    Reason::Last(count),
                ),
                tier => {
                    let span = span_of(tier);
                    let begin = before(stock.question.now, span);
                    let first = logs.partition_point(|log| stock.log(*log).last_at <= begin);
                    (first, Reason::Window(crate::quantity::Duration(span)))
                }
            };
            let kept = logs[first..].iter();
            roots
                .copies
                .extend(kept.map(|log| (Item::Log(*log), device, reason.clone())));
        }
    }
}

fn span_of(tier: Tier) -> u64 {
    match tier {
        Tier::Window(span) => span.0,
        tier => periods(tier).map_or(0, |(count, length)| u64::from(count) * length),
    }
}

/// A moment so many milliseconds ago; the begin of time when that is farther than time goes.
pub(super) fn before(now: Timestamp, span: u64) -> Timestamp {
    let span = SignedDuration::from_millis(i64::try_from(span).unwrap_or(i64::MAX));
    now.checked_sub(span).unwrap_or(Timestamp::MIN)
}

fn is_future(stock: &Stock<'_>, at: Timestamp) -> bool {
    at > stock
        .question
        .now
        .checked_add(SKEW)
        .unwrap_or(Timestamp::MAX)
}
