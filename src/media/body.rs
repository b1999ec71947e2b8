//! Owns how the body of a sealed object is compressed, proven and inflated. Must not know objects.
//! The layout: see [`super::sealed`].

use std::borrow::Cow;
use std::cell::{Cell, RefCell};
use std::io::{self, Read};
use std::ops::ControlFlow;

use rayon::prelude::*;
use zstd::bulk::Compressor;
use zstd::stream::read::Decoder;
use zstd::zstd_safe::{self, CParameter, DCtx};

use super::frame::codec_number;
use super::squeeze;
use crate::resolve::plan::Codec;

/// Size of the table in which fast levels look for matches, as a power of two: half of the usual
/// one stays in the nearest cache, and log is stored as short with it in a twentieth less time.
const FAST_TABLE_LOG: u32 = 13;

/// Plaintext of one Zstandard frame: all cores compress and compare a long body at the same time.
const SHARE: usize = 2 << 20;

/// Largest window that Zstandard may ask for, as a power of two: 8 MiB (R30).
const WINDOW_LOG: u32 = 23;

/// Window of fast levels, which find nothing farther away: a proof in a small window stays in the
/// processor's cache.
const FAST_WINDOW_LOG: u32 = 20;

/// Number of Zstandard on media.
const ZSTD: u8 = 2;

/// Bytes of a usual segment of log.
const USUAL: usize = 16 << 20;

/// Bytes of a body that is inflated at once.
pub(super) const SMALL: usize = 64 << 10;

/// Bytes of a body that are handed on at a time.
const PIECE: usize = 128 << 10;

/// Compresses a body; the number of the codec that it is stored with. What does not shrink stays
/// as it is.
///
/// # Errors
/// When the codec fails.
pub(super) fn compress(body: &[u8], codec: Codec) -> Result<(u8, Cow<'_, [u8]>), String> {
    let stored = match codec {
        Codec::None => return Ok((0, body.into())),
        Codec::Lz4 => lz4_flex::block::compress(body),
        Codec::Zstd(level) => compress_zstd(body, level).map_err(|cause| cause.to_string())?,
    };
    if stored.len() < body.len() {
        Ok((codec_number(codec), stored.into()))
    } else {
        Ok((0, body.into()))
    }
}

fn compress_zstd(body: &[u8], level: i32) -> io::Result<Vec<u8>> {
    if body.len() <= SHARE {
        return compress_share(body, level);
    }
    let shares = body.par_chunks(SHARE);
    let shares: io::Result<Vec<Vec<u8>>> =
        shares.map(|share| compress_share(share, level)).collect();
    Ok(shares?.concat())
}

fn compress_share(share: &[u8], level: i32) -> io::Result<Vec<u8>> {
    if level > squeeze::FAST {
        return Packer::new(level)?.pack(share, WINDOW_LOG);
    }
    let kept = PACKER.take().filter(|packer| packer.level == level);
    let mut packer = kept.map_or_else(|| Packer::fast(level), Ok)?;
    let packed = packer.pack(share, FAST_WINDOW_LOG);
    PACKER.set(Some(packer));
    packed
}

/// Compresses shares with one level, one after the other in the same memory.
struct Packer {
    level: i32,
    zstd: Compressor<'static>,
    room: Vec<u8>,
}

impl Packer {
    fn new(level: i32) -> io::Result<Self> {
        Ok(Self {
            level,
            zstd: squeeze::compressor(level)?,
            room: Vec::new(),
        })
    }

    fn fast(level: i32) -> io::Result<Self> {
        let mut packer = Self::new(level)?;
        let table = CParameter::HashLog(FAST_TABLE_LOG);
        packer.zstd.set_parameter(table)?;
        Ok(packer)
    }

    /// In a window of at most `most`, and no larger than the share, so that small objects stay
    /// cheap.
    fn pack(&mut self, share: &[u8], most: u32) -> io::Result<Vec<u8>> {
        let window = most.min(share.len().max(1024).ilog2() + 1);
        self.zstd.set_parameter(CParameter::WindowLog(window))?;
        self.room.clear();
        self.room.reserve(zstd_safe::compress_bound(share.len()));
        self.zstd.compress_to_buffer(share, &mut self.room)?;
        Ok(self.room.clone())
    }
}

/// Whether a body that was just compressed is this one; with Zstandard it takes the memory of a share
/// for each core.
///
/// # Errors
/// When the codec refuses it.
pub(super) fn gives_back(codec: u8, stored: &[u8], body: &[u8]) -> Result<bool, String> {
    if codec != ZSTD {
        return Ok(inflate(codec, stored, body.len() as u64)? == body);
    }
    let refused = |cause: io::Error| format!("zstd refuses it: {cause}");
    if body.len() <= SHARE {
        return same_as(stored, body).map_err(refused);
    }
    let frames = frames(stored).map_err(refused)?;
    let shares = body.par_chunks(SHARE);
    if frames.len() != shares.len() {
        return Ok(false);
    }
    let same = shares
        .zip(frames)
        .map(|(share, frame)| same_as(frame, share));
    let same: io::Result<Vec<bool>> = same.collect();
    same.map(|same| same.into_iter().all(|same| same))
        .map_err(refused)
}

/// The frames of a stored body.
fn frames(mut stored: &[u8]) -> io::Result<Vec<&[u8]>> {
    let mut frames = Vec::new();
    while !stored.is_empty() {
        let length = zstd_safe::find_frame_compressed_size(stored).map_err(failed)?;
        let (frame, rest) = stored.split_at(length.min(stored.len()));
        frames.push(frame);
        stored = rest;
    }
    Ok(frames)
}

fn same_as(frame: &[u8], share: &[u8]) -> io::Result<bool> {
    let mut proof = PROOF.take();
    if proof.len() < share.len() {
        proof.resize(share.len(), 0);
    }
    // what does not fit is an error
    let room = &mut proof[..share.len()];
    let inflated = INFLATER.with_borrow_mut(|inflater| inflater.decompress(room, frame));
    let inflated = inflated.map_err(failed)?;
    let same = proof[..inflated] == *share;
    PROOF.set(proof);
    Ok(same)
}

/// Inflates a Zstandard body piece by piece, until it ends or `take` breaks.
fn in_pieces<B>(
    stored: &[u8],
    mut take: impl FnMut(&[u8]) -> ControlFlow<B>,
) -> io::Result<ControlFlow<B>> {
    let mut decoder = decoder(stored)?;
    let mut piece = vec![0; PIECE];
    loop {
        let read = decoder.read(&mut piece)?;
        if read == 0 {
            return Ok(ControlFlow::Continue(()));
        }
        if let ControlFlow::Break(why) = take(&piece[..read]) {
            return Ok(ControlFlow::Break(why));
        }
    }
}

/// Inflates a body of `plain` bytes.
///
/// # Errors
/// How it shows that it is none.
pub(super) fn inflate(codec: u8, stored: &[u8], plain: u64) -> Result<Vec<u8>, String> {
    let body = match codec {
        0 => stored.to_vec(),
        1 => {
            // LZ4 cannot grow more than 255 times
            if plain / 255 > stored.len() as u64 {
                return Err("its lengths do not add up".into());
            }
            let plain = usize::try_from(plain).map_err(|_| "its body is too long")?;
            lz4_flex::block::decompress(stored, plain)
                .map_err(|cause| format!("lz4 refuses its body: {cause}"))?
        }
        ZSTD => inflate_zstd(stored, plain).map_err(|cause| format!("zstd refuses it: {cause}"))?,
        _ => return Err("its codec is unknown".into()),
    };
    if body.len() as u64 == plain {
        Ok(body)
    } else {
        Err("its body does not have its length".into())
    }
}

/// Hands the plaintext of a body to `take`, a long Zstandard body piece by piece: what is written
/// while the processor still has it needs no memory of its own. The inner error is that of `take`.
///
/// # Errors
/// How it shows that it is no body of `plain` bytes.
pub(super) fn pour(
    codec: u8,
    stored: &[u8],
    plain: u64,
    take: &mut dyn FnMut(&[u8]) -> io::Result<()>,
) -> Result<io::Result<()>, String> {
    if codec != ZSTD || plain <= SMALL as u64 {
        return Ok(take(&inflate(codec, stored, plain)?));
    }
    let mut left = plain;
    let went = in_pieces(stored, |piece| {
        left = match left.checked_sub(piece.len() as u64) {
            Some(left) => left,
            None => return ControlFlow::Break(None),
        };
        match take(piece) {
            Ok(()) => ControlFlow::Continue(()),
            Err(cause) => ControlFlow::Break(Some(cause)),
        }
    });
    match went.map_err(|cause| format!("zstd refuses it: {cause}"))? {
        ControlFlow::Continue(()) if left == 0 => Ok(Ok(())),
        ControlFlow::Break(Some(cause)) => Ok(Err(cause)),
        _ => Err("its body does not have its length".into()),
    }
}

/// Grows with what really comes out, and begins with no more than a usual piece of log, whatever a
/// length field says.
fn inflate_zstd(stored: &[u8], plain: u64) -> io::Result<Vec<u8>> {
    let length = usize::try_from(plain).unwrap_or(usize::MAX);
    if length > SHARE
        && let Ok(frames) = frames(stored)
        && frames.len() == length.div_ceil(SHARE)
    {
        return inflate_shares(frames, length);
    }
    let mut body = Vec::with_capacity(length.min(USUAL) + 1);
    if length > SMALL {
        decoder(stored)?.take(plain + 1).read_to_end(&mut body)?;
        return Ok(body);
    }
    // what does not fit is an error
    let inflated = INFLATER.with_borrow_mut(|inflater| inflater.decompress(&mut body, stored));
    inflated.map(|_| body).map_err(failed)
}

/// Inflates a body that is a frame for each share, on all cores.
fn inflate_shares(frames: Vec<&[u8]>, length: usize) -> io::Result<Vec<u8>> {
    let mut body = vec![0; length];
    let shares = body.par_chunks_mut(SHARE).zip(frames);
    let lengths = shares.map(|(share, frame)| {
        let inflated = INFLATER.with_borrow_mut(|inflater| inflater.decompress(share, frame));
        inflated.map_err(failed)
    });
    let inflated: usize = lengths.sum::<io::Result<usize>>()?;
    body.truncate(inflated);
    Ok(body)
}

thread_local! {
    /// For small bodies and shares: to make one takes longer than to inflate a usual manifest.
    static INFLATER: RefCell<DCtx<'static>> = RefCell::new(DCtx::create());

    /// What fast levels compress with, and the room that a share is inflated to when it is proven:
    /// memory that is in use already costs less than new one.
    static PACKER: Cell<Option<Packer>> = const { Cell::new(None) };
    static PROOF: Cell<Vec<u8>> = const { Cell::new(Vec::new()) };
}

fn decoder(stored: &[u8]) -> io::Result<Decoder<'static, &[u8]>> {
    let mut decoder = Decoder::with_buffer(stored)?;
    decoder.window_log_max(WINDOW_LOG)?;
    Ok(decoder)
}

fn failed(code: usize) -> io::Error {
    io::Error::other(zstd_safe::get_error_name(code))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Bytes that shrink, and differ from place to place.
    fn body(length: usize) -> Vec<u8> {
        let numbers = (0_u32..).flat_map(|number| number.wrapping_mul(2_654_435_761).to_le_bytes());
        numbers.flat_map(|byte| [byte; 3]).take(length).collect()
    }

    #[test]
    fn a_long_body_is_a_frame_for_each_share() {
        for (length, count) in [
            (SHARE, 1),
            (SHARE + 1, 2),
            (2 * SHARE, 2),
            (2 * SHARE + 7, 3),
        ] {
            let body = body(length);
            let (codec, stored) = compress(&body, Codec::Zstd(1)).expect("compressed");
            assert_eq!(frames(&stored).expect("frames").len(), count, "{length}");
            assert!(gives_back(codec, &stored, &body).expect("proven"));
            let back = inflate(codec, &stored, length as u64).expect("inflated");
            assert!(back == body, "{length}");
        }
    }

    /// What is poured of a stored body that is said to hold `plain` bytes.
    fn poured(codec: u8, stored: &[u8], plain: usize) -> Result<Vec<u8>, String> {
        let mut bytes = Vec::new();
        let done = pour(codec, stored, plain as u64, &mut |piece| {
            bytes.extend_from_slice(piece);
            Ok(())
        });
        done.map(|taken| taken.expect("taken")).map(|()| bytes)
    }

    #[test]
    fn what_is_poured_is_the_body_and_no_byte_more_or_less() {
        for codec in [Codec::None, Codec::Lz4, Codec::Zstd(1)] {
            for length in [0, 1, SMALL, SMALL + 1, SHARE, SHARE + PIECE + 1] {
                let body = body(length);
                let (codec, stored) = compress(&body, codec).expect("compressed");
                let whole = poured(codec, &stored, length).expect("poured");
                assert!(whole == body, "{codec} {length}");
                assert!(poured(codec, &stored, length + 1).is_err());
                assert!(length == 0 || poured(codec, &stored, length - 1).is_err());
            }
        }
    }

    #[test]
    fn pouring_ends_when_nobody_takes() {
        let body = body(SHARE);
        let (codec, stored) = compress(&body, Codec::Zstd(1)).expect("compressed");
        let mut asked = 0;
        let done = pour(codec, &stored, SHARE as u64, &mut |_| {
            asked += 1;
            Err(io::ErrorKind::StorageFull.into())
        });
        assert_eq!(
            done.expect("a body").expect_err("full").kind(),
            io::ErrorKind::StorageFull
        );
        assert_eq!(asked, 1);
    }

    #[test]
    fn a_body_that_lacks_or_gained_a_frame_is_not_given_back() {
        let body = body(3 * SHARE);
        let (codec, stored) = compress(&body, Codec::Zstd(1)).expect("compressed");
        let frames = frames(&stored).expect("frames");
        let of = |which: &[usize]| -> Vec<u8> {
            which
                .iter()
                .flat_map(|at| frames[*at].iter().copied())
                .collect()
        };
        let length = body.len() as u64;
        for wrong in [&[0, 1][..], &[0, 2, 1], &[0, 1, 2, 2], &[0, 1, 1]] {
            let given = gives_back(codec, &of(wrong), &body);
            assert_eq!(given, Ok(false), "{wrong:?}");
            let inflated = inflate(codec, &of(wrong), length);
            assert!(inflated.is_err() || inflated.is_ok_and(|it| it != body));
        }
        // the last share is short, so the first cannot lie where it lies
        let (codec, stored) = compress(&body[..2 * SHARE + 7], Codec::Zstd(1)).expect("compressed");
        let frames = super::frames(&stored).expect("frames");
        let turned = [frames[2], frames[1], frames[0]].concat();
        assert!(inflate(codec, &turned, 2 * SHARE as u64 + 7).is_err());
        let mut cut = of(&[0, 1, 2]);
        cut.truncate(cut.len() - 1);
        assert!(gives_back(codec, &cut, &body).is_err());
    }
}
