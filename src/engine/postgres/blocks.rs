//! Owns sets of block numbers, small for sparse and for dense ones: a bitmap for every 4096 blocks
//! that hold at least one. Pure.

use std::collections::BTreeMap;

const WORDS: usize = 64;
const CHUNK: u32 = 4096;

/// A set of blocks of one relation.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct BlockSet(BTreeMap<u32, Box<[u64; WORDS]>>);

impl BlockSet {
    /// Adds a block.
    pub fn insert(&mut self, block: u32) {
        let words = self
            .0
            .entry(block / CHUNK)
            .or_insert_with(|| Box::new([0; WORDS]));
        words[(block % CHUNK / 64) as usize] |= 1 << (block % 64);
    }

    /// Is it in?
    #[must_use]
    pub fn contains(&self, block: u32) -> bool {
        let words = self.0.get(&(block / CHUNK));
        words.is_some_and(|words| words[(block % CHUNK / 64) as usize] >> (block % 64) & 1 == 1)
    }

    /// Blocks from `from` on below `until`, in order.
    pub fn range(&self, from: u32, until: u32) -> impl Iterator<Item = u32> {
        let chunks = self.0.range(from / CHUNK..=until / CHUNK);
        let blocks = chunks.flat_map(|(chunk, words)| {
            let words = words.iter().zip(0_u32..);
            words.flat_map(move |(word, at)| {
                let bits = (0..64).filter(move |bit| word >> bit & 1 == 1);
                bits.map(move |bit| chunk * CHUNK + at * 64 + bit)
            })
        });
        blocks.filter(move |block| (from..until).contains(block))
    }

    /// How many there are.
    #[must_use]
    pub fn len(&self) -> u64 {
        let words = self.0.values().flat_map(|words| words.iter());
        words.map(|word| u64::from(word.count_ones())).sum()
    }

    /// Is there none?
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn it_is_a_set(
            blocks in prop::collection::btree_set(prop_oneof![0u32..20_000, any::<u32>()], 0..200),
            from in 0u32..10_000, length in 0u32..12_000
        ) {
            let mut set = BlockSet::default();
            for block in &blocks {
                set.insert(*block);
                set.insert(*block);
            }
            prop_assert_eq!(set.len(), blocks.len() as u64);
            prop_assert_eq!(set.is_empty(), blocks.is_empty());
            prop_assert_eq!(set.contains(from), blocks.contains(&from));
            let expected: BTreeSet<u32> = blocks.range(from..from + length).copied().collect();
            prop_assert_eq!(set.range(from, from + length).collect::<BTreeSet<_>>(), expected);
        }
    }
}
