//! Owns the reasons for which a copy stays, and their words.

use std::fmt;

use jiff::Timestamp;

use crate::quantity::Duration;
use crate::resolve::plan::Tier;

/// Why a copy stays. Ordered from what the plan asks for to what only circumstances ask for.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Reason {
    /// It lies in the window.
    Window(Duration),
    /// The window's begin can only be reached from it.
    Anchor(Duration),
    /// It is the newest of a period: the tier's words and the period.
    Newest {
        /// `daily 7`
        tier: String,
        /// `2026-03-01`, `week 9 of 2026`
        period: String,
    },
    /// It is one of the newest.
    Last(u32),
    /// This part builds on it.
    BaseOf(String),
    /// This part is restored together with it.
    SetOf(String),
    /// Log that makes this part, or the set it belongs to, consistent.
    LogOf(String),
    /// Log from which the window that begins with this part is recovered.
    LogSince(String),
    /// A device that is to hold it does not yet.
    WaitsForCopy(String),
    /// A run that did not end works with it.
    InUse,
    /// It is newer than now: a clock is wrong.
    Future(Timestamp),
    /// No clause says how long this job's copies are kept there.
    NoClause(String),
    /// The plan has no such job.
    NoJob(String),
}

impl fmt::Display for Reason {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Window(span) => write!(out, "within `window {span}`"),
            Self::Anchor(span) => write!(out, "`window {span}` begins in what it shows"),
            Self::Newest { tier, period } => write!(out, "`{tier}`: the newest of {period}"),
            Self::Last(count) => write!(out, "`last {count}`"),
            Self::BaseOf(part) => write!(out, "part {part} builds on it"),
            Self::SetOf(part) => write!(out, "restored together with part {part}"),
            Self::LogOf(part) => write!(out, "part {part} needs this log to be consistent"),
            Self::LogSince(part) => write!(out, "log of the window that begins with part {part}"),
            Self::WaitsForCopy(device) => write!(out, "{device} is to hold it and does not yet"),
            Self::InUse => out.write_str("a run that did not end works with it"),
            Self::Future(at) => write!(out, "its time {at} lies in the future: check the clocks"),
            Self::NoClause(job) => write!(out, "no `retain` of `{job}` speaks of this device"),
            Self::NoJob(job) if job.is_empty() => {
                out.write_str("no `archive` of the plan ships this log")
            }
            Self::NoJob(job) => write!(out, "the plan has no job `{job}`"),
        }
    }
}

/// A tier as it is written in a plan.
#[must_use]
pub(super) fn words(tier: Tier) -> String {
    match tier {
        Tier::Window(span) => format!("window {span}"),
        Tier::Daily(count) => format!("daily {count}"),
        Tier::Weekly(count) => format!("weekly {count}"),
        Tier::Monthly(count) => format!("monthly {count}"),
        Tier::Yearly(count) => format!("yearly {count}"),
        Tier::Last(count) => format!("last {count}"),
    }
}
