//! Owns how every promise of a plan comes out, once for all rules that speak of it.
//! Must not write messages; each rule does that for its own code.
//!
//! A promise is proved only when an upper bound stays within it, and broken only when a lower
//! bound passes it. Everything else stays unknown.

pub(in crate::check) mod copies;
pub(in crate::check) mod cover;
pub(in crate::check) mod lateness;
pub(in crate::check) mod reach;
mod restore;
pub(in crate::check) mod rpo;
pub(in crate::check) mod rto;
pub(in crate::check) mod space;

use crate::check::Promises;
use crate::check::context::Context;
use crate::check::words::loss_words;
use crate::diagnostic::Proof;
use crate::estimate::Figure;
use crate::estimate::survive::{self, Case};
use crate::quantity::{Bytes, Duration};
use crate::resolve::plan::{CopiesPromise, LossKind, ResolvedPlan, ServiceId};
use crate::source::Span;

/// One promise with its verdict.
#[derive(Debug, Clone)]
pub(in crate::check) struct Promise {
    /// The objectives that make it, by index.
    pub(in crate::check) at: usize,
    /// What is promised.
    pub(in crate::check) claim: Claim,
    /// The clause.
    pub(in crate::check) span: Span,
    /// Of which service.
    pub(in crate::check) service: ServiceId,
    /// How it came out.
    pub(in crate::check) verdict: Verdict,
}

/// What is promised.
#[derive(Debug, Clone)]
pub(in crate::check) enum Claim {
    /// At most this much work is lost.
    Rpo(Duration, LossKind),
    /// Back within this time.
    Rto(Duration, LossKind),
    /// Any instant back to here.
    Window(Duration),
    /// Log takes at most this much space.
    LogSpace(Bytes),
    /// So many copies.
    Copies(CopiesPromise),
    /// Drilled so often.
    Drill,
}

/// How a promise came out.
#[derive(Debug, Clone)]
pub(in crate::check) enum Verdict {
    /// It holds, by this sum.
    Proved(Figure),
    /// It does not hold.
    Broken(Broken),
    /// A fact is missing.
    Unknown(String),
    /// It cannot be told from the plan, and no stated fact would change that.
    Open,
}

/// Why a promise does not hold.
#[derive(Debug, Clone)]
pub(in crate::check) enum Broken {
    /// More work is lost than promised.
    Exposed(rpo::Candidate),
    /// Nothing is left of a component.
    Lost(rpo::Lost),
    /// Too few copies, one shortage a job.
    Copies(Vec<copies::Short>),
    /// The oldest instant that can be restored is too young.
    Reach(reach::Reach),
    /// The recovery takes longer.
    Slow(rto::Slow),
    /// Log needs more space.
    Space(space::Piled),
    /// Another rule shows it.
    Elsewhere,
}

/// Judges every promise of one environment.
pub(in crate::check) fn all(context: &Context<'_>) -> Vec<Promise> {
    let mut promises = Vec::new();
    for (at, objectives) in context.plan.objectives.iter().enumerate() {
        let service = objectives.service;
        let mut add = |claim, span, verdict| {
            let verdict = if context.whole {
                verdict
            } else {
                Verdict::Open
            };
            promises.push(Promise {
                at,
                claim,
                span,
                service,
                verdict,
            });
        };
        for (limit, loss, span) in &objectives.rpos {
            let verdict = rpo::judge(context, service, &loss.kind, *limit);
            add(Claim::Rpo(*limit, loss.kind.clone()), *span, verdict);
        }
        for (limit, loss, of, span) in &objectives.rtos {
            let verdict = rto::judge(context, service, &loss.kind, of, *limit);
            add(Claim::Rto(*limit, loss.kind.clone()), *span, verdict);
        }
        if let Some(window) = objectives.window {
            let verdict = reach::judge(context, service, window.value);
            add(Claim::Window(window.value), window.span, verdict);
        }
        if let Some(space) = objectives.log_space {
            let verdict = space::judge(context, service, space.value);
            add(Claim::LogSpace(space.value), space.span, verdict);
        }
        for promise in &objectives.copies {
            let verdict = copies::judge(context, service, promise);
            add(Claim::Copies(promise.clone()), promise.span, verdict);
        }
        if let Some(drill) = &objectives.drill {
            add(Claim::Drill, drill.span, drilled(context, service));
        }
    }
    promises
}

/// Whether a loss, as promises and recoveries name it, can mean this case for a service.
pub(in crate::check) fn means(
    plan: &ResolvedPlan,
    service: ServiceId,
    loss: &LossKind,
    case: &Case,
) -> bool {
    let any_device = matches!((loss, case), (LossKind::Device(None), Case::Device(_)));
    any_device || survive::cases(plan, service, loss).contains(case)
}

impl Claim {
    /// `rpo 10min for loss of site`
    pub(in crate::check) fn words(&self) -> String {
        match self {
            Self::Rpo(limit, loss) => format!("rpo {limit} for {}", loss_words(loss)),
            Self::Rto(limit, loss) => format!("rto {limit} for {}", loss_words(loss)),
            Self::Window(span) => format!("recovery window {span}"),
            Self::LogSpace(limit) => format!("log space <= {limit}"),
            Self::Copies(promise) => format!("copies >= {}", promise.count),
            Self::Drill => "drill".to_owned(),
        }
    }

    /// What kind of promise it is, as `claim` of a proof.
    pub(in crate::check) fn name(&self) -> &'static str {
        match self {
            Self::Rpo(..) => "rpo",
            Self::Rto(..) => "rto",
            Self::Window(_) => "recovery window",
            Self::LogSpace(_) => "log space",
            Self::Copies(_) => "copies",
            Self::Drill => "drill",
        }
    }

    /// The loss it is for.
    pub(in crate::check) fn loss(&self) -> Option<&LossKind> {
        match self {
            Self::Rpo(_, loss) | Self::Rto(_, loss) => Some(loss),
            Self::Window(_) | Self::LogSpace(_) | Self::Copies(_) | Self::Drill => None,
        }
    }
}

/// The sum of a figure, to be printed with a finding.
pub(in crate::check) fn proof(claim: &str, loss: String, limit: f64, figure: &Figure) -> Proof {
    Proof {
        claim: claim.to_owned(),
        loss,
        limit,
        found: figure.total(),
        terms: figure.terms.clone(),
    }
}

/// A count, with the devices that were counted.
pub(in crate::check) fn counted(
    claim: &str,
    (limit, found): (u32, u32),
    devices: impl IntoIterator<Item = String>,
) -> Proof {
    Proof {
        claim: claim.to_owned(),
        loss: String::new(),
        limit: f64::from(limit),
        found: f64::from(found),
        terms: devices.into_iter().map(|name| (name, 1.0)).collect(),
    }
}

/// A drill that is planned is kept or not by those who run it; one that is not planned is broken.
fn drilled(context: &Context<'_>, service: ServiceId) -> Verdict {
    if context.is_drilled(service) {
        Verdict::Open
    } else {
        Verdict::Broken(Broken::Elsewhere)
    }
}

/// Counts verdicts.
pub(in crate::check) fn count(promises: &[Promise]) -> Promises {
    let mut counted = Promises::default();
    for promise in promises {
        match promise.verdict {
            Verdict::Proved(_) => counted.proved += 1,
            Verdict::Broken(_) => counted.broken += 1,
            Verdict::Unknown(_) | Verdict::Open => counted.unknown += 1,
        }
    }
    counted
}
