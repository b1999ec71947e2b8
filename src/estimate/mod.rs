//! Pure estimates: the formulas behind every promise, and how long a graph takes when its steps
//! take as long as is known.
//!
//! A formula gives a [`Figure`] with its terms. It is an upper bound when nothing is missing;
//! only then may a promise be called proved. Stated facts and measured ones meet in [`Known`].
//!
//! | quantity | where |
//! |---|---|
//! | Q1 window of vulnerability | [`exposure`] |
//! | Q2 log in backup mode | [`log_space`] |
//! | Q3 time per copy | [`volume`], [`pace`], [`load`] |
//! | Q4 makespan and its lower bound | [`simulate`], [`makespan`] |
//! | Q5 fit in a window | [`agenda`], [`calendar`], [`horizon`] |
//! | Q6 devices needed | [`devices`] |
//! | Q7, Q8 recovery time, largest interval | [`recovery`] |
//! | Q9, Q13 what retention keeps | [`retention`] |
//! | Q10 rolling cycle | [`cycle`] |
//! | Q11, Q12 shortest interval, share of a disk | [`strain`] |
//! | Q14 age of what lies at another site | [`offsite`], [`survive`] |
//! | Q15 growth dates | [`growth`] |
//! | Q16 space that is staged at once | [`staging`] |
//! | Q17 time without a mirror | [`mirror`] |
//! | Q18 volumes to mount | [`passes`] |
//! | Q19 search for the last good copy | [`bracket`] |
//! | Q20 switchover | [`switching`] |
//! | Q21 coverage and trust | [`trust`] |
//! | Q22 complexity | [`effort`] |

pub mod agenda;
pub mod bracket;
pub mod calendar;
pub mod cycle;
pub mod devices;
pub mod effort;
pub mod exposure;
mod figure;
pub mod growth;
pub mod horizon;
pub mod load;
pub mod log_space;
pub mod makespan;
pub mod mirror;
pub mod offsite;
pub mod pace;
pub mod passes;
pub mod recovery;
pub mod retention;
mod simulate;
pub mod staging;
pub mod strain;
pub mod survive;
pub mod switching;
pub mod trust;
pub mod volume;

pub use crate::facts::known::Known;
pub use agenda::Agenda;
pub use figure::Figure;
pub use simulate::{Bar, Simulation, play, simulate};
