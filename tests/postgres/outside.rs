//! Data directories as packages and people leave them: configuration that lies elsewhere, access for
//! the group, names that are no text, files of somebody else.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::Path;
use std::process::Command;

use super::cluster::own;
use super::settings::survey;
use super::site::Site;

fn mode(path: &Path) -> u32 {
    let about = std::fs::metadata(path);
    let about = about.unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    about.permissions().mode() & 0o777
}

/// Rules of access and some settings lie beside the data directory, which the group may read.
fn as_packages_do(site: &Site) {
    let data = &site.cluster.data;
    let etc = site.path("etc");
    std::fs::create_dir_all(etc.join("more")).expect("a folder");
    let (rules, more) = (etc.join("pg_hba.conf"), etc.join("more/own.conf"));
    std::fs::rename(data.join("pg_hba.conf"), &rules).expect("moved");
    std::fs::write(&more, "work_mem = '7MB'\n").expect("settings");
    own(&etc);
    site.cluster.configure(&[
        &format!("hba_file = '{}'", rules.display()),
        &format!("include '{}'", more.display()),
    ]);
    let opened = Command::new("chmod")
        .args(["-R", "g+rX"])
        .arg(data)
        .status();
    assert!(opened.expect("chmod starts").success());
}

#[test]
fn a_run_as_root_beside_a_server_that_archives_is_refused() {
    if std::fs::metadata("/proc/self").is_ok_and(|me| me.uid() != 0) {
        return;
    }
    let site = Site::new(15);
    let mut command = Command::new(env!("CARGO_BIN_EXE_planc"));
    let output = command.arg("run").current_dir(site.cluster.folder.path());
    let output = output.output().expect("planc starts");
    assert_eq!(output.status.code(), Some(2));
    let told = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(told.contains("planc runs as root"), "{told}");
    assert!(told.contains("run planc as that user"), "{told}");
    let mut left = walkdir::WalkDir::new(site.path("state"))
        .into_iter()
        .flatten();
    let is_roots = |entry: walkdir::DirEntry| entry.metadata().is_ok_and(|about| about.uid() == 0);
    assert!(!left.any(is_roots));
}

#[test]
fn a_data_directory_comes_back_as_packages_and_people_made_it() {
    let site = Site::new(15);
    site.cluster.stop("fast");
    as_packages_do(&site);
    let data = &site.cluster.data;
    let odd = OsStr::from_bytes(b"od\xFFd %41");
    std::fs::write(data.join(odd), "kept").expect("a file");
    own(&data.join(odd));
    // only root can leave something that the server's user cannot read
    let root = std::fs::metadata("/proc/self").is_ok_and(|me| me.uid() == 0);
    if root {
        for (name, folder) in [("editor.swp", false), ("notes", true)] {
            let path = data.join(name);
            let file = if folder { path.join("x") } else { path.clone() };
            std::fs::create_dir_all(file.parent().expect("inside")).expect("a folder");
            std::fs::write(&file, "closed").expect("a file");
            let closed = std::fs::Permissions::from_mode(0o600);
            std::fs::set_permissions(&path, closed).expect("closed");
        }
    }
    site.cluster.start();
    let told = survey(&site);
    let rules = site.path("etc/pg_hba.conf").display().to_string();
    assert!(
        told.contains("configuration outside of the data directory") && told.contains(&rules),
        "{told}"
    );
    let told = site.good("run");
    for name in ["editor.swp", "notes"] {
        let words = format!("{name} is not copied: it cannot be read");
        assert_eq!(told.contains(&words), root, "{told}");
    }
    let told = site.good("restore shop --to new --yes");
    assert!(
        told.contains("the configuration of the source lay outside"),
        "{told}"
    );
    let back = site.path("new/data");
    let read = |path: &Path| std::fs::read_to_string(path).expect("it came");
    assert_eq!(read(&back.join(odd)), "kept");
    let inside = |name: &str| {
        let path = site.path(name);
        back.join("planc.configuration")
            .join(path.strip_prefix("/").expect("whole"))
    };
    assert_eq!(read(&inside("etc/more/own.conf")), "work_mem = '7MB'\n");
    assert_eq!(
        read(&inside("etc/pg_hba.conf")),
        read(&site.path("etc/pg_hba.conf"))
    );
    let copy = site.restored("new");
    assert_eq!(
        (mode(&back), mode(&back.join("PG_VERSION"))),
        (0o750, 0o640)
    );
    let segment = copy.ask("pg_walfile_name(pg_current_wal_lsn())");
    assert_eq!(mode(&back.join("pg_wal").join(segment)), 0o640);
}
