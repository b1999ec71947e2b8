//! Findings of `resolve` by code and place: one slip, one finding, under the word that is wrong.

use super::resolve_plans::compile;

const INVENTORY: &str = "\
inventory: 1
sites: {here: {}, there: {}}
hosts:
  desk: {site: here, disks: {d1: {}}}
services:
  notes: {engine: sqlite, host: desk, path: /srv/notes.db, labels: {tier: Gold}}
  orders: {engine: postgresql, host: desk, tablespaces: {hot: d1}, databases: [hot]}
devices:
  near: {host: desk, path: /srv/copies}
";

const PLAN: &str = "\
planc 1
plan notes
timezone UTC
environment prod inventory \"inventory.yaml\"
environment test inventory \"inventory.yaml\"
window night every day 01:00..05:00
backup nightly of service notes {
  physical full every day during night
  store on near
  retain daily 7
}
";

type Seen = Vec<(u16, String)>;

/// Findings of a plan; both environments say the same, which `check` folds.
fn seen(files: &[(&str, &str)]) -> Seen {
    let mut found = compile(files).1;
    found.dedup();
    found
}

/// Findings of the plan with these lines at its end.
fn added(lines: &str) -> Seen {
    let plan = format!("{PLAN}{lines}");
    seen(&[("notes.plan", &plan), ("inventory.yaml", INVENTORY)])
}

/// Findings of the plan with one place changed.
fn changed(from: &str, to: &str) -> Seen {
    assert!(PLAN.contains(from), "{from}");
    let plan = PLAN.replacen(from, to, 1);
    seen(&[("notes.plan", &plan), ("inventory.yaml", INVENTORY)])
}

fn one(code: u16, place: &str) -> Seen {
    vec![(code, place.to_owned())]
}

#[test]
fn the_plan_itself_is_clean() {
    assert_eq!(added(""), []);
}

#[test]
fn names_of_another_kind_and_ambiguous_names() {
    let late = "backup late of service notes {
  physical full every sun during near
  store on near
  \
                retain daily 7
}
";
    assert_eq!(added(late), one(202, "near"));
    assert_eq!(
        changed("store on near", "store on night"),
        one(202, "night")
    );
    let parts =
        "backup parts of hot {\n  physical full every day\n  store on near\n  retain daily 7\n}\n";
    assert_eq!(added(parts), one(203, "hot"));
}

#[test]
fn names_declared_twice() {
    let twice = "window night every day 06:00..07:00\n";
    assert_eq!(added(twice), one(204, "night"));
}

#[test]
fn units_that_are_unknown_missing_or_ambiguous() {
    let promise = |limit: &str| {
        added(&format!(
            "objectives of notes {{\n  rpo {limit} for loss of disk\n}}\n"
        ))
    };
    assert_eq!(promise("24h"), []);
    assert_eq!(promise("24hours"), one(301, "24hours"));
    assert_eq!(promise("24"), one(302, "24"));
    assert_eq!(promise("24m"), one(303, "24m"));
}

#[test]
fn instants_say_their_zone() {
    let drill = |until: &str| {
        added(&format!(
            "drill monthly every 1st of month at 12:00 {{\n  restore service notes to scratch\n  \
             replay log until {until}\n  finish within 1h\n}}\n"
        ))
    };
    assert_eq!(drill("2026-03-01T14:05:00Z"), []);
    assert_eq!(
        drill("2026-03-01T14:05:00"),
        one(308, "2026-03-01T14:05:00")
    );
}

#[test]
fn a_half_of_a_shipment_that_never_acts() {
    let archive = |ship: &str| {
        added(&format!(
            "assume {{\n  log rate 4 GiB/h\n}}\narchive wal of notes {{\n  \
             ship {ship} to near\n  retain window 8d\n}}\n"
        ))
    };
    assert_eq!(archive("every 5min or 64 MiB"), []);
    assert_eq!(archive("every 5s or 1 TiB"), one(310, "every 5s or 1 TiB"));
}

#[test]
fn parameters_of_another_type_or_without_a_value() {
    let kept = |param: &str| {
        let retain = format!(
            "param kept: {param}\nbackup weekly of service notes {{\n  physical full every sun at 06:00\n  store on near\n  retain window $kept\n}}\n"
        );
        added(&retain)
    };
    assert_eq!(kept("duration = 9d"), []);
    assert_eq!(kept("duration = 9 GiB"), one(311, "9 GiB"));
    assert_eq!(kept("duration = required, prod: 9d, test: 3d"), []);
    assert_eq!(
        kept("duration = required, prod: 9d"),
        one(1104, "param kept: duration = required, prod: 9d")
    );
}

const POLICY: &str = "\
policy kept for service $it {
  backup weekly of $it {
    physical full every sun at 06:00
    store on near
    retain weekly 7
  }
}
";

#[test]
fn loops_that_match_an_unexpected_number() {
    let matched = |labels: &str, range: &str| {
        added(&format!(
            "{POLICY}for each service $s where {labels} {{\n  expect {range}\n  apply kept to $s\n}}\n"
        ))
    };
    assert_eq!(matched("tier is Gold", "1..1"), []);
    assert_eq!(matched("tier is gold", "1..2"), one(1105, "expect 1..2"));
}

#[test]
fn overrides_that_hit_nothing() {
    let apply = |clause: &str| added(&format!("{POLICY}apply kept to notes {{\n  {clause}\n}}\n"));
    assert_eq!(apply("override retain weekly 9"), []);
    assert_eq!(
        apply("override throttle 50 MiB/s"),
        one(1110, "override throttle 50 MiB/s")
    );
    assert_eq!(apply("retain weekly 9"), one(108, "retain"));
}

#[test]
fn imports_that_circle_or_start_something() {
    let main = PLAN.replace(
        "window night",
        "import \"lib.plan\" as lib\nwindow late every day 01:00..05:00\nwindow night",
    );
    let with = |lib: &str| {
        let files = [
            ("notes.plan", main.as_str()),
            ("lib.plan", lib),
            ("inventory.yaml", INVENTORY),
        ];
        let mut found = seen(&files);
        // the import and the window are there for the files they lead to
        found.retain(|(code, _)| *code != 208);
        found
    };
    assert_eq!(with("planc 1\nwindow dusk every day 18:00..19:00\n"), []);
    assert_eq!(
        with("planc 1\nimport \"lib.plan\" as again\n"),
        one(207, "\"lib.plan\"")
    );
    assert_eq!(
        with(
            "planc 1\nbackup b of service notes {\n  physical full every day\n  store on near\n  retain daily 7\n}\n"
        ),
        one(207, "backup b of service notes")
    );
}

#[test]
fn what_nothing_uses() {
    assert_eq!(
        added("window unused every day 06:00..07:00\n"),
        one(208, "unused")
    );
    assert_eq!(added("param unused: duration = 1h\n"), one(208, "unused"));
    let policy = POLICY.replace("kept", "unused");
    assert_eq!(added(&policy), one(208, "unused"));
}

/// A plan over files that import each other: `(path, text)`, the plan first.
fn over(imports: &str, lines: &str, others: &[(String, String)]) -> (usize, Seen) {
    let plan = PLAN.replace("window night", &format!("{imports}window night")) + lines;
    let mut files = vec![("notes.plan", plan.as_str()), ("inventory.yaml", INVENTORY)];
    files.extend(
        others
            .iter()
            .map(|(path, text)| (path.as_str(), text.as_str())),
    );
    let devices = compile(&files).0[0].devices.len();
    (devices, seen(&files))
}

#[test]
fn a_name_has_one_prefix() {
    let files = [
        (
            "a.plan".to_owned(),
            "planc 1\nimport \"b.plan\" as b\n".to_owned(),
        ),
        (
            "b.plan".to_owned(),
            "planc 1\nwindow dawn every day 05:00..06:00\n".to_owned(),
        ),
    ];
    let job = "backup weekly of service notes {\n  physical full every sun during a.b.dawn\n  store on near\n  retain weekly 7\n}\n";
    assert_eq!(
        over("import \"a.plan\" as a\n", job, &files).1,
        one(210, "a.b.dawn")
    );
}

#[test]
fn a_file_imported_twice_declares_its_devices_once() {
    let files = [
        ("jobs.plan".to_owned(), "planc 1\nimport \"far.plan\" as f\npolicy kept for service $it {\n  backup w of $it {\n    physical full every sun at 06:00\n    store on f.far\n    retain weekly 7\n  }\n}\n".to_owned()),
        ("far.plan".to_owned(), "planc 1\ndevice far is directory at there\n".to_owned()),
    ];
    let lines = "apply kept.kept to notes\nbackup daily of service notes {\n  physical full every day at 07:00\n  store on far.far\n  retain daily 7\n}\n";
    let (devices, found) = over(
        "import \"jobs.plan\" as kept\nimport \"far.plan\" as far\n",
        lines,
        &files,
    );
    assert_eq!((devices, found), (2, Vec::new()));
}

#[test]
fn files_that_many_paths_lead_to_are_read_once() {
    let file = |at: usize| {
        let next = at + 1;
        let text = match at {
            20 => "planc 1\nwindow dawn every day 05:00..06:00\n".to_owned(),
            _ => format!("planc 1\nimport \"l{next}.plan\" as a\nimport \"r{next}.plan\" as b\n"),
        };
        [
            (format!("l{at}.plan"), text.clone()),
            (format!("r{at}.plan"), text),
        ]
    };
    let files: Vec<(String, String)> = (1..=20).flat_map(file).collect();
    // two million paths lead down: a resolver that follows each would not end
    let imports = "import \"l1.plan\" as a\nimport \"r1.plan\" as b\n";
    let (_, mut found) = over(imports, "", &files);
    found.retain(|(code, _)| *code != 208);
    assert_eq!(found, []);
}
