//! Owns the keys that copies are sealed with: reading key files, wrapping the secret of a set for
//! its recipients, and the authenticated cipher. Must not know which job uses which key.
//!
//! # What is sealed, and with what
//! A *set* is one part with all its packs, or one log object. Each set has a fresh secret of 32
//! bytes. It is wrapped for all recipients of a key as a binary age file, the *envelope*, which
//! stands in clear text in every object of the set, so that any object can be opened alone:
//! `age -d -i KEYFILE ENVELOPE` prints its three lines
//!
//! ```text
//! planc-seal/1 <64 hex digits: the secret>
//! set <id of the part or log object>
//! run <id of the run; empty for log objects>
//! ```
//!
//! All ciphers are AES-256-GCM with 12 bytes of nonce and a tag of 16 bytes behind the ciphertext.
//! *Bound* is BLAKE3 of: length of the set's id (8 bytes, little-endian), the id, length of the
//! run's id, the id. Keys are made by BLAKE3's key derivation mode from a context and material:
//!
//! - of pack number P of a part: context `planc-seal/1 pack`, material: secret, bound, P (8 bytes);
//! - of a sealed object: context `planc-seal/1 object`, material: secret, bound, salt (16 bytes),
//!   where the salt is the beginning of BLAKE3 keyed with the secret over the plaintext. Equal
//!   objects of a set are equal bytes, and no key ever seals two plaintexts.
//!
//! Nonces follow from the place ([`aead`]); the associated data names type, set, run, pack and
//! frame, so that nothing can be moved, swapped or taken for something else.
//!
//! # Key files
//! A key file is what `age-keygen` writes: lines `AGE-SECRET-KEY-1…`, lines `age1…` for further
//! recipients (other holders, the escrow), and comments after `#`. Copies are sealed for all of
//! them; secret halves below the line `# former` open what was sealed before, and nothing new is
//! sealed for them. A file with `age1…` lines only makes a host that writes copies it cannot read.
//!
//! # Without a key
//! Names of objects, their lengths, ids of sets and the public halves of keys are readable; no
//! content, no file names, no positions. Whoever holds one secret half of a key and one complete
//! device can rebuild the catalog and restore everything sealed for it.

pub mod aead;
pub mod escrow;
pub mod file;
mod keyring;
pub(in crate::media) mod layout;
pub mod rewrap;
mod seal;
mod source;

pub use keyring::{Key, KeyState, Keyring};
pub use seal::Seal;
pub use source::{KeySource, withhold};

/// Why a key or a sealed object cannot be used. Texts are lowercase fragments and never hold
/// secrets.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum KeyError {
    /// No key of this name is declared.
    #[error("no key `{0}` is declared")]
    Unknown(String),
    /// The source of a key gives nothing.
    #[error("key `{key}` cannot be read from {place}: {cause}")]
    Unreadable {
        /// Its name.
        key: String,
        /// Where it was looked for.
        place: String,
        /// The system's answer.
        cause: String,
    },
    /// The source of a key gives something else.
    #[error("key `{key}` in {place} is not a key file: {detail}")]
    Malformed {
        /// Its name.
        key: String,
        /// Where it was read.
        place: String,
        /// How it shows.
        detail: String,
    },
    /// Others may read the secret half.
    #[error("key `{key}` in {place} can be read by others (mode {mode:o})")]
    Exposed {
        /// Its name.
        key: String,
        /// The file.
        place: String,
        /// Its mode.
        mode: u32,
    },
    /// None of the keys opens the envelope.
    #[error("it is sealed for other keys than those at hand{0}")]
    NoMatch(String),
    /// The envelope or what it seals is damaged.
    #[error("{0}")]
    Damaged(String),
    /// The cipher or the random numbers failed.
    #[error("sealing failed: {0}")]
    Failed(String),
}

impl KeyError {
    /// What the operator does next.
    #[must_use]
    pub fn help(&self) -> &'static str {
        match self {
            Self::Unknown(_) => "declare it in the plan: `key NAME from file \"…\"`",
            Self::Unreadable { .. } => {
                "put the key there, for example from its escrow, or name its source in the \
                 inventory under `keys`"
            }
            Self::Malformed { .. } => {
                "make one with `planc key new FILE`; a key file has lines AGE-SECRET-KEY-1… or age1…"
            }
            Self::Exposed { .. } => "run `chmod 600` on it and ask who has read it",
            Self::NoMatch(_) => {
                "bring a secret half that it was sealed for, for example from its escrow, or run it on \
                 a host that has one; `planc key list` shows what is at hand"
            }
            Self::Damaged(_) => "restore from another device and run `planc verify`",
            Self::Failed(_) => "run again; if it repeats, the machine is at fault",
        }
    }
}
