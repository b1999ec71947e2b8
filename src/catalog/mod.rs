//! What copies exist, as a cache in embedded SQLite (R16): everything in it can be rebuilt from
//! any one complete device, to an equal canonical dump.

mod owner;
mod rebuild;
mod record;
mod replica;
mod report;
mod schema;
mod shared;
mod store;

use std::path::Path;

pub use self::owner::{Belongings, Owner};
pub use self::record::PartRecord;
pub use self::report::Question;
pub use self::shared::{Connector, SharedSpec};
use self::store::Store;
use crate::media::DeviceError;

/// What goes wrong with the catalog.
#[derive(Debug, thiserror::Error)]
pub enum CatalogError {
    /// SQLite refused.
    #[error("catalog {path}: {cause}")]
    Sqlite {
        /// The file.
        path: String,
        /// The answer.
        cause: String,
    },
    /// The file is damaged or is no catalog.
    #[error("catalog {path} cannot be used: {detail}")]
    Unusable {
        /// The file.
        path: String,
        /// Why.
        detail: String,
    },
    /// A device answers to a name under which another one is known.
    #[error("device {device} is another device than before: expected {expected}, found {found}")]
    OtherDevice {
        /// Name.
        device: String,
        /// Known UUID.
        expected: String,
        /// UUID found.
        found: String,
    },
    /// The server of a shared catalog fails.
    #[error("the shared catalog: {cause}")]
    Shared {
        /// Its answer.
        cause: String,
    },
    /// Two different parts have one id, as when two hosts wrote copies of one device.
    #[error("device {device} holds another part {part} than is known")]
    OtherPart {
        /// The device.
        device: String,
        /// The id.
        part: String,
    },
    /// Reading a device failed.
    #[error(transparent)]
    Device(#[from] DeviceError),
}

/// The catalog of one plan and environment.
pub struct Catalog {
    store: Store,
}

impl Catalog {
    /// Opens the catalog, or makes an empty one; checks it (R33).
    ///
    /// # Errors
    /// When the file is damaged: the caller proposes `planc catalog rebuild`.
    pub fn open(path: &Path) -> Result<Self, CatalogError> {
        Self::own(Store::open(path, true)?)
    }

    /// As [`Catalog::open`], for a quick look: the file is not read from end to end first.
    ///
    /// # Errors
    /// When the file is no catalog, or damage is met on the way.
    pub fn look(path: &Path) -> Result<Self, CatalogError> {
        Self::own(Store::open(path, false)?)
    }

    /// A catalog that no other host shares.
    fn own(store: Store) -> Result<Self, CatalogError> {
        store.leave()?;
        Ok(Self { store })
    }

    /// As [`Catalog::open`], of a catalog that several hosts share: the file is this host's copy.
    /// `whole` checks all of the file first.
    ///
    /// # Errors
    /// Also [`CatalogError::Shared`].
    pub fn open_shared(path: &Path, whole: bool, spec: SharedSpec) -> Result<Self, CatalogError> {
        let mut store = Store::open(path, whole)?;
        store.join(spec)?;
        Ok(Self { store })
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests;
