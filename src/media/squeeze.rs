//! Owns how Zstandard is asked to compress: which matches its fast levels look for. Must not know
//! frames or objects. Any setting is read by every reader; it costs time and bytes only.

use std::io;

use zstd::bulk::Compressor;
use zstd::zstd_safe::CParameter;

/// Levels of Zstandard up to this one only look for long matches unless they are told otherwise.
pub(super) const FAST: i32 = 2;

/// Bytes of the shortest match that fast levels look for: pages, log and programs repeat few bytes
/// at a time, and are stored 5 to 15 % shorter with the first; text is stored 3 to 10 % shorter, and
/// faster, with the second.
const MATCHES: [u32; 2] = [5, 7];

/// The share of a sample, one part of so many, that short matches must save to be looked for: they
/// take longer to find and to read. A sample that is equally long with both tells nothing, perhaps
/// only because it is short; then they are looked for too.
const WORTH: usize = 64;

/// Bytes from the middle of a piece that tell which matches it has. Neighbours tell more than
/// places far apart, where each sample first has to learn what repeats.
const SAMPLE: usize = 16 << 10;

/// What compresses with a level; fast ones look for the first of [`MATCHES`], which is right for log
/// and lists.
///
/// # Errors
/// When the library refuses the level.
pub(super) fn compressor(level: i32) -> io::Result<Compressor<'static>> {
    let mut zstd = Compressor::new(level)?;
    if is_fast(level) {
        zstd.set_parameter(CParameter::MinMatch(MATCHES[0]))?;
    }
    Ok(zstd)
}

fn is_fast(level: i32) -> bool {
    (1..=FAST).contains(&level)
}

/// Compresses with one level of Zstandard, piece by piece, each as it is shortest.
pub(super) struct Squeezer {
    zstd: Compressor<'static>,
    fast: bool,
}

impl Squeezer {
    /// Prepares a level.
    ///
    /// # Errors
    /// When the library refuses it.
    pub(super) fn new(level: i32) -> io::Result<Self> {
        Ok(Self {
            zstd: compressor(level)?,
            fast: is_fast(level),
        })
    }

    /// Compresses `plain` to the beginning of `stored`, which has room for the longest answer; the
    /// length of it. Depends on `plain` alone.
    ///
    /// # Errors
    /// When the library fails.
    pub(super) fn squeeze(&mut self, plain: &[u8], stored: &mut [u8]) -> io::Result<usize> {
        if self.fast {
            self.choose(middle(plain), stored)?;
        }
        self.zstd.compress_to_buffer(plain, stored)
    }

    /// Sets the matches that suit `sample`.
    fn choose(&mut self, sample: &[u8], scratch: &mut [u8]) -> io::Result<()> {
        let mut lengths = [0; MATCHES.len()];
        for (shortest, length) in MATCHES.into_iter().zip(&mut lengths) {
            self.zstd.set_parameter(CParameter::MinMatch(shortest))?;
            *length = self.zstd.compress_to_buffer(sample, scratch)?;
        }
        let [short, long] = lengths;
        let is_short = short == long || short + long / WORTH < long;
        let shortest = MATCHES[usize::from(!is_short)];
        self.zstd.set_parameter(CParameter::MinMatch(shortest))
    }
}

fn middle(plain: &[u8]) -> &[u8] {
    let begin = plain.len().saturating_sub(SAMPLE) / 2;
    &plain[begin..plain.len().min(begin + SAMPLE)]
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use super::*;

    /// Length of `plain` with the given shortest match, or with the one that is chosen.
    fn length(plain: &[u8], shortest: Option<u32>) -> usize {
        let mut stored = vec![0; zstd::zstd_safe::compress_bound(plain.len())];
        let mut squeezer = Squeezer::new(1).unwrap();
        match shortest {
            None => squeezer.squeeze(plain, &mut stored).unwrap(),
            Some(shortest) => {
                let shortest = CParameter::MinMatch(shortest);
                squeezer.zstd.set_parameter(shortest).unwrap();
                let zstd = &mut squeezer.zstd;
                zstd.compress_to_buffer(plain, &mut stored).unwrap()
            }
        }
    }

    /// 32-bit numbers that are equal in a random way.
    fn dice() -> impl Iterator<Item = u32> {
        (0..).map(|turn: u32| {
            let noise = blake3::hash(&turn.to_le_bytes());
            u32::from_le_bytes(*noise.as_bytes().first_chunk().unwrap())
        })
    }

    /// Words in a random order, as prose has them.
    fn text() -> Vec<u8> {
        let words = [
            "recovers ",
            "a ",
            "table ",
            "in ",
            "time ",
            "once ",
            "stored ",
        ];
        let words = dice().map(|dice| words[dice as usize % words.len()]);
        words.take(60_000).flat_map(str::bytes).collect()
    }

    /// Rows of a page: numbers that count up between a few equal bytes.
    fn pages() -> Vec<u8> {
        let rows = dice().take(20_000).zip(0_u32..);
        rows.flat_map(|(dice, row)| [row.to_be_bytes(), [9, 0, 24, 0], dice.to_be_bytes()])
            .flatten()
            .collect()
    }

    #[test]
    fn what_makes_content_shorter_is_chosen() {
        let [short, long] = MATCHES.map(Some);
        assert!(length(&text(), long) < length(&text(), short));
        assert_eq!(length(&text(), None), length(&text(), long));
        assert!(length(&pages(), short) < length(&pages(), long));
        assert_eq!(length(&pages(), None), length(&pages(), short));
    }

    #[test]
    fn a_sample_is_the_middle_and_never_more_than_there_is() {
        for length in [0, 1, SAMPLE - 1, SAMPLE, SAMPLE + 1, 5 * SAMPLE] {
            let plain = vec![0; length];
            assert_eq!(middle(&plain).len(), length.min(SAMPLE));
        }
        let mut plain = vec![0; 3 * SAMPLE];
        plain[SAMPLE..2 * SAMPLE].fill(1);
        assert!(middle(&plain).iter().all(|byte| *byte == 1));
    }

    #[test]
    fn what_came_before_makes_no_difference() {
        let mut squeezer = Squeezer::new(1).unwrap();
        let mut stored = vec![0; 1 << 21];
        let fresh = squeezer.squeeze(&text(), &mut stored).unwrap();
        let fresh = stored[..fresh].to_vec();
        squeezer.squeeze(&pages(), &mut stored).unwrap();
        let again = squeezer.squeeze(&text(), &mut stored).unwrap();
        assert_eq!(stored[..again], fresh);
    }
}
