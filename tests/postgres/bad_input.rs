//! What bad input gets: each case with the words that name the cause and the next action. Nothing
//! is changed by any of them.

use std::time::Duration;

use super::site::Site;

/// What is wrong, how it comes about and goes again, the command, and the words for it.
struct Case {
    wrong: &'static str,
    settings: &'static [&'static str],
    line: &'static str,
    cause: &'static str,
    next: &'static str,
}

/// Each with the settings of the server that bring it about.
const SETTINGS: [Case; 4] = [
    Case {
        wrong: "the log is archived by nobody",
        settings: &["archive_mode = off"],
        line: "run nightly",
        cause: "archive_mode is off",
        next: "set it to on with `archive_command = '/PATH/planc log push --plan /PATH/X.plan",
    },
    Case {
        wrong: "what the server is to call is not there",
        settings: &["archive_command = '/nowhere/planc log push %p'"],
        line: "run nightly",
        cause: "archive_command calls /nowhere/planc, which is not there",
        next: "correct the setting and reload the server",
    },
    Case {
        wrong: "the log holds too little",
        settings: &[
            "wal_level = minimal",
            "max_wal_senders = 0",
            "archive_mode = off",
        ],
        line: "run nightly",
        cause: "wal_level is minimal",
        next: "set it to replica and restart the server",
    },
    Case {
        wrong: "pages may be torn",
        settings: &["full_page_writes = off"],
        line: "run nightly",
        cause: "full_page_writes is off",
        next: "set it to on and reload the server",
    },
];

/// Each with the statement that brings it about, the one that mends it, and how the command ends.
const RIGHTS: [(&str, &str, &str, i32, &str, &str); 4] = [
    (
        "revoke execute on function pg_backup_start from keeper",
        "grant execute on function pg_backup_start to keeper",
        "run nightly",
        2,
        "may not call pg_backup_start",
        "grant execute on them to it",
    ),
    (
        "revoke execute on function pg_backup_stop from keeper",
        "grant execute on function pg_backup_stop to keeper",
        "run nightly",
        2,
        "may not call pg_backup_stop",
        "grant execute on them to it",
    ),
    (
        "alter role keeper password 'other'",
        "alter role keeper password 'open sesame'",
        "run nightly",
        2,
        "password authentication failed",
        "check `connect` in the inventory and the server's pg_hba.conf",
    ),
    (
        "select 1",
        "select 1",
        "log stream shop",
        1,
        "replication slots",
        "give the role REPLICATION",
    ),
];

/// The command ends with this code, names place, cause and next action, and leaves no part. One that is refused (2) has not even begun a run.
fn told(site: &Site, line: &str, wrong: &str, code: i32, words: &[&str]) {
    let parts = || site.good("list").matches("shop/").count();
    let (before, records) = (parts(), site.journal_records());
    let told = site.ends(line, code);
    for words in words {
        assert!(told.contains(words), "{wrong}: `{words}` is not in {told}");
    }
    assert_eq!(parts(), before, "{wrong}");
    let begun = site.journal_records() > records;
    assert!(code != 2 || !begun, "{wrong}: a run was begun");
}

fn refused(site: &Site, line: &str, wrong: &str, words: &[&str]) {
    told(site, line, wrong, 2, words);
}

#[test]
fn settings_and_rights_are_named_with_the_next_action() {
    let site = Site::new(15);
    site.good("run nightly");
    for (bring, mend, line, code, cause, next) in RIGHTS {
        site.cluster.sql(bring);
        told(&site, line, bring, code, &["shop", cause, next]);
        site.cluster.sql(mend);
    }
    let own = site.cluster.data.join("postgresql.conf");
    let text = std::fs::read_to_string(&own).expect("settings");
    for case in SETTINGS {
        site.cluster.configure(case.settings);
        site.cluster.stop("fast");
        site.cluster.start();
        refused(
            &site,
            case.line,
            case.wrong,
            &["shop", case.cause, case.next],
        );
        std::fs::write(&own, &text).expect("settings");
    }
    site.cluster.stop("fast");
    let next = "is the server up, and `connect` in the inventory right?";
    // it may be back in a moment, so the run tries
    let words = ["connect to shop as keeper", next];
    told(&site, "run nightly", "down", 1, &words);
    site.cluster.start();
    site.good("run nightly");
}

#[test]
#[ignore = "takes half a minute: the server starts its archiver again every ten seconds"]
fn an_archive_command_that_is_not_found_is_told_before_the_wait_is_over() {
    let site = Site::new(15);
    site.cluster
        .configure(&["archive_command = 'planc-of-nowhere log push %p'"]);
    site.cluster.stop("fast");
    site.cluster.start();
    let told = site.ends("run wal", 1);
    assert!(told.contains("the server's archiver dies at"), "{told}");
    assert!(told.contains("Name it by its whole path"), "{told}");
}

#[test]
fn places_and_targets_are_named_with_the_next_action() {
    let site = Site::new(15);
    site.good("run");
    std::fs::create_dir_all(site.path("taken/x")).expect("a folder");
    let cases = [
        ("--to taken", "an empty folder", "name another place"),
        (
            "--to new --at 2020-01-01T00:00:00Z",
            "as old as",
            "choose a target after",
        ),
        (
            "--to new --at 2099-01-01T00:00:00Z",
            "is not reached",
            "or restore to an earlier point",
        ),
    ];
    for (rest, cause, next) in cases {
        let line = format!("restore shop {rest} --yes");
        refused(&site, &line, rest, &[cause, next]);
    }
    std::fs::rename(site.path("hot"), site.path("gone")).expect("unmounted");
    // the other components are copied all the same
    let told = site.ends("run nightly", 1);
    for words in ["hot", "look at the path, its owner and mode"] {
        assert!(told.contains(words), "{words}: {told}");
    }
    std::fs::rename(site.path("gone"), site.path("hot")).expect("mounted");
}

#[test]
fn a_logical_copy_of_a_service_without_databases_is_a_finding() {
    let site = Site::new(15);
    let plan = site.path("shop.plan");
    let text = std::fs::read_to_string(&plan).expect("plan");
    let (before, rest) = text.split_once("  database orders {").expect("a database");
    let (_, after) = rest.split_once("  }\n").expect("its end");
    let bare = before.to_owned() + after;
    let bare = bare
        .split("drill weekly")
        .next()
        .expect("the jobs")
        .to_owned();
    let words = "backup words of base {\n  logical every day at 03:00\n  store on near\n  \
                 retain window 7d\n  encrypt none\n}\n";
    std::fs::write(&plan, bare + words).expect("plan");
    let told = site.ends("check", 1);
    assert!(told.contains("P0508"), "{told}");
    assert!(told.contains("no database of `shop` is declared"), "{told}");
    assert!(told.contains("declare each `database NAME`"), "{told}");
}

#[test]
fn a_replay_that_is_asked_to_end_ends_before_the_server_has_opened() {
    let site = Site::new(15);
    site.good("run");
    // a server that never opens
    let programs = site.path("programs");
    std::fs::create_dir(&programs).expect("a folder");
    for entry in std::fs::read_dir(super::cluster::tools(15))
        .expect("tools")
        .flatten()
    {
        let link = programs.join(entry.file_name());
        std::os::unix::fs::symlink(entry.path(), link).expect("a link");
    }
    let (server, mark) = (programs.join("postgres"), site.path("mark"));
    std::fs::remove_file(&server).expect("a link");
    let script = format!("#!/bin/sh\ntouch {}\nexec sleep 3600\n", mark.display());
    std::fs::write(&server, script).expect("a script");
    let mode = <std::fs::Permissions as std::os::unix::fs::PermissionsExt>::from_mode(0o755);
    std::fs::set_permissions(&server, mode).expect("executable");
    super::cluster::own(&programs);
    let inventory = site.path("inventory.yaml");
    let text = std::fs::read_to_string(&inventory).expect("inventory");
    let real = super::cluster::tools(15).display().to_string();
    let slow = text.replace(&real, &programs.display().to_string());
    std::fs::write(&inventory, slow).expect("inventory");
    let child = site.command("restore shop --to back --yes").spawn();
    let mut child = child.expect("planc starts");
    while !mark.exists() {
        assert!(child.try_wait().expect("wait").is_none(), "it ended early");
        std::thread::sleep(Duration::from_millis(20));
    }
    assert!(Site::ask_to_end(&child));
    assert_eq!(child.wait().expect("it ends").code(), Some(3));
    assert!(!site.path("back").exists());
    std::fs::remove_file(&server).expect("the script");
    let real = super::cluster::tools(15).join("postgres");
    std::os::unix::fs::symlink(real, &server).expect("a link");
    site.good("restore --resume");
    assert_eq!(site.restored("back").ask("select 1"), "1");
}
