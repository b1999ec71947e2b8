//! Owns what of a stopped source can be put back where it was.

use std::path::PathBuf;

/// What is lost of a source.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Lost {
    /// One component.
    Component {
        /// Its key.
        component: String,
        /// Where it goes instead of its old place.
        place: Option<PathBuf>,
    },
    /// Some of a component's files, or pages of them, in the engine's own words.
    Files {
        /// The component's key.
        component: String,
        /// The files.
        files: Vec<String>,
    },
    /// Nobody knows: whatever differs from the copies.
    Differing,
}

impl std::fmt::Display for Lost {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Component { component, .. } => out.write_str(component),
            Self::Files { component, files } => {
                write!(out, "{} of {component}", files.join(" and "))
            }
            Self::Differing => out.write_str("what differs from the copies"),
        }
    }
}
