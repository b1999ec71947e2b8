//! Owns how files outside of devices become durable: bytes before names, names before anything that
//! depends on them. Must not know what a file means. A failed sync is never tried again (R5):
//! the file is written anew.

use std::fs::{DirBuilder, File};
use std::io;
use std::os::unix::fs::DirBuilderExt as _;
use std::path::Path;

/// Permissions of a folder for everybody whom the process lets in.
pub(crate) const OPEN: u32 = 0o777;
/// Permissions of a folder for its owner only.
pub(crate) const PRIVATE: u32 = 0o700;

/// Makes the names in a folder durable: what was created, moved or removed there.
///
/// # Errors
/// What the system says.
pub(crate) fn sync_folder(folder: &Path) -> io::Result<()> {
    File::open(folder)?.sync_all()
}

/// Makes a folder with all its parents; the names of those that are new are durable then. A folder
/// that was there counts as durable.
///
/// # Errors
/// What the system says.
pub(crate) fn make_folder(folder: &Path, mode: u32) -> io::Result<()> {
    let missing = folder.ancestors().take_while(|path| !path.exists());
    let missing = missing.filter(|path| !path.as_os_str().is_empty()).count();
    DirBuilder::new()
        .recursive(true)
        .mode(mode)
        .create(folder)?;
    let made = folder.ancestors().take(missing);
    made.map(parent).try_for_each(sync_folder)
}

/// Puts a file in place of another one, or where none was; `write` fills it and gives it its mode
/// and owner, which are else this user's alone. It is never seen half-written.
///
/// # Errors
/// What `write` or the system says; the old file is as it was then.
pub(crate) fn replace(
    path: &Path,
    write: impl FnOnce(&mut File) -> io::Result<()>,
) -> io::Result<()> {
    let folder = parent(path);
    let mut new = tempfile::NamedTempFile::new_in(folder)?;
    write(new.as_file_mut())?;
    new.as_file().sync_all()?;
    new.persist(path).map_err(|failed| failed.error)?;
    sync_folder(folder)
}

/// Leaves an empty file as a note: its name is all of it.
///
/// # Errors
/// What the system says.
pub(crate) fn note(path: &Path) -> io::Result<()> {
    File::options().append(true).create(true).open(path)?;
    sync_folder(parent(path))
}

/// The folder that holds a name.
pub(crate) fn parent(path: &Path) -> &Path {
    let parent = path.parent().filter(|path| !path.as_os_str().is_empty());
    parent.unwrap_or(Path::new("."))
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use super::*;

    #[test]
    fn folders_are_made_with_their_parents_and_stay() {
        let root = tempfile::tempdir().expect("folder");
        let folder = root.path().join("a/b/c");
        for _ in 0..2 {
            make_folder(&folder, PRIVATE).expect("made");
            assert!(folder.is_dir());
        }
        std::fs::write(root.path().join("file"), "").expect("written");
        assert!(make_folder(&root.path().join("file/a"), OPEN).is_err());
    }

    #[test]
    fn a_file_that_cannot_be_filled_leaves_the_old_one() {
        let root = tempfile::tempdir().expect("folder");
        let path = root.path().join("file");
        replace(&path, |file| file.write_all(b"old")).expect("written");
        let failed = replace(&path, |file| {
            file.write_all(b"new")?;
            Err(io::Error::other("no"))
        });
        assert!(failed.is_err());
        assert_eq!(std::fs::read(&path).expect("read"), b"old");
        assert_eq!(root.path().read_dir().expect("listed").count(), 1);
    }
}
