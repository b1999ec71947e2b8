//! Owns how much space is taken at once by things that come and go (Q16). Must not know what
//! they are.

/// Something that takes space from one moment until another.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Stay {
    /// When it begins to take space.
    pub from: f64,
    /// When the space is free again.
    pub until: f64,
    /// Bytes.
    pub bytes: f64,
}

/// The most bytes that are taken at one moment.
#[must_use]
pub fn peak(stays: &[Stay]) -> f64 {
    let ends = stays.iter().map(|stay| (stay.until, -stay.bytes));
    let begins = stays.iter().map(|stay| (stay.from, stay.bytes));
    let mut turns: Vec<(f64, f64)> = ends.chain(begins).collect();
    // what ends makes room for what begins at the same moment
    turns.sort_by(|a, b| a.0.total_cmp(&b.0).then(a.1.total_cmp(&b.1)));
    let (mut taken, mut most) = (0.0_f64, 0.0_f64);
    for (_, bytes) in turns {
        taken += bytes;
        most = most.max(taken);
    }
    most
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_there_at_once_adds_up() {
        let stay = |from, until, bytes| Stay { from, until, bytes };
        let stays = [
            stay(0.0, 5.0, 10.0),
            stay(5.0, 9.0, 8.0),
            stay(3.0, 4.0, 1.0),
        ];
        assert!((peak(&stays) - 11.0).abs() < 1e-9);
        assert!(peak(&[]).abs() < 1e-9);
    }
}
