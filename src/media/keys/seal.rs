//! Owns the secret of one set and its envelope: made once for the recipients, opened by any of
//! them. Must not read devices.

use std::fmt;
use std::io::{Read, Write};
use std::sync::Arc;

use age::secrecy::{ExposeSecret, ExposeSecretMut, SecretBox, SecretString};
use aws_lc_rs::aead::{Aad, Nonce};

use super::KeyError;
use super::aead::{PackKey, TAG, cipher};
use super::layout::{LONGEST_ENVELOPE, SALT};

const FORMAT: &str = "planc-seal/1";
const PACK: &str = "planc-seal/1 pack";
const OBJECT: &str = "planc-seal/1 object";

/// Longest text inside an envelope.
const LONGEST_TEXT: u64 = 4096;

/// Seals and opens everything of one set. Cloning shares the secret.
#[derive(Clone)]
pub struct Seal(Arc<Inner>);

struct Inner {
    secret: SecretBox<[u8; 32]>,
    set: String,
    run: String,
    bound: [u8; 32],
    envelope: Vec<u8>,
    recipients: Vec<String>,
}

impl fmt::Debug for Seal {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "Seal({})", self.0.set)
    }
}

impl PartialEq for Seal {
    fn eq(&self, other: &Self) -> bool {
        self.0.envelope == other.0.envelope
    }
}

impl Eq for Seal {}

impl Seal {
    /// A fresh secret for a set, wrapped for all recipients.
    ///
    /// # Errors
    /// When there is no recipient or no randomness.
    pub fn fresh(
        recipients: &[age::x25519::Recipient],
        set: &str,
        run: &str,
    ) -> Result<Self, KeyError> {
        if set.contains('\n') || run.contains('\n') {
            return Err(KeyError::Failed("an id has more than one line".into()));
        }
        let mut secret = SecretBox::new(Box::new([0; 32]));
        let filled = aws_lc_rs::rand::fill(secret.expose_secret_mut());
        filled.map_err(|_| KeyError::Failed("no random numbers".into()))?;
        let mut seal = Inner {
            secret,
            set: set.to_owned(),
            run: run.to_owned(),
            bound: bound(set, run),
            envelope: Vec::new(),
            recipients: recipients.iter().map(ToString::to_string).collect(),
        };
        seal.envelope = wrap(seal.text().expose_secret().as_bytes(), recipients)?;
        if seal.envelope.len() > LONGEST_ENVELOPE {
            return Err(KeyError::Failed("there are too many recipients".into()));
        }
        Ok(Self(Arc::new(seal)))
    }

    /// Opens an envelope.
    ///
    /// # Errors
    /// [`KeyError::NoMatch`] when none of the identities opens it, [`KeyError::Damaged`].
    pub fn open(envelope: &[u8], identities: &[age::x25519::Identity]) -> Result<Self, KeyError> {
        let text = unwrap(envelope, identities, LONGEST_TEXT)?;
        Self::from_text(text.expose_secret(), envelope)
    }

    /// Reads the three lines of an envelope's text.
    pub(super) fn from_text(text: &[u8], envelope: &[u8]) -> Result<Self, KeyError> {
        let foreign = || KeyError::Damaged("its envelope holds no seal of this version".into());
        let text = std::str::from_utf8(text).map_err(|_| foreign())?;
        let mut lines = text.lines();
        let mut word = |name: &str| {
            let line = lines.next().and_then(|line| line.strip_prefix(name));
            line.and_then(|line| line.strip_prefix(' '))
                .ok_or_else(foreign)
        };
        let (hex, set, run) = (word(FORMAT)?, word("set")?, word("run")?);
        // a hash is 32 bytes in hex digits, as the secret is
        let secret = blake3::Hash::from_hex(hex).map_err(|_| foreign())?;
        Ok(Self(Arc::new(Inner {
            secret: SecretBox::new(Box::new(*secret.as_bytes())),
            set: set.to_owned(),
            run: run.to_owned(),
            bound: bound(set, run),
            envelope: envelope.to_vec(),
            recipients: Vec::new(),
        })))
    }

    /// The text of an envelope, for those who wrap it once more.
    pub(super) fn text(&self) -> SecretString {
        self.0.text()
    }

    /// The same seal with the envelope that it stands for.
    pub(super) fn with_envelope(&self, envelope: &[u8]) -> Self {
        let inner = &self.0;
        Self(Arc::new(Inner {
            secret: SecretBox::new(Box::new(*inner.secret.expose_secret())),
            set: inner.set.clone(),
            run: inner.run.clone(),
            bound: inner.bound,
            envelope: envelope.to_vec(),
            recipients: inner.recipients.clone(),
        }))
    }

    /// The age file that stands in every object of the set.
    #[must_use]
    pub fn envelope(&self) -> &[u8] {
        &self.0.envelope
    }

    /// Whom it was made for; empty when it was opened.
    #[must_use]
    pub fn recipients(&self) -> &[String] {
        &self.0.recipients
    }

    /// True when it was made for this set and run.
    #[must_use]
    pub fn is_of(&self, set: &str, run: &str) -> bool {
        self.0.set == set && self.0.run == run
    }

    /// Id of the set.
    #[must_use]
    pub fn set(&self) -> &str {
        &self.0.set
    }

    /// The key of pack number `pack` of the part.
    ///
    /// # Errors
    /// When the cipher refuses the key.
    pub fn pack(&self, pack: u64) -> Result<PackKey, KeyError> {
        let key = self.0.derive(PACK, &pack.to_le_bytes());
        PackKey::new(key.expose_secret(), pack, self.0.bound)
    }

    /// The salt of an object with this plaintext.
    pub(in crate::media) fn salt(&self, plain: &[u8]) -> [u8; SALT] {
        let hash = blake3::keyed_hash(self.0.secret.expose_secret(), plain);
        let mut salt = [0; SALT];
        salt.copy_from_slice(&hash.as_bytes()[..SALT]);
        salt
    }

    /// Seals an object's plaintext in place and adds the tag; `around` is all that stands before.
    pub(in crate::media) fn seal_object(
        &self,
        salt: [u8; SALT],
        around: &[u8],
        bytes: &mut Vec<u8>,
    ) -> Result<(), KeyError> {
        let key = cipher(self.0.derive(OBJECT, &salt).expose_secret())?;
        let sealed = key.seal_in_place_append_tag(zero(), Aad::from(around), bytes);
        sealed.map_err(|_| KeyError::Failed("the cipher refused its input".into()))
    }

    /// Opens what [`Seal::seal_object`] made.
    pub(in crate::media) fn open_object(
        &self,
        salt: [u8; SALT],
        around: &[u8],
        bytes: &mut Vec<u8>,
    ) -> Result<(), KeyError> {
        let key = cipher(self.0.derive(OBJECT, &salt).expose_secret())?;
        let opened = key.open_in_place(zero(), Aad::from(around), bytes);
        let length = opened.map(|plain| plain.len());
        let length = length.map_err(|_| KeyError::Damaged("its seal is broken".into()))?;
        debug_assert_eq!(length + TAG, bytes.len());
        bytes.truncate(length);
        if self.salt(bytes) == salt {
            Ok(())
        } else {
            Err(KeyError::Damaged(
                "its salt is not that of its content".into(),
            ))
        }
    }
}

impl Inner {
    fn text(&self) -> SecretString {
        let hex = blake3::Hash::from_bytes(*self.secret.expose_secret()).to_hex();
        format!("{FORMAT} {hex}\nset {}\nrun {}\n", self.set, self.run).into()
    }

    fn derive(&self, context: &str, more: &[u8]) -> SecretBox<[u8; 32]> {
        let mut hasher = blake3::Hasher::new_derive_key(context);
        hasher.update(self.secret.expose_secret());
        hasher.update(&self.bound).update(more);
        SecretBox::new(Box::new(*hasher.finalize().as_bytes()))
    }
}

/// Each key seals one object, so one nonce is enough.
fn zero() -> Nonce {
    Nonce::assume_unique_for_key([0; 12])
}

fn bound(set: &str, run: &str) -> [u8; 32] {
    let mut hash = blake3::Hasher::new();
    for word in [set, run] {
        hash.update(&(word.len() as u64).to_le_bytes());
        hash.update(word.as_bytes());
    }
    *hash.finalize().as_bytes()
}

/// A binary age file of a text for these recipients.
pub(super) fn wrap(
    text: &[u8],
    recipients: &[age::x25519::Recipient],
) -> Result<Vec<u8>, KeyError> {
    let each = recipients.iter().map(|one| one as &dyn age::Recipient);
    let encryptor = age::Encryptor::with_recipients(each);
    let encryptor = encryptor.map_err(|cause| KeyError::Failed(cause.to_string()))?;
    let mut file = Vec::new();
    let write = || {
        let mut writer = encryptor.wrap_output(&mut file)?;
        writer.write_all(text)?;
        writer.finish()
    };
    write().map_err(|cause| KeyError::Failed(cause.to_string()))?;
    Ok(file)
}

/// The text of a binary age file.
pub(super) fn unwrap(
    file: &[u8],
    identities: &[age::x25519::Identity],
    longest: u64,
) -> Result<SecretBox<Vec<u8>>, KeyError> {
    let damaged = |cause: &dyn fmt::Display| {
        KeyError::Damaged(format!("its envelope cannot be read: {cause}"))
    };
    let opener = age::Decryptor::new(file).map_err(|cause| damaged(&cause))?;
    let each = identities.iter().map(|one| one as &dyn age::Identity);
    let reader = match opener.decrypt(each) {
        Ok(reader) => reader,
        Err(age::DecryptError::NoMatchingKeys) => return Err(KeyError::NoMatch(String::new())),
        Err(cause) => return Err(damaged(&cause)),
    };
    let mut text = SecretBox::new(Box::new(Vec::new()));
    let into: &mut Vec<u8> = text.expose_secret_mut();
    let read = reader.take(longest + 1).read_to_end(into);
    read.map_err(|cause| damaged(&cause))?;
    if into.len() as u64 > longest {
        return Err(damaged(&"it is too long"));
    }
    Ok(text)
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use super::*;

    #[test]
    fn any_recipient_opens_an_envelope_and_nobody_else() {
        let holders: Vec<_> = (0..3).map(|_| age::x25519::Identity::generate()).collect();
        let recipients: Vec<_> = holders
            .iter()
            .map(age::x25519::Identity::to_public)
            .collect();
        let seal = Seal::fresh(&recipients, "part-1", "run-1").unwrap();
        for holder in &holders {
            let opened = Seal::open(seal.envelope(), std::slice::from_ref(holder)).unwrap();
            assert!(opened.is_of("part-1", "run-1"));
            assert_eq!(opened, seal);
            let mut bytes = b"text".to_vec();
            let salt = seal.salt(&bytes);
            seal.seal_object(salt, b"around", &mut bytes).unwrap();
            assert_ne!(&bytes[..4], b"text");
            let mut other = bytes.clone();
            assert!(opened.open_object(salt, b"other", &mut other).is_err());
            opened.open_object(salt, b"around", &mut bytes).unwrap();
            assert_eq!(bytes, b"text");
        }
        let stranger = age::x25519::Identity::generate();
        let answer = Seal::open(seal.envelope(), &[stranger]);
        assert!(matches!(answer, Err(KeyError::NoMatch(_))));
        assert!(Seal::fresh(&[], "part-1", "run-1").is_err());
        assert!(!format!("{seal:?}").contains("planc-seal"));
    }

    #[test]
    fn every_bit_of_an_envelope_counts_or_changes_nothing() {
        let holder = age::x25519::Identity::generate();
        let seal = Seal::fresh(&[holder.to_public()], "p", "r").unwrap();
        for bit in 0..seal.envelope().len() * 8 {
            let mut bytes = seal.envelope().to_vec();
            bytes[bit / 8] ^= 1 << (bit % 8);
            let opened = Seal::open(&bytes, std::slice::from_ref(&holder));
            assert!(opened.is_err(), "bit {bit}");
        }
    }
}
