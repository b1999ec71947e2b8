//! Owns what a change of a plan does: to its promises, to what is kept, to when jobs run and to
//! the steps of recoveries. Must not read files; both sides come as compiled plans.

use std::cmp::Ordering;
use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;

use crate::check::proof::{Outcome, Row, Unit};
use crate::check::retention::{self, Kept, Steady};
use crate::check::survival::Question;
use crate::facts::facts_file::MeasuredFacts;
use crate::facts::known::Known;
use crate::graph::full_name;
use crate::graph::rehearse::Rehearsal;
use crate::graph::render::kind_word;
use crate::outlook::words;
use crate::quantity::Duration;
use crate::resolve::plan::{Method, ResolvedPlan};
use crate::resolve::zone;
use crate::source::{SourceMap, Span};

/// One side of a comparison: one environment of a plan.
#[derive(Debug, Clone)]
pub struct Side<'a> {
    /// The plan.
    pub plan: &'a ResolvedPlan,
    /// Its promises.
    pub rows: Vec<&'a Row>,
    /// What was measured in its environment.
    pub facts: Option<&'a MeasuredFacts>,
    /// The texts of the plan.
    pub sources: &'a SourceMap,
}

impl Side<'_> {
    /// A clause as it is written, its first line.
    fn clause(&self, span: Span) -> String {
        let text = self.sources.text(span).lines().next().unwrap_or_default();
        text.trim().trim_end_matches('{').trim_end().to_owned()
    }
}

/// What a change means for those who rely on the plan.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Effect {
    /// A promise that held is broken now.
    Broken,
    /// Less is promised, kept or shown than before.
    Worse,
    /// Neither better nor worse.
    Neutral,
    /// More is promised, kept or shown than before.
    Better,
}

impl Effect {
    /// True for changes that `--fail-on worse` refuses.
    #[must_use]
    pub fn is_worse(self) -> bool {
        matches!(self, Self::Broken | Self::Worse)
    }

    /// As printed; nothing for changes that are neither.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Broken => "BROKEN",
            Self::Worse => "worse",
            Self::Neutral => "",
            Self::Better => "better",
        }
    }
}

/// What a change is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub enum About {
    /// A promise.
    Promise,
    /// How long something is kept.
    Retention,
    /// What a device holds in the long run.
    Storage,
    /// When a job runs.
    Schedule,
    /// What a recovery does.
    Steps,
}

/// One difference.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    /// What it is about.
    pub about: About,
    /// Its name: `rpo loss of site`, `keep tapes (large)`.
    pub subject: String,
    /// The environments in which it holds.
    pub environments: Vec<String>,
    /// What was; none for something new.
    pub before: Option<String>,
    /// What is; none for something that is gone.
    pub after: Option<String>,
    /// What it means.
    pub effect: Effect,
    /// A few more words: the limit of a promise.
    pub note: String,
    /// The clause that decides, as it is written in the new plan.
    pub clause: String,
}

/// Compares the environments that both sides have; those that only one has are told as such.
#[must_use]
pub fn compare(old: &[Side<'_>], new: &[Side<'_>], now: Timestamp) -> Vec<Change> {
    let mut changes: Vec<Change> = Vec::new();
    let find = |sides: &[Side<'_>], name: &str| {
        sides.iter().position(|side| side.plan.environment == name)
    };
    for side in new {
        let name = &side.plan.environment;
        let found = match find(old, name) {
            Some(at) => environment(&old[at], side, now),
            None => vec![whole(name, true)],
        };
        for change in found {
            merge(&mut changes, change);
        }
    }
    let gone = old
        .iter()
        .filter(|side| find(new, &side.plan.environment).is_none());
    changes.extend(gone.map(|side| whole(&side.plan.environment, false)));
    changes.sort_by(|a, b| a.about.cmp(&b.about).then(a.effect.cmp(&b.effect)));
    changes
}

fn whole(name: &str, added: bool) -> Change {
    let (before, after, effect) = if added {
        (None, Some("new".to_owned()), Effect::Neutral)
    } else {
        (Some("there".to_owned()), None, Effect::Worse)
    };
    Change {
        about: About::Promise,
        subject: format!("environment {name}"),
        environments: vec![name.to_owned()],
        before,
        after,
        effect,
        note: String::new(),
        clause: String::new(),
    }
}

/// A change that several environments have in common is told once.
fn merge(changes: &mut Vec<Change>, change: Change) {
    let same = |other: &&mut Change| {
        let bare = |change: &Change| Change {
            environments: Vec::new(),
            ..change.clone()
        };
        bare(other) == bare(&change)
    };
    match changes.iter_mut().find(same) {
        Some(other) => other.environments.extend(change.environments),
        None => changes.push(change),
    }
}

fn environment(old: &Side<'_>, new: &Side<'_>, now: Timestamp) -> Vec<Change> {
    let mut changes = promises(old, new);
    changes.extend(retentions(old, new));
    changes.extend(storage(old, new, now));
    changes.extend(schedules(old, new));
    changes.extend(steps(old, new, now));
    for change in &mut changes {
        let name = &new.plan.environment;
        if !name.is_empty() {
            change.environments = vec![name.clone()];
        }
    }
    changes
}

/// Things of two sides by key: every key once, with what each side has of it.
fn joined<'k, T>(
    old: &'k BTreeMap<String, T>,
    new: &'k BTreeMap<String, T>,
) -> impl Iterator<Item = (&'k String, Option<&'k T>, Option<&'k T>)> {
    let keys: BTreeSet<&String> = old.keys().chain(new.keys()).collect();
    keys.into_iter()
        .map(|key| (key, old.get(key), new.get(key)))
}

// ---- promises ---------------------------------------------------------------------------

fn promises(old: &Side<'_>, new: &Side<'_>) -> Vec<Change> {
    let many = |side: &Side<'_>| {
        let services: BTreeSet<&String> = side.rows.iter().map(|row| &row.service).collect();
        services.len() > 1
    };
    let named = many(old) || many(new);
    let keyed = |side: &Side<'_>| -> BTreeMap<String, Row> {
        let mut rows = BTreeMap::new();
        for row in &side.rows {
            let mut key = subject(row, named);
            // two promises of one kind, for example about two groups
            while rows.contains_key(&key) {
                key.push('\'');
            }
            rows.insert(key, Row::clone(row));
        }
        rows
    };
    let (before, after) = (keyed(old), keyed(new));
    let all = joined(&before, &after);
    all.filter_map(|(key, before, after)| promise(new, key, before, after))
        .collect()
}

/// `rpo loss of site`, `copies`, with the service when there are several.
fn subject(row: &Row, named: bool) -> String {
    let loss = row.words.split_once(" for ").map(|(_, loss)| loss);
    let loss = loss.map_or_else(String::new, |loss| format!(" {loss}"));
    let of = if named {
        format!(" of {}", row.service)
    } else {
        String::new()
    };
    format!("{}{loss}{of}", row.claim)
}

fn promise(new: &Side<'_>, key: &str, before: Option<&Row>, after: Option<&Row>) -> Option<Change> {
    let effect = match (before, after) {
        (Some(before), Some(after)) if alike(before, after) => return None,
        (Some(before), Some(after)) => effect(before, after),
        (None, Some(after)) if after.verdict == Outcome::Broken => Effect::Broken,
        (None, Some(_)) => Effect::Better,
        (Some(_), None) => Effect::Worse,
        (None, None) => return None,
    };
    let limits = before.map(limit) != after.map(limit);
    let (before_limit, after_limit) = (before.map(limit), after.map(limit));
    let note = match (before_limit, after_limit) {
        (Some(before), Some(after)) if limits => format!("promised {before} -> {after}"),
        (_, Some(limit)) => format!("promised {limit}"),
        _ => String::new(),
    };
    let because = after.and_then(|row| row.because.or(limits.then_some(row.span)));
    Some(Change {
        about: About::Promise,
        subject: key.to_owned(),
        environments: Vec::new(),
        before: before.map(stand),
        after: after.map(stand),
        effect,
        note,
        clause: because.map_or_else(String::new, |span| new.clause(span)),
    })
}

fn alike(a: &Row, b: &Row) -> bool {
    a.verdict == b.verdict && a.found == b.found && a.limit == b.limit
}

fn limit(row: &Row) -> String {
    let limit = row.limit.map(|limit| row.unit.words(limit));
    limit.unwrap_or_else(|| row.words.clone())
}

/// What is known of a promise: the number found, else the verdict.
fn stand(row: &Row) -> String {
    let found = row.found.map(|found| row.unit.words(found));
    found.unwrap_or_else(|| row.verdict.word().to_owned())
}

/// Better when something improved and nothing got worse; a looser promise is worse.
fn effect(before: &Row, after: &Row) -> Effect {
    if after.verdict == Outcome::Broken && before.verdict != Outcome::Broken {
        return Effect::Broken;
    }
    // more is better for windows and copies, less for time and space
    let more = matches!(after.claim, "recovery window" | "copies");
    let way = |before: Option<f64>, after: Option<f64>| {
        let order = after?.partial_cmp(&before?)?;
        Some(if more { order } else { order.reverse() })
    };
    let orders = [
        Some(before.verdict.cmp(&after.verdict)),
        way(before.found, after.found),
        way(before.limit, after.limit),
    ];
    let has = |wanted: Ordering| orders.iter().flatten().any(|order| *order == wanted);
    match (has(Ordering::Less), has(Ordering::Greater)) {
        (true, _) => Effect::Worse,
        (false, true) => Effect::Better,
        (false, false) => Effect::Neutral,
    }
}

// ---- retention --------------------------------------------------------------------------

fn retentions(old: &Side<'_>, new: &Side<'_>) -> Vec<Change> {
    let keyed = |side: &Side<'_>| -> BTreeMap<String, Kept> {
        let kept = retention::kept(side.plan).into_iter();
        kept.map(|kept| (format!("keep {} ({})", kept.device, kept.job), kept))
            .collect()
    };
    let (before, after) = (keyed(old), keyed(new));
    let all = joined(&before, &after);
    let changed = all.filter(|(_, before, after)| {
        let tiers = |kept: Option<&Kept>| kept.map(|kept| kept.tiers.clone());
        tiers(*before) != tiers(*after)
    });
    changed
        .map(|(key, before, after)| Change {
            about: About::Retention,
            subject: key.clone(),
            environments: Vec::new(),
            before: before.map(reach),
            after: after.map(reach),
            effect: kept_effect(before, after),
            note: after.map_or_else(String::new, |kept| retention::words(&kept.tiers)),
            clause: after.map_or_else(String::new, |kept| new.clause(kept.span)),
        })
        .collect()
}

/// What is kept longest, as it is said: `7y`, `35d`.
fn reach(kept: &Kept) -> String {
    kept.longest
        .map_or_else(|| "for ever".to_owned(), retention::nominal)
}

fn kept_effect(before: Option<&Kept>, after: Option<&Kept>) -> Effect {
    let (Some(before), Some(after)) = (before, after) else {
        return if after.is_some() {
            Effect::Better
        } else {
            Effect::Worse
        };
    };
    let reach = |kept: &Kept| kept.reach.unwrap_or(Duration(u64::MAX));
    match reach(after).cmp(&reach(before)) {
        Ordering::Less => Effect::Worse,
        Ordering::Greater => Effect::Better,
        Ordering::Equal => Effect::Neutral,
    }
}

// ---- storage ----------------------------------------------------------------------------

/// Devices that will hold another amount, in words that people read.
fn storage(old: &Side<'_>, new: &Side<'_>, now: Timestamp) -> Vec<Change> {
    let keyed = |side: &Side<'_>| -> BTreeMap<String, Steady> {
        let steady = retention::steady_state(Question {
            plan: side.plan,
            facts: side.facts,
            sources: side.sources,
            now,
        });
        let named = steady.into_iter();
        named
            .map(|steady| (format!("{} at steady state", steady.device), steady))
            .collect()
    };
    let words = |steady: &Steady| Unit::Bytes.words(steady.bytes);
    let full = |steady: &Steady| steady.capacity.is_some_and(|most| steady.bytes > most);
    let (before, after) = (keyed(old), keyed(new));
    let all = joined(&before, &after);
    let changed = all.filter(|(_, before, after)| before.map(words) != after.map(words));
    changed
        .map(|(key, before, after)| Change {
            about: About::Storage,
            subject: key.clone(),
            environments: Vec::new(),
            before: before.map(words),
            after: after.map(words),
            effect: match after {
                Some(after) if full(after) && !before.is_some_and(full) => Effect::Worse,
                _ => Effect::Neutral,
            },
            note: match after.and_then(|after| after.capacity) {
                Some(most) => format!("holds {}", Unit::Bytes.words(most)),
                None => String::new(),
            },
            clause: String::new(),
        })
        .collect()
}

// ---- schedules --------------------------------------------------------------------------

fn schedules(old: &Side<'_>, new: &Side<'_>) -> Vec<Change> {
    let (before, after) = (jobs(old.plan), jobs(new.plan));
    let all = joined(&before, &after);
    let changed = all.filter(|(_, before, after)| before != after);
    changed
        .map(|(key, before, after)| Change {
            about: About::Schedule,
            subject: key.clone(),
            environments: Vec::new(),
            before: before.cloned(),
            after: after.cloned(),
            effect: match (before, after) {
                (Some(_), None) => Effect::Worse,
                (None, Some(_)) => Effect::Better,
                _ => Effect::Neutral,
            },
            note: String::new(),
            clause: String::new(),
        })
        .collect()
}

/// What each job does, in words: the same words are the same job.
fn jobs(plan: &ResolvedPlan) -> BTreeMap<String, String> {
    let backups = plan.backups.iter().map(|backup| {
        let takes = backup.takes.iter().map(|take| {
            let when = words::schedule(plan, &take.schedule);
            format!("{} {when}", take.method.words())
        });
        let name = full_name(&backup.origin, &backup.name);
        (format!("backup {name}"), takes.collect(), &backup.keeping)
    });
    let archives = plan.archives.iter().map(|archive| {
        let streams = archive.streams.iter().map(|stream| {
            let lag = stream
                .lag
                .map_or_else(String::new, |lag| format!(" lag <= {lag}"));
            format!("stream to {}{lag}", plan.device(stream.device).name)
        });
        let ships = archive.ships.iter().map(|ship| {
            let when = words::schedule(plan, &ship.schedule);
            format!("ship {when} to {}", plan.device(ship.device).name)
        });
        let name = full_name(&archive.origin, &archive.name);
        (
            format!("archive {name}"),
            streams.chain(ships).collect(),
            &archive.keeping,
        )
    });
    let all = backups.chain(archives);
    all.map(|(name, mut lines, keeping): (_, Vec<String>, _)| {
        lines.extend(words::keeping(plan, keeping));
        (name, lines.join("; "))
    })
    .collect()
}

/// When the next full copy of a plan is due, in its own zone: `sat 22:00`.
#[must_use]
pub fn next_full(plan: &ResolvedPlan, now: Timestamp) -> Option<String> {
    let calendar = crate::graph::calendar(plan).ok()?;
    let zone = zone::find(&plan.timezone.value)?;
    let first = |method: Method| {
        let takes = plan.backups.iter().flat_map(|backup| &backup.takes);
        let full = takes.filter(|take| take.method == method);
        let next = full.filter_map(|take| calendar.next(&take.schedule, now));
        next.map(|slot| slot.start).min()
    };
    let next = first(Method::PhysicalFull).or_else(|| first(Method::Logical))?;
    let words = next.to_zoned(zone).strftime("%a %H:%M").to_string();
    Some(words.to_lowercase())
}

// ---- steps ------------------------------------------------------------------------------

/// Recoveries whose steps differ, by the graphs that would run.
fn steps(old: &Side<'_>, new: &Side<'_>, now: Timestamp) -> Vec<Change> {
    let (before, after) = (recoveries(old, now), recoveries(new, now));
    let all = joined(&before, &after);
    let changed = all.filter(|(_, before, after)| before != after);
    changed
        .map(|(key, before, after)| Change {
            about: About::Steps,
            subject: format!("recovery {key}"),
            environments: Vec::new(),
            before: before.map(steps_words),
            after: after.map(steps_words),
            effect: match (before, after) {
                (Some(_), None) | (Some(Ok(_)), Some(Err(_))) => Effect::Worse,
                (None | Some(Err(_)), Some(Ok(_))) => Effect::Better,
                _ => Effect::Neutral,
            },
            note: moved(before, after),
            clause: String::new(),
        })
        .collect()
}

fn steps_words(steps: &Result<Vec<String>, String>) -> String {
    match steps {
        Ok(steps) => format!("{} steps", steps.len()),
        Err(_) => "does not compile".to_owned(),
    }
}

/// `+probe, -publish`: kinds of steps that come and go.
fn moved(
    before: Option<&Result<Vec<String>, String>>,
    after: Option<&Result<Vec<String>, String>>,
) -> String {
    let (Some(Ok(before)), Some(Ok(after))) = (before, after) else {
        return String::new();
    };
    let mut counts: BTreeMap<&String, i64> = BTreeMap::new();
    for step in after {
        *counts.entry(step).or_default() += 1;
    }
    for step in before {
        *counts.entry(step).or_default() -= 1;
    }
    let moved = counts.into_iter().filter(|(_, count)| *count != 0);
    let words = moved.map(|(step, count)| match count {
        1 => format!("+{step}"),
        -1 => format!("-{step}"),
        count => format!("{count:+} {step}"),
    });
    words.collect::<Vec<_>>().join(", ")
}

/// For each recovery the kinds and subjects of its steps, or why it does not compile.
fn recoveries(side: &Side<'_>, now: Timestamp) -> BTreeMap<String, Result<Vec<String>, String>> {
    let known = Known::of(side.plan, side.facts);
    let rehearsal = Rehearsal::new(side.plan, &known, now);
    let lost = BTreeSet::new();
    let recoveries = side.plan.recoveries.iter();
    recoveries
        .map(|recovery| {
            let graph = rehearsal.recovery(recovery, &lost);
            let steps = graph.map(|graph| {
                let steps = graph.steps.iter();
                steps.map(|step| kind_word(&step.kind).to_owned()).collect()
            });
            let name = full_name(&recovery.origin, &recovery.name);
            (name, steps.map_err(|error| error.to_string()))
        })
        .collect()
}
