//! Owns chance that can be repeated: numbers that follow from a seed alone.
//! Not for secrets.

/// A stream of numbers (SplitMix64).
#[derive(Debug, Clone)]
pub(super) struct Chance(u64);

impl Chance {
    /// The stream of a seed and what it is for, so that one part of a play can be repeated
    /// without the others.
    pub(super) fn of(seed: u64, purpose: &[u64]) -> Self {
        let mut chance = Self(seed);
        for word in purpose {
            let mixed = chance.next();
            chance.0 = mixed ^ word.wrapping_mul(0x9e37_79b9_7f4a_7c15);
        }
        chance
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// A number from 0 to below 1.
    #[expect(clippy::cast_precision_loss, reason = "53 bits fit")]
    pub(super) fn share(&mut self) -> f64 {
        (self.next() >> 11) as f64 / (1_u64 << 53) as f64
    }

    /// A number between two.
    pub(super) fn between(&mut self, least: f64, most: f64) -> f64 {
        least + self.share() * (most - least).max(0.0)
    }

    /// True with this likelihood.
    pub(super) fn happens(&mut self, likelihood: f64) -> bool {
        self.share() < likelihood
    }

    /// An index below a length; 0 for none.
    pub(super) fn index(&mut self, length: usize) -> usize {
        let length = u64::try_from(length).unwrap_or(u64::MAX).max(1);
        usize::try_from(self.next() % length).unwrap_or(0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_seed_gives_the_same_chance() {
        let mut a = Chance::of(7, &[1, 2]);
        let mut b = Chance::of(7, &[1, 2]);
        let mut c = Chance::of(7, &[2, 1]);
        let first: Vec<u64> = (0..5).map(|_| a.next()).collect();
        assert_eq!(first, (0..5).map(|_| b.next()).collect::<Vec<u64>>());
        assert_ne!(first, (0..5).map(|_| c.next()).collect::<Vec<u64>>());
        assert!(
            (0..1000)
                .map(|_| a.share())
                .all(|s| (0.0..1.0).contains(&s))
        );
        assert!((0..1000).all(|_| a.index(3) < 3));
        assert!((0..1000).all(|_| (5.0..=9.0).contains(&a.between(5.0, 9.0))));
    }
}
