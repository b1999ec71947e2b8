//! Owns names and attributes of the files of a part, and the one encoding of path names.
//! Must not touch the file system.

use std::fmt::Write as _;

use serde::{Deserialize, Serialize};

/// What a file of a part is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "type")]
pub enum EntryKind {
    /// A regular file with content.
    File,
    /// A folder.
    Directory,
    /// A symbolic link.
    Symlink {
        /// Where it points, as stored (bytes outside UTF-8 are percent-encoded).
        target: String,
    },
    /// A further name of an earlier file of this part.
    Hardlink {
        /// Path of that file.
        target: String,
    },
    /// A named pipe.
    Fifo,
    /// A regular file over the one of the same path in the part that this one builds on: what
    /// this part does not have of its content is as it is there.
    Over,
}

/// Path of the root itself, for a part that is a tree: a folder, at most once, before all others.
pub const ROOT: &str = ".";

/// Name and attributes of one file of a part. Paths are relative, `/`-separated, without `.` or
/// `..`, except [`ROOT`] for the folder that the tree hangs in; bytes outside UTF-8 and `%` are
/// percent-encoded.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    /// Path inside the part.
    pub path: String,
    /// What it is.
    #[serde(flatten)]
    pub kind: EntryKind,
    /// Permission bits.
    pub mode: u32,
    /// Owner.
    pub uid: u32,
    /// Group.
    pub gid: u32,
    /// Modification time: seconds and nanoseconds since 1970.
    pub mtime: (i64, u32),
}

/// Bytes of a file name as text: what is not UTF-8, and `%`, is percent-encoded.
#[must_use]
pub fn encode(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len());
    for chunk in bytes.utf8_chunks() {
        text.push_str(&chunk.valid().replace('%', "%25"));
        for byte in chunk.invalid() {
            // writing to a string never fails
            let _ = write!(text, "%{byte:02X}");
        }
    }
    text
}

/// The bytes behind [`encode`]d text.
///
/// # Errors
/// When a `%` is not followed by two hex digits.
pub fn decode(text: &str) -> Result<Vec<u8>, String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&first, tail)) = rest.split_first() {
        if first == b'%' {
            let byte = hex_byte(tail).ok_or_else(|| format!("`{text}` has a stray `%`"))?;
            bytes.push(byte);
            rest = &tail[2..];
        } else {
            bytes.push(first);
            rest = tail;
        }
    }
    Ok(bytes)
}

fn hex_byte(text: &[u8]) -> Option<u8> {
    let digit = |at: usize| char::from(*text.get(at)?).to_digit(16);
    u8::try_from(digit(0)? * 16 + digit(1)?).ok()
}

/// Longest path and longest component that is accepted, in bytes.
const MAX_PATH: usize = 4096;
const MAX_NAME: usize = 255;

/// The components of an entry's path, decoded and proven harmless: relative, without empty
/// components, `.`, `..`, NUL, or a slash that was hidden by the encoding.
///
/// # Errors
/// Says what is wrong with the path.
pub fn components(path: &str) -> Result<Vec<Vec<u8>>, String> {
    if path.len() > MAX_PATH * 3 {
        return Err("the path is too long".to_owned());
    }
    path.split('/').map(|part| component(part, path)).collect()
}

fn component(part: &str, path: &str) -> Result<Vec<u8>, String> {
    let name = decode(part)?;
    let wrong = match name.as_slice() {
        b"" => "has an empty component",
        b"." | b".." => "leaves its folder",
        name if name.contains(&0) => "has a NUL byte",
        name if name.contains(&b'/') => "hides a slash",
        name if name.len() > MAX_NAME => "has a component that is too long",
        _ => return Ok(name),
    };
    Err(format!("path `{}` {wrong}", path.escape_debug()))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn encoding_is_reversible(bytes in proptest::collection::vec(any::<u8>(), 0..40)) {
            prop_assert_eq!(decode(&encode(&bytes)).expect("it works here"), bytes);
        }

        #[test]
        fn any_path_is_judged_without_panic(path in ".*") {
            let _ = components(&path);
        }
    }

    #[test]
    fn hostile_paths_are_refused() {
        for path in [
            "",
            "/",
            "/etc/passwd",
            "a//b",
            "a/../b",
            "..",
            ".",
            "a/.",
            "%2E%2E/x",
        ] {
            assert!(components(path).is_err(), "{path}");
        }
        for path in ["%2Fetc", "a%00b", "a\0b", "%", "%g0", "a/%2e%2e/b"] {
            assert!(components(path).is_err(), "{path}");
        }
        assert!(components(&"x".repeat(256)).is_err());
    }

    #[test]
    fn harmless_paths_pass() {
        let parts = components("a/b%FF/..c").expect("it works here");
        assert_eq!(parts, [b"a".to_vec(), b"b\xff".to_vec(), b"..c".to_vec()]);
    }
}
