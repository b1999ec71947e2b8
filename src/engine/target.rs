//! Owns what every engine refuses as a place for a restored copy (R19). Must not create anything.

use std::ffi::OsString;
use std::fs;
use std::io::ErrorKind;
use std::path::{Component, Path, PathBuf};

use super::EngineError;

fn refuse(target: &Path, cause: impl Into<String>) -> EngineError {
    EngineError::refused(format!("restore to {}", target.display()), cause)
}

/// Refuses a file with content or a folder with entries. A link is refused whatever it points to.
pub(super) fn refuse_content(target: &Path) -> Result<(), EngineError> {
    let meta = match fs::symlink_metadata(target) {
        Ok(meta) => meta,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(EngineError::io("examine", target)(error)),
    };
    if meta.is_symlink() {
        return Err(refuse(
            target,
            "it is a symbolic link; name a path that does not exist",
        ));
    }
    if meta.is_dir() {
        let mut entries = fs::read_dir(target).map_err(EngineError::io("list", target))?;
        return match entries.next() {
            None => Ok(()),
            Some(_) => Err(refuse(target, "the folder is not empty; name one that is")),
        };
    }
    if meta.is_file() && meta.len() == 0 {
        return Ok(());
    }
    Err(refuse(
        target,
        "it exists; name a path that does not, or move it away first",
    ))
}

/// True when the source is gone for sure: then it is not live, and its place may be taken again.
pub(super) fn is_gone(source: &Path) -> bool {
    let found = fs::symlink_metadata(source);
    found.is_err_and(|error| error.kind() == ErrorKind::NotFound)
}

/// Refuses the source itself, a place inside it, and a folder that holds it.
pub(super) fn refuse_inside(target: &Path, source: &Path) -> Result<(), EngineError> {
    let (place, live) = (real(target), real(source));
    if place == live {
        return Err(refuse(target, "it is the live source"));
    }
    if place.starts_with(&live) {
        return Err(refuse(target, "it lies inside the live source"));
    }
    if live.starts_with(&place) {
        return Err(refuse(target, "the live source lies inside it"));
    }
    Ok(())
}

/// The path with all links of its existing part resolved; the rest is taken as it is written.
fn real(path: &Path) -> PathBuf {
    let absolute = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
    let mut tail: Vec<OsString> = Vec::new();
    let mut at = absolute.as_path();
    loop {
        if let Ok(found) = at.canonicalize() {
            return tail.iter().rev().fold(found, joined);
        }
        match (at.parent(), at.components().next_back()) {
            (Some(parent), Some(last)) => {
                tail.push(last.as_os_str().to_owned());
                at = parent;
            }
            _ => return absolute,
        }
    }
}

fn joined(mut path: PathBuf, part: &OsString) -> PathBuf {
    if Path::new(part).components().next() == Some(Component::ParentDir) {
        path.pop();
    } else {
        path.push(part);
    }
    path
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_an_absent_or_empty_place_is_taken() {
        let folder = tempfile::tempdir().expect("it works here");
        let at = |name: &str| folder.path().join(name);
        refuse_content(&at("new")).expect("it works here");
        fs::create_dir(at("dir")).expect("it works here");
        refuse_content(&at("dir")).expect("it works here");
        fs::write(at("dir/file"), "x").expect("it works here");
        assert!(refuse_content(&at("dir")).is_err());
        assert!(refuse_content(&at("dir/file")).is_err());
        std::os::unix::fs::symlink("nowhere", at("link")).expect("it works here");
        assert!(refuse_content(&at("link")).is_err());
    }

    #[test]
    fn the_source_and_its_surroundings_are_refused() {
        let folder = tempfile::tempdir().expect("it works here");
        let source = folder.path().join("data");
        fs::create_dir(&source).expect("it works here");
        let link = folder.path().join("alias");
        std::os::unix::fs::symlink(&source, &link).expect("it works here");
        for place in [&source, &source.join("a/b"), &link, &link.join("x")] {
            assert!(
                refuse_inside(place, &source).is_err(),
                "{}",
                place.display()
            );
        }
        assert!(refuse_inside(&source.join("x/../../data"), &source).is_err());
        assert!(refuse_inside(folder.path(), &source).is_err());
        refuse_inside(&folder.path().join("data2"), &source).expect("it works here");
    }
}
