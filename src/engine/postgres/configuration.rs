//! Owns the configuration that lies outside of a data directory, as packages put it below `/etc`:
//! which files it is, their copies beside the base, and what people are told when it comes back.

use std::collections::BTreeSet;
use std::fs::{File, Metadata};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use postgres::Client;
use serde::{Deserialize, Serialize};

use super::connect::refused;
use super::files::cannot;
use crate::engine::{EngineError, EntryKind, PartSink, entry};

/// The folder of the data directory in which a copy holds them, by their whole paths. The server
/// reads nothing there.
pub(super) const FOLDER: &str = "planc.configuration";

/// The largest file that is taken for configuration, in bytes.
const LARGEST: u64 = 16 << 20;

/// Files of a server outside of its data directory.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Outside {
    /// Settings and rules of access.
    pub(super) files: BTreeSet<PathBuf>,
    /// Certificates and keys of the server: they are secrets of the host, and are never copied.
    pub(super) secrets: BTreeSet<PathBuf>,
}

const FILES: &str = "\
    select setting from pg_settings where name in ('config_file', 'hba_file', 'ident_file') \
    union select sourcefile from pg_settings where sourcefile is not null";

const SECRETS: &str = "\
    select setting from pg_settings where current_setting('ssl') = 'on' \
    and name in ('ssl_cert_file', 'ssl_key_file', 'ssl_ca_file', 'ssl_crl_file', \
                 'ssl_dh_params_file')";

impl Outside {
    /// Asks a server, as far as its role may see; `data` is its data directory.
    ///
    /// # Errors
    /// When the server refuses.
    pub(super) fn find(
        client: &mut Client,
        service: &str,
        data: &Path,
    ) -> Result<Self, EngineError> {
        let mut ask = |query: &str| -> Result<BTreeSet<PathBuf>, EngineError> {
            let rows = client.query(query, &[]);
            let what = || format!("ask {service} for the files of its configuration");
            let rows = rows.map_err(|error| refused(what(), &error))?;
            let paths = rows
                .iter()
                .filter_map(|row| row.get::<_, Option<String>>(0));
            let paths = paths.map(PathBuf::from);
            Ok(paths.filter(|path| is_outside(path, data)).collect())
        };
        Ok(Self {
            files: ask(FILES)?,
            secrets: ask(SECRETS)?,
        })
    }

    /// What a survey says of them; nothing when there are none.
    pub(super) fn note(&self) -> Option<String> {
        let mut told = Vec::new();
        if !self.files.is_empty() {
            told.push(format!(
                "configuration outside of the data directory, copied with the base into \
                 {FOLDER}: {}",
                listed(&self.files)
            ));
        }
        if !self.secrets.is_empty() {
            told.push(format!(
                "certificates and keys outside of the data directory, in no copy: {}",
                listed(&self.secrets)
            ));
        }
        (!told.is_empty()).then(|| told.join("; "))
    }

    /// What is to be done before a restored copy in `data` is started; nothing when there are none.
    pub(super) fn to_do(&self) -> Option<String> {
        let first = self.files.iter().next()?;
        let mut told = format!(
            "the configuration of the source lay outside of its data directory: copies of {} are in \
             {FOLDER} of the data directory ({FOLDER}{}). Put them in their places, or name them \
             when the copy is started, with `-c config_file=`, `-c hba_file=`, `-c ident_file=` \
             and `-c data_directory=`, which in them are those of the source",
            listed(&self.files),
            first.display()
        );
        if !self.secrets.is_empty() {
            told = format!("{told}; not copied: {}", listed(&self.secrets));
        }
        Some(told)
    }

    /// Hands copies of the files to the sink; what cannot be read is told.
    ///
    /// # Errors
    /// When the sink fails.
    pub(super) fn copy(
        &self,
        data: &Metadata,
        sink: &mut dyn PartSink,
    ) -> Result<Vec<String>, EngineError> {
        let mut told = Vec::new();
        let mut folders = BTreeSet::new();
        for path in &self.files {
            let (file, about) = match opened(path) {
                Ok(opened) => opened,
                Err(error) => {
                    let error = cannot("read", path, error);
                    told.push(format!("configuration that is in no copy: {error}"));
                    continue;
                }
            };
            let inside = path.strip_prefix("/").unwrap_or(path);
            let above: Vec<&Path> = inside.ancestors().skip(1).collect();
            for folder in above.into_iter().rev() {
                if folders.insert(folder.to_owned()) {
                    sink.entry(super::backup::entry(
                        &place(folder),
                        EntryKind::Directory,
                        data,
                    ))?;
                    sink.close()?;
                }
            }
            sink.entry(super::backup::entry(
                &place(inside),
                EntryKind::File,
                &about,
            ))?;
            sink.read_from(&mut &file, about.len(), path)?;
            sink.close()?;
        }
        Ok(told)
    }
}

/// Whether a path leads out of the data directory, by whatever links both were named.
fn is_outside(path: &Path, data: &Path) -> bool {
    let inside = |path: &Path, data: &Path| path.starts_with(data);
    let real = || inside(&path.canonicalize().ok()?, &data.canonicalize().ok()?).then_some(());
    path.is_absolute() && !inside(path, data) && real().is_none()
}

fn opened(path: &Path) -> std::io::Result<(File, Metadata)> {
    let file = File::open(path)?;
    let about = file.metadata()?;
    if about.is_file() && about.len() <= LARGEST {
        Ok((file, about))
    } else {
        Err(std::io::Error::other("it is no file of settings"))
    }
}

/// Where a copy holds a path, as entries write it.
fn place(inside: &Path) -> String {
    match entry::encode(inside.as_os_str().as_bytes()) {
        inside if inside.is_empty() => FOLDER.to_owned(),
        inside => format!("{FOLDER}/{inside}"),
    }
}

fn listed(paths: &BTreeSet<PathBuf>) -> String {
    let paths = paths.iter().map(|path| path.display().to_string());
    paths.collect::<Vec<_>>().join(", ")
}
