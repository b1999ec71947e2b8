//! Owns data pages: is a page new, whole or damaged, and which log position does it carry.
//! Pure. The sum is PostgreSQL's own: 32 interleaved FNV-like lanes, folded and mixed with the
//! block number (`storage/checksum_impl.h` of all supported versions).

use super::lsn::Lsn;

/// Bytes of a page in every build that is supported.
pub const PAGE_BYTES: usize = 8192;

const LANES: usize = 32;
const PRIME: u32 = 16_777_619;
/// Where the stored sum lies in the page; counted as zero while summing.
const SUM_OFFSET: usize = 8;
/// Where the end of free space lies; zero in a page that was never used.
const UPPER_OFFSET: usize = 14;

/// The lanes' first values.
const SEEDS: [u32; LANES] = [
    0x5B1F_36E9,
    0xB852_5960,
    0x02AB_50AA,
    0x1DE6_6D2A,
    0x79FF_467A,
    0x9BB9_F8A3,
    0x217E_7CD2,
    0x83E1_3D2C,
    0xF8D4_474F,
    0xE39E_B970,
    0x42C6_AE16,
    0x9932_16FA,
    0x7B09_3B5D,
    0x98DA_FF3C,
    0xF718_902A,
    0x0B1C_9CDB,
    0xE58F_764B,
    0x1876_36BC,
    0x5D7B_3BB1,
    0xE73D_E7DE,
    0x92BE_C979,
    0xCCA6_C0B2,
    0x304A_0979,
    0x85AA_43D4,
    0x7831_25BB,
    0x6CA8_EAA2,
    0xE407_EAC6,
    0x4B5C_FC3E,
    0x9FBF_8C76,
    0x15CA_20BE,
    0xF2CA_9FD3,
    0x959B_D756,
];

/// What a page is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PageState {
    /// All zeros: reserved, never used.
    New,
    /// Its sum fits.
    Whole,
    /// Its sum does not fit, or it claims to be new and is not empty.
    Damaged {
        /// The sum of its content.
        expected: u16,
        /// The sum it carries.
        found: u16,
    },
}

/// Judges one page; `block` counts from the start of the relation, not of the file.
#[must_use]
pub fn judge(page: &[u8; PAGE_BYTES], block: u32) -> PageState {
    let word = |at: usize| u16::from_le_bytes([page[at], page[at + 1]]);
    if word(UPPER_OFFSET) == 0 && page.iter().all(|byte| *byte == 0) {
        return PageState::New;
    }
    let (expected, found) = (checksum(page, block), word(SUM_OFFSET));
    if expected == found && word(UPPER_OFFSET) != 0 {
        return PageState::Whole;
    }
    PageState::Damaged { expected, found }
}

/// The log position of the page's last change.
#[must_use]
pub fn lsn(page: &[u8; PAGE_BYTES]) -> Lsn {
    let half = |at: usize| {
        u64::from(u32::from_le_bytes([
            page[at],
            page[at + 1],
            page[at + 2],
            page[at + 3],
        ]))
    };
    Lsn(half(0) << 32 | half(4))
}

/// The sum that belongs into a page.
#[must_use]
pub fn checksum(page: &[u8; PAGE_BYTES], block: u32) -> u16 {
    let mut lanes = SEEDS;
    let mut rows = page.chunks_exact(LANES * 4);
    if let Some(first) = rows.next() {
        let mut words = words_of(first);
        // the low half of this word is the stored sum
        words[SUM_OFFSET / 4] &= 0xFFFF_0000;
        mix(&mut lanes, &words);
    }
    for row in rows {
        mix(&mut lanes, &words_of(row));
    }
    for _ in 0..2 {
        mix(&mut lanes, &[0; LANES]);
    }
    let folded = lanes.iter().fold(0, |sum, lane| sum ^ lane) ^ block;
    // 1 to 65535: zero stays free
    u16::try_from(folded % 65_535 + 1).unwrap_or(u16::MAX)
}

fn words_of(row: &[u8]) -> [u32; LANES] {
    let mut words = [0; LANES];
    for (word, bytes) in words.iter_mut().zip(row.chunks_exact(4)) {
        *word = u32::from_le_bytes([bytes[0], bytes[1], bytes[2], bytes[3]]);
    }
    words
}

fn mix(lanes: &mut [u32; LANES], words: &[u32; LANES]) {
    for (lane, word) in lanes.iter_mut().zip(words) {
        let mixed = *lane ^ word;
        *lane = mixed.wrapping_mul(PRIME) ^ (mixed >> 17);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn page(seed: u8) -> [u8; PAGE_BYTES] {
        let mut page = [seed; PAGE_BYTES];
        let sum = checksum(&page, 9);
        page[8..10].copy_from_slice(&sum.to_le_bytes());
        page
    }

    #[test]
    fn zeros_are_new_and_nothing_else_is() {
        let mut zeros = [0; PAGE_BYTES];
        assert_eq!(judge(&zeros, 5), PageState::New);
        zeros[8191] = 1;
        assert!(matches!(judge(&zeros, 5), PageState::Damaged { .. }));
        let sum = checksum(&zeros, 5);
        zeros[8..10].copy_from_slice(&sum.to_le_bytes());
        assert!(matches!(judge(&zeros, 5), PageState::Damaged { .. }));
    }

    #[test]
    fn a_page_at_the_wrong_place_is_damaged() {
        assert_eq!(judge(&page(3), 9), PageState::Whole);
        assert!(matches!(judge(&page(3), 10), PageState::Damaged { .. }));
    }

    #[test]
    fn the_position_is_two_halves_high_first() {
        let mut page = [0; PAGE_BYTES];
        page[..8].copy_from_slice(&[2, 0, 0, 0, 1, 0, 0, 0]);
        assert_eq!(lsn(&page), Lsn(0x2_0000_0001));
    }

    /// A 16-bit sum misses one change in 65,535 by chance; with a fixed page the count is fixed.
    #[test]
    fn nearly_every_flipped_bit_is_seen() {
        let good = page(3);
        let mut page = good;
        let mut missed = 0;
        for bit in 0..PAGE_BYTES * 8 {
            page[bit / 8] ^= 1 << (bit % 8);
            missed += usize::from(judge(&page, 9) == PageState::Whole);
            page[bit / 8] = good[bit / 8];
        }
        assert!(missed <= 4, "{missed} flipped bits were not seen");
    }
}
