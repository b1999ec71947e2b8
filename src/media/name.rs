//! Owns the names of objects on a device. Must not read or write devices.
//!
//! A name is relative, its components separated by `/` and made of `[a-z0-9._-]`. Words of people
//! (services, parts) are escaped: any other byte, and `_` itself, becomes `_` and two hex digits.

use std::fmt::Write as _;

use crate::facts::holdings::Position;

/// Longest name a device must take, in bytes.
pub const LONGEST: usize = 512;

/// Folder of all packs.
pub const PACKS: &str = "packs/";

/// Folder of all manifests.
pub const PARTS: &str = "parts/";

/// Folder of all log objects.
pub const LOGS: &str = "logs/";

/// Folder of all tails: pieces of log ranges that are not finished.
pub const TAILS: &str = "tails/";

/// Folder of all tombstones: objects that say which others are to be deleted.
pub const TOMBS: &str = "tombs/";

/// Most numbers that are tried; more damage to one name is no accident.
pub const MOST_NUMBERS: u32 = 99;

/// Folder of the run logs.
pub const RUNS: &str = "runs/";

/// Ends the name of a manifest.
pub const MANIFEST: &str = ".manifest";

/// A pack, by the BLAKE3 of all its bytes: equal bytes get equal names.
#[must_use]
pub fn pack(hash: &blake3::Hash) -> String {
    let hex = hash.to_hex();
    format!("{PACKS}{}/{hex}", &hex[..2])
}

/// The manifest of a part.
#[must_use]
pub fn manifest(part: &str) -> String {
    format!("{PARTS}{}{MANIFEST}", escape(part))
}

/// The 16 hex digits that stand for one history of one source in names of log objects.
#[must_use]
pub fn chain(identity: &str, incarnation: &str) -> String {
    let mut hash = blake3::Hasher::new();
    for word in [identity, incarnation] {
        hash.update(&(word.len() as u64).to_le_bytes());
        hash.update(word.as_bytes());
    }
    hash.finalize().to_hex()[..16].to_owned()
}

/// A log object, by where it begins: two ranges that begin at one place meet under one name, and
/// names sort in the order of the log.
#[must_use]
pub fn log(service: &str, identity: &str, from: &Position) -> String {
    let chain = chain(identity, &from.incarnation);
    format!("{LOGS}{}/{chain}/{:020}", escape(service), from.value)
}

/// A piece of a log range that is not finished, by where it begins and ends. It stands apart from
/// the range that holds its content later.
#[must_use]
pub fn tail(service: &str, identity: &str, from: &Position, until: u64) -> String {
    let chain = chain(identity, &from.incarnation);
    let service = escape(service);
    format!("{TAILS}{service}/{chain}/{:020}-{until:020}", from.value)
}

/// The name of the log object with this id ([`super::manifest::LogRecord::log`]); none when the
/// id is not well formed.
#[must_use]
pub fn log_of_id(id: &str) -> Option<String> {
    let mut words = id.rsplitn(4, '.');
    let _content = words.next()?;
    let place = words.next()?;
    let chain = words.next()?;
    let service = words.next()?;
    let name = match place.split_once('-') {
        None => format!("{LOGS}{service}/{chain}/{:020}", place.parse::<u64>().ok()?),
        Some((from, until)) => {
            let (from, until) = (from.parse::<u64>().ok()?, until.parse::<u64>().ok()?);
            format!("{TAILS}{service}/{chain}/{from:020}-{until:020}")
        }
    };
    is_valid(&name).then_some(name)
}

/// Where a tail begins and ends, by its name; none when the name is no tail's.
#[must_use]
pub fn tail_range(object: &str) -> Option<(u64, u64)> {
    let place = object.strip_prefix(TAILS)?.rsplit('/').next()?;
    let (from, until) = place.split_once('-')?;
    Some((from.parse().ok()?, until.parse().ok()?))
}

/// Whether this is the id of a tail.
#[must_use]
pub fn is_tail(id: &str) -> bool {
    log_of_id(id).is_some_and(|name| name.starts_with(TAILS))
}

/// The name that is taken when damaged objects block a name and the numbers before: the name
/// itself for 0, else the name with the number.
#[must_use]
pub fn numbered(name: &str, number: u32) -> String {
    match number {
        0 => name.to_owned(),
        number => format!("{name}.{number}"),
    }
}

/// Whether an object's name is this one, with a number or without.
#[must_use]
pub fn is_numbered(object: &str, name: &str) -> bool {
    let rest = object.strip_prefix(name);
    rest.is_some_and(|rest| {
        let number = rest.strip_prefix('.').and_then(|text| text.parse().ok());
        rest.is_empty() || number.is_some_and(|number| numbered(name, number) == object)
    })
}

/// The tombstone of a part or log range.
#[must_use]
pub fn tomb(object: &str) -> String {
    let name = format!("{TOMBS}{}", escape(object));
    if is_valid(&name) {
        return name;
    }
    // the longest ids do not fit a component; the tombstone says the id itself
    format!("{TOMBS}{}", blake3::hash(object.as_bytes()).to_hex())
}

/// The folder of the run log of a plan and environment.
#[must_use]
pub fn runs(owner: &str) -> String {
    format!("{RUNS}{}/", escape(owner))
}

/// An entry of a run log, by its number.
#[must_use]
pub fn run(owner: &str, number: u64) -> String {
    format!("{}{number:020}", runs(owner))
}

/// The name without the number of a replacement: `x.1` was written because `x` is damaged. No
/// plain name of a pack, manifest or log object ends so.
#[must_use]
pub fn plain(object: &str) -> &str {
    split(object).0
}

/// A name without its number, and the number; 0 when it has none.
#[must_use]
pub fn split(object: &str) -> (&str, u32) {
    let parted = object.rsplit_once('.');
    let numbered = parted.and_then(|(plain, number)| Some((plain, number.parse().ok()?)));
    numbered.unwrap_or((object, 0))
}

/// Makes a component of a name from any text; different texts give different components.
#[must_use]
pub fn escape(text: &str) -> String {
    let mut name = String::with_capacity(text.len());
    for (index, byte) in text.bytes().enumerate() {
        match byte {
            b'a'..=b'z' | b'0'..=b'9' | b'-' => name.push(char::from(byte)),
            b'.' if index > 0 => name.push('.'),
            _ => {
                // writing to a String cannot fail
                let _ = write!(name, "_{byte:02x}");
            }
        }
    }
    name
}

/// Whether a device takes the name.
#[must_use]
pub fn is_valid(name: &str) -> bool {
    name.len() <= LONGEST && name.split('/').all(is_component)
}

fn is_component(text: &str) -> bool {
    !text.is_empty()
        && text.len() <= 255
        && !text.starts_with('.')
        && text
            .bytes()
            .all(|byte| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'.' | b'_' | b'-'))
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use super::*;

    #[test]
    fn words_of_people_become_components() {
        assert_eq!(escape("Shop DB"), "_53hop_20_44_42");
        assert_eq!(escape("../x"), "_2e._2fx");
        assert_ne!(escape("a_b"), escape("a_5fb"));
        assert!(is_valid(&manifest("../../etc/passwd")));
    }

    #[test]
    fn a_range_and_its_tail_have_names_of_their_own() {
        let from = Position {
            incarnation: "1".to_owned(),
            value: 16,
        };
        let id = |place: &str| format!("shop.{}.{place}.0123", chain("7", "1"));
        assert_eq!(log_of_id(&id("16")).unwrap(), log("shop", "7", &from));
        assert_eq!(
            log_of_id(&id("16-20")).unwrap(),
            tail("shop", "7", &from, 20)
        );
        let tail = tail("shop", "7", &from, 20);
        assert_eq!(tail_range(&tail), Some((16, 20)));
        assert_eq!(tail_range(&log("shop", "7", &from)), None);
        assert!(is_tail(&id("16-20")) && !is_tail(&id("16")));
        for place in ["", "-", "16-", "-20", "16-20-24", "x"] {
            assert_eq!(log_of_id(&id(place)), None, "{place}");
        }
    }

    #[test]
    fn unsafe_names_are_refused() {
        for name in [
            "", "/", "a//b", "../a", "a/..", ".a", "A", "a b", "a/./b", "a\0",
        ] {
            assert!(!is_valid(name), "{name:?}");
        }
        assert!(is_valid("packs/ab/0123"));
    }

    #[test]
    fn numbers_are_told_from_other_endings() {
        let is = |object| is_numbered(object, "logs/a/b/01");
        assert!(is("logs/a/b/01") && is("logs/a/b/01.1") && is("logs/a/b/01.12"));
        for other in [
            "logs/a/b/011",
            "logs/a/b/01.",
            "logs/a/b/01.x",
            "logs/a/b/01.01",
        ] {
            assert!(!is(other), "{other}");
        }
        assert!(!is("logs/a/b/01.0"), "the name itself has no number");
    }

    #[test]
    fn a_log_is_found_by_its_id() {
        let from = Position {
            incarnation: "i".into(),
            value: 412,
        };
        let id = format!("{}.{}.412.00ff", escape("my.Shop"), chain("id", "i"));
        assert_eq!(log_of_id(&id), Some(log("my.Shop", "id", &from)));
        assert_eq!(log_of_id("nothing"), None);
        assert_eq!(log_of_id("../../x.y.1.z"), None);
    }
}
