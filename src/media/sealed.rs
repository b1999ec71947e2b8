//! Owns the layout of sealed objects: manifests and log objects. One object holds a header in JSON
//! and a compressed body, and proves by its trailer that it is whole. Must not read devices.
//!
//! # Layout
//! All numbers are unsigned and little-endian.
//!
//! ```text
//! at  0  8 bytes  "PLANCMAN" for a manifest, "PLANCLOG" for a log object
//!     8  2        version: 1
//!    10  1        codec of the body: 0 = as it is, 1 = LZ4 block, 2 = Zstandard frame
//!    11  1        cipher: 0 = not encrypted, 1 = sealed
//!    12  4        length of the header (H)
//!    16  8        length of the body's plaintext
//!    24  8        length of the stored body (S)
//!    32 32        BLAKE3 of the body's plaintext
//!    64  H        header: one line of JSON, UTF-8
//!        S        stored body
//! then   8        length of the object, all included
//!       32        BLAKE3 of all bytes before this field
//!        8        "PLANCEND"
//! ```
//!
//! A sealed object has at 32, instead of the hash: 4 bytes length of the envelope (E), 16 bytes
//! salt, 12 zeros; between header and stored body it has E bytes of envelope; its stored body is
//! the ciphertext of the compressed body and the tag. Key and salt: [`super::keys`]. The associated
//! data is all that stands before the ciphertext. Its header says no more than what a host without
//! a key must know:
//! `{"format":…,"part":…,"keys":[…]}` for a manifest, `{"format":"planc-log/1","log":…,"keys":[…]}`
//! for a log object, whose body then begins with the line that is the header otherwise.
//!
//! What does not shrink is stored as it is. A Zstandard body is one frame for each 2 MiB of
//! plaintext, one after the other, with windows of at most 8 MiB. A reader checks, in this order:
//! the last 8 bytes, the length, the hash of all bytes before it, the first 8 bytes, version and
//! cipher, that header and stored body fill the object, and after decompression the body's length
//! and hash.
//!
//! - *Manifest* `parts/<part>.manifest`: the header is `{"format":…,"part":…}`; the body is JSON,
//!   field by field in [`super::manifest`].
//! - *Log object* `logs/<service>/<chain>/<where it begins, 20 digits>`: the header is a
//!   [`LogRecord`](super::manifest::LogRecord); the body is the engine's own encoding of the range.
//! - *Tail* `tails/<service>/<chain>/<where it begins>-<where it ends>`: a log object that holds a
//!   piece of a range that was not finished. The pieces of one range, put together from its
//!   beginning, are the beginning of its body.
//!
//! Names are escaped as [`super::name`] says.

use std::borrow::Cow;
use std::io;
use std::sync::OnceLock;

use blake3::Hash;
use bytes::Bytes;

use super::body::{self, compress, gives_back, inflate};
use super::keys::Seal;
use super::keys::aead::TAG;
use super::keys::layout::{LONGEST_ENVELOPE, SALT};
use crate::resolve::plan::Codec;

/// Bytes before the JSON header.
pub const PREFIX: usize = 64;

/// Bytes after the body.
pub const TRAILER: usize = 48;

/// Longest body: the largest segment of log that a server can have, and the line that tells it.
const LONGEST_BODY: u64 = (1 << 30) + LONGEST_HEADER as u64;

/// Longest object that a reader takes into memory: the longest body, and what stands around it.
pub const LONGEST: u64 = LONGEST_BODY + (2 << 20);

/// Longest JSON header.
pub const LONGEST_HEADER: usize = 1 << 20;

/// Bytes of a body that another core hashes while it is compressed.
const WORTH_SHARING: usize = 1 << 20;

const END: &[u8; 8] = b"PLANCEND";
const VERSION: u16 = 1;

/// What a sealed object is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Commit marker of a part.
    Manifest,
    /// Range of log.
    Log,
}

impl Kind {
    fn magic(self) -> &'static [u8; 8] {
        match self {
            Self::Manifest => b"PLANCMAN",
            Self::Log => b"PLANCLOG",
        }
    }
}

/// An opened object.
#[derive(Debug, PartialEq, Eq)]
pub struct Opened {
    /// The JSON header.
    pub header: Vec<u8>,
    /// The body's plaintext.
    pub body: Vec<u8>,
    /// Its BLAKE3; none when a cipher proved it instead.
    pub hash: Option<Hash>,
}

/// Seals header and body. Equal input gives equal bytes.
///
/// # Errors
/// When the codec fails, something is longer than a reader takes, or the sealed object does not
/// give back what went in (R14).
pub fn seal(kind: Kind, header: &[u8], body: &[u8], codec: Codec) -> Result<Vec<u8>, String> {
    seal_with(kind, header, body, codec, None)
}

/// As [`seal`], encrypted when there is a seal.
///
/// # Errors
/// As [`seal`], and when the cipher fails.
pub fn seal_with(
    kind: Kind,
    header: &[u8],
    body: &[u8],
    codec: Codec,
    seal: Option<&Seal>,
) -> Result<Vec<u8>, String> {
    let Some(seal) = seal else {
        let bytes = Body::new(body, codec)?.assemble(kind, header)?;
        prove(kind, &bytes, None, (header, body))?;
        return Ok(bytes);
    };
    let (number, stored) = compress(body, codec)?;
    let lengths = (header.len(), body.len(), stored.len() + TAG);
    let mut bytes = begin(kind, [number, 1], lengths, seal.envelope().len())?;
    encrypt(&mut bytes, header, stored.into_owned(), seal)?;
    end(&mut bytes);
    prove(kind, &bytes, Some(seal), (header, body))?;
    Ok(bytes)
}

/// An object that is whole and not encrypted; it may go nowhere until it is proven.
pub struct Unproven {
    kind: Kind,
    header: Vec<u8>,
    body: Bytes,
    bytes: Bytes,
    proven: OnceLock<Result<(), String>>,
}

impl Unproven {
    /// Makes an object of a body; `header` tells its header by the hash of the body.
    ///
    /// # Errors
    /// When the codec fails, or `header` does.
    pub fn new(
        kind: Kind,
        body: Bytes,
        codec: Codec,
        header: impl FnOnce(&Hash) -> Result<Vec<u8>, String>,
    ) -> Result<Self, String> {
        let made = Body::new(&body, codec)?;
        let header = header(&made.hash)?;
        let bytes = made.assemble(kind, &header)?.into();
        drop(made);
        Ok(Self {
            kind,
            header,
            body,
            bytes,
            proven: OnceLock::new(),
        })
    }

    /// The object.
    #[must_use]
    pub fn bytes(&self) -> &Bytes {
        &self.bytes
    }

    /// Opens it and compares it with what went in, once.
    ///
    /// # Errors
    /// How it shows that it does not give back its content.
    pub fn prove(&self) -> Result<(), String> {
        let content = (&self.header[..], &self.body[..]);
        let proven = || prove(self.kind, &self.bytes, None, content);
        self.proven.get_or_init(proven).clone()
    }
}

/// A body that is not encrypted: compressed and hashed, so that its header can tell the hash.
struct Body<'a> {
    plain: &'a [u8],
    number: u8,
    stored: Cow<'a, [u8]>,
    hash: Hash,
}

impl<'a> Body<'a> {
    /// Compresses and hashes, a long body at the same time.
    ///
    /// # Errors
    /// When the codec fails.
    fn new(plain: &'a [u8], codec: Codec) -> Result<Self, String> {
        let (hash, compressed) = if plain.len() < WORTH_SHARING {
            (blake3::hash(plain), compress(plain, codec))
        } else {
            rayon::join(|| hash_of(plain), || compress(plain, codec))
        };
        let (number, stored) = compressed?;
        Ok(Self {
            plain,
            number,
            stored,
            hash,
        })
    }

    /// Makes the object; equal input gives equal bytes.
    fn assemble(&self, kind: Kind, header: &[u8]) -> Result<Vec<u8>, String> {
        let lengths = (header.len(), self.plain.len(), self.stored.len());
        let mut bytes = begin(kind, [self.number, 0], lengths, 0)?;
        bytes.extend_from_slice(self.hash.as_bytes());
        bytes.extend_from_slice(header);
        bytes.extend_from_slice(&self.stored);
        end(&mut bytes);
        Ok(bytes)
    }
}

/// BLAKE3 of bytes, by all cores where they are many.
pub(super) fn hash_of(bytes: &[u8]) -> Hash {
    blake3::Hasher::new().update_rayon(bytes).finalize()
}

/// The first 32 bytes of an object, of these codec and cipher, these lengths of header, body and
/// stored body, with room for all of it.
fn begin(
    kind: Kind,
    how: [u8; 2],
    (header, body, stored): (usize, usize, usize),
    envelope: usize,
) -> Result<Vec<u8>, String> {
    if header > LONGEST_HEADER || body as u64 > LONGEST_BODY {
        return Err("the object is too long for one piece".into());
    }
    let mut bytes = Vec::with_capacity(PREFIX + header + envelope + stored + TRAILER);
    bytes.extend_from_slice(kind.magic());
    bytes.extend_from_slice(&VERSION.to_le_bytes());
    bytes.extend_from_slice(&how);
    bytes.extend_from_slice(&(header as u64).to_le_bytes()[..4]);
    bytes.extend_from_slice(&(body as u64).to_le_bytes());
    bytes.extend_from_slice(&(stored as u64).to_le_bytes());
    Ok(bytes)
}

/// Adds the trailer.
fn end(bytes: &mut Vec<u8>) {
    let length = bytes.len() + TRAILER;
    bytes.extend_from_slice(&(length as u64).to_le_bytes());
    bytes.extend_from_slice(blake3::hash(bytes).as_bytes());
    bytes.extend_from_slice(END);
}

/// Opens what was just sealed and compares it with what went in, piece by piece.
fn prove(
    kind: Kind,
    bytes: &[u8],
    seal: Option<&Seal>,
    (header, body): (&[u8], &[u8]),
) -> Result<(), String> {
    let places = Places::of(kind, bytes)?;
    let stored = &bytes[places.stored..bytes.len() - TRAILER];
    let is_body = match seal {
        None => gives_back(bytes[10], stored, body),
        Some(seal) => gives_back(bytes[10], &decrypt(bytes, &places, seal)?, body),
    };
    if &bytes[PREFIX..places.envelope] == header && is_body? {
        Ok(())
    } else {
        Err("a sealed object does not give back its content".into())
    }
}

/// Adds what follows the first 32 bytes of an encrypted object, up to its trailer.
fn encrypt(
    bytes: &mut Vec<u8>,
    header: &[u8],
    mut stored: Vec<u8>,
    seal: &Seal,
) -> Result<(), String> {
    let envelope = seal.envelope();
    let salt = seal.salt(&stored);
    bytes.extend_from_slice(&(envelope.len() as u64).to_le_bytes()[..4]);
    bytes.extend_from_slice(&salt);
    bytes.extend_from_slice(&[0; 12]);
    bytes.extend_from_slice(header);
    bytes.extend_from_slice(envelope);
    let sealed = seal.seal_object(salt, bytes, &mut stored);
    sealed.map_err(|cause| cause.to_string())?;
    bytes.extend_from_slice(&stored);
    Ok(())
}

/// Opens an object that is not encrypted and checks all of it.
///
/// # Errors
/// How the damage shows.
pub fn open(kind: Kind, bytes: &[u8]) -> Result<Opened, String> {
    open_with(kind, bytes, None)
}

/// As [`open`], with the seal of an encrypted object.
///
/// # Errors
/// How the damage shows; an encrypted object without its seal is refused.
pub fn open_with(kind: Kind, bytes: &[u8], seal: Option<&Seal>) -> Result<Opened, String> {
    Whole::of(kind, bytes)?.open(seal)
}

/// An object whose bytes are all there and have the hash of its trailer.
pub(crate) struct Whole<'a> {
    bytes: &'a [u8],
    places: Places,
}

impl<'a> Whole<'a> {
    /// Checks an object.
    ///
    /// # Errors
    /// How the damage shows.
    pub(crate) fn of(kind: Kind, bytes: &'a [u8]) -> Result<Self, String> {
        let places = Places::of(kind, bytes)?;
        Ok(Self { bytes, places })
    }

    /// The envelope; none when it is not encrypted.
    pub(crate) fn envelope(&self) -> Option<&'a [u8]> {
        let envelope = self.places.envelope..self.places.stored;
        self.places.sealed.then(|| &self.bytes[envelope])
    }

    /// Header and body.
    ///
    /// # Errors
    /// How the damage shows; an encrypted object without its seal is refused.
    pub(crate) fn open(&self, seal: Option<&Seal>) -> Result<Opened, String> {
        let (bytes, places) = (self.bytes, &self.places);
        let stored = &bytes[places.stored..bytes.len() - TRAILER];
        let body = match (places.sealed, seal) {
            (false, _) => inflate(bytes[10], stored, places.plain)?,
            (true, Some(seal)) => inflate(bytes[10], &decrypt(bytes, places, seal)?, places.plain)?,
            (true, None) => return Err("it is encrypted, and no key is given".into()),
        };
        let hash = (!places.sealed).then(|| blake3::hash(&body));
        if let Some(hash) = &hash {
            self.check(hash)?;
        }
        Ok(Opened {
            header: self.header().to_vec(),
            body,
            hash,
        })
    }

    /// The header.
    pub(crate) fn header(&self) -> &'a [u8] {
        &self.bytes[PREFIX..self.places.envelope]
    }

    /// Hands the body of an object that is not encrypted to `take`, piece by piece, and gives its
    /// hash. Only then is it proven. The inner error is that of `take`.
    ///
    /// # Errors
    /// How the damage shows.
    pub(crate) fn pour(
        &self,
        take: &mut dyn FnMut(&[u8]) -> io::Result<()>,
    ) -> Result<io::Result<Hash>, String> {
        let (bytes, places) = (self.bytes, &self.places);
        if places.sealed {
            return Err("it is encrypted, and no key is given".into());
        }
        let stored = &bytes[places.stored..bytes.len() - TRAILER];
        let mut hash = blake3::Hasher::new();
        let poured = body::pour(bytes[10], stored, places.plain, &mut |piece| {
            hash.update(piece);
            take(piece)
        })?;
        if let Err(cause) = poured {
            return Ok(Err(cause));
        }
        let hash = hash.finalize();
        self.check(&hash)?;
        Ok(Ok(hash))
    }

    /// Compares the hash of the body with what the object says of it.
    fn check(&self, hash: &Hash) -> Result<(), String> {
        if hash.as_bytes() == &self.bytes[32..64] {
            Ok(())
        } else {
            Err("its body does not have its hash".into())
        }
    }
}

/// Lengths of header and envelope of an encrypted object, by its first [`PREFIX`] bytes; none when
/// it is not encrypted.
///
/// # Errors
/// How it shows that no object begins so.
pub(crate) fn lengths(prefix: &[u8]) -> Result<Option<(u64, u64)>, String> {
    let magics = [Kind::Manifest.magic(), Kind::Log.magic()];
    if prefix.len() != PREFIX || !magics.iter().any(|magic| prefix.starts_with(*magic)) {
        return Err("no manifest or log object begins here".into());
    }
    let (header, envelope) = (number(prefix, 12, 4), number(prefix, 32, 4));
    match prefix[11] {
        0 => Ok(None),
        1 if header <= LONGEST_HEADER as u64 && envelope <= LONGEST_ENVELOPE as u64 => {
            Ok(Some((header, envelope)))
        }
        _ => Err("its lengths are out of bounds".into()),
    }
}

/// The header of an object, which is readable without a key but only believed with one.
///
/// # Errors
/// How the damage shows.
pub fn whole_header(kind: Kind, bytes: &[u8]) -> Result<&[u8], String> {
    let places = Places::of(kind, bytes)?;
    Ok(&bytes[PREFIX..places.envelope])
}

/// Where the pieces of a whole object lie.
struct Places {
    sealed: bool,
    /// Begin of the envelope, end of the header.
    envelope: usize,
    /// Begin of the stored body.
    stored: usize,
    /// Length of the body's plaintext.
    plain: u64,
}

impl Places {
    fn of(kind: Kind, bytes: &[u8]) -> Result<Self, String> {
        check_trailer(bytes)?;
        if &bytes[..8] != kind.magic() {
            return Err("it is an object of another type".into());
        }
        if bytes[8..10] != VERSION.to_le_bytes() || bytes[11] > 1 {
            return Err("it has a format version or cipher that this planc does not know".into());
        }
        let sealed = bytes[11] == 1;
        let header = number(bytes, 12, 4);
        let (plain, stored) = (number(bytes, 16, 8), number(bytes, 24, 8));
        let envelope = if sealed { number(bytes, 32, 4) } else { 0 };
        let inner = (bytes.len() - PREFIX - TRAILER) as u64;
        let sum = header
            .checked_add(stored)
            .and_then(|sum| sum.checked_add(envelope));
        let long = header > LONGEST_HEADER as u64 || envelope > LONGEST_ENVELOPE as u64;
        let short = sealed && (envelope == 0 || stored < TAG as u64 || bytes[52..64] != [0; 12]);
        if sum != Some(inner) || long || short || plain > LONGEST_BODY {
            return Err("its lengths do not add up".into());
        }
        // both are at most the object's length
        let at = |length: u64| usize::try_from(length).map_err(|_| "it is too long");
        let envelope_at = PREFIX + at(header)?;
        Ok(Self {
            sealed,
            envelope: envelope_at,
            stored: envelope_at + at(envelope)?,
            plain,
        })
    }
}

fn decrypt(bytes: &[u8], places: &Places, seal: &Seal) -> Result<Vec<u8>, String> {
    let mut salt = [0; SALT];
    salt.copy_from_slice(&bytes[36..36 + SALT]);
    let mut stored = bytes[places.stored..bytes.len() - TRAILER].to_vec();
    let opened = seal.open_object(salt, &bytes[..places.stored], &mut stored);
    opened.map_err(|cause| cause.to_string())?;
    Ok(stored)
}

/// The header of an object from its first bytes, without proof that the object is whole. None when
/// `bytes` do not hold all of it; the second value says how many are needed.
///
/// # Errors
/// When the object is of another type or version.
pub fn peek(kind: Kind, bytes: &[u8]) -> Result<(Option<&[u8]>, u64), String> {
    if bytes.len() < PREFIX {
        return Ok((None, PREFIX as u64));
    }
    if &bytes[..8] != kind.magic() || bytes[8..10] != VERSION.to_le_bytes() || bytes[11] > 1 {
        return Err("it is an object of another type or version".into());
    }
    let length = number(bytes, 12, 4).min(LONGEST_HEADER as u64);
    let needed = PREFIX as u64 + length;
    let end = usize::try_from(needed).map_err(|_| "its header is too long")?;
    Ok((bytes.get(PREFIX..end), needed))
}

fn check_trailer(bytes: &[u8]) -> Result<(), String> {
    if bytes.len() < PREFIX + TRAILER {
        return Err("it is cut off".into());
    }
    let at = bytes.len() - TRAILER;
    if &bytes[at + 40..] != END || number(bytes, at, 8) != bytes.len() as u64 {
        return Err("it does not end where its trailer says".into());
    }
    if blake3::hash(&bytes[..at + 8]).as_bytes() != &bytes[at + 8..at + 40] {
        return Err("its bytes do not have the hash of its trailer".into());
    }
    Ok(())
}

fn number(bytes: &[u8], at: usize, length: usize) -> u64 {
    let mut wide = [0; 8];
    wide[..length].copy_from_slice(&bytes[at..at + length]);
    u64::from_le_bytes(wide)
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use std::sync::Arc;

    use super::super::body::SMALL;
    use super::*;
    use crate::media::Device;
    use crate::media::directory::DirectoryDevice;

    #[test]
    fn the_largest_segment_of_log_and_its_line_fit_into_one_object() {
        let begins = |body| begin(Kind::Log, [0, 0], (LONGEST_HEADER, body, 0), 0).is_ok();
        assert!(begins((1 << 30) + LONGEST_HEADER));
        assert!(!begins((1 << 30) + LONGEST_HEADER + 1));
    }

    #[test]
    fn what_is_sealed_is_opened() {
        let body = b"log of a transaction ".repeat(2000);
        for codec in [Codec::None, Codec::Lz4, Codec::Zstd(3), Codec::Zstd(19)] {
            let bytes = seal(Kind::Log, b"{}", &body, codec).unwrap();
            let opened = open(Kind::Log, &bytes).unwrap();
            assert_eq!((opened.header, opened.body), (b"{}".to_vec(), body.clone()));
            assert!(open(Kind::Manifest, &bytes).is_err(), "types are not mixed");
        }
        let empty = seal(Kind::Manifest, b"{}", b"", Codec::Zstd(3)).unwrap();
        assert_eq!(open(Kind::Manifest, &empty).unwrap().body, b"");
    }

    #[test]
    fn an_object_gets_a_name_only_once_it_is_proven() {
        let folder = tempfile::tempdir().unwrap();
        let device = DirectoryDevice::init("near", folder.path()).unwrap();
        let body = Bytes::from(b"log of a transaction ".repeat(2000));
        let mut other = body.to_vec();
        other[7] ^= 1;
        let header = |_: &Hash| Ok(b"{}".to_vec());
        let mut object = Unproven::new(Kind::Log, body, Codec::Zstd(1), header).unwrap();
        let name = "logs/s/c/1";
        let put = |object: Unproven| device.put_unproven(name, &Arc::new(object));
        object.body = other.into();
        let refused = put(object).unwrap_err().to_string();
        assert!(
            refused.contains("does not give back its content"),
            "{refused}"
        );
        assert!(device.list("logs/").unwrap().is_empty());
        let temporary = std::fs::read_dir(folder.path().join("tmp")).unwrap();
        assert_eq!(temporary.count(), 0);

        let body = Bytes::from_static(b"short");
        let object = Unproven::new(Kind::Log, body, Codec::None, header).unwrap();
        let bytes = object.bytes().clone();
        put(object).unwrap();
        assert_eq!(device.get(name, None).unwrap(), bytes);
        assert_eq!(open(Kind::Log, &bytes).unwrap().body, b"short");
    }

    #[test]
    fn a_body_that_is_not_as_long_as_it_says_is_refused() {
        for length in [300, SMALL, SMALL + 1, 3 * SMALL] {
            for codec in [Codec::None, Codec::Lz4, Codec::Zstd(3)] {
                let whole = seal(Kind::Log, b"{}", &vec![5; length], codec).unwrap();
                open(Kind::Log, &whole).unwrap();
                for other in [0, 1, length - 1, length + 1, 2 * length, 1 << 29, 1 << 50] {
                    let mut bytes = whole[..whole.len() - TRAILER].to_vec();
                    bytes[16..24].copy_from_slice(&(other as u64).to_le_bytes());
                    end(&mut bytes);
                    assert!(open(Kind::Log, &bytes).is_err(), "{length} as {other}");
                }
            }
        }
    }

    #[test]
    fn every_bit_and_every_length_counts() {
        let whole = seal(Kind::Log, b"{\"a\":1}", &[5; 300], Codec::Zstd(3)).unwrap();
        for bit in 0..whole.len() * 8 {
            let mut bytes = whole.clone();
            bytes[bit / 8] ^= 1 << (bit % 8);
            assert!(open(Kind::Log, &bytes).is_err(), "bit {bit}");
        }
        for length in 0..whole.len() {
            assert!(
                open(Kind::Log, &whole[..length]).is_err(),
                "length {length}"
            );
        }
        let longer = [whole.as_slice(), b"\0"].concat();
        assert!(open(Kind::Log, &longer).is_err());
    }
}
