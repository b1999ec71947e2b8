//! A server of object stores: a process of its own on a folder of its own.

use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use planc::facts::inventory::{Provider, Setting, Store};
use planc::media::bucket::{BucketDevice, BucketSpec};
use planc::media::{Device, DeviceError};
use tempfile::TempDir;

/// Id of the access key.
pub(super) const ID: &str = "PLANCTEST";

/// The secret; never to be seen anywhere else.
pub(super) const SECRET: &str = "canary-of-the-object-store";

/// A running server with the empty buckets `one` and `two`.
pub(super) struct Server {
    pub(super) port: u16,
    pub(super) folder: TempDir,
    process: Child,
}

/// A port that was free a moment ago.
pub(super) fn free_port() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    listener.local_addr().unwrap().port()
}

fn program() -> PathBuf {
    let root = std::env::var("PLANC_TEST").unwrap_or_else(|_| "/opt/planc-test".to_owned());
    let program = Path::new(&root).join("s3s-fs-0.14.1/bin/s3s-fs");
    assert!(
        program.is_file(),
        "this test needs {}: run tests/install-s3 (`tests/run` does)",
        program.display()
    );
    program
}

impl Server {
    /// Starts a server and waits until it takes connections.
    pub(super) fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        for bucket in ["one", "two"] {
            std::fs::create_dir(folder.path().join(bucket)).unwrap();
        }
        let port = free_port();
        let process = Command::new(program())
            .args(["--host", "127.0.0.1", "--port", &port.to_string()])
            .args(["--access-key", ID, "--secret-key", SECRET])
            .arg(folder.path())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let server = Self {
            port,
            folder,
            process,
        };
        let began = Instant::now();
        while TcpStream::connect(("127.0.0.1", port)).is_err() {
            assert!(began.elapsed() < Duration::from_mins(5), "no server came");
            std::thread::sleep(Duration::from_millis(20));
        }
        server
    }

    /// The fields of its bucket `one`.
    pub(super) fn store(&self) -> Store {
        at(self.port)
    }

    /// A claimed device in a bucket.
    pub(super) fn device(&self, store: &Store) -> BucketDevice {
        init(store, "shop", self.folder.path()).unwrap()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// The fields of bucket `one` behind a port; the secret is read from a file in the inventory of a
/// real site, here it is given.
pub(super) fn at(port: u16) -> Store {
    Store {
        provider: Provider::S3,
        endpoint: Some(format!("http://127.0.0.1:{port}")),
        bucket: "one".to_owned(),
        account: None,
        region: None,
        prefix: None,
        access_key: Some(Setting::Text(ID.to_owned())),
        secret_key: Some(Setting::Text(SECRET.to_owned())),
        token: None,
        conditional_put: true,
    }
}

fn spec<'a>(store: &'a Store, owner: &'a str, stage: &'a Path) -> BucketSpec<'a> {
    BucketSpec {
        name: "bucket",
        store,
        owner,
        stage,
    }
}

/// Claims a bucket.
pub(super) fn init(store: &Store, owner: &str, folder: &Path) -> Result<BucketDevice, DeviceError> {
    BucketDevice::init(spec(store, owner, &folder.join("stage")))
}

/// Opens a bucket.
pub(super) fn open(store: &Store, owner: &str, folder: &Path) -> Result<BucketDevice, DeviceError> {
    BucketDevice::open(spec(store, owner, &folder.join("stage")))
}

/// Opens a bucket for writing.
pub(super) fn writable(store: &Store, folder: &Path) -> Result<BucketDevice, DeviceError> {
    BucketDevice::open_writable(spec(store, "shop", &folder.join("stage")))
}

/// Writes an object through the stage.
pub(super) fn publish(
    device: &dyn Device,
    name: &str,
    bytes: &[u8],
) -> Result<planc::media::Put, DeviceError> {
    let mut writer = device.create()?;
    for piece in bytes.chunks(300_007) {
        writer.write_all(piece).unwrap();
    }
    writer.publish(name)
}
