//! Random histories against the model.

use std::collections::BTreeSet;

use planc::graph::retention::{Fate, judge};
use planc::resolve::plan::Tier;
use rayon::iter::{IntoParallelIterator, ParallelIterator};

use super::history::{Dice, History, history};
use super::model::{Copy, Model};

fn copy(fate: &Fate) -> Copy {
    (fate.object.clone(), fate.device.clone())
}

fn judged(history: &History) -> (BTreeSet<Copy>, Vec<Copy>) {
    let judged = judge(&history.question());
    let (gone, kept): (Vec<&Fate>, Vec<&Fate>) = judged.fates.iter().partition(|one| one.goes());
    (
        kept.into_iter().map(copy).collect(),
        gone.into_iter().map(copy).collect(),
    )
}

/// Everything that must hold for one seed.
fn check(seed: u64) {
    let before = history(seed);
    let (kept, gone) = judged(&before);
    assert_eq!(
        kept,
        Model::stays(&before),
        "seed {seed}: what stays is what is defined"
    );
    if gone.is_empty() {
        return;
    }
    let all: BTreeSet<Copy> = gone.iter().cloned().collect();
    let after = before.without(&all);
    promises(seed, &before, &after);
    // a crash after some deletions, in any order: the rest is judged as it was
    let mut dice = Dice::new(!seed);
    let some: BTreeSet<Copy> = gone.iter().filter(|_| dice.chance(50)).cloned().collect();
    let (kept_later, gone_later) = judged(&before.without(&some));
    assert_eq!(
        kept_later, kept,
        "seed {seed}: after a crash the same stays"
    );
    assert_eq!(
        gone_later.len(),
        gone.len() - some.len(),
        "seed {seed}: and the rest goes"
    );
    let (_, more) = judged(&after);
    assert_eq!(more, [], "seed {seed}: nothing more goes when all is done");
}

/// What could be restored and was promised can be restored still.
fn promises(seed: u64, before: &History, after: &History) {
    let (full, left) = (Model::held(before), Model::held(after));
    for (part, device, tier) in full.chosen(true) {
        let still = after
            .holdings
            .parts
            .iter()
            .find(|one| one.part == part.part);
        let still = still.filter(|one| one.devices.contains(&device));
        assert!(
            still.is_some_and(|one| left.sure(one)),
            "seed {seed}: {} for {tier:?}",
            part.part
        );
    }
    for (device, tiers) in before.jobs.values().flat_map(|rule| &rule.tiers) {
        let spans = tiers.iter().filter_map(|tier| match tier {
            Tier::Window(span) => Some(span.0),
            _ => None,
        });
        // the longest window holds all others
        if let Some(span) = spans.max() {
            window(seed, (before, &full), &left, device, span);
        }
    }
}

/// Every moment of a window shows what it showed.
fn window(
    seed: u64,
    (before, full): (&History, &Model<'_>),
    left: &Model<'_>,
    device: &str,
    span: u64,
) {
    let span = jiff::SignedDuration::from_millis(i64::try_from(span).expect("a small number"));
    let begin = before.now - span;
    let parts = before.holdings.parts.iter().map(|part| part.taken_at);
    let logs = before.holdings.logs.iter().map(|log| log.last_at);
    let moments: BTreeSet<_> = parts
        .chain(logs)
        .filter(|at| begin < *at && *at <= before.now)
        .chain([begin, before.now])
        .collect();
    let own = before
        .holdings
        .parts
        .iter()
        .filter(|part| before.jobs.contains_key(&part.job));
    let components: BTreeSet<&str> = own.map(|part| part.component.as_str()).collect();
    for component in components {
        for at in &moments {
            let (was, is) = (
                full.shows(component, device, *at),
                left.shows(component, device, *at),
            );
            assert_eq!(is, was, "seed {seed}: {component} on {device} at {at}");
        }
    }
}

fn check_all(count: u64) {
    (0..count).into_par_iter().for_each(check);
}

#[test]
fn fifty_thousand_histories_keep_every_promise_and_leak_nothing() {
    check_all(50_000);
}

#[test]
#[ignore = "takes many minutes: cargo test --test main a_million_histories -- --ignored"]
fn a_million_histories_keep_every_promise_and_leak_nothing() {
    check_all(1_000_000);
}
