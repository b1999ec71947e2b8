//! One slip in a clause gives one finding, with its code, at its word.

use super::{parse, seen};

/// Puts lines into a block of a plan that is in order otherwise.
fn within(block: &str, line: &str) -> String {
    match block {
        "file" => format!("planc 1\n{line}\n"),
        "backup" => format!(
            "planc 1\nbackup b of service s {{\n  {line}\n  physical full every day\n  store on d\n}}\n"
        ),
        "archive" => {
            format!("planc 1\narchive a of s {{\n  {line}\n  ship every 5min to d\n}}\n")
        }
        "objectives" => {
            format!("planc 1\nobjectives of s {{\n  {line}\n  rpo 5min for corruption\n}}\n")
        }
        "recovery" => format!(
            "planc 1\nrecovery r {{\n  {line}\n  for loss of disk\n  restore service s to scratch\n}}\n"
        ),
        other => format!("planc 1\n{other} {{\n  {line}\n}}\n"),
    }
}

#[test]
fn each_slip_has_its_code_and_its_place() {
    for (block, line, code, under) in [
        ("backup", "copy to bucket in 6h", "P0101", "in"),
        ("backup", "copy to within 6h", "P0101", "within"),
        ("backup", "physical ful every day", "P0101", "ful"),
        ("backup", "notify dba on failre", "P0101", "failre"),
        ("backup", "encrypt orders", "P0101", "orders"),
        ("backup", "copy to bucket;", "P0101", ";"),
        ("backup", "store on \"d2\"", "P0101", "\"d2\""),
        ("archive", "ship every 5min or 64 MiB", "P0101", ""),
        ("archive", "stream to nvme lag 16 MiB", "P0101", "16"),
        ("recovery", "probe orders select is true", "P0101", "select"),
        ("file", "window w every day 1:00", "P0101", ""),
        ("file", "key k from \"x\"", "P0101", "\"x\""),
        ("file", "site größe", "P0101", "größe"),
        ("backup", "stroe on nvme", "P0106", "stroe"),
        ("backup", "schedule daily", "P0106", "schedule"),
        ("backup", "Copy to bucket", "P0106", "Copy"),
        ("objectives", "RTO=8h", "P0106", "RTO=8h"),
        ("file", "bakcup x of y", "P0106", "bakcup"),
        ("backup", "store on log", "P0107", "log"),
        (
            "file",
            "window full every day 01:00..02:00",
            "P0107",
            "full",
        ),
        ("backup", "ship every 5min to bucket", "P0108", "ship"),
        ("file", "store on nvme", "P0108", "store"),
        ("objectives", "retain daily 7", "P0108", "retain"),
        ("objectives", "rpo 5 for loss of host", "P0302", "5"),
        ("backup", "retain window 5", "P0302", "5"),
        ("backup", "throttle 400 in night", "P0302", "400"),
        ("backup", "retain window 5 minutes", "P0301", "5 minutes"),
        ("backup", "retain window 5days", "P0301", "5days"),
        ("backup", "logical every day at 1am", "P0304", "1am"),
        ("file", "window w every day 1am..5am", "P0304", "1am..5am"),
    ] {
        let text = within(block, line);
        assert_eq!(seen(&text), [(code.to_owned(), under)], "{block}: {line}");
    }
}

#[test]
fn well_formed_lines_give_nothing() {
    for (block, line) in [
        (
            "backup",
            "copy full to bucket, tapes within 6h  # and a comment",
        ),
        ("backup", "retain on bucket window 35d, weekly 5, last 3"),
        (
            "backup",
            "throttle 400 MiB/s in night, $fast in weekend, 80 MiB/s otherwise",
        ),
        (
            "backup",
            "verify every last fri of month at 05:45 during night",
        ),
        ("archive", "stream to nvme lag <= $lag"),
        (
            "objectives",
            "copies >= $n on >= 2 sites, >= 1 offline, >= 1 immutable",
        ),
        (
            "objectives",
            "rto 2h for loss of device nvme of every table of orders matching a_*",
        ),
        ("recovery", "replay log until before transaction \"4711\""),
        ("recovery", "replay log to restore point \"before release\""),
        (
            "recovery",
            "probe s.orders \"\"\"\n    select 1\n  \"\"\" >= 1",
        ),
        ("file", "window w fri 22:00..sat 06:00"),
        ("file", "param p: duration = 5min, staging : 1h"),
        ("file", "site fra,  # one\n\n  # two\n  dub"),
    ] {
        let text = within(block, line);
        assert_eq!(seen(&text), [], "{block}: {line}");
    }
}

#[test]
fn findings_say_what_to_write() {
    let help = |block: &str, line: &str| {
        let (_, findings) = parse(&within(block, line));
        let first = findings.into_iter().next().expect("a finding");
        format!("{} | {}", first.message, first.help.unwrap_or_default())
    };
    assert_eq!(
        help("archive", "ship every 5min or 64 MiB"),
        "after `or 64 MiB` `at`, `during` or `to` is expected | the form is `ship every DURATION \
         [or SIZE] to DEVICE`, for example `ship every 5min or 64 MiB to bucket`"
    );
    assert_eq!(
        help("backup", "stroe on nvme"),
        "`stroe` does not begin a clause of `backup` | did you mean `store`?"
    );
    assert_eq!(
        help("backup", "ship every 5min to bucket"),
        "`ship` belongs in `archive`, not in `backup` | move the line into the `archive` it is \
         meant for"
    );
    assert_eq!(
        help("objectives", "rpo 5 for loss of host"),
        "`rpo 5`: 5 of what? | write `5s`, `5min` or `5h`"
    );
    assert_eq!(
        help("backup", "logical every day at 1pm"),
        "`1pm` is not a time of day | write `13:00`"
    );
}

#[test]
fn slips_of_whole_blocks_have_their_codes() {
    let job = "physical full every day\n  store on d\n  retain daily 7";
    for (text, code, under) in [
        (
            format!("plan x\nbackup b of s {{\n  {job}\n}}\n"),
            "P0111",
            "",
        ),
        (
            format!("planc 3\nbackup b of s {{\n  {job}\n}}\n"),
            "P0111",
            "3",
        ),
        (
            format!("planc 1\nbackup b of s {{\n  {job}\n  store on e\n}}\n"),
            "P0109",
            "store on e",
        ),
        (
            "planc 1\nbackup b of s {\n  store on d\n}\n".into(),
            "P0110",
            "backup b of s",
        ),
        ("planc 1\nplan a\nplan b\n".into(), "P0109", "plan b"),
        (
            "planc 1\nobjectives of s {}\n".into(),
            "P0110",
            "objectives of s",
        ),
        (
            format!("planc 1\nbackup b of sеt {{\n  {job}\n}}\n"),
            "P0112",
            "sеt",
        ),
    ] {
        assert_eq!(seen(&text), [(code.to_owned(), under)], "{text}");
    }
}

#[test]
fn a_bad_clause_is_present_though_unknown() {
    // what the block lacks may be what could not be read, so only the slip is reported
    let text = "planc 1\nbackup b of s {\n  phisical full every day\n  store on d\n}\n";
    assert_eq!(seen(text), [("P0106".to_owned(), "phisical")]);
}

#[test]
fn the_inside_of_a_bad_block_is_still_read() {
    let text =
        "planc 1\nbackup large of base tablespace hot {\n  stroe on nvme\n  retain window 5\n}\n";
    let codes: Vec<String> = seen(text).into_iter().map(|(code, _)| code).collect();
    assert_eq!(codes, ["P0101", "P0106", "P0302"]);
}
