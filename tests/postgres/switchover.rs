//! Handing the work over to a standby: nothing acknowledged is lost, no two servers take writes,
//! whatever fails or is killed on the way.

use std::process::{Command, Stdio};
use std::time::Duration;

use super::cluster::{Cluster, own, versions};
use super::driven::kill_at;
use super::pair::{Client, Pair, Watch};

const GO: &str = "switchover to_dublin --yes";

#[test]
fn the_work_goes_over_and_the_old_primary_follows() {
    for version in versions() {
        let mut pair = Pair::new(version);
        let dry = pair.site.good("switchover to_dublin --dry-run");
        let order = [
            "check-switch",
            "fence",
            "drain",
            "promote",
            "settle",
            "probe",
        ];
        let places = order.map(|word| dry.find(&format!("  {word}  ")));
        assert!(places.is_sorted() && places[0].is_some(), "{dry}");
        assert!(
            dry.contains("prove-archive") && dry.contains("follow"),
            "{dry}"
        );
        who_is_told(&dry);
        assert!(Pair::writes(pair.primary()), "a dry run changes nothing");
        let (watch, client) = (Watch::over(&pair), Client::start(pair.primary()));
        std::thread::sleep(Duration::from_millis(300));
        let told = pair.site.good(GO);
        watch.end();
        assert!(told.contains("it writes timeline 2"), "{told}");
        let ops = told.contains("tell ops") && !told.contains("tell night");
        assert!(ops, "{told}");
        let words = "; lead them to shop_dub";
        assert!(told.contains(words), "{told}");
        pair.flip();
        client.check(pair.primary());
        follows(&pair);
        // the new history is archived; copies and restores go on with it
        let told = pair.site.good("run wal nightly");
        assert!(told.contains("changed pages of"), "{told}");
        let told = pair.site.good("log status");
        assert!(told.contains("timeline 2, from timeline 1"), "{told}");
        pair.site.good("restore shop --to back --yes");
        let restored = pair.site.restored("back");
        assert_eq!(restored.ask("select count(*) from after_it"), "1");
        from_the_standby(&mut pair);
    }
}

/// A success is told when all is done, beside the line of steps too; a failure of any of them.
fn who_is_told(dry: &str) {
    let success = dry.lines().find(|line| line.contains("ops of the success"));
    let after = success.and_then(|line| line.split("after ").nth(1));
    let after: Vec<&str> = after.map_or(Vec::new(), |text| text.split([',', ' ']).collect());
    for word in [
        "follow",
        "prove-archive",
        "settle",
        "probe shop_dub: select count",
    ] {
        let step = dry.lines().find(|line| {
            let words: Vec<&str> = line.split_whitespace().skip(1).collect();
            words.join(" ").starts_with(word)
        });
        let number = step.and_then(|line| line.split_whitespace().next());
        let number = number.expect("a step");
        assert!(after.contains(&number), "{word}: {dry}");
        let failure = format!("night of a failure of to_dublin, step {number} ");
        assert!(dry.contains(&failure), "{word}: {dry}");
    }
}

/// What changed is copied from the standby, on top of copies of both primaries before it.
fn from_the_standby(pair: &mut Pair) {
    let primary = pair.primary();
    primary.sql("create table later as select generate_series(1, 700) i");
    pair.meet();
    std::thread::sleep(Duration::from_secs(1));
    pair.flip();
    let told = pair.site.good("run nightly wal");
    assert!(told.contains("changed pages of"), "{told}");
    let hot = pair.site.path("later-hot").display().to_string();
    pair.site.good(&format!(
        "restore shop --to later --relocate hot={hot} --yes"
    ));
    let restored = pair.site.restored("later");
    assert_eq!(restored.ask("select count(*) from later"), "700");
}

/// One server takes writes, and the other one gets them.
fn follows(pair: &Pair) {
    assert!(Pair::writes(pair.primary()) && !Pair::writes(pair.standby()));
    let primary = pair.primary();
    primary.sql("drop table if exists after_it; create table after_it as select 1");
    pair.meet();
    assert_eq!(pair.standby().ask("select count(*) from after_it"), "1");
}

/// Nothing went over: the primary is the one that it was, and takes writes.
fn unchanged(pair: &Pair) {
    assert!(Pair::writes(pair.primary()) && !Pair::writes(pair.standby()));
    assert!(!pair.primary().data.join("standby.signal").exists());
}

#[test]
fn a_switchover_that_is_killed_anywhere_goes_on() {
    let mut pair = Pair::new(15);
    let mut killed = 0;
    for records in (2..18).step_by(2) {
        let (watch, client) = (Watch::over(&pair), Client::start(pair.primary()));
        pair.meet();
        let known = pair.site.journal_records();
        if kill_at(&pair.site, GO, known + records) {
            killed += 1;
            pair.site.good("switchover --resume");
        }
        watch.end();
        pair.flip();
        client.check(pair.primary());
        follows(&pair);
    }
    assert!(killed >= 5, "only {killed} of 8 were killed");
}

#[test]
fn what_would_fail_is_refused_before_anything_is_changed() {
    let pair = Pair::new(15);
    let refused = |words: &str| {
        let told = pair.site.ends(GO, 1);
        assert!(told.contains(words), "{words}: {told}");
        unchanged(&pair);
    };
    let standby = pair.standby();
    for (size, fits) in [("100TB", false), ("64MB", true)] {
        standby.configure(&[&format!("max_wal_size = '{size}'")]);
        standby.sql("select pg_reload_conf()");
        while standby.ask("current_setting('max_wal_size')") != size {
            std::thread::sleep(Duration::from_millis(20));
        }
        if !fits {
            refused("are free where its log lies");
        }
    }
    standby.sql("select pg_wal_replay_pause()");
    refused("its replay is paused");
    standby.sql("select pg_wal_replay_resume()");
    standby.stop("fast");
    refused("connect to shop_dub");
    // its log would be archived nowhere
    let own_settings = standby.data.join("postgresql.auto.conf");
    let text = std::fs::read_to_string(&own_settings).expect("settings");
    std::fs::write(&own_settings, format!("{text}archive_mode = off\n")).expect("settings");
    standby.start();
    refused("archive_mode is off");
    // it follows nobody
    standby.stop("fast");
    std::fs::write(&own_settings, text.replace("primary_conninfo", "#")).expect("settings");
    standby.start();
    refused("it streams from nobody");
    // a primary by itself
    standby.sql("select pg_promote()");
    let told = pair.site.ends(GO, 1);
    assert!(
        told.contains("it takes writes already: two primaries"),
        "{told}"
    );
}

#[test]
fn what_the_plan_requires_is_looked_at_first() {
    let mut pair = Pair::new(15);
    std::thread::sleep(Duration::from_secs(1));
    let plan = pair.site.path("shop.plan");
    let text = std::fs::read_to_string(&plan).expect("plan");
    let with = |from: &str, to: &str| {
        assert!(text.contains(from));
        std::fs::write(&plan, text.replace(from, to)).expect("plan");
        own(&plan);
    };
    let cases = [
        (
            "backup newer than 26h",
            "backup newer than 1s",
            2,
            "requires one newer than 1s",
        ),
        ("  fence old primary\n", "", 2, "P0914"),
        (
            "  require no running backup\n",
            "",
            0,
            "it writes timeline 2",
        ),
    ];
    for (from, to, code, words) in cases {
        with(from, to);
        let told = pair.site.ends(GO, code);
        assert!(told.contains(words), "{words}: {told}");
        if code > 0 {
            unchanged(&pair);
        }
    }
    pair.flip();
    with("require lag <= 16 MiB", "require lag <= 1 KiB");
    // a reload may reach replay after the commit that it is to delay, a start cannot
    pair.standby().stop("fast");
    pair.standby()
        .configure(&["recovery_min_apply_delay = '1h'"]);
    pair.standby().start();
    pair.streams();
    pair.primary()
        .sql("create table more as select generate_series(1, 9000)");
    let told = pair.site.ends(GO, 1);
    assert!(told.contains("behind, the plan allows"), "{told}");
    unchanged(&pair);
    // a copy is being made
    with("require lag <= 16 MiB", "require lag <= 16 GiB");
    let mut session = pair.primary().client();
    let begin = "select pg_backup_start('by hand', true)";
    session.batch_execute(begin).expect("backup mode");
    let told = pair.site.ends(GO, 1);
    assert!(told.contains("backups run"), "{told}");
    unchanged(&pair);
}

#[test]
fn a_standby_that_does_not_apply_the_rest_lets_the_old_primary_out_again() {
    let pair = Pair::new(15);
    let (watch, client) = (Watch::over(&pair), Client::start(pair.primary()));
    pair.standby()
        .configure(&["recovery_min_apply_delay = '1h'"]);
    pair.standby().sql("select pg_reload_conf()");
    let told = pair.site.ends("switchover to_dublin --patience 3 --yes", 1);
    assert!(told.contains("it has applied the log up to"), "{told}");
    assert!(
        told.contains("it takes writes again; nothing was promoted"),
        "{told}"
    );
    unchanged(&pair);
    client.check(pair.primary());
    watch.end();
}

#[test]
fn a_standby_that_is_gone_on_the_way_leaves_neither_open() {
    let mut pair = Pair::new(15);
    let (watch, client) = (Watch::over(&pair), Client::start(pair.primary()));
    pair.standby()
        .configure(&["recovery_min_apply_delay = '1h'"]);
    pair.standby().sql("select pg_reload_conf()");
    let line = "switchover to_dublin --patience 120 --yes";
    let out = Stdio::piped();
    let child = pair
        .site
        .command(line)
        .stdout(out)
        .spawn()
        .expect("planc starts");
    stopped(pair.primary());
    pair.standby().stop("immediate");
    let output = child.wait_with_output().expect("planc ends");
    let told = String::from_utf8_lossy(&output.stdout);
    assert_eq!(output.status.code(), Some(1), "{told}");
    assert!(
        told.contains("whether the standby was promoted cannot be known"),
        "{told}"
    );
    assert!(pair.primary().data.join("standby.signal").exists());
    assert!(!Pair::writes(pair.primary()));
    // with the standby back, it goes on where it ended
    pair.standby().configure(&["recovery_min_apply_delay = 0"]);
    pair.standby().start();
    pair.site.good("switchover --resume");
    watch.end();
    pair.flip();
    client.check(pair.primary());
    follows(&pair);
}

#[test]
fn a_primary_that_does_not_stop_stays_the_primary() {
    let mut pair = Pair::new(15);
    let watch = Watch::over(&pair);
    // a server that stops waits until its standby has all it wrote; this one takes nothing
    let query = "select pid from pg_stat_wal_receiver";
    let receiver = pair.standby().ask(query);
    let signal = |name: &str| {
        let sent = Command::new("kill").args([name, &receiver]).status();
        assert!(sent.expect("kill starts").success());
    };
    pair.meet();
    signal("-STOP");
    let told = pair.site.ends("switchover to_dublin --patience 2 --yes", 1);
    assert!(told.contains("it has not stopped within 2s"), "{told}");
    assert!(
        !pair.primary().data.join("standby.signal").exists(),
        "{told}"
    );
    assert!(!Pair::writes(pair.standby()));
    signal("-CONT");
    stopped(pair.primary());
    pair.primary().start();
    pair.meet();
    pair.site.good(GO);
    watch.end();
    pair.flip();
    follows(&pair);
}

fn stopped(cluster: &Cluster) {
    for _ in 0..12_000 {
        if !cluster.data.join("postmaster.pid").exists() {
            return;
        }
        std::thread::sleep(Duration::from_millis(25));
    }
    panic!("it still runs:\n{}", cluster.log());
}

#[test]
fn a_standby_that_does_not_open_leaves_neither_open_until_it_does() {
    let mut pair = Pair::new(15);
    let watch = Watch::over(&pair);
    let door = pair.site.path("door");
    std::fs::write(&door, "shut").expect("a file");
    let wait = format!("while [ -e {} ]; do sleep 0.1; done", door.display());
    let command = format!("recovery_end_command = '{wait}'");
    pair.standby().configure(&[&command]);
    pair.standby().sql("select pg_reload_conf()");
    let told = pair.site.ends("switchover to_dublin --patience 3 --yes", 1);
    assert!(told.contains("it has not opened within 3s"), "{told}");
    assert!(told.contains("it stays fenced"), "{told}");
    assert!(!Pair::writes(pair.primary()) && !Pair::writes(pair.standby()));
    // whoever starts the old primary now gets a standby
    pair.primary().start();
    assert!(!Pair::writes(pair.primary()));
    std::fs::remove_file(&door).expect("open");
    pair.standby().wait_open();
    pair.site.good("switchover --resume");
    watch.end();
    pair.flip();
    follows(&pair);
}
