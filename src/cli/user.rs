//! Owns the question as which user a run works. The archive command of a PostgreSQL server runs as
//! the server's user: it must be able to read and change what runs leave in the state folder and on
//! devices.

use std::os::unix::fs::MetadataExt;
use std::path::Path;

use crate::cli::exit::CliError;
use crate::resolve::plan::{EngineKind, ResolvedPlan};

/// Refuses a run as root whose files a server's archive command could not use.
///
/// # Errors
/// With the folder of whose owner the run should be.
pub(crate) fn check(plan: &ResolvedPlan) -> Result<(), CliError> {
    if !rustix::process::geteuid().is_root() {
        return Ok(());
    }
    let other = shipping(plan).find_map(|data| Some((data, owner(data).filter(|id| *id != 0)?)));
    let Some((data, owner)) = other else {
        return Ok(());
    };
    let message = format!(
        "planc runs as root: the archive command of the server, which runs as the owner of {} \
         (user id {owner}), could not use what this run leaves behind",
        data.display()
    );
    let help = "run planc as that user, for example `runuser -u postgres -- planc run`; what root \
                left in the state folder and on devices needs a `chown` to it";
    Err(CliError::refused(message).help(help))
}

/// Data directories of servers that archive by their own command.
fn shipping(plan: &ResolvedPlan) -> impl Iterator<Item = &Path> {
    let shipped = plan
        .archives
        .iter()
        .filter(|archive| !archive.ships.is_empty());
    let services = shipped.map(|archive| plan.service(archive.service));
    let servers = services.filter(|service| service.engine == EngineKind::Postgresql);
    servers.filter_map(|service| service.path.as_deref().map(Path::new))
}

/// The owner of a folder of this machine.
fn owner(folder: &Path) -> Option<u32> {
    std::fs::metadata(folder).ok().map(|about| about.uid())
}
