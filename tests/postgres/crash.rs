//! Crashes of servers, not of planc, in every phase of its work: planc ends with words that tell
//! what to do, leaves nothing running and no half copy, and the next call succeeds.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use super::cluster::{Cluster, command_lines, own};
use super::damaged::Damaged;
use super::pair::{Client, Pair, Watch, Written};
use super::scenarios::{SCHEMA_THEN, blamed, orders};
use super::site::Site;

/// A process and all that it started.
fn family(id: &str) -> Vec<String> {
    let children = std::fs::read_to_string(format!("/proc/{id}/task/{id}/children"));
    let children = children.unwrap_or_default();
    let below = children.split_whitespace().flat_map(family);
    std::iter::once(id.to_owned()).chain(below).collect()
}

/// Whether a process is at work; one that only waits to be forgotten is not.
fn lives(id: &str) -> bool {
    let about = std::fs::read_to_string(format!("/proc/{id}/stat")).unwrap_or_default();
    let state = about.rsplit(") ").next().unwrap_or_default();
    !state.is_empty() && !state.starts_with('Z')
}

fn signal(name: &str, processes: &[String]) {
    let mut kill = Command::new("kill");
    let sent = kill.arg(name).args(processes).stderr(Stdio::null());
    // one that has ended meanwhile is no trouble
    sent.status().expect("kill starts");
}

/// The process that a data directory says it is served by.
fn server(data: &Path) -> Option<String> {
    let text = std::fs::read_to_string(data.join("postmaster.pid")).ok()?;
    text.lines().next().map(str::to_owned)
}

/// Kills the server of a data directory with all its processes at once; false when none runs.
pub(crate) fn kill_server(data: &Path) -> bool {
    let Some(id) = server(data).filter(|id| lives(id)) else {
        return false;
    };
    // it starts no other process while its family is counted
    signal("-STOP", std::slice::from_ref(&id));
    let all = family(&id);
    signal("-9", &all);
    while all.iter().any(|id| lives(id)) {
        std::thread::sleep(Duration::from_millis(2));
    }
    true
}

/// Starts a server that was killed, when the system has forgotten it.
pub(crate) fn up_again(cluster: &Cluster) {
    if let Some(id) = server(&cluster.data) {
        while Path::new("/proc").join(&id).exists() {
            std::thread::sleep(Duration::from_millis(5));
        }
    }
    cluster.start();
}

/// Data directories of servers that planc started for itself.
fn scratch(site: &Site) -> Vec<PathBuf> {
    let all = walkdir::WalkDir::new(site.cluster.folder.path()).into_iter();
    let others = all.filter_entry(|entry| entry.path() != site.cluster.data);
    let marks = others
        .flatten()
        .filter(|entry| entry.file_name() == "postmaster.pid");
    marks
        .filter_map(|mark| mark.path().parent().map(Path::to_owned))
        .collect()
}

fn kill_scratch(site: &Site) -> bool {
    let killed: Vec<bool> = scratch(site).iter().map(|data| kill_server(data)).collect();
    killed.contains(&true)
}

/// How a command ended whose server was killed.
pub(crate) struct Struck {
    pub(crate) code: Option<i32>,
    pub(crate) told: String,
}

/// Runs a command and kills a server a while after something has come about; none when the command
/// had ended before.
pub(crate) fn strike(
    site: &Site,
    line: &str,
    come: impl Fn() -> bool,
    after: Duration,
    kill: impl Fn() -> bool,
) -> Option<Struck> {
    let mut command = site.command(line);
    let child = command
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn();
    let mut child = child.expect("planc starts");
    let began = Instant::now();
    let mut hit = false;
    while !hit && child.try_wait().expect("wait").is_none() {
        assert!(began.elapsed() < Duration::from_mins(5), "{line} hangs");
        if come() {
            std::thread::sleep(after);
            hit = kill();
        }
        std::thread::sleep(Duration::from_millis(1));
    }
    let output = child.wait_with_output().expect("planc ends");
    let told = String::from_utf8_lossy(&output.stdout).into_owned()
        + &String::from_utf8_lossy(&output.stderr);
    hit.then_some(Struck {
        code: output.status.code(),
        told,
    })
}

/// What a server that is gone makes planc say, one of them at least.
pub(crate) const CAUSES: [&str; 7] = [
    "is the server up",
    "killed by signal",
    "was terminated by signal",
    "postmaster exit",
    "server running locally",
    "server closed the connection",
    "not yet accepting",
];

impl Struck {
    /// It failed, with words for what was done, why it failed and what to do; or it had done, or
    /// did again, all that needs the server. Nothing goes on behind it.
    fn is_told(&self, site: &Site, moment: &str) {
        let told = &self.told;
        assert_eq!(at_work(site), Vec::<String>::new(), "{moment}");
        if self.code == Some(0) {
            return;
        }
        assert_eq!(self.code, Some(1), "{moment}: {told}");
        for words in ["failed: ", "help: ", "next: "] {
            assert!(told.contains(words), "{moment}: `{words}` is not in {told}");
        }
        assert!(
            CAUSES.iter().any(|cause| told.contains(cause)),
            "{moment}: {told}"
        );
    }

    pub(crate) fn failed(&self) -> bool {
        self.code != Some(0)
    }
}

/// Command lines of processes that work below the site's folder, but for its own server.
pub(crate) fn at_work(site: &Site) -> Vec<String> {
    let folder = site.cluster.folder.path().display().to_string();
    let own = site.cluster.data.display().to_string();
    let mut lines = command_lines(&folder);
    lines.retain(|line| !line.contains(&own) && !line.contains("log push"));
    lines
}

/// A moment within a command: so many records of its journal, and milliseconds after them.
pub(crate) type Moment = (usize, u64);

/// Runs a command whose live server is killed at a moment; it is up again afterwards.
pub(crate) fn live_struck(
    site: &Site,
    line: &str,
    (records, after): Moment,
    at_once: bool,
) -> Option<Struck> {
    let known = site.journal_records();
    let come = || site.journal_records() >= known + records;
    let kill = || {
        let killed = kill_server(&site.cluster.data);
        if killed && at_once {
            up_again(&site.cluster);
        }
        killed
    };
    let struck = strike(site, line, come, Duration::from_millis(after), kill);
    if let Some(struck) = &struck {
        struck.is_told(
            site,
            &format!("{line}: {records} records, {after} ms, {at_once}"),
        );
    }
    if struck.is_none() {
        kill_server(&site.cluster.data);
    }
    if struck.is_none() || !at_once {
        up_again(&site.cluster);
    }
    struck
}

/// Runs a command and kills the server that planc started for it a while after it is there.
fn scratch_struck(site: &Site, line: &str, after: u64) -> Option<Struck> {
    let come = || !scratch(site).is_empty();
    let struck = strike(site, line, come, Duration::from_millis(after), || {
        kill_scratch(site)
    });
    if let Some(struck) = &struck {
        struck.is_told(site, &format!("{line}: {after} ms"));
    }
    struck
}

/// Restores and compares; the place is free again then.
fn comes_back(site: &Site, written: &Written) {
    let hot = site.path("back-hot");
    site.good(&format!(
        "restore shop --to back --relocate hot={} --yes",
        hot.display()
    ));
    written.is_in(&site.restored("back"));
    gone(site);
}

fn gone(site: &Site) {
    for name in ["back", "back-hot"] {
        std::fs::remove_dir_all(site.path(name)).expect("removed");
    }
}

fn copies(site: &Site, moments: impl IntoIterator<Item = Moment>) -> usize {
    let mut hits = 0;
    for (number, moment) in moments.into_iter().enumerate() {
        let client = Client::start(&site.cluster);
        let at_once = number % 3 == 2;
        let struck = live_struck(site, "run nightly", moment, at_once);
        let written = client.ended();
        written.is_in(&site.cluster);
        hits += usize::from(struck.is_some());
        if struck.is_some_and(|struck| struck.failed()) {
            site.good(["run --resume", "run nightly"][number % 2]);
        }
        site.good("run wal");
        site.good("verify --device near");
        comes_back(site, &written);
    }
    hits
}

/// A service with a copy, and what a client wrote after it.
fn copied() -> (Site, Written) {
    let site = Site::new(15);
    site.good("run");
    let client = Client::start(&site.cluster);
    std::thread::sleep(Duration::from_millis(200));
    site.cluster.stop("fast");
    let written = client.ended();
    site.cluster.start();
    site.good("run wal");
    (site, written)
}

fn restores(steps: impl IntoIterator<Item = u64>) -> usize {
    let (site, written) = copied();
    let hot = site.path("back-hot").display().to_string();
    let line = format!("restore shop --to back --relocate hot={hot} --yes");
    let mut hits = 0;
    for step in steps {
        let struck = scratch_struck(&site, &line, 35 * step);
        hits += usize::from(struck.is_some());
        if struck.is_some_and(|struck| struck.failed()) {
            assert!(!site.path("back").exists(), "nothing half is there");
            site.good("restore --resume");
        }
        written.is_in(&site.restored("back"));
        gone(&site);
    }
    hits
}

fn drills(steps: impl IntoIterator<Item = u64>) -> usize {
    let site = Site::new(15);
    site.good("run");
    let mut hits = 0;
    for step in steps {
        let struck = scratch_struck(&site, "drill weekly --yes", 60 * step);
        hits += usize::from(struck.is_some());
        assert_eq!(site.left_behind(), 0, "{step}");
    }
    site.good("drill weekly --yes");
    hits
}

/// After a crash the schema comes at the next call, or is known as what came before.
fn comes_out(site: &Site, struck: Option<Struck>) -> usize {
    let hit = usize::from(struck.is_some());
    if struck.is_some_and(|struck| struck.failed()) {
        site.good("recover --resume");
    }
    let mut client = site.cluster.client_of("postgres", "orders");
    let rows = client.query_one("select count(*) from sales_then.visits", &[]);
    assert_eq!(rows.expect("the rows").get::<_, i64>(0), 5000);
    drop(client);
    assert_eq!((site.left_behind(), scratch(site).len()), (0, 0));
    orders(&site.cluster, "drop schema sales_then cascade");
    hit
}

/// Kills the copy's server, then the live one, so many times 60 ms within the recovery and behind
/// the beginning of the import.
fn extracts(copy: impl IntoIterator<Item = u64>, live: impl IntoIterator<Item = u64>) -> usize {
    let site = Site::with(15, |plan| plan.to_owned() + SCHEMA_THEN);
    site.cluster.sql("alter role keeper superuser");
    orders(
        &site.cluster,
        "create schema sales; create table sales.visits as \
         select i, repeat('v', 100) from generate_series(1, 5000) i",
    );
    site.good("run");
    let bad = blamed(&site.cluster, "delete from sales.visits");
    site.good("run wal");
    let line = format!("recover schema_then bad={bad} --yes");
    let mut hits = 0;
    for step in copy {
        hits += comes_out(&site, scratch_struck(&site, &line, 60 * step));
    }
    for step in live {
        let moment = (IMPORTING, 60 * step);
        hits += comes_out(&site, live_struck(&site, &line, moment, step % 3 == 2));
    }
    hits
}

/// The record behind which the copy's server opens and the import begins.
const IMPORTING: usize = 12;

fn in_place(steps: std::ops::Range<u64>) -> usize {
    let story = Damaged::new(15, "immediate");
    let site = &story.site;
    let recoveries = [
        ("restore shop --delta --yes", "restore --resume"),
        ("recover lost_tablespace ts=hot --yes", "recover --resume"),
    ];
    let mut hits = 0;
    for (line, resume) in recoveries {
        for step in steps.clone() {
            let hot = site.path("hot");
            std::fs::remove_dir_all(&hot).expect("lost");
            std::fs::create_dir(&hot).expect("a new disk");
            own(&hot);
            let come = || site.cluster.data.join("postmaster.pid").exists();
            let kill = || kill_server(&site.cluster.data);
            let struck = strike(site, line, come, Duration::from_millis(20 * step), kill);
            if let Some(struck) = struck {
                hits += 1;
                struck.is_told(site, &format!("{line}: {step}"));
                assert!(!kill_server(&site.cluster.data), "nothing runs");
                if struck.failed() {
                    site.good(resume);
                }
            }
            story.check();
        }
    }
    hits
}

/// Kills the primary, or the standby, behind a record of the switchover's journal.
fn switchovers(moments: impl IntoIterator<Item = (usize, bool)>) -> usize {
    let mut pair = Pair::new(15);
    let mut hits = 0;
    for (records, of_primary) in moments {
        let (watch, client) = (Watch::over(&pair), Client::start(pair.primary()));
        pair.meet();
        let victim = if of_primary {
            pair.primary()
        } else {
            pair.standby()
        };
        let known = pair.site.journal_records();
        let come = || pair.site.journal_records() >= known + records;
        let kill = || kill_server(&victim.data);
        let line = "switchover to_dublin --patience 10 --yes";
        let struck = strike(&pair.site, line, come, Duration::ZERO, kill);
        if let Some(struck) = struck {
            hits += 1;
            up_both(&pair);
            if struck.failed() {
                goes_over(&pair);
            }
        }
        watch.end();
        pair.flip();
        client.check(pair.primary());
        pair.meet();
    }
    hits
}

/// Starts what was killed; one that planc keeps fenced is left to it.
fn up_both(pair: &Pair) {
    let fenced = pair.primary().data.join("standby.signal").exists();
    for cluster in [pair.primary(), pair.standby()] {
        let left = fenced && std::ptr::eq(cluster, pair.primary());
        if !runs(cluster) && !left {
            up_again(cluster);
        }
    }
}

/// The work goes over at the next call; at the one after it, where the old primary had to be let out
/// because its standby lacked what it wrote last.
fn goes_over(pair: &Pair) {
    if Pair::writes(pair.primary()) {
        pair.streams();
    }
    let again = pair.site.planc("switchover --resume");
    if !again.status.success() {
        let told = String::from_utf8_lossy(&again.stdout);
        assert!(told.contains("it takes writes again"), "{told}");
        pair.meet();
        pair.site.good("switchover to_dublin --yes");
    }
}

/// Whether a server runs.
fn runs(cluster: &Cluster) -> bool {
    server(&cluster.data).is_some_and(|id| lives(&id))
}

/// Whether a segment is being pushed.
fn pushes(site: &Site) -> bool {
    let plan = site.path("shop.plan").display().to_string();
    let lines = command_lines(&plan);
    lines.iter().any(|line| line.contains("log push"))
}

/// Kills the server with its archiver and what that started, a while into a push.
fn pushed(steps: impl IntoIterator<Item = u64>) {
    let (site, _) = copied();
    site.cluster.sql("create table noise (i int)");
    let mut written = None;
    for step in steps {
        let client = Client::start(&site.cluster);
        let mut session = site.cluster.client();
        let writer = std::thread::spawn(move || {
            let work = "insert into noise select generate_series(1, 30000)";
            while session.batch_execute(work).is_ok() {}
        });
        let began = Instant::now();
        while !pushes(&site) {
            assert!(
                began.elapsed() < Duration::from_mins(5),
                "nothing is pushed"
            );
        }
        std::thread::sleep(Duration::from_millis(3 * step));
        kill_server(&site.cluster.data);
        writer.join().expect("the writer");
        written = Some(client.ended());
        up_again(&site.cluster);
    }
    site.good("run wal");
    let told = site.good("log status");
    assert!(!told.contains("lost"), "{told}");
    site.good("verify");
    comes_back(&site, &written.expect("a step"));
}

#[test]
fn a_copy_and_a_push_whose_server_crashes_are_made_again() {
    let hits = copies(&Site::new(15), [(3, 0), (7, 0)]);
    assert!(hits > 0, "no server was hit");
    pushed([1, 8]);
}

#[test]
fn a_recovery_whose_server_crashes_goes_on() {
    assert!(restores([0, 6]) > 0, "no server was hit");
    assert!(drills([2]) > 0, "no server was hit");
    assert!(extracts([6], [3]) > 0, "no server was hit");
    assert!(in_place(2..3) > 0, "no server was hit");
}

#[test]
fn a_switchover_whose_server_crashes_goes_on() {
    assert!(
        switchovers([(2, false), (4, true)]) > 0,
        "no server was hit"
    );
}

#[test]
#[ignore = "takes minutes: every record, and many moments within the copy"]
fn a_copy_and_a_push_whose_server_crashes_anywhere_are_made_again() {
    for site in [Site::new(15), Site::incremental(18)] {
        let moments = (1..14).map(|records| (records, 0));
        let within = (0..12).map(|step| (3, 40 * step));
        let hits = copies(&site, moments.chain(within));
        assert!(hits > 8, "{hits}");
    }
    pushed(0..20);
}

#[test]
#[ignore = "takes minutes: many moments of each"]
fn a_recovery_whose_server_crashes_anywhere_goes_on() {
    assert!(restores(0..16) > 4);
    assert!(drills(0..16) > 4);
    assert!(extracts(0..20, 0..16) > 4);
    assert!(in_place(0..12) > 4);
}

#[test]
#[ignore = "takes minutes: behind every record, either server"]
fn a_switchover_whose_server_crashes_anywhere_goes_on() {
    let moments = (1..19).flat_map(|records| [(records, true), (records, false)]);
    assert!(switchovers(moments) > 10);
}
