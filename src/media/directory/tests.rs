//! A folder as a device: written once, durable, and never mistaken for another.

use super::*;

fn folder() -> tempfile::TempDir {
    tempfile::tempdir().unwrap()
}

/// How many objects are being written; room that is set aside is none.
fn temps(folder: &Path) -> usize {
    let names = std::fs::read_dir(folder.join("tmp")).unwrap();
    let names = names.map(|entry| entry.unwrap().file_name());
    names.filter(|name| name != reserve::FILE).count()
}

#[test]
fn a_missing_path_is_refused() {
    let folder = folder();
    let path = folder.path().join("gone");
    let missing = |answer| matches!(answer, Err(DeviceError::Missing { .. }));
    assert!(missing(DirectoryDevice::open("a", &path, None).map(|_| ())));
    assert!(missing(DirectoryDevice::init("a", &path).map(|_| ())));
    std::fs::write(&path, "a file").unwrap();
    assert!(missing(DirectoryDevice::open("a", &path, None).map(|_| ())));
}

#[test]
fn an_empty_folder_is_taken_for_a_mount_point() {
    let folder = folder();
    std::fs::create_dir(folder.path().join("lost+found")).unwrap();
    let error = DirectoryDevice::open("a", folder.path(), None).map(|_| ());
    let error = error.unwrap_err();
    assert!(matches!(error, DeviceError::Missing { .. }), "{error}");
    assert!(error.to_string().contains("nothing is mounted"), "{error}");
    assert!(error.help().starts_with("mount the device"), "{error}");
}

#[test]
fn somebody_elses_folder_is_refused() {
    let folder = folder();
    let foreign = |answer| matches!(answer, Err(DeviceError::Foreign { .. }));
    std::fs::write(folder.path().join("letter.txt"), "dear").unwrap();
    assert!(foreign(
        DirectoryDevice::open("a", folder.path(), None).map(|_| ())
    ));
    assert!(foreign(
        DirectoryDevice::init("a", folder.path()).map(|_| ())
    ));
    std::fs::remove_file(folder.path().join("letter.txt")).unwrap();
    let first = DirectoryDevice::init("a", folder.path()).unwrap();
    let again = DirectoryDevice::init("a", folder.path()).unwrap();
    assert_eq!(first.identity().unwrap(), again.identity().unwrap());
    assert!(foreign(
        DirectoryDevice::open("a", folder.path(), Some("other")).map(|_| ())
    ));
}

#[test]
fn a_device_that_is_swapped_is_noticed() {
    let folder = folder();
    let path = folder.path().join("device");
    std::fs::create_dir(&path).unwrap();
    let device = DirectoryDevice::init("a", &path).unwrap();
    std::fs::rename(&path, folder.path().join("away")).unwrap();
    std::fs::create_dir(&path).unwrap();
    assert!(matches!(
        device.identity(),
        Err(DeviceError::Missing { .. })
    ));
    assert!(matches!(device.create(), Err(DeviceError::Missing { .. })));
    assert!(matches!(
        device.get("x", None),
        Err(DeviceError::Missing { .. })
    ));
    assert_eq!(std::fs::read_dir(&path).unwrap().count(), 0);
}

#[test]
fn an_abandoned_object_leaves_nothing() {
    let folder = folder();
    let device = DirectoryDevice::init("a", folder.path()).unwrap();
    let mut writer = device.create().unwrap();
    writer.write_all(b"half").unwrap();
    assert_eq!(temps(folder.path()), 1);
    drop(writer);
    assert_eq!(temps(folder.path()), 0);
    assert_eq!(device.list("").unwrap(), []);
}

#[test]
fn only_what_no_process_writes_is_cleaned_up() {
    let folder = folder();
    let device = DirectoryDevice::init("a", folder.path()).unwrap();
    let mut living = device.create().unwrap();
    living.write_all(b"living").unwrap();
    std::fs::write(folder.path().join("tmp/999999-0"), "dead").unwrap();
    let again = DirectoryDevice::open_writable("a", folder.path(), None).unwrap();
    assert_eq!(temps(folder.path()), 1);
    assert_eq!(living.publish("parts/x").unwrap(), Put::Created);
    assert_eq!(again.get("parts/x", None).unwrap(), b"living");
}

#[test]
fn a_link_in_place_of_an_object_is_not_followed() {
    let folder = folder();
    let device = DirectoryDevice::init("a", folder.path()).unwrap();
    let secret = folder.path().join("secret");
    std::fs::write(&secret, "secret").unwrap();
    std::os::unix::fs::symlink(&secret, folder.path().join("link")).unwrap();
    std::os::unix::fs::symlink("/etc", folder.path().join("packs")).unwrap();
    assert!(matches!(
        device.get("link", None),
        Err(DeviceError::Damaged { .. })
    ));
    assert!(device.get("packs/passwd", None).is_err());
    assert!(device.put_if_absent("packs/evil", b"x").is_err());
    assert_eq!(
        device.list("packs/").ok(),
        None,
        "a link is no folder that may be listed"
    );
}

#[test]
fn reserved_and_unsafe_names_are_refused() {
    let folder = folder();
    let device = DirectoryDevice::init("a", folder.path()).unwrap();
    for name in ["planc-device", "tmp/x", "../x", "a//b", ""] {
        assert!(device.put_if_absent(name, b"x").is_err(), "{name}");
        assert!(device.get(name, None).is_err(), "{name}");
    }
    assert_eq!(temps(folder.path()), 0);
}

#[test]
fn a_full_device_says_so() {
    let tree = Tree::open("a", folder().path()).unwrap();
    let full = tree.write_failed("write", "x", Errno::NOSPC.into());
    assert!(matches!(full, DeviceError::Full { .. }));
    let fixed = tree.write_failed("write", "x", Errno::ROFS.into());
    assert!(matches!(fixed, DeviceError::ReadOnly { .. }));
    let broken = tree.write_failed("write", "x", Errno::IO.into());
    assert!(matches!(broken, DeviceError::Io { .. }));
}

use rustix::io::Errno;
use std::io::Write;

#[test]
fn a_listing_in_pieces_names_what_the_whole_one_does() {
    let folder = tempfile::tempdir().unwrap();
    let device = DirectoryDevice::init("a", folder.path()).unwrap();
    for name in ["parts/b", "parts/a", "packs/aa/c", "partsy"] {
        device.put_if_absent(name, b"x").unwrap();
    }
    std::os::unix::fs::symlink("b", folder.path().join("parts/link")).unwrap();
    for prefix in ["", "parts/", "pa", "packs/a", "none/", "../"] {
        let mut listing = device.listing(prefix).unwrap();
        let mut found = Vec::new();
        while let Some(piece) = listing.next().unwrap() {
            assert!(piece.is_sorted() && !piece.is_empty());
            found.extend(piece);
        }
        found.sort();
        let all = device.list(prefix).unwrap();
        assert!(all.iter().all(|(_, length)| *length == 1));
        let all: Vec<String> = all.into_iter().map(|(name, _)| name).collect();
        assert_eq!(found, all, "{prefix}");
    }
    assert_eq!(device.list("parts/").unwrap().len(), 2);
}

#[test]
fn advice_on_what_cannot_be_read_is_passed_over() {
    let folder = folder();
    let device = DirectoryDevice::init("a", folder.path()).unwrap();
    device.put_if_absent("parts/x", b"bytes").unwrap();
    std::os::unix::fs::symlink("x", folder.path().join("parts/link")).unwrap();
    let names = [
        "parts/y",
        "parts",
        "parts/link",
        "../x",
        "",
        "tmp/x",
        "parts/x",
    ];
    device.soon(&names.map(str::to_owned));
    assert_eq!(device.get("parts/x", None).unwrap(), b"bytes");
    assert_eq!(device.list("").unwrap().len(), 1);
}

#[test]
fn room_is_set_aside_once_and_given_up_once() {
    let folder = folder();
    DirectoryDevice::init("a", folder.path()).unwrap();
    let open = || DirectoryDevice::open_writable("a", folder.path(), None).unwrap();
    let (first, second) = (open(), open());
    assert_eq!(first.list("").unwrap(), []);
    let path = folder.path().join("tmp").join(reserve::FILE);
    // a small file system has no room to set aside
    let is_there = std::fs::metadata(path).is_ok_and(|file| file.len() > 0);
    assert_eq!(first.make_room().unwrap(), is_there);
    assert!(!second.make_room().unwrap());
    assert!(open().make_room().unwrap() == is_there, "and made again");
}
