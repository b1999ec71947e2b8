//! Owns what can be known of a server's archiver beside its statistics: that the program it is told
//! to call is not there, and that it dies. It does so, and counts no failure, when its command is not
//! found, cannot be executed or is killed. Looks at this machine only.

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use postgres::Client;

use super::connect::refused;
use super::instance;
use crate::engine::EngineError;

/// How long the archiver of a server that waits may be away in all. One that died is started again
/// after at most ten seconds: one death is tolerated.
const AWAY: Duration = Duration::from_secs(12);

/// Judges that the program of `archive_command` is there, as far as its first word tells.
///
/// # Errors
/// [`EngineError::Refused`] when it is not.
pub(super) fn check_program(client: &mut Client, service: &str) -> Result<(), EngineError> {
    let row = client.query_one("select current_setting('archive_command')", &[]);
    let row = row.map_err(|error| refused(format!("ask {service} for archive_command"), &error))?;
    let Some(program) = program(row.get(0)) else {
        return Ok(());
    };
    let cause = match std::fs::metadata(&program) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => "is not there",
        Ok(about) if !about.is_file() || about.permissions().mode() & 0o111 == 0 => "is no program",
        // what cannot be looked at may be there
        _ => return Ok(()),
    };
    Err(EngineError::Refused {
        what: format!("archive the log of {service}"),
        cause: format!(
            "archive_command calls {}, which {cause}: correct the setting and reload the server",
            program.display()
        ),
    })
}

/// The program that a command of the shell begins with, where it is named by its whole path.
fn program(command: &str) -> Option<PathBuf> {
    let command = command.trim_start();
    let word = match command.chars().next()? {
        quote @ ('"' | '\'') => command.get(1..)?.split(quote).next()?,
        _ => command.split_whitespace().next()?,
    };
    let plain = |sign: char| sign.is_alphanumeric() || "/._-+ ".contains(sign);
    (word.starts_with('/') && word.chars().all(plain)).then(|| PathBuf::from(word))
}

/// Watches whether the archiver of a server is alive.
pub(super) struct Watch {
    data: PathBuf,
    away: Duration,
}

impl Watch {
    /// Of the server that runs in a data directory of this machine.
    pub(super) fn over(data: &Path) -> Self {
        Self {
            data: data.to_owned(),
            away: Duration::ZERO,
        }
    }

    /// One look, so long after the one before; true when it was away for too long in all.
    pub(super) fn is_dead(&mut self, since: Duration) -> bool {
        if is_alive(&self.data) == Some(false) {
            self.away += since;
        }
        self.away >= AWAY
    }
}

/// Whether one of the server's processes is its archiver; none where that cannot be seen.
fn is_alive(data: &Path) -> Option<bool> {
    let server = instance::running(data).ok()??.as_raw_nonzero();
    let children = format!("/proc/{server}/task/{server}/children");
    let children = std::fs::read_to_string(children).ok()?;
    let mut titles = children.split_whitespace().filter_map(|child| {
        let title = std::fs::read(format!("/proc/{child}/cmdline")).ok()?;
        Some(String::from_utf8_lossy(&title).into_owned())
    });
    // a server that shows no titles tells nothing
    let mut told = false;
    let alive = titles.any(|title| {
        told |= title.starts_with("postgres: ");
        title.starts_with("postgres: ") && title.contains("archiver")
    });
    told.then_some(alive)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_whole_plain_path_is_taken_for_a_program() {
        let found = |command| program(command).map(|path| path.display().to_string());
        let planc = Some("/usr/bin/planc".to_owned());
        assert_eq!(found("/usr/bin/planc log push %p"), planc);
        assert_eq!(found("  \"/usr/bin/planc\" log push %p"), planc);
        assert_eq!(
            found("'/opt/a b/planc' x"),
            Some("/opt/a b/planc".to_owned())
        );
        for other in [
            "planc log push",
            "test ! -f x && cp %p x",
            "/opt/$V/planc x",
            "",
        ] {
            assert_eq!(found(other), None, "{other}");
        }
    }
}
