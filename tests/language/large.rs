//! Makes a plan and an inventory of any size, for tests and measurements of the compiler.

use std::fmt::Write as _;

/// Components of each service: its base and nine tablespaces.
const COMPONENTS: usize = 10;

/// A plan and its inventory (`inventory.yaml`) with about `components` components, all of them
/// backed up and archived by one policy.
pub(super) fn large(components: usize) -> (String, String) {
    let services = components.div_ceil(COMPONENTS).max(1);
    (plan(services), inventory(services))
}

fn plan(services: usize) -> String {
    format!(
        "\
planc 1
plan large
timezone UTC
environment prod inventory \"inventory.yaml\"
window night every day 01:00..05:00
window weekend every sun 01:00..13:00

policy kept for service $it {{
  param interval: duration = 5min
  objectives of $it {{
    rpo 15min for loss of host
  }}
  backup all of base of $it, every tablespace of $it {{
    physical full every sun during weekend
    physical incremental every mon..sat during night
    store on near
    copy to far within 12h
    retain window 30d
  }}
  archive wal of $it {{
    ship every $interval or 64 MiB to near
    copy to far within 1h
    retain window 38d
  }}
}}

for each service $s where tier is gold {{
  expect {services}
  apply kept to $s
}}
"
    )
}

fn inventory(services: usize) -> String {
    let mut text =
        String::from("inventory: 1\nsites: {one: {}, two: {}}\nhosts:\n  store: {site: one}\n");
    for host in 0..100 {
        let _ = writeln!(
            text,
            "  db{host}: {{site: one, disks: {{d0: {{}}, d1: {{}}}}}}"
        );
    }
    text.push_str("services:\n");
    for service in 0..services {
        let host = service % 100;
        let _ = write!(
            text,
            "  s{service}:\n    engine: postgresql\n    version: \"17.4\"\n    host: db{host}\n    \
             labels: {{tier: gold}}\n    tablespaces:\n"
        );
        for tablespace in 1..COMPONENTS {
            let _ = writeln!(text, "      t{tablespace}: d{}", tablespace % 2);
        }
    }
    text.push_str(
        "devices:\n  near: {host: store, path: /srv/near}\n  far: {site: two, s3: \
         {endpoint: https://s3.example.org, bucket: far}}\n",
    );
    text
}
