//! Owns the keys of one host by name, and which of them opens what. Must not read devices.

use std::collections::BTreeMap;
use std::str::FromStr;
use std::sync::{Mutex, PoisonError};

use age::x25519::{Identity, Recipient};

use super::seal::Seal;
use super::source::{self, KeySource};
use super::{KeyError, rewrap};

/// Most opened seals that are remembered; more cost one more opening each.
const REMEMBERED: usize = 4096;

/// The line of a key file below which keys only open.
const FORMER: &str = "# former";

/// One key: whom it seals for, and the secret halves that are here.
#[derive(Clone, Default)]
pub struct Key {
    recipients: Vec<Recipient>,
    identities: Vec<Identity>,
}

/// A key, or why it cannot be had.
pub type KeyState = Result<Key, KeyError>;

impl Key {
    /// Reads the lines of a key file.
    ///
    /// # Errors
    /// What is wrong with which line, without its text.
    pub fn parse(text: &str) -> Result<Self, String> {
        let (mut key, mut former) = (Self::default(), false);
        for (number, line) in (1..).zip(text.lines()) {
            let line = line.trim();
            if line.is_empty() || line.starts_with('#') {
                former |= line == FORMER;
                continue;
            }
            if let Ok(identity) = Identity::from_str(line) {
                if !former {
                    key.add(identity.to_public());
                }
                key.identities.push(identity);
            } else if let Ok(recipient) = Recipient::from_str(line) {
                if !former {
                    key.add(recipient);
                }
            } else {
                return Err(format!("line {number} is no key"));
            }
        }
        if key.recipients.is_empty() {
            return Err("it holds no key".into());
        }
        Ok(key)
    }

    fn add(&mut self, recipient: Recipient) {
        if !self.recipients.contains(&recipient) {
            self.recipients.push(recipient);
        }
    }

    /// True when a secret half is here.
    #[must_use]
    pub fn can_open(&self) -> bool {
        !self.identities.is_empty()
    }

    /// The public halves that copies are sealed for.
    #[must_use]
    pub fn recipients(&self) -> Vec<String> {
        self.recipients.iter().map(ToString::to_string).collect()
    }

    /// The secret halves.
    pub(super) fn identities(&self) -> &[Identity] {
        &self.identities
    }

    /// The public halves as they are used.
    pub(super) fn halves(&self) -> &[Recipient] {
        &self.recipients
    }
}

/// The keys of a host.
#[derive(Default)]
pub struct Keyring {
    keys: BTreeMap<String, KeyState>,
    opened: Mutex<BTreeMap<[u8; 32], Seal>>,
}

impl Keyring {
    /// No keys.
    #[must_use]
    pub const fn empty() -> Self {
        Self {
            keys: BTreeMap::new(),
            opened: Mutex::new(BTreeMap::new()),
        }
    }

    /// Reads keys from their sources. What cannot be read is told when it is needed.
    #[must_use]
    pub fn read<'a>(sources: impl IntoIterator<Item = (&'a str, KeySource)>) -> Self {
        let sources = sources.into_iter();
        let keys = sources.map(|(name, source)| (name.to_owned(), source::key(name, &source)));
        Self::of(keys.collect())
    }

    /// Keys that were read already.
    #[must_use]
    pub fn of(keys: BTreeMap<String, KeyState>) -> Self {
        Self {
            keys,
            ..Self::default()
        }
    }

    /// Each key by name.
    pub fn keys(&self) -> impl Iterator<Item = (&str, &KeyState)> {
        self.keys.iter().map(|(name, key)| (name.as_str(), key))
    }

    /// A key by name.
    ///
    /// # Errors
    /// When it is not declared or cannot be had.
    pub fn key(&self, name: &str) -> Result<&Key, KeyError> {
        match self.keys.get(name) {
            Some(Ok(key)) => Ok(key),
            Some(Err(error)) => Err(error.clone()),
            None => Err(KeyError::Unknown(name.to_owned())),
        }
    }

    /// A fresh seal for a set, for the recipients of a key.
    ///
    /// # Errors
    /// When the key cannot be had.
    pub fn seal(&self, key: &str, set: &str, run: &str) -> Result<Seal, KeyError> {
        Seal::fresh(self.key(key)?.halves(), set, run)
    }

    /// Opens an envelope with whatever secret half fits.
    ///
    /// # Errors
    /// [`KeyError::NoMatch`] when none does, [`KeyError::Damaged`].
    pub fn open(&self, envelope: &[u8]) -> Result<Seal, KeyError> {
        let id = rewrap::id_of(envelope);
        if let Some(seal) = self.opened().get(&id) {
            // one that came from a rewrapped secret does not know its envelope
            return Ok(seal.with_envelope(envelope));
        }
        let seal = Seal::open(envelope, &self.identities()).map_err(|error| match error {
            KeyError::NoMatch(_) => KeyError::NoMatch(self.missing()),
            error => error,
        })?;
        self.remember(id, seal.clone());
        Ok(seal)
    }

    /// All secret halves that are here.
    pub(super) fn identities(&self) -> Vec<Identity> {
        let keys = self.keys.values().flatten();
        keys.flat_map(|key| key.identities.iter().cloned())
            .collect()
    }

    /// Remembers an opened seal by the id of its envelope.
    pub(super) fn remember(&self, id: [u8; 32], seal: Seal) {
        let mut opened = self.opened();
        if opened.len() >= REMEMBERED {
            opened.clear();
        }
        opened.insert(id, seal);
    }

    /// Whether an envelope with this id was opened before.
    pub(super) fn remembered(&self, id: &[u8; 32]) -> Option<Seal> {
        self.opened().get(id).cloned()
    }

    fn opened(&self) -> std::sync::MutexGuard<'_, BTreeMap<[u8; 32], Seal>> {
        self.opened.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What is known of keys that are not here, as the end of a sentence.
    fn missing(&self) -> String {
        let mut words = Vec::new();
        for (name, key) in &self.keys {
            match key {
                Ok(key) if key.can_open() => {}
                Ok(_) => words.push(format!("only the public half of `{name}` is here")),
                Err(error) => words.push(error.to_string()),
            }
        }
        if words.is_empty() {
            return String::new();
        }
        format!(" ({})", words.join("; "))
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use age::secrecy::ExposeSecret;

    use super::*;

    fn ring(text: &str) -> Keyring {
        let key = Key::parse(text).unwrap();
        Keyring::of(BTreeMap::from([("k".to_owned(), Ok(key))]))
    }

    #[test]
    fn a_public_half_seals_what_only_the_secret_half_opens() {
        let identity = Identity::generate();
        let public = ring(&format!("# a comment\n{}\n", identity.to_public()));
        let secret = ring(identity.to_string().expose_secret());
        let seal = public.seal("k", "set", "run").unwrap();
        let refused = public.open(seal.envelope()).unwrap_err();
        assert!(refused.to_string().contains("only the public half of `k`"));
        assert!(secret.open(seal.envelope()).unwrap().is_of("set", "run"));
        assert!(secret.open(seal.envelope()).is_ok(), "from memory");
        assert!(matches!(
            secret.seal("x", "", ""),
            Err(KeyError::Unknown(_))
        ));
    }

    #[test]
    fn a_former_key_opens_but_nothing_is_sealed_for_it() {
        let (old, new) = (Identity::generate(), Identity::generate());
        let halves = [&new, &old].map(Identity::to_string);
        let [first, second] = halves.each_ref().map(ExposeSecret::expose_secret);
        let rotated = ring(&format!("{first}\n# former\n{second}\n"));
        let before = ring(second).seal("k", "set", "run").unwrap();
        rotated.open(before.envelope()).unwrap();
        let after = rotated.seal("k", "set", "run").unwrap();
        assert!(ring(second).open(after.envelope()).is_err());
        assert!(Key::parse(&format!("# former\n{second}")).is_err());
    }

    #[test]
    fn what_is_no_key_is_refused_without_repeating_it() {
        for text in ["", "# only a comment", "AGE-SECRET-KEY-1WRONG", "hunter2"] {
            let Err(refused) = Key::parse(text) else {
                panic!("{text}");
            };
            assert!(!refused.contains("WRONG") && !refused.contains("hunter2"));
        }
    }
}
