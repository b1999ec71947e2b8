//! Owns the claim of a bucket: who it is, and to which plan it belongs.

use object_store::{GetOptions, ObjectStore as _};
use serde::{Deserialize, Serialize};

use super::runtime::wait;
use super::{Bucket, failure, upload};
use crate::media::directory::new_uuid;
use crate::media::{DeviceError, Put};

/// Name of the claim.
pub(super) const FILE: &str = "planc-device";

const FORMAT: &str = "planc-device/1";

/// Longest claim.
const LONGEST: usize = 4096;

/// What a claim says.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Identity {
    format: String,
    /// Its UUID.
    pub(super) uuid: String,
    /// The plan and environment that it belongs to.
    pub(super) plan: String,
}

/// Whether there is surely no claim: the store answers, and has no such object.
pub(super) fn is_absent(bucket: &Bucket) -> Result<bool, DeviceError> {
    Ok(raw(bucket)?.is_none())
}

fn raw(bucket: &Bucket) -> Result<Option<Vec<u8>>, DeviceError> {
    let path = bucket.path(FILE)?;
    let store = &bucket.stores.patient;
    let read = async {
        store
            .get_opts(&path, GetOptions::default())
            .await?
            .bytes()
            .await
    };
    match wait(read) {
        Ok(bytes) => Ok(Some(bytes.into())),
        Err(object_store::Error::NotFound { .. }) => Ok(None),
        Err(cause) => Err(failure::of(bucket, "read", FILE, &cause)),
    }
}

/// Reads the claim.
pub(super) fn read(bucket: &Bucket) -> Result<Identity, DeviceError> {
    let Some(bytes) = raw(bucket)? else {
        return Err(bucket.foreign(format!("there is no such bucket, or it has no `{FILE}`")));
    };
    let found = (bytes.len() <= LONGEST)
        .then(|| serde_json::from_slice::<Identity>(&bytes).ok())
        .flatten();
    match found {
        Some(identity) if identity.format == FORMAT => Ok(identity),
        Some(identity) => {
            let format = identity.format;
            Err(bucket.foreign(format!("`{FILE}` has the unknown format `{format}`")))
        }
        None => Err(bucket.foreign(format!("`{FILE}` cannot be read"))),
    }
}

/// Writes a new claim; when two claim at once, the second one loses.
pub(super) fn claim(bucket: &Bucket, owner: &str) -> Result<String, DeviceError> {
    let uuid = new_uuid().map_err(|cause| bucket.io("create", FILE, &cause.to_string()))?;
    let identity = Identity {
        format: FORMAT.to_owned(),
        uuid,
        plan: owner.to_owned(),
    };
    let text = serde_json::to_vec(&identity)
        .map_err(|cause| bucket.io("create", FILE, &cause.to_string()))?;
    match upload::put_at(bucket, FILE, &bucket.path(FILE)?, &text)? {
        Put::Created => Ok(identity.uuid),
        Put::Same => Err(bucket.foreign("somebody else claims it at this moment".into())),
    }
}
