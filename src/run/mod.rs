//! Doing it: the coordinator, the lanes, the workers, the journal.

pub mod event;
