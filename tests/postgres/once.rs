//! Two devices cost one read of the cluster: the kernel counts what planc and all that it starts
//! read.

use std::path::Path;

use super::site::Site;

/// Bytes that a command and its children read, as the kernel counts them.
fn read_by(site: &Site, line: &str) -> u64 {
    let planc = env!("CARGO_BIN_EXE_planc");
    // what a child read is its parent's when it is gone
    let script = format!("{planc} {line} >told 2>&1 || cat told; cat /proc/$$/io");
    let output = site.wrapped("sh", &["-c", &script]).output();
    let output = output.expect("a shell starts");
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let read = text.lines().find_map(|line| line.strip_prefix("rchar: "));
    let read = read.and_then(|number| number.parse().ok());
    read.unwrap_or_else(|| panic!("{line}: {text}"))
}

fn bytes_below(folder: &Path, but: &str) -> u64 {
    let all = walkdir::WalkDir::new(folder).into_iter();
    let all = all.filter_entry(|entry| entry.file_name() != but).flatten();
    let files = all.filter(|entry| entry.file_type().is_file());
    files
        .map(|entry| entry.metadata().map_or(0, |about| about.len()))
        .sum()
}

/// What a full backup of base and tablespace reads; and the bytes of both.
fn reads(one_device: bool) -> (u64, u64) {
    let site = Site::with(15, |plan| {
        let second = "  copy to far within 1h\n";
        assert!(plan.contains(second), "{plan}");
        plan.replace(second, if one_device { "" } else { second })
    });
    let mut client = site.cluster.client_of("postgres", "orders");
    let fill = "create table ballast tablespace hot as select i, md5(i::text) from \
                generate_series(1, 400000) i; checkpoint";
    client.batch_execute(fill).expect("rows");
    let read = read_by(&site, "run nightly");
    let held = |device: &str| bytes_below(&site.path(device).join("packs"), "") > 0;
    assert_eq!((held("near"), held("far")), (true, !one_device));
    let whole = bytes_below(&site.cluster.data, "pg_wal") + bytes_below(&site.path("hot"), "");
    (read, whole)
}

#[test]
fn a_backup_to_two_devices_reads_the_cluster_once() {
    let (one, whole) = reads(true);
    let (two, _) = reads(false);
    assert!(one >= whole / 2, "{one} of {whole}: nothing was read");
    assert!(
        two < one + whole / 10,
        "{two} for two, {one} for one of {whole}"
    );
}
