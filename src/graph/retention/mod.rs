//! What stays and what goes: `retain` of the plan against the copies that exist. Pure.
//!
//! [`judge`] answers for every copy (one object on one device) with all reasons for which it
//! stays; a copy without a reason goes. The rules:
//!
//! - `window`: the copies of the window, the newest restorable one at or before its begin, and all
//!   log since that one, however old;
//! - `daily` to `yearly`: the newest restorable copy of each of the last n periods that have one,
//!   so that backups that stopped take nothing away; `last`: the newest n;
//! - clauses add up: those of the job for the device, of the job for all devices, of the device;
//! - a copy that stays keeps what it needs: its base, the log of its own bracket, and for engines
//!   that are copied in parts the other parts of its set with the log between them, on the same
//!   device, or wherever they lie when that device has them not;
//! - copies that are damaged, or whose base or log is missing, never stand in for good ones. They
//!   stay as long as they would if they were good: what is missing may come back;
//! - a copy stays while a device that is to hold it lacks it, while a run that did not end uses
//!   it, when its time lies in the future, and when no clause or job of the plan speaks of it.

mod closure;
mod period;
mod question;
mod reason;
mod roots;
mod stock;
mod verdict;

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;

pub use question::{JobRule, LogRule, Question};
pub use reason::Reason;
pub use verdict::{Restorable, Verdict, verdicts};

use stock::{Item, Stock};

/// What becomes of one object on one device.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fate {
    /// The part or log range.
    pub object: String,
    /// The device that holds it.
    pub device: String,
    /// To what it belongs, for people.
    pub what: String,
    /// Bytes that it takes there.
    pub bytes: u64,
    /// Why it stays, sorted; empty when it goes.
    pub stays: Vec<Reason>,
    /// Since when its tombstone stands.
    pub condemned: Option<Timestamp>,
}

impl Fate {
    /// Whether nothing keeps it.
    #[must_use]
    pub fn goes(&self) -> bool {
        self.stays.is_empty()
    }
}

/// The answer.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Judgement {
    /// Every copy, parts before log, in the order of the holdings, devices in order of name.
    pub fates: Vec<Fate>,
    /// What is left of copies whose deletion was begun: tombstones without a copy.
    pub left: Vec<Fate>,
    /// Objects with the devices that are to hold them, do not, and would keep them.
    pub wanted: BTreeSet<(String, String)>,
}

/// Judges every copy. Equal questions get equal answers.
#[must_use]
pub fn judge(question: &Question<'_>) -> Judgement {
    let held = Stock::held(question);
    let mut stays = kept(&held);
    // the same as if every device held what it is to hold: what waits to be copied counts there
    let full = Stock::complete(question);
    let mut wanted = BTreeSet::new();
    for ((item, device), reasons) in kept(&full) {
        if held.holds(item, device) {
            stays.entry((item, device)).or_default().extend(reasons);
        } else {
            wanted.insert((item, device));
        }
    }
    for (item, device) in &wanted {
        for holder in held.holders(*item) {
            let reason = Reason::WaitsForCopy((*device).to_owned());
            stays.entry((*item, holder)).or_default().insert(reason);
        }
    }
    answer(question, &held, &stays, &wanted)
}

/// Why copies stay.
type Kept<'a> = BTreeMap<(Item, &'a str), BTreeSet<Reason>>;

/// One world: what is good counts first; then, once more, everything as if it were good.
fn kept<'a>(stock: &Stock<'a>) -> Kept<'a> {
    let mut all = closure::close(stock, roots::roots(stock, true));
    for (copy, reasons) in closure::close(stock, roots::roots(stock, false)) {
        all.entry(copy).or_default().extend(reasons);
    }
    all
}

fn answer(
    question: &Question<'_>,
    held: &Stock<'_>,
    stays: &Kept<'_>,
    wanted: &BTreeSet<(Item, &str)>,
) -> Judgement {
    let fates = held.items().flat_map(|item| {
        let holders = held.holders(item);
        holders.map(move |device| {
            let object = held.id(item);
            let reasons = stays.get(&(item, device));
            Fate {
                object: object.to_owned(),
                device: device.to_owned(),
                what: held.what(item),
                bytes: held.bytes(item),
                stays: reasons.into_iter().flatten().cloned().collect(),
                condemned: question.condemned.get(&(object, device)).copied(),
            }
        })
    });
    let names = wanted.iter();
    let names = names.map(|(item, device)| (held.id(*item).to_owned(), (*device).to_owned()));
    let (fates, wanted) = (fates.collect(), names.collect());
    Judgement {
        left: left(question, &fates, &wanted),
        fates,
        wanted,
    }
}

/// Tombstones without a copy; one stays away from where the copy is to come back.
fn left(
    question: &Question<'_>,
    fates: &Vec<Fate>,
    wanted: &BTreeSet<(String, String)>,
) -> Vec<Fate> {
    let mut tombs = question.condemned.clone();
    for fate in fates {
        tombs.remove(&(fate.object.as_str(), fate.device.as_str()));
    }
    let left = tombs.into_iter().map(|((object, device), at)| {
        let (object, device) = (object.to_owned(), device.to_owned());
        let back = wanted.contains(&(object.clone(), device.clone()));
        Fate {
            what: format!("what is left of {object}"),
            bytes: 0,
            stays: Vec::from_iter(back.then(|| Reason::WaitsForCopy(device.clone()))),
            condemned: Some(at),
            object,
            device,
        }
    });
    left.collect()
}
