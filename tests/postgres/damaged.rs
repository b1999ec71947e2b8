//! Damage to a cluster that still stands: restored onto, file by file, page by page, without its
//! control file; and what is refused.

use std::os::unix::fs::FileExt;
use std::path::PathBuf;

use super::cluster::{Cluster, own, run_ok, versions};
use super::driven::kill_at;
use super::ledger::{self, Commit, Writer};
use super::site::Site;

/// A service with one full copy, work after it, and the log shipped; stopped in order or crashed.
pub(crate) struct Damaged {
    pub(crate) site: Site,
    cold: Vec<Commit>,
    hot: Vec<Commit>,
}

impl Damaged {
    pub(crate) fn new(version: u32, mode: &str) -> Self {
        let site = Site::new(version);
        let cold = Writer::start(&site.cluster, "cold_ledger", "pg_default");
        let hot = Writer::start(&site.cluster, "hot_ledger", "hot");
        site.good("run");
        Writer::rest();
        let (cold, hot) = (cold.finish(), hot.finish());
        site.good("run wal");
        site.cluster.stop(mode);
        Self { site, cold, hot }
    }

    /// The file of a table of database `postgres`, below the data directory.
    pub(crate) fn file(site: &Site, table: &str) -> String {
        let query = format!("select pg_relation_filepath('{table}')");
        site.cluster.ask(&query)
    }

    /// Everything acknowledged is there, every page is sound.
    pub(crate) fn check(&self) {
        let cluster = &self.site.cluster;
        cluster.start();
        assert_eq!(ledger::read(cluster, "cold_ledger"), self.cold);
        assert_eq!(ledger::read(cluster, "hot_ledger"), self.hot);
        cluster.stop("fast");
        let data = cluster.data.display().to_string();
        run_ok(cluster.version, "pg_checksums", &["--check", "-D", &data]);
        for left in ["pg_control.planc-kept", ".planc-restoring"] {
            assert!(!cluster.data.join(left).exists(), "{left}");
        }
    }
}

/// Writes bytes over the middle of a page.
pub(crate) fn spoil(path: &PathBuf, block: u64) {
    let file = std::fs::OpenOptions::new().write(true).open(path);
    let file = file.unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    file.write_all_at(&[0xEE; 600], block * 8192 + 4000)
        .expect("damage");
}

/// `A of B bytes were written`.
fn written(told: &str) -> (u64, u64) {
    let (before, _) = told
        .split_once(" bytes were written")
        .unwrap_or_else(|| panic!("{told}"));
    let words: Vec<&str> = before.rsplitn(4, [' ', '\n']).collect();
    let number = |word: &str| word.parse().unwrap_or_else(|_| panic!("{told}"));
    assert_eq!(words[1], "of", "{told}");
    (number(words[2]), number(words[0]))
}

/// Harms a stopped cluster in several ways at once.
fn harm(site: &Site, table: &str) {
    let data = &site.cluster.data;
    spoil(&data.join(table), 0);
    let catalog = data.join("base/1/1259");
    std::fs::remove_file(&catalog).expect("a lost file");
    let statistics = data.join("base/1/2619");
    std::fs::write(&statistics, b"short").expect("a shortened file");
    for name in ["base/1/99999", "recovery.signal", "tablespace_map"] {
        std::fs::write(data.join(name), b"junk").expect("a stray file");
        own(&data.join(name));
    }
    own(&statistics);
}

#[test]
fn a_restore_onto_a_damaged_folder_writes_what_differs() {
    for (version, mode) in versions().into_iter().zip(["fast", "immediate"]) {
        let story = Damaged::new(version, mode);
        let site = &story.site;
        site.cluster.start();
        let table = Damaged::file(site, "cold_ledger");
        site.cluster.stop(mode);
        harm(site, &table);
        let dry = site.good("restore shop --delta --dry-run");
        assert!(
            dry.contains("prepare-delta") && !dry.contains("  publish"),
            "{dry}"
        );
        let ahead = || {
            let told = site.good("restore shop --to elsewhere --dry-run");
            let fetches = told.lines().filter(|line| line.contains("fetch-part"));
            fetches.map(str::to_owned).collect::<Vec<_>>()
        };
        let before = ahead();
        let told = site.good("restore shop --delta --yes");
        let (some, all) = written(&told);
        assert!(some > 0 && some < all / 4, "{some} of {all}");
        assert_eq!(ahead(), before, "what was spared is no measure of speed");
        assert!(!site.cluster.data.join("base/1/99999").exists());
        story.check();
    }
}

#[test]
fn a_restore_onto_a_folder_reaches_an_earlier_moment_too() {
    let story = Damaged::new(15, "fast");
    let site = &story.site;
    site.cluster.start();
    site.cluster.sql("create table early as select 1");
    site.cluster.sql("select pg_create_restore_point('noon')");
    site.cluster.sql("create table late as select 1");
    site.good("run wal");
    site.cluster.sql("create table later as select 1");
    site.cluster.stop("immediate");
    for folder in ["global", "base"] {
        let lost = std::fs::remove_dir_all(site.cluster.data.join(folder));
        lost.expect("a lost folder");
    }
    let told = site.good("restore shop --delta --at point:noon --yes");
    assert!(told.contains("goes beyond the target lies in"), "{told}");
    story.check();
    site.cluster.start();
    let names = "select string_agg(relname, ' ' order by relname) from pg_class \
                 where relname in ('early', 'late', 'later')";
    assert_eq!(site.cluster.ask(names), "early");
}

#[test]
fn a_folder_that_is_live_or_of_others_is_refused_untouched() {
    let story = Damaged::new(15, "fast");
    let site = &story.site;
    site.cluster.start();
    let refused = |words: &str| {
        let told = site.ends("restore shop --delta --yes", 1);
        assert!(told.contains(words), "{told}");
    };
    refused("stop it first");
    site.cluster.stop("fast");
    let other = Cluster::create(15);
    let inventory = site.path("inventory.yaml");
    let text = std::fs::read_to_string(&inventory).expect("inventory");
    let (mine, theirs) = (&site.cluster.data, &other.data);
    let swapped = text.replace(&mine.display().to_string(), &theirs.display().to_string());
    std::fs::write(&inventory, swapped).expect("inventory");
    let before = std::fs::read(theirs.join("global/pg_control")).expect("bytes");
    refused("the folder is of system");
    let after = std::fs::read(theirs.join("global/pg_control")).expect("bytes");
    assert_eq!(before, after);
    let empty = site.path("empty");
    std::fs::create_dir(&empty).expect("folder");
    own(&empty);
    let missing = text.replace(&mine.display().to_string(), &empty.display().to_string());
    std::fs::write(&inventory, missing).expect("inventory");
    refused("is no data directory");
    std::fs::write(&inventory, text).expect("inventory");
    story.check();
}

#[test]
fn a_restore_in_place_that_is_killed_anywhere_goes_on() {
    let story = Damaged::new(15, "immediate");
    let site = &story.site;
    let recoveries = [
        ("restore shop --delta --yes", "restore --resume"),
        ("recover lost_tablespace ts=hot --yes", "recover --resume"),
    ];
    let mut killed = 0;
    for (line, resume) in recoveries {
        for records in [3, 6, 8] {
            let hot = site.path("hot");
            std::fs::remove_dir_all(&hot).expect("lost");
            std::fs::create_dir(&hot).expect("a new disk");
            own(&hot);
            let known = site.journal_records();
            if kill_at(site, line, known + records) {
                killed += 1;
                site.good(resume);
            }
            story.check();
        }
    }
    assert!(killed >= 3, "only {killed} of 6 were killed");
}

#[test]
fn one_file_or_some_pages_come_back_and_the_rest_stays() {
    for (version, mode) in versions().into_iter().zip(["immediate", "fast"]) {
        let story = Damaged::new(version, mode);
        let site = &story.site;
        site.cluster.start();
        let (cold, hot) = (
            Damaged::file(site, "cold_ledger"),
            Damaged::file(site, "hot_ledger"),
        );
        site.cluster
            .sql("create table young as select generate_series(1, 900) i");
        let young = Damaged::file(site, "young");
        site.good("run wal");
        site.cluster.stop(mode);
        let data = &site.cluster.data;
        // pages of a table in the base: those of the copy, and one that is younger
        let pages = std::fs::metadata(data.join(&cold)).expect("a file").len() / 8192;
        assert!(pages > 3, "{pages} pages");
        spoil(&data.join(&cold), 1);
        spoil(&data.join(&cold), pages - 1);
        let last = pages - 1;
        let told = site.good(&format!("recover damaged_file bad={cold}:1,{last} --yes"));
        assert!(told.contains("bytes were put back"), "{told}");
        story.check();
        // all of a file in a tablespace that is a part of its own, by its name
        std::fs::remove_file(data.join(&hot)).expect("lost");
        let inside: Vec<&str> = hot.splitn(3, '/').collect();
        site.good(&format!("recover damaged_file bad=hot/{} --yes", inside[2]));
        story.check();
        // a file that no copy has: the log makes it
        std::fs::remove_file(data.join(&young)).expect("lost");
        let told = site.good(&format!("recover damaged_file bad={young} --yes"));
        assert!(told.contains("the copy has no"), "{told}");
        story.check();
        site.cluster.start();
        assert_eq!(site.cluster.ask("select count(*) from young"), "900");
    }
}

#[test]
fn a_control_file_that_is_lost_or_too_old_is_led_to_where_the_others_are() {
    for (version, lost) in versions().into_iter().zip([true, false]) {
        let story = Damaged::new(version, "fast");
        let site = &story.site;
        let control = site.cluster.data.join("global/pg_control");
        let old = std::fs::read(&control).expect("bytes");
        site.cluster.start();
        site.cluster
            .sql("create table after_it as select 1; checkpoint");
        site.good("run wal");
        site.cluster.stop("fast");
        if lost {
            std::fs::write(&control, vec![7; 8192]).expect("damage");
        } else {
            // a copy of the file alone was put back by hand
            std::fs::write(&control, old).expect("an old one");
        }
        let told = site.good("recover damaged_file bad=global/pg_control --yes");
        assert!(told.contains("pages up to"), "{told}");
        story.check();
        site.cluster.start();
        assert_eq!(site.cluster.ask("select count(*) from after_it"), "1");
    }
}

#[test]
fn a_control_file_without_the_log_that_its_files_need_is_refused() {
    let story = Damaged::new(15, "fast");
    let site = &story.site;
    site.cluster.start();
    site.cluster.configure(&["archive_command = 'false'"]);
    site.cluster.sql("select pg_reload_conf()");
    while site.cluster.ask("current_setting('archive_command')") != "false" {
        std::thread::sleep(std::time::Duration::from_millis(20));
    }
    site.cluster
        .sql("create table after_it as select 1; checkpoint");
    site.cluster.stop("fast");
    // the log of what came last is nowhere: neither here nor in the archive
    let log = site.cluster.data.join("pg_wal");
    for entry in std::fs::read_dir(&log).expect("log").flatten() {
        if entry.path().is_file() {
            std::fs::remove_file(entry.path()).expect("lost");
        }
    }
    let control = site.cluster.data.join("global/pg_control");
    std::fs::write(&control, vec![7; 8192]).expect("damage");
    let told = site.ends("recover damaged_file bad=global/pg_control --yes", 1);
    assert!(
        told.contains("consistent") || told.contains("before"),
        "{told}"
    );
    // what came of it starts no server
    let data = site.cluster.data.display().to_string();
    let start = super::cluster::run(15, "pg_ctl", &["-s", "-w", "-D", &data, "-t", "5", "start"]);
    assert!(!start.status.success());
}

#[test]
fn words_that_name_no_file_are_refused_when_the_recovery_is_compiled() {
    let site = Site::new(15);
    site.good("run");
    for (bad, words) in [
        ("16384", "names no file"),
        ("base/1/1259+hot/PG_15/1/2", "more than one part"),
    ] {
        let told = site.ends(&format!("recover damaged_file bad={bad} --yes"), 2);
        assert!(told.contains(words), "{told}");
    }
    site.cluster.stop("fast");
    let told = site.ends("recover damaged_file bad=../secret/x --yes", 1);
    assert!(told.contains("a path below the data directory"), "{told}");
}
