//! Owns the spool between the commands a server calls and the workers that go ahead of them: which
//! files are durable on every required device, which failed, which lie fetched in advance.
//!
//! An acknowledgement counts only for the very file it was given for (device, inode, length and
//! times) under the very texts of the plan it was given under: when either is another now, it says
//! nothing and the long way is gone. So a lost spool costs time, and a stale one costs nothing.

use std::fs::{self, File, Metadata, Permissions};
use std::io::{self, Write};
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use rustix::fs::FlockOperation;

const FORMAT: &str = "planc-ack/1";

/// The spool of one service in one environment of one plan.
#[derive(Debug, Clone)]
pub struct Spool {
    folder: PathBuf,
    call: String,
    frozen: Option<String>,
}

/// Which file it was, so that another one under the same name is seen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mark(String);

impl Mark {
    /// Of a file as it is now.
    ///
    /// # Errors
    /// What the system says.
    pub fn of(path: &Path) -> io::Result<Self> {
        let meta = fs::metadata(path)?;
        Ok(Self(format!("{} {}", seen(&meta), change(&meta))))
    }
}

fn seen(meta: &Metadata) -> String {
    let (seconds, nanos) = (meta.mtime(), meta.mtime_nsec());
    format!(
        "{} {} {} {seconds}.{nanos}",
        meta.dev(),
        meta.ino(),
        meta.len()
    )
}

fn change(meta: &Metadata) -> String {
    format!("{}.{}", meta.ctime(), meta.ctime_nsec())
}

impl Spool {
    /// The spool of a call: of a plan's path, environment and service. Opens nothing.
    #[must_use]
    pub fn new(folder: &Path, call: [&str; 3]) -> Self {
        let mut hash = blake3::Hasher::new();
        for word in call.into_iter().chain([env!("CARGO_PKG_VERSION")]) {
            hash.update(&(word.len() as u64).to_le_bytes());
            hash.update(word.as_bytes());
        }
        let call = hash.finalize().to_hex()[..16].to_owned();
        Self {
            folder: folder.join(&call),
            call,
            frozen: None,
        }
    }

    /// Binds the spool to the texts as they are now: what is noted from here on counts for them
    /// only. A worker does it before it reads the plan, so that nothing it stores under an older
    /// plan counts for a newer one.
    #[must_use]
    pub fn freeze(&self) -> Option<Self> {
        Some(Self {
            frozen: Some(self.stamp()?),
            ..self.clone()
        })
    }

    /// Are the texts still those that the spool was bound to?
    #[must_use]
    pub fn is_current(&self) -> bool {
        self.frozen.is_some() && self.frozen == self.stamp()
    }

    /// Makes its folders and notes the texts that the plan was made of.
    ///
    /// # Errors
    /// What the system says.
    pub fn prepare(&self, texts: &[PathBuf]) -> io::Result<()> {
        for folder in ["acks", "errors", "fetched"] {
            fs::create_dir_all(self.folder.join(folder))?;
        }
        // what lies fetched is log in plain text: for nobody but the server's user
        fs::set_permissions(&self.folder, Permissions::from_mode(0o700))?;
        let lines: Vec<String> = texts
            .iter()
            .map(|text| text.display().to_string())
            .collect();
        let lines = lines.join("\n");
        if fs::read_to_string(self.folder.join("texts")).ok().as_ref() != Some(&lines) {
            self.put("texts", lines.as_bytes())?;
        }
        Ok(())
    }

    /// What stands for the texts of the plan as they are now; none when they cannot be looked at.
    fn stamp(&self) -> Option<String> {
        let texts = fs::read_to_string(self.folder.join("texts")).ok()?;
        let mut hash = blake3::Hasher::new();
        hash.update(self.call.as_bytes());
        for path in texts.lines() {
            hash.update(path.as_bytes());
            hash.update(seen(&fs::metadata(path).ok()?).as_bytes());
        }
        Some(hash.finalize().to_hex()[..32].to_owned())
    }

    /// Is this very file durable on every device that the plan requires now?
    #[must_use]
    pub fn is_acknowledged(&self, file: &Path) -> bool {
        let known = || {
            let name = file.file_name()?.to_str()?;
            let there = fs::read_to_string(self.folder.join("acks").join(name)).ok()?;
            Some(there == self.ack(&Mark::of(file).ok()?)?)
        };
        known() == Some(true)
    }

    fn ack(&self, mark: &Mark) -> Option<String> {
        let stamp = match &self.frozen {
            Some(frozen) => frozen.clone(),
            None => self.stamp()?,
        };
        Some(format!("{FORMAT} {} {stamp}\n", mark.0))
    }

    /// Notes that a file is durable. Call it after the devices have said so, never before (R1).
    ///
    /// # Errors
    /// What the system says.
    pub fn acknowledge(&self, name: &str, mark: &Mark) -> io::Result<()> {
        let ack = self.ack(mark);
        let ack = ack.ok_or_else(|| io::Error::other("the plan's texts cannot be looked at"))?;
        self.put(&format!("acks/{name}"), ack.as_bytes())?;
        // an older failure of it is over
        match fs::remove_file(self.folder.join("errors").join(name)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            _ => Ok(()),
        }
    }

    /// Notes why a file is not durable.
    ///
    /// # Errors
    /// What the system says.
    pub fn fail(&self, name: &str, cause: &str) -> io::Result<()> {
        self.put(&format!("errors/{name}"), cause.as_bytes())
    }

    /// Why a file is not durable, when that was noted after `since`.
    #[must_use]
    pub fn failure(&self, name: &str, since: SystemTime) -> Option<String> {
        let path = self.folder.join("errors").join(name);
        let noted = fs::metadata(&path).ok()?.modified().ok()?;
        (noted >= since).then(|| fs::read_to_string(&path).ok())?
    }

    /// Forgets files that the server does not offer any more.
    ///
    /// # Errors
    /// What the system says.
    pub fn forget(&self, offered: impl Fn(&str) -> bool) -> io::Result<()> {
        for folder in ["acks", "errors"] {
            for entry in fs::read_dir(self.folder.join(folder))? {
                let entry = entry?;
                if !entry.file_name().to_str().is_some_and(&offered) {
                    fs::remove_file(entry.path())?;
                }
            }
        }
        Ok(())
    }

    /// As [`Spool::lock`], but asks a few times: who only looks whether a worker is there holds
    /// the right for a moment.
    ///
    /// # Errors
    /// What the system says.
    pub fn lock_patiently(&self, what: &str) -> io::Result<Option<File>> {
        for _ in 0..20 {
            if let Some(right) = self.lock(what)? {
                return Ok(Some(right));
            }
            std::thread::sleep(std::time::Duration::from_millis(5));
        }
        Ok(None)
    }

    /// The right to work ahead, `push` or `fetch`; none while another process has it. Dropping it
    /// gives it back.
    ///
    /// # Errors
    /// What the system says.
    pub fn lock(&self, what: &str) -> io::Result<Option<File>> {
        let file = File::options()
            .create(true)
            .truncate(false)
            .write(true)
            .open(self.folder.join(format!("{what}.lock")))?;
        match rustix::fs::flock(&file, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => Ok(Some(file)),
            Err(rustix::io::Errno::WOULDBLOCK) => Ok(None),
            Err(errno) => Err(errno.into()),
        }
    }

    /// Where the workers tell what happens to them.
    #[must_use]
    pub fn diary(&self) -> PathBuf {
        self.folder.join("worker.log")
    }

    /// The folder of files fetched in advance for a cluster, in this life of the machine and under
    /// these texts: after a crash of the machine what lies there may be torn.
    #[must_use]
    pub fn fetched(&self, system: u64) -> Option<PathBuf> {
        let boot = fs::read_to_string("/proc/sys/kernel/random/boot_id").ok()?;
        let stamp = self.stamp()?;
        let own = format!("{}-{stamp}-{system}", boot.trim());
        Some(self.folder.join("fetched").join(own))
    }

    fn put(&self, name: &str, bytes: &[u8]) -> io::Result<()> {
        let mut file = tempfile::NamedTempFile::new_in(&self.folder)?;
        file.write_all(bytes)?;
        file.persist(self.folder.join(name))?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Fixture {
        folder: tempfile::TempDir,
        spool: Spool,
        plan: PathBuf,
        file: PathBuf,
    }

    fn fixture() -> Fixture {
        let folder = tempfile::tempdir().expect("a folder");
        let (plan, file) = (folder.path().join("plan"), folder.path().join("0001"));
        fs::write(&plan, "planc 1").expect("written");
        fs::write(&file, "log").expect("written");
        let spool = Spool::new(&folder.path().join("spool"), ["p", "", "s"]);
        spool
            .prepare(std::slice::from_ref(&plan))
            .expect("prepared");
        Fixture {
            folder,
            spool,
            plan,
            file,
        }
    }

    #[test]
    fn an_acknowledgement_is_for_one_file_under_one_plan() {
        let Fixture {
            spool,
            plan,
            file,
            folder,
        } = fixture();
        assert!(!spool.is_acknowledged(&file));
        spool
            .acknowledge("0001", &Mark::of(&file).expect("a mark"))
            .expect("noted");
        assert!(spool.is_acknowledged(&file));
        let other = Spool::new(&folder.path().join("spool"), ["p", "", "other"]);
        assert!(!other.is_acknowledged(&file), "another service");

        let kept = fs::read(&file).expect("read");
        fs::remove_file(&file).expect("removed");
        fs::write(&file, kept).expect("written again");
        assert!(
            !spool.is_acknowledged(&file),
            "another file of the same bytes"
        );
        spool
            .acknowledge("0001", &Mark::of(&file).expect("a mark"))
            .expect("noted");
        let bound = spool.freeze().expect("texts");
        assert!(bound.is_current());
        fs::write(&plan, "planc 1\n").expect("changed");
        assert!(!spool.is_acknowledged(&file), "another plan");
        // a worker of the old plan cannot speak for the new one
        bound
            .acknowledge("0001", &Mark::of(&file).expect("a mark"))
            .expect("noted");
        assert!(!spool.is_acknowledged(&file) && !bound.is_current());
    }

    #[test]
    fn failures_are_told_once_they_are_new_and_forgotten_with_their_file() {
        let Fixture {
            spool,
            file,
            folder: _folder,
            ..
        } = fixture();
        let since = SystemTime::now() - std::time::Duration::from_secs(1);
        spool.fail("0001", "the device is full").expect("noted");
        assert_eq!(
            spool.failure("0001", since).as_deref(),
            Some("the device is full")
        );
        let later = SystemTime::now() + std::time::Duration::from_secs(5);
        assert_eq!(spool.failure("0001", later), None);
        spool
            .acknowledge("0001", &Mark::of(&file).expect("a mark"))
            .expect("noted");
        assert_eq!(spool.failure("0001", since), None);
        spool.forget(|name| name != "0001").expect("forgotten");
        assert!(!spool.is_acknowledged(&file));
    }

    #[test]
    fn only_one_works_ahead() {
        let Fixture {
            spool,
            folder: _folder,
            ..
        } = fixture();
        let held = spool.lock("push").expect("asked");
        assert!(held.is_some() && spool.lock("fetch").expect("asked").is_some());
        assert!(spool.lock("push").expect("asked").is_none());
        drop(held);
        assert!(spool.lock("push").expect("asked").is_some());
    }
}
