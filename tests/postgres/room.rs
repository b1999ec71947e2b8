//! Log that piles up: backup mode is not entered before the limit that the plan states is reached.

use super::site::Site;

fn log_bytes(site: &Site) -> u64 {
    let entries = std::fs::read_dir(site.cluster.data.join("pg_wal")).expect("log");
    let lengths = entries.map(|entry| entry.expect("entry").metadata().expect("about"));
    lengths
        .filter(std::fs::Metadata::is_file)
        .map(|about| about.len())
        .sum()
}

#[test]
fn a_run_stops_entering_backup_mode_before_the_stated_limit() {
    let site = Site::new(15);
    let plan = site.path("shop.plan");
    let text = std::fs::read_to_string(&plan).expect("plan");
    let limit = (log_bytes(&site) >> 20) + 8;
    let limited = text.replace(
        "backup nightly",
        &format!("objectives of shop {{\n  log space <= {limit} MiB\n}}\n\nbackup nightly"),
    );
    std::fs::write(&plan, limited).expect("plan");
    site.good("run nightly");
    // the archive is stuck, so nothing can be forgotten
    site.cluster
        .sql("alter system set archive_command = 'false'");
    site.cluster.sql("select pg_reload_conf()");
    let mut client = site.cluster.client();
    while log_bytes(&site) < limit << 20 {
        let fill = "create table if not exists fill (t text); \
                    insert into fill select repeat(md5(i::text), 30) from generate_series(1, 2000) i";
        client.batch_execute(fill).expect("log");
    }
    let parts = site.good("list").matches("shop/base/base").count();
    let told = site.ends("run nightly", 1);
    assert!(
        told.contains(&format!("and the plan allows {limit} MiB")),
        "{told}"
    );
    assert_eq!(site.good("list").matches("shop/base/base").count(), parts);
    assert!(!told.contains("done: copy"), "{told}");
    // the archive works again: the server forgets, and the run goes on
    site.cluster.sql("alter system reset archive_command");
    site.cluster.sql("alter system set max_wal_size = '4MB'");
    site.cluster
        .sql("select pg_reload_conf(); select pg_switch_wal()");
    for _ in 0..12_000 {
        site.cluster.sql("checkpoint");
        if log_bytes(&site) < (limit - 4) << 20 {
            break;
        }
        std::thread::sleep(std::time::Duration::from_millis(50));
    }
    site.good("run nightly");
}

#[test]
fn log_that_piles_up_while_a_copy_runs_is_told() {
    // the copy takes a while: the base has some 30 MiB
    let site = Site::with(15, |plan| {
        let plan = plan.replace("  physical full", "  throttle 1 MiB/s\n  physical full");
        let limit = "objectives of shop {\n  log space <= 64 MiB\n}\n\nbackup nightly";
        plan.replace("backup nightly", limit)
    });
    let out = std::process::Stdio::piped();
    let child = site.command("run nightly").stderr(out).spawn();
    let mut child = child.expect("planc starts");
    let copies = "exists (select 1 from pg_stat_activity where query like '%pg_backup_start%' \
                  and pid <> pg_backend_pid())";
    while site.cluster.ask(copies) != "true" {
        std::thread::sleep(std::time::Duration::from_millis(20));
    }
    // the archive is stuck from now on, so nothing can be forgotten
    site.cluster
        .sql("alter system set archive_command = 'false'");
    site.cluster.sql("select pg_reload_conf()");
    let mut client = site.cluster.client();
    while log_bytes(&site) < 64 << 20 {
        let fill = "create table if not exists fill (t text); \
                    insert into fill select repeat(md5(i::text), 30) from generate_series(1, 2000) i";
        client.batch_execute(fill).expect("log");
    }
    let mut told = String::new();
    let mut errors = child.stderr.take().expect("a pipe");
    let mut letters = [0; 4096];
    while !told.contains("no other part enters it") {
        let read = std::io::Read::read(&mut errors, &mut letters).expect("words");
        assert!(read > 0, "{told}");
        told += &String::from_utf8_lossy(&letters[..read]);
    }
    site.kill_planc(&child);
    child.wait().expect("it ends");
}
