//! Owns how a hash is written in a row of a manifest: 64 hex digits, or nothing where there is
//! none. In memory it is its 32 bytes, because a manifest may have as many as the part has files.

use std::fmt;

use blake3::Hash;
use serde::de::{Error, Visitor};
use serde::{Deserializer, Serializer};

pub(super) fn serialize<S: Serializer>(hash: &Hash, to: S) -> Result<S::Ok, S::Error> {
    to.serialize_str(&hash.to_hex())
}

pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Hash, D::Error> {
    from.deserialize_str(Digits)
}

struct Digits;

impl Visitor<'_> for Digits {
    type Value = Hash;

    fn expecting(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        to.write_str("a hash of 64 hex digits")
    }

    fn visit_str<E: Error>(self, digits: &str) -> Result<Hash, E> {
        let hash = Hash::from_hex(digits);
        hash.map_err(|_| E::invalid_value(serde::de::Unexpected::Str(digits), &self))
    }
}

/// Of what may have none.
pub(super) mod optional {
    use super::{Deserializer, Digits, Error, Hash, Serializer, Visitor, fmt};

    #[expect(clippy::ref_option, reason = "serde calls it so")]
    pub(in crate::media) fn serialize<S: Serializer>(
        hash: &Option<Hash>,
        to: S,
    ) -> Result<S::Ok, S::Error> {
        match hash {
            Some(hash) => super::serialize(hash, to),
            None => to.serialize_str(""),
        }
    }

    pub(in crate::media) fn deserialize<'de, D: Deserializer<'de>>(
        from: D,
    ) -> Result<Option<Hash>, D::Error> {
        from.deserialize_str(OrNothing)
    }

    struct OrNothing;

    impl Visitor<'_> for OrNothing {
        type Value = Option<Hash>;

        fn expecting(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
            to.write_str("a hash of 64 hex digits, or nothing")
        }

        fn visit_str<E: Error>(self, digits: &str) -> Result<Option<Hash>, E> {
            match digits {
                "" => Ok(None),
                _ => Digits.visit_str(digits).map(Some),
            }
        }
    }
}
