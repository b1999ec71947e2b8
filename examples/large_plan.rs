//! Writes `large.plan`, `large.yaml` and `large.facts.yaml` with a given number of components into
//! a folder: one policy over many PostgreSQL services, each with its base and nine tablespaces, or
//! as many as asked for. All is known that the proofs need. Used by the benchmark of `planc check`.
//!
//! `large_plan FOLDER COMPONENTS [COMPONENTS OF A SERVICE]`

use std::fmt::Write as _;
use std::io::Write as _;
use std::path::Path;
use std::process::ExitCode;

/// Components of one service unless said otherwise: the base and its tablespaces.
const PER_SERVICE: usize = 10;

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let Some((folder, counts @ ([_] | [_, _]))) = args.split_first() else {
        return refuse("usage: large_plan FOLDER COMPONENTS [COMPONENTS OF A SERVICE]");
    };
    let counts: Result<Vec<usize>, _> = counts.iter().map(|count| count.parse()).collect();
    let Ok([components, rest @ ..]) = counts.as_deref() else {
        return refuse("the counts are not numbers");
    };
    let each = rest.first().copied().unwrap_or(PER_SERVICE).max(1);
    let services = components.div_ceil(each);
    let folder = Path::new(folder);
    let written = std::fs::write(folder.join("large.plan"), plan(services))
        .and_then(|()| std::fs::write(folder.join("large.yaml"), inventory(services, each)))
        .and_then(|()| std::fs::write(folder.join("large.facts.yaml"), facts(services, each)));
    match written {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => refuse(&format!("cannot write into {}: {error}", folder.display())),
    }
}

fn refuse(why: &str) -> ExitCode {
    // nothing can be said when stderr is gone
    let _ = writeln!(std::io::stderr(), "{why}");
    ExitCode::from(2)
}

const HEAD: &str = r#"planc 1
plan large
timezone Europe/Berlin
environment prod inventory "large.yaml"
key fleet from vault "kv/fleet" escrow at far_site

window night every day 01:00..05:30
window weekend every sat 22:00..sun 09:00

policy gold for service $it {
  param ship: duration = 5min
  objectives of $it {
    rpo 10min for loss of disk
    rto 8h for loss of disk
    recovery window 30d
    copies >= 2 on >= 2 sites
  }
  backup all of base of $it, every tablespace of $it {
    physical full every sat during weekend
    physical incremental every mon..fri during night
    store on near
    copy to far within 12h
    retain window 40d
    encrypt with fleet
  }
  archive wal of $it {
    ship every $ship or 64 MiB to near
    copy to far within 10min
    retain window 41d
    encrypt with fleet
  }
  recovery lost_disk {
    for loss of disk
    restore $it from nearest
    replay log to latest
    finish within 8h
  }
}
"#;

fn plan(services: usize) -> String {
    format!(
        "{HEAD}\nfor each service $s where tier is gold {{\n  expect {services}\n  \
         apply gold to $s\n}}\n"
    )
}

/// Sizes, changes and rates: everything fits its windows, and every promise can be proved.
fn facts(services: usize, each: usize) -> String {
    let mut text = String::from("measured: 2026-03-01\ncomponents:\n");
    for service in 0..services {
        let _ = writeln!(
            text,
            "  svc{service}/base/base: {{size: 60 MiB, change: 2%/day}}"
        );
        for space in 1..each {
            let key = format!("svc{service}/tablespace/ts{space}");
            let _ = writeln!(text, "  {key}: {{size: 40 MiB, change: 1%/day}}");
        }
    }
    text.push_str("services:\n");
    for service in 0..services {
        let _ = writeln!(
            text,
            "  svc{service}: {{log_rate: 4 MiB/h, log_peak: 64 KiB/s}}"
        );
    }
    text
}

fn inventory(services: usize, each: usize) -> String {
    let mut text = String::from(
        "inventory: 1\n\
         sites: {near_site: {}, far_site: {}}\n\
         hosts:\n  bk1: {site: near_site}\n  bk2: {site: far_site}\n",
    );
    for host in 0..services.div_ceil(20) {
        let disks: Vec<String> = (0..4)
            .map(|disk| format!("d{disk}: {{read: 1 GiB/s, write: 1 GiB/s}}"))
            .collect();
        let disks = disks.join(", ");
        let _ = writeln!(
            text,
            "  pg{host}: {{site: near_site, replay: 50 MiB/s, write: 1 GiB/s, disks: {{{disks}}}}}"
        );
    }
    text.push_str("services:\n");
    for service in 0..services {
        let spaces: Vec<String> = (1..each)
            .map(|space| format!("ts{space}: d{}", space % 4))
            .collect();
        let _ = writeln!(
            text,
            "  svc{service}: {{engine: postgresql, version: \"17.4\", host: pg{}, path: /srv/svc{service}, \
             tablespaces: {{{}}}, labels: {{tier: gold}}}}",
            service / 20,
            spaces.join(", ")
        );
    }
    text.push_str(
        "devices:\n  near: {host: bk1, path: /backup/near, write: 2 GiB/s, read: 2 GiB/s}\n  \
         far: {host: bk2, path: /backup/far, write: 1 GiB/s, read: 1 GiB/s}\n\
         facts: large.facts.yaml\n",
    );
    text
}
