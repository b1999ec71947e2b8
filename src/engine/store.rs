//! Owns small documents in a state folder: replaced as a whole, durable when `save` returns, and
//! never read when damaged. Must not know what they mean.

use std::fmt::Write as _;
use std::fs::{self, File};
use std::io::{ErrorKind, Write};
use std::path::Path;

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::EngineError;
use crate::durable;

/// Largest document that is read.
const MAX_BYTES: u64 = 64 << 20;

/// Creates a state folder, readable by its owner only.
pub(super) fn create_folder(folder: &Path) -> Result<(), EngineError> {
    durable::make_folder(folder, durable::PRIVATE).map_err(EngineError::io("create", folder))
}

/// Replaces `folder/name`.
pub(super) fn save<T: Serialize>(folder: &Path, name: &str, value: &T) -> Result<(), EngineError> {
    let body = serde_json::to_string(value)
        .map_err(|error| EngineError::refused(format!("write {name}"), error.to_string()))?;
    let sum = blake3::hash(body.as_bytes()).to_hex();
    save_bytes(folder, name, format!("{body}\n{sum}\n").as_bytes())
}

/// Replaces `folder/name` by raw bytes in the same way.
pub(super) fn save_bytes(folder: &Path, name: &str, bytes: &[u8]) -> Result<(), EngineError> {
    create_folder(folder)?;
    let path = folder.join(name);
    durable::replace(&path, |file| file.write_all(bytes)).map_err(EngineError::io("write", &path))
}

/// Reads `folder/name`; none when there is no such file for sure.
///
/// # Errors
/// [`EngineError::Damaged`] when the content is not what was saved.
pub(super) fn load<T: DeserializeOwned>(
    folder: &Path,
    name: &str,
) -> Result<Option<T>, EngineError> {
    let path = folder.join(name);
    let length = match fs::metadata(&path) {
        Ok(meta) => meta.len(),
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(EngineError::io("read", path)(error)),
    };
    let damaged = |detail: String| EngineError::Damaged {
        what: path.display().to_string(),
        detail,
    };
    if length > MAX_BYTES {
        return Err(damaged(format!("{length} bytes are more than it can have")));
    }
    let text = fs::read_to_string(&path).map_err(EngineError::io("read", &path))?;
    let body = checked(&text).ok_or_else(|| damaged("its checksum is wrong".to_owned()))?;
    serde_json::from_str(body)
        .map(Some)
        .map_err(|error| damaged(error.to_string()))
}

fn checked(text: &str) -> Option<&str> {
    let (body, sum) = text.strip_suffix('\n')?.rsplit_once('\n')?;
    (blake3::hash(body.as_bytes()).to_hex().as_str() == sum).then_some(body)
}

/// A new random id of 32 hex digits.
pub(super) fn random_id() -> Result<String, EngineError> {
    use std::io::Read;
    let mut bytes = [0_u8; 16];
    File::open("/dev/urandom")
        .and_then(|mut file| file.read_exact(&mut bytes))
        .map_err(EngineError::io("read", "/dev/urandom"))?;
    Ok(hex(&bytes))
}

/// Bytes as hex digits.
pub(super) fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        // writing to a string never fails
        let _ = write!(text, "{byte:02x}");
        text
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_saved_is_loaded() {
        let folder = tempfile::tempdir().expect("it works here");
        save(folder.path(), "a", &vec![1, 2, 3]).expect("it works here");
        save(folder.path(), "a", &vec![4]).expect("it works here");
        let loaded: Option<Vec<u32>> = load(folder.path(), "a").expect("it works here");
        assert_eq!(loaded, Some(vec![4]));
        let none: Option<Vec<u32>> = load(folder.path(), "b").expect("it works here");
        assert_eq!(none, None);
    }

    #[test]
    fn damage_at_every_byte_is_noticed() {
        let folder = tempfile::tempdir().expect("it works here");
        save(folder.path(), "a", &"hello").expect("it works here");
        let path = folder.path().join("a");
        let good = fs::read(&path).expect("it works here");
        for at in 0..good.len() {
            let mut bad = good.clone();
            bad[at] ^= 1;
            fs::write(&path, &bad).expect("it works here");
            assert!(load::<String>(folder.path(), "a").is_err(), "byte {at}");
            fs::write(&path, &good[..at]).expect("it works here");
            assert!(load::<String>(folder.path(), "a").is_err(), "cut {at}");
        }
    }
}
