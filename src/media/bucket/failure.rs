//! Owns what the library's errors mean for a device. Must not repeat what a server says without
//! a bound: its answers are not ours.

use std::error::Error;

use super::Bucket;
use crate::media::DeviceError;

/// Most characters of a cause that are shown.
const SHOWN: usize = 400;

/// The device's error.
pub(super) fn of(
    bucket: &Bucket,
    action: &'static str,
    object: &str,
    cause: &object_store::Error,
) -> DeviceError {
    let text = text(cause);
    if is_denied(cause) {
        return DeviceError::Denied {
            device: bucket.device.clone(),
            action,
            object: object.to_owned(),
            cause: text,
        };
    }
    bucket.io(action, object, &text)
}

/// What stores answer to requests of somebody who was right once, or asks in the wrong region, with
/// a status that says less.
const REFUSALS: [&str; 4] = [
    "<Code>ExpiredToken</Code>",
    "<Code>InvalidToken</Code>",
    "<Code>AuthorizationHeaderMalformed</Code>",
    "Received redirect without LOCATION",
];

/// Whether the store refuses who asks.
fn is_denied(cause: &object_store::Error) -> bool {
    use object_store::Error::{PermissionDenied, Unauthenticated};
    let text = chain(cause);
    matches!(cause, PermissionDenied { .. } | Unauthenticated { .. })
        || REFUSALS.iter().any(|refusal| text.contains(refusal))
}

/// Whether the store says that it does not have what was asked for.
pub(super) fn is_not_implemented(cause: &object_store::Error) -> bool {
    use object_store::Error::{NotImplemented, NotSupported};
    let text = chain(cause);
    matches!(cause, NotImplemented { .. } | NotSupported { .. })
        || text.contains("501 Not Implemented")
        || text.contains("<Code>NotImplemented</Code>")
}

fn chain(cause: &object_store::Error) -> String {
    let mut text = cause.to_string();
    let mut inner: Option<&dyn Error> = cause.source();
    while let Some(error) = inner {
        let more = error.to_string();
        if !text.contains(&more) {
            text.push_str(": ");
            text.push_str(&more);
        }
        inner = error.source();
    }
    text
}

/// One line that is not too long.
fn text(cause: &object_store::Error) -> String {
    let words: Vec<String> = chain(cause).split_whitespace().map(str::to_owned).collect();
    let line = words.join(" ");
    match line.char_indices().nth(SHOWN) {
        Some((end, _)) => format!("{}…", &line[..end]),
        None => line,
    }
}
