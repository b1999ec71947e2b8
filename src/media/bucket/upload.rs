//! Owns writing to a bucket: conditional put, looking first where a store has none, and uploads in
//! parts with a note beside the stage, so that none is left behind by a crash.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use object_store::multipart::PartId;
use object_store::path::Path;
use object_store::{Error, ObjectStore as _, ObjectStoreExt as _, PutMode, PutOptions, PutPayload};
use serde::{Deserialize, Serialize};

use super::runtime::wait;
use super::stage::Staged;
use super::{Bucket, failure};
use crate::media::{DeviceError, Put, name};

/// Length of a part, and of the longest object that is sent in one piece from the stage.
const PART: u64 = 8 << 20;

/// Parts that are on their way at the same time.
const AT_ONCE: usize = 4;

/// Tries of a conditional put.
const TRIES: u32 = 5;

/// Bytes that are compared at a time.
const COMPARE: u64 = 4 << 20;

/// Ends the names of notes about uploads.
const NOTE: &str = ".upload";

static NEXT: AtomicU64 = AtomicU64::new(0);

/// Writes a small object.
pub(super) fn put(bucket: &Bucket, object: &str, bytes: &[u8]) -> Result<Put, DeviceError> {
    let path = bucket.object(object)?;
    put_at(bucket, object, &path, bytes)
}

/// As [`put`], for any path.
pub(super) fn put_at(
    bucket: &Bucket,
    object: &str,
    path: &Path,
    bytes: &[u8],
) -> Result<Put, DeviceError> {
    let put = if bucket.exclusive.load(Ordering::Acquire) {
        conditional(bucket, object, path, bytes)?
    } else {
        looking_first(bucket, object, path, bytes)?
    };
    if put == Put::Created {
        check_size(bucket, object, path, bytes.len() as u64)?;
    }
    Ok(put)
}

/// Lets the store refuse to replace an object. After a try without an answer the object may be
/// there: then its bytes decide.
fn conditional(
    bucket: &Bucket,
    object: &str,
    path: &Path,
    bytes: &[u8],
) -> Result<Put, DeviceError> {
    let payload = PutPayload::from(bytes.to_vec());
    let mut pause = Duration::from_millis(100);
    for tried in 1.. {
        let options = PutOptions::from(PutMode::Create);
        match wait(bucket.stores.once.put_opts(path, payload.clone(), options)) {
            Ok(_) => return Ok(Put::Created),
            Err(Error::AlreadyExists { .. } | Error::Precondition { .. }) => {
                return same(bucket, object, path, bytes);
            }
            Err(cause) if failure::is_not_implemented(&cause) => {
                bucket.exclusive.store(false, Ordering::Release);
                return looking_first(bucket, object, path, bytes);
            }
            Err(cause) => match failure::of(bucket, "write", object, &cause) {
                DeviceError::Io { .. } if tried < TRIES => {
                    std::thread::sleep(pause);
                    pause *= 2;
                }
                error => return Err(error),
            },
        }
    }
    Err(bucket.io("write", object, "it was tried too often"))
}

/// For stores without conditional put: safe for one writer at a time.
fn looking_first(
    bucket: &Bucket,
    object: &str,
    path: &Path,
    bytes: &[u8],
) -> Result<Put, DeviceError> {
    if is_there(bucket, object, path)?.is_some() {
        return same(bucket, object, path, bytes);
    }
    let payload = PutPayload::from(bytes.to_vec());
    let put = wait(bucket.stores.patient.put(path, payload));
    put.map_err(|cause| failure::of(bucket, "write", object, &cause))?;
    Ok(Put::Created)
}

/// Length of what is there; none when there is surely nothing.
fn is_there(bucket: &Bucket, object: &str, path: &Path) -> Result<Option<u64>, DeviceError> {
    match wait(bucket.stores.patient.head(path)) {
        Ok(meta) => Ok(Some(meta.size)),
        Err(Error::NotFound { .. }) => Ok(None),
        Err(cause) => Err(failure::of(bucket, "read", object, &cause)),
    }
}

fn different(bucket: &Bucket, object: &str) -> DeviceError {
    DeviceError::Different {
        device: bucket.device.clone(),
        object: object.to_owned(),
    }
}

/// The same bytes are the same object; others are refused (R2).
fn same(bucket: &Bucket, object: &str, path: &Path, bytes: &[u8]) -> Result<Put, DeviceError> {
    let there = wait(async { bucket.stores.patient.get(path).await?.bytes().await });
    let there = there.map_err(|cause| failure::of(bucket, "read", object, &cause))?;
    if there == bytes {
        Ok(Put::Same)
    } else {
        Err(different(bucket, object))
    }
}

/// What was acknowledged must be there in full length.
fn check_size(bucket: &Bucket, object: &str, path: &Path, length: u64) -> Result<(), DeviceError> {
    match is_there(bucket, object, path)? {
        Some(size) if size == length => Ok(()),
        found => {
            let found = found.map_or_else(|| "none".to_owned(), |size| size.to_string());
            let detail = format!("{length} bytes were acknowledged, {found} are there");
            Err(bucket.damaged(object, detail))
        }
    }
}

/// Uploads what is staged. Only packs may be long: their names are hashes of their content, so that
/// nothing else can come to stand under them.
pub(super) fn publish(bucket: &Bucket, object: &str, staged: &Staged) -> Result<Put, DeviceError> {
    let path = bucket.object(object)?;
    let failed = |cause: std::io::Error| bucket.io("read the stage of", object, &cause.to_string());
    let in_parts = staged.length > PART && object.starts_with(name::PACKS);
    if !in_parts {
        let length = usize::try_from(staged.length).unwrap_or(usize::MAX);
        let bytes = staged.piece(0, length).map_err(failed)?;
        return put_at(bucket, object, &path, &bytes);
    }
    if let Some(size) = is_there(bucket, object, &path)? {
        return compare(bucket, object, size, staged);
    }
    upload(bucket, object, &path, staged)?;
    check_size(bucket, object, &path, staged.length)?;
    Ok(Put::Created)
}

/// Compares what is there with what is staged, by its hash.
fn compare(bucket: &Bucket, object: &str, size: u64, staged: &Staged) -> Result<Put, DeviceError> {
    if size != staged.length {
        return Err(different(bucket, object));
    }
    let mut hash = blake3::Hasher::new();
    let mut at = 0;
    while at < size {
        let end = size.min(at + COMPARE);
        hash.update(&bucket.get(object, Some(at..end))?);
        at = end;
    }
    if hash.finalize() == staged.hash() {
        Ok(Put::Same)
    } else {
        Err(different(bucket, object))
    }
}

/// What is noted of an upload while it lasts.
#[derive(Serialize, Deserialize)]
struct Note {
    path: String,
    upload: String,
}

fn upload(bucket: &Bucket, object: &str, path: &Path, staged: &Staged) -> Result<(), DeviceError> {
    let failed = |cause: Error| failure::of(bucket, "upload", object, &cause);
    let id = wait(bucket.stores.parts.create_multipart(path)).map_err(failed)?;
    let number = NEXT.fetch_add(1, Ordering::Relaxed);
    let note = format!("{}-{number}{NOTE}", std::process::id());
    let note = bucket.stage.join(note);
    let sent = write_note(bucket, &note, path, &id).and_then(|()| {
        let parts = send(bucket, object, path, &id, staged)?;
        let done = wait(bucket.stores.parts.complete_multipart(path, &id, parts));
        done.map(drop).map_err(failed)
    });
    // what cannot be aborted now is noted for a later run
    if sent.is_ok() || abort(bucket, path, &id) {
        // a note that stays makes a later run abort an upload that is no more
        let _ = std::fs::remove_file(note);
    }
    sent
}

/// Gives an upload up; false when the store does not say that it is no more.
fn abort(bucket: &Bucket, path: &Path, id: &str) -> bool {
    let answer = wait(bucket.stores.parts.abort_multipart(path, &id.to_owned()));
    matches!(answer, Ok(()) | Err(Error::NotFound { .. }))
}

/// Sends all parts, some at once.
fn send(
    bucket: &Bucket,
    object: &str,
    path: &Path,
    id: &str,
    staged: &Staged,
) -> Result<Vec<PartId>, DeviceError> {
    let parts = staged.length.div_ceil(PART);
    let mut sent = Vec::new();
    let mut number = 0;
    while number < parts {
        let mut group = Vec::new();
        while number < parts && group.len() < AT_ONCE {
            let at = number * PART;
            // at most PART
            let length = usize::try_from(PART.min(staged.length - at)).unwrap_or(0);
            let bytes = staged.piece(at, length);
            let bytes = bytes.map_err(|cause| bucket.io("stage", object, &cause.to_string()))?;
            let index = usize::try_from(number).unwrap_or(usize::MAX);
            let store = std::sync::Arc::clone(&bucket.stores.parts);
            let (path, id) = (path.clone(), id.to_owned());
            group.push(async move {
                let part = store.put_part(&path, &id, index, PutPayload::from(bytes));
                part.await
            });
            number += 1;
        }
        let tasks: Vec<_> = wait(async { group.into_iter().map(tokio::spawn).collect() });
        for task in tasks {
            let part = wait(task).map_err(|cause| bucket.io("upload", object, &cause.to_string()));
            sent.push(part?.map_err(|cause| failure::of(bucket, "upload", object, &cause))?);
        }
    }
    Ok(sent)
}

fn write_note(
    bucket: &Bucket,
    file: &std::path::Path,
    path: &Path,
    id: &str,
) -> Result<(), DeviceError> {
    let note = Note {
        path: path.to_string(),
        upload: id.to_owned(),
    };
    let text = serde_json::to_vec(&note).unwrap_or_default();
    let written = std::fs::write(file, text);
    written.map_err(|cause| bucket.io("note", &file.display().to_string(), &cause.to_string()))
}

/// Aborts uploads that a process which is gone has noted. The lock of the plan keeps two runs
/// apart, so whoever noted them does not work any more. A store that does not let go of one keeps
/// nobody from writing: it only costs room, and the next opening tries again.
pub(super) fn abort_orphans(bucket: &Bucket) {
    let Ok(entries) = std::fs::read_dir(&bucket.stage) else {
        return;
    };
    for entry in entries.flatten() {
        let file = entry.path();
        let is_note = file.extension().is_some_and(|end| end == &NOTE[1..]);
        let own = format!("{}-", std::process::id());
        if !is_note || entry.file_name().to_string_lossy().starts_with(&own) {
            continue;
        }
        let note = std::fs::read(&file).ok();
        let note = note.and_then(|text| serde_json::from_slice::<Note>(&text).ok());
        let over = |note: Note| abort(bucket, &Path::from(note.path.as_str()), &note.upload);
        if note.is_none_or(over) {
            // a note that cannot be removed is read again
            let _ = std::fs::remove_file(&file);
        }
    }
}
