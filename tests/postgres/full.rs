//! File systems without room: a device while it takes a copy or log, the log of the server while a
//! copy runs, the place of a restore. Nothing that looks whole is left, and with room it goes on.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use super::cluster::own;
use super::site::Site;

/// Whoever is run by it cannot write more than this many blocks of 512 bytes into a file: to it a
/// device answers as one that is full.
fn no_room(blocks: u32) -> String {
    format!("trap \"\" XFSZ; ulimit -f {blocks}; exec")
}

/// A small file system, as root or by sudo.
struct Small(PathBuf);

impl Small {
    fn mount(path: &Path, options: &str) -> Self {
        let about = ["-t", "tmpfs", "-o", options, "tmpfs"];
        as_root(
            "mount",
            &[&about[..], &[path.to_str().expect("plain")]].concat(),
        );
        own(path);
        Self(path.to_owned())
    }

    fn grow(&self, size: &str) {
        let path = self.0.to_str().expect("plain");
        as_root("mount", &["-o", &format!("remount,size={size}"), path]);
    }
}

impl Drop for Small {
    fn drop(&mut self) {
        as_root("umount", &["-l", self.0.to_str().expect("plain")]);
    }
}

fn as_root(tool: &str, words: &[&str]) {
    let command = |program: &str| {
        let mut command = Command::new(program);
        if program != tool {
            command.args(["-n", tool]);
        }
        command.args(words).stdin(Stdio::null()).output()
    };
    let done = command(tool).is_ok_and(|done| done.status.success())
        || command("sudo").is_ok_and(|done| done.status.success());
    assert!(
        done,
        "{tool} {words:?}: a small file system needs root or sudo"
    );
}

#[test]
fn a_device_that_gets_full_takes_neither_half_a_copy_nor_half_a_segment() {
    let site = Site::new(15);
    site.good("run");
    let parts = || site.good("list").matches("shop/base/base").count();
    let before = parts();
    let planc = env!("CARGO_BIN_EXE_planc");
    let shell = format!("{} {planc} run nightly", no_room(2000));
    let output = site
        .wrapped("sh", &["-c", &shell])
        .output()
        .expect("a shell");
    let told = String::from_utf8_lossy(&output.stdout).into_owned()
        + &String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{told}");
    assert!(
        told.contains("is full") && told.contains("free space"),
        "{told}"
    );
    assert_eq!(parts(), before, "no copy came to be");

    // a segment that finds no room is not acknowledged, and stays with the server
    let plan = site.path("shop.plan").display().to_string();
    let push = format!("{planc} log push --plan {plan} --service shop %p");
    let command = format!("{} {push}", no_room(100));
    site.cluster
        .sql(&format!("alter system set archive_command = '{command}'"));
    site.cluster.sql("select pg_reload_conf()");
    site.cluster.sql(
        "create table noise as select md5(i::text) from generate_series(1, 9000) i; \
         select pg_switch_wal()",
    );
    let told = site.ends("run wal", 1);
    assert!(told.contains("the archive command fails for"), "{told}");
    assert!(
        site.cluster.log().contains("is full"),
        "{}",
        site.cluster.log()
    );
    let told = site.ends("log status", 1);
    assert!(told.contains("its archive command fails for"), "{told}");
    assert!(
        told.contains("in flight") && !told.contains("lost"),
        "{told}"
    );
    site.good("verify");
    site.cluster.sql("alter system reset archive_command");
    site.cluster.sql("select pg_reload_conf()");
    site.good("run");
    site.good("run nightly wal");
    assert_eq!(parts(), before + 1);
    site.good("restore shop --to back --relocate hot=back-hot --yes");
    let restored = site.restored("back");
    assert_eq!(restored.ask("select count(*) from noise"), "9000");
}

#[test]
fn a_server_whose_log_finds_no_room_ends_the_copy_and_a_restore_that_cannot_fit_is_not_begun() {
    let site = Site::with(15, |plan| {
        plan.replace("  physical full", "  throttle 4 MiB/s\n  physical full")
    });
    site.good("run");
    let parts = || site.good("list").matches("shop/").count();
    let before = parts();
    site.cluster.stop("fast");
    let (log, kept) = (site.cluster.data.join("pg_wal"), site.path("kept"));
    std::fs::rename(&log, &kept).expect("moved");
    std::fs::create_dir(&log).expect("a folder");
    let small = Small::mount(&log, "size=40m,mode=0700");
    let from = format!("{}/.", kept.display());
    let copied = Command::new("cp").args(["-a", &from]).arg(&log).status();
    assert!(copied.expect("cp starts").success());
    site.cluster.start();
    let mut command = site.command("run nightly");
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    let child = command.spawn().expect("planc starts");
    let copies = "exists (select 1 from pg_stat_activity where query like '%pg_backup_start%' \
                  and pid <> pg_backend_pid())";
    while site.cluster.ask(copies) != "true" {
        std::thread::sleep(Duration::from_millis(20));
    }
    site.cluster
        .sql("alter system set archive_command = 'false'");
    site.cluster.sql("select pg_reload_conf()");
    let mut client = site.cluster.client();
    let fill = "create table if not exists fill (t text); \
                insert into fill select repeat(md5(i::text), 30) from generate_series(1, 2000) i";
    while client.batch_execute(fill).is_ok() {}
    let output = child.wait_with_output().expect("planc ends");
    let told = String::from_utf8_lossy(&output.stdout).into_owned()
        + &String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{told}");
    assert!(
        site.cluster.log().contains("No space left"),
        "{}",
        site.cluster.log()
    );
    assert!(told.contains("failed: "), "{told}");
    assert_eq!(parts(), before, "{told}");
    // with room it comes back, with all that was committed
    small.grow("400m");
    let own_settings = site.cluster.data.join("postgresql.auto.conf");
    std::fs::write(&own_settings, "").expect("settings");
    site.cluster.start_again();
    site.good("run nightly wal");
    assert_eq!(parts(), before + 2);

    // too little room for a restore is found before anything is made
    let tiny = site.path("tiny");
    std::fs::create_dir(&tiny).expect("a folder");
    let _tiny = Small::mount(&tiny, "size=8m");
    let told = site.ends("restore shop --to tiny/back --yes", 2);
    assert!(
        told.contains("free") && told.contains("the folder of"),
        "{told}"
    );
    assert!(!tiny.join("back").exists());
    assert_eq!(std::fs::read_dir(&tiny).expect("a folder").count(), 0);
}
