//! Owns the runtime of requests: two threads, started when the first bucket is opened. Lanes wait
//! for their answers on their own threads.

use std::future::Future;
use std::sync::OnceLock;

use tokio::runtime::{Builder, Runtime};

use crate::media::DeviceError;

static RUNTIME: OnceLock<Runtime> = OnceLock::new();

/// Starts the runtime; repeating it is harmless.
pub(super) fn start(device: &str) -> Result<(), DeviceError> {
    if RUNTIME.get().is_some() {
        return Ok(());
    }
    let started = Builder::new_multi_thread()
        .worker_threads(2)
        .thread_name("s3-io")
        .enable_all()
        .build()
        .map_err(|cause| DeviceError::Io {
            device: device.to_owned(),
            action: "start",
            object: "the threads of requests".to_owned(),
            cause,
        })?;
    // when another thread was faster, this one ends unused
    let _ = RUNTIME.set(started);
    Ok(())
}

/// Waits for an answer.
pub(super) fn wait<F: Future>(request: F) -> F::Output {
    let runtime = RUNTIME.get();
    let runtime = runtime.expect("invariant: a bucket is opened after the runtime was started");
    runtime.block_on(request)
}
