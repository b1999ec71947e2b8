//! Owns the public view of how every promise came out: one row a promise, plain data.
//! Must not judge and must not write findings; verdicts come from `promise`.

use serde::Serialize;

use crate::check::context::Context;
use crate::check::job::Job;
use crate::check::promise::copies::{Of, Short};
use crate::check::promise::rpo::{Lost, Via};
use crate::check::promise::{Broken, Claim, Promise, Verdict};
use crate::estimate::Figure;
use crate::quantity::{Bytes, Duration};
use crate::resolve::plan::{BackupId, LossKind};
use crate::source::Span;

/// One promise of one environment with its verdict.
#[derive(Debug, Clone, PartialEq)]
pub struct Row {
    /// The environment; empty when the plan names none.
    pub environment: String,
    /// Whose promise it is.
    pub service: String,
    /// `rpo`, `rto`, `recovery window`, `log space`, `copies` or `drill`.
    pub claim: &'static str,
    /// The promise in the words of the language: `rpo 10min for loss of site`.
    pub words: String,
    /// The loss it is for; none for promises that hold without one.
    pub loss: Option<LossKind>,
    /// What is promised, in `unit`; an upper bound for times and space, a lower one for windows
    /// and copies. None when the promise has no number.
    pub limit: Option<f64>,
    /// What was found, in `unit`; a bound when proved or broken. None when nothing is known.
    pub found: Option<f64>,
    /// The unit of `limit`, `found` and `terms`.
    pub unit: Unit,
    /// What adds up to `found`.
    pub terms: Vec<(String, f64)>,
    /// How it came out.
    pub verdict: Outcome,
    /// Why, in a few words; never empty.
    pub reason: String,
    /// The clause that promises.
    pub span: Span,
    /// The clause that breaks the promise, when one does.
    pub because: Option<Span>,
    /// For a time that is too long: the longest time between copies that would keep it.
    pub interval: Option<Duration>,
}

/// How a promise came out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Outcome {
    /// It holds: an upper bound stays within it.
    Proved,
    /// A fact is missing.
    Unknown,
    /// The plan alone does not tell.
    Open,
    /// It does not hold: a lower bound passes it.
    Broken,
}

impl Outcome {
    /// As printed.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Proved => "proved",
            Self::Unknown => "unknown",
            Self::Open => "open",
            Self::Broken => "broken",
        }
    }
}

/// What the numbers of a row count.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Unit {
    /// Seconds.
    Seconds,
    /// Bytes.
    Bytes,
    /// Things.
    Count,
    /// Parts of a whole, from 0 to 1.
    Share,
}

impl Unit {
    /// A number of this unit for people, rounded up: `5min 4s`, `150 GiB`, `3`.
    #[must_use]
    pub fn words(self, value: f64) -> String {
        match self {
            Self::Seconds => seconds(value).to_string(),
            Self::Bytes => Bytes(whole(value)).to_string(),
            Self::Count => whole(value).to_string(),
            Self::Share => format!("{} %", whole(value * 100.0)),
        }
    }
}

/// Seconds as a duration, rounded up: a loss is never said to be smaller than it can be. Beyond
/// ten minutes of a day nobody reads milliseconds, so whole seconds are given from one second on.
#[must_use]
pub fn seconds(value: f64) -> Duration {
    let millis = whole(value * 1000.0);
    if millis >= 1000 {
        Duration::from_secs(millis.div_ceil(1000))
    } else {
        Duration(millis)
    }
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "not negative; saturates"
)]
fn whole(value: f64) -> u64 {
    value.max(0.0).ceil() as u64
}

/// The rows of one environment, in the order of its objectives.
pub(in crate::check) fn rows(context: &Context<'_>) -> Vec<Row> {
    let promises = context.promises.iter();
    promises.map(|promise| row(context, promise)).collect()
}

fn row(context: &Context<'_>, promise: &Promise) -> Row {
    let claim = &promise.claim;
    let (limit, unit) = limit(claim);
    let blank = Row {
        environment: context.plan.environment.clone(),
        service: context.plan.service(promise.service).name.clone(),
        claim: claim.name(),
        words: claim.words(),
        loss: claim.loss().cloned(),
        limit,
        found: None,
        unit,
        terms: Vec::new(),
        verdict: Outcome::Open,
        reason: open_reason(claim).to_owned(),
        span: promise.span,
        because: None,
        interval: None,
    };
    match &promise.verdict {
        Verdict::Proved(figure) => Row {
            verdict: Outcome::Proved,
            reason: sum(unit, figure),
            ..blank
        }
        .with(figure),
        Verdict::Unknown(missing) => Row {
            verdict: Outcome::Unknown,
            reason: format!("not known: {missing}"),
            ..blank
        },
        Verdict::Broken(broken) => Row {
            verdict: Outcome::Broken,
            ..blank
        }
        .broken(context, broken),
        Verdict::Open => blank,
    }
}

impl Row {
    fn with(mut self, figure: &Figure) -> Self {
        self.found = Some(figure.total());
        self.terms.clone_from(&figure.terms);
        self
    }

    fn broken(mut self, context: &Context<'_>, broken: &Broken) -> Self {
        match broken {
            Broken::Exposed(way) => {
                self.reason = sum(self.unit, &way.age);
                self.because = match way.via {
                    Via::Original => None,
                    Via::Log(_, span, _) => Some(span),
                    Via::Copies(id, _) => Some(backup_span(context, id)),
                };
                self.with(&way.age)
            }
            Broken::Lost(lost) => {
                self.reason = nothing_left(context, lost);
                self.because = lost.backups.first().map(|id| backup_span(context, *id));
                self
            }
            Broken::Copies(short) => self.short(context, short),
            Broken::Reach(reach) => {
                let found = reach.span();
                let log = reach.log.filter(|log| log.0 < reach.data.0);
                let (what, span) = log.map_or(("data", reach.data.2), |log| ("log", log.2));
                self.reason = format!("{what} is kept {found}");
                self.because = Some(span);
                self.with(&Figure::of(format!("{what} is kept"), found.as_secs()))
            }
            Broken::Slow(slow) => {
                self.reason = sum(self.unit, &slow.figure);
                self.because = Some(backup_span(context, slow.backup));
                self.interval = slow.interval;
                self.with(&slow.figure)
            }
            Broken::Space(piled) => {
                self.reason = sum(self.unit, &piled.figure);
                let bracket = piled.bracket.map(|(id, ..)| backup_span(context, id));
                let archive = piled
                    .archive
                    .map(|id| context.plan.archives[id.index()].span);
                self.because = bracket.or(archive);
                self.with(&piled.figure)
            }
            Broken::Elsewhere => {
                "another finding shows it".clone_into(&mut self.reason);
                self
            }
        }
    }

    fn short(mut self, context: &Context<'_>, short: &[Short]) -> Self {
        let Some(worst) = short.first() else {
            return self;
        };
        let of = match &worst.of {
            Of::Copies => "copies",
            Of::Sites => "sites",
            Of::Special(kind) => kind,
        };
        let job = Job::new(context.plan, worst.job);
        let name = job.subject();
        self.reason = format!(
            "`{name}` has {} {of}, {} promised",
            worst.found, worst.promised
        );
        self.because = Some(job.span);
        self.limit = Some(f64::from(worst.promised));
        self.found = Some(f64::from(worst.found));
        self
    }
}

fn backup_span(context: &Context<'_>, id: BackupId) -> Span {
    context.plan.backups[id.index()].span
}

fn nothing_left(context: &Context<'_>, lost: &Lost) -> String {
    let part = context.plan.component(lost.component);
    format!("nothing is left of {} {}", part.kind.word(), part.name)
}

/// `5min between shipments + 4s to send the last of it to bucket`
fn sum(unit: Unit, figure: &Figure) -> String {
    let terms = figure.terms.iter();
    let terms = terms.map(|(name, value)| format!("{} {name}", unit.words(*value)));
    terms.collect::<Vec<_>>().join(" + ")
}

fn limit(claim: &Claim) -> (Option<f64>, Unit) {
    match claim {
        Claim::Rpo(limit, _) | Claim::Rto(limit, _) | Claim::Window(limit) => {
            (Some(limit.as_secs()), Unit::Seconds)
        }
        Claim::LogSpace(limit) => (Some(crate::estimate::exposure::bytes(*limit)), Unit::Bytes),
        Claim::Copies(promise) => (Some(f64::from(promise.count)), Unit::Count),
        Claim::Drill => (None, Unit::Seconds),
    }
}

fn open_reason(claim: &Claim) -> &'static str {
    match claim {
        Claim::Drill => "a drill is planned; whether it is held shows in the journal",
        _ => "the plan alone does not tell",
    }
}
