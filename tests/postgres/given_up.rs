//! Log in which a crash left a record without its end, on real servers: the server begins anew at
//! the page it lost, and what it wrote there counts for every target.

use std::io::{Seek, SeekFrom, Write};
use std::time::Duration;

use jiff::Timestamp;

use super::cluster::versions;
use super::site::Site;

const PAGE: u64 = 8192;
/// Set on a page that begins anew behind a record that was given up.
const OVERWRITES: u8 = 0x08;

/// Crashes the server and loses the end of the last record that it wrote.
fn tear_last_record(site: &Site) {
    let cluster = &site.cluster;
    cluster.sql("select pg_switch_wal()");
    let message = "pg_logical_emit_message(false, 'torn', repeat('y', 60000)) - '0/0'";
    let end: u64 = cluster.ask(message).parse().expect("a position");
    let name = format!("pg_walfile_name('0/0'::pg_lsn + {end})");
    let segment = cluster.data.join("pg_wal").join(cluster.ask(&name));
    // nobody waits for it: the server writes it when it comes to it
    std::thread::sleep(Duration::from_millis(600));
    cluster.stop("immediate");
    let length = std::fs::metadata(&segment).expect("a segment").len();
    let torn = (end % length - 30_000) / PAGE * PAGE;
    let mut file = std::fs::File::options().write(true).open(&segment);
    let file = file.as_mut().expect("opened");
    file.seek(SeekFrom::Start(torn)).expect("there");
    let zeros = vec![0; usize::try_from(length - torn).expect("short")];
    file.write_all(&zeros).expect("written");
    cluster.start();
    cluster.wait_open();
    cluster.sql("checkpoint");
    let bytes = std::fs::read(&segment).expect("the segment");
    let flags = bytes[usize::try_from(torn).expect("short") + 2];
    assert!(flags & OVERWRITES != 0, "it begins anew there: {flags:#x}");
}

#[test]
fn log_behind_a_record_that_was_given_up_counts() {
    for version in versions() {
        let site = Site::new(version);
        site.cluster.sql("create table kept (i int)");
        site.good("run");
        site.cluster.sql("insert into kept values (1)");
        tear_last_record(&site);
        site.cluster.sql("insert into kept values (2)");
        std::thread::sleep(Duration::from_millis(20));
        let moment = Timestamp::now();
        std::thread::sleep(Duration::from_millis(20));
        let point = "select pg_create_restore_point('known')";
        site.cluster.sql("insert into kept values (3)");
        site.cluster.sql(point);
        site.cluster.sql("insert into kept values (4)");
        site.good("run wal");
        let kept = "select string_agg(i::text, ' ' order by i) from kept";
        for (place, at, found) in [
            ("then", &*moment.to_string(), "1 2"),
            ("known", "point:known", "1 2 3"),
            ("now", "latest", "1 2 3 4"),
        ] {
            site.good(&format!("restore shop --to {place} --at {at} --yes"));
            assert_eq!(site.restored(place).ask(kept), found, "{place}");
        }
    }
}
