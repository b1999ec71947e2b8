//! Owns when memory that was freed goes back to the system: between steps, so that a server that a
//! later step starts finds it. How, only the program knows: it is the allocator's affair.

use std::sync::OnceLock;

static HOW: OnceLock<fn()> = OnceLock::new();

/// A step that moved fewer bytes leaves too little behind to look for it.
const MUCH: u64 = 16 << 20;

/// Says how memory is given back. Only the first word counts; without one nothing is done.
pub fn by(how: fn()) {
    let _ = HOW.set(how);
}

/// Gives back what a step that moved so many bytes has left.
pub(super) fn after(bytes: u64) {
    if let Some(how) = HOW.get().filter(|_| bytes >= MUCH) {
        how();
    }
}
