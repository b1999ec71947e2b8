//! The coordinator with programs and steps without device work: order, failure, stopping, cost.

use std::sync::Arc;
use std::time::{Duration, Instant};

use planc::graph::step::{EdgeKind, StepKind};
use planc::run::{Context, Journal, RunEnvironment, Stop, Verdict, execute, read_journal};

use super::make::{exec, graph, on_lane, run, script};

#[test]
fn failure_skips_what_needs_it_and_always_edges_run() {
    let kinds = vec![
        exec("true"),
        script("echo from inside; exit 3".to_owned()),
        exec("true"),
        exec("true"),
        exec("true"),
    ];
    let edges = [
        (0, 1, EdgeKind::Success),
        (1, 2, EdgeKind::Success),
        (1, 3, EdgeKind::Always),
        (1, 4, EdgeKind::Failure),
    ];
    let (report, log) = run(
        on_lane(graph(kinds, &edges), "host/a", 1),
        Context::default(),
    );
    assert_eq!(report.counts(), (3, 1, 1));
    assert_eq!(report.verdict(), Verdict::Bad);
    let ended: Vec<&String> = log.iter().filter(|line| !line.contains("began")).collect();
    assert_eq!(ended[0], "1 done");
    assert_eq!(
        ended[1],
        "2 failed: sh ended with exit status: 3: from inside"
    );
    assert_eq!(ended[2], "3 skipped");
    assert_eq!(ended[5], "run ended: 3 done, 1 failed, 1 skipped");
}

#[test]
fn a_program_that_does_not_exist_is_a_failure_of_its_step() {
    let (report, log) = run(
        graph(vec![exec("/no/such/program")], &[]),
        Context::default(),
    );
    assert_eq!(report.counts(), (0, 1, 0));
    assert!(log[2].contains("cannot run /no/such/program"), "{log:?}");
}

#[test]
fn a_lane_of_two_runs_two_at_a_time() {
    let folder = tempfile::tempdir().expect("folder");
    let count = |n: usize| {
        let dir = folder.path().display();
        script(format!(
            "touch {dir}/{n}; ls {dir} | wc -l >> {dir}.log; sleep 0.05; rm {dir}/{n}"
        ))
    };
    let kinds = (0..8).map(count).collect();
    let (report, _) = run(on_lane(graph(kinds, &[]), "host/a", 2), Context::default());
    assert_eq!(report.counts(), (8, 0, 0));
    let log = format!("{}.log", folder.path().display());
    let seen = std::fs::read_to_string(&log).expect("log");
    std::fs::remove_file(&log).expect("removed");
    let most = seen
        .lines()
        .filter_map(|line| line.trim().parse::<u32>().ok());
    assert_eq!(most.max(), Some(2), "{seen}");
}

#[test]
fn a_wish_to_stop_ends_programs_and_runs_always_edges() {
    let folder = tempfile::tempdir().expect("folder");
    let left = folder.path().join("left");
    let kinds = vec![
        exec("sleep 600"),
        exec("true"),
        script(format!("sleep 0.2; touch {}", left.display())),
    ];
    let edges = [(0, 1, EdgeKind::Success), (0, 2, EdgeKind::Always)];
    let stop = Stop::new();
    let context = Context {
        stop: stop.clone(),
        ..Context::default()
    };
    let began = Instant::now();
    std::thread::spawn(move || {
        std::thread::sleep(Duration::from_millis(300));
        stop.ask();
    });
    let (report, log) = run(graph(kinds, &edges), context);
    assert!(began.elapsed() < Duration::from_secs(200), "{log:?}");
    assert_eq!(report.verdict(), Verdict::Stopped);
    assert_eq!(report.counts(), (1, 1, 1), "{log:?}");
    assert!(
        left.exists(),
        "the step behind the always-edge ran to its end"
    );
    assert!(log.contains(&"cancelled by signal".to_owned()), "{log:?}");
}

#[test]
fn nobody_approves_without_a_person() {
    let by = "dba".to_owned();
    let kinds = vec![StepKind::Approve { by }, StepKind::Barrier];
    let edges = [(0, 1, EdgeKind::Success)];
    let (report, _) = run(graph(kinds, &edges), Context::default());
    assert_eq!(report.counts(), (0, 1, 1));
}

#[test]
fn the_journal_tells_what_happened() {
    let folder = tempfile::tempdir().expect("folder");
    let path = folder.path().join("journal");
    let graph = graph(
        vec![StepKind::Barrier, exec("true")],
        &[(0, 1, EdgeKind::Success)],
    );
    let environment = RunEnvironment {
        journal: Some(Journal::create(&path).expect("journal")),
        ..RunEnvironment::default()
    };
    execute(Arc::new(graph), Arc::default(), environment).expect("the run ends");
    let events = read_journal(&path).expect("journal").events;
    assert_eq!(events.len(), 6, "{events:?}");
}

#[test]
fn ten_thousand_steps_without_device_work_end() {
    let folder = tempfile::tempdir().expect("folder");
    let count = 10_000u32;
    let edges: Vec<_> = (100..count)
        .map(|to| (to - 100, to, EdgeKind::Success))
        .collect();
    let graph = graph(vec![StepKind::Barrier; count as usize], &edges);
    let environment = RunEnvironment {
        journal: Some(Journal::create(&folder.path().join("journal")).expect("journal")),
        ..RunEnvironment::default()
    };
    let report = execute(Arc::new(graph), Arc::default(), environment).expect("the run ends");
    assert_eq!(report.counts(), (10_000, 0, 0));
}
