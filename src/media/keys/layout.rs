//! Owns the lengths that sealed objects share. Holds numbers only.

/// Longest envelope that a reader takes: some hundreds of recipients (R30).
pub(in crate::media) const LONGEST_ENVELOPE: usize = 64 << 10;

/// Length of the salt of a sealed object.
pub(in crate::media) const SALT: usize = 16;
