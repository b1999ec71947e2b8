//! Owns the fields of a library of volumes in the inventory: what keeps the volumes and when one
//! is not used again.

use super::fields::{Fields, Reader};
use crate::diagnostic::{Code, Diagnostic};
use crate::yaml::{Entry, Value};

pub(super) const LIBRARY: &[&str] = &["folder", "drives", "changer", "most_errors", "most_mounts"];

/// A library of volumes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Library {
    /// Folder of files that are volumes.
    pub folder: Option<String>,
    /// Tape drives that do not rewind when they are closed.
    pub drives: Vec<String>,
    /// The robot that loads them.
    pub changer: Option<String>,
    /// After so many errors a volume is not used again.
    pub most_errors: Option<u32>,
    /// After it was loaded so often a volume is not used again.
    pub most_mounts: Option<u32>,
}

/// The library of a device.
pub(super) fn read(fields: Fields<'_>, reader: &mut Reader<'_>) -> Option<Library> {
    let entry = fields.find("library")?;
    let own = reader.fields(&entry.value, "`library`", LIBRARY);
    let library = Library {
        folder: own.text("folder", reader),
        drives: drives(own, reader),
        changer: own.text("changer", reader),
        most_errors: own.count("most_errors", reader),
        most_mounts: own.count("most_mounts", reader),
    };
    let files = library.folder.is_some() && library.drives.is_empty() && library.changer.is_none();
    let tapes = library.folder.is_none() && !library.drives.is_empty() && library.changer.is_some();
    if files || tapes {
        return Some(library);
    }
    one_kind(entry, reader);
    None
}

fn one_kind(entry: &Entry, reader: &mut Reader<'_>) {
    let message = "a library is a `folder` of files, or tape `drives` with a `changer`";
    let help =
        "write `library: {folder: PATH}` or `library: {drives: [/dev/nst0], changer: /dev/sg1}`";
    let finding = Diagnostic::new(Code(1101), message, entry.key_span, "");
    reader.refuse(finding.help(help));
}

/// A list of paths, or one.
fn drives(fields: Fields<'_>, reader: &mut Reader<'_>) -> Vec<String> {
    let Some(entry) = fields.find("drives") else {
        return Vec::new();
    };
    match &entry.value.value {
        Value::List(items) => items
            .iter()
            .filter_map(|item| reader.text_of("drives", item))
            .collect(),
        _ => reader.text_of("drives", &entry.value).into_iter().collect(),
    }
}
