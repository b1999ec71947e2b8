//! What the inventory reader understands and what it reports, by code and place.

use super::*;
use crate::diagnostic::Diagnostics;

const WHOLE: &str = r#"inventory: 1
sites:   {fra: {city: Frankfurt}, dub: {city: Dublin}}
hosts:
  pg1:       {site: fra, address: pg1.fra.example.org, replay: 200 MiB/s,
              disks: {d3: {}, d4: {}, d5: {}, spare_disk: {free: 3 TiB, write: 1 GiB/s}}}
  scratch:   {site: fra, free: 6 TiB, write: 1.5 GiB/s, replay: 200 MiB/s}
services:
  orders_db:
    engine: postgresql
    version: "17.4"
    host: pg1
    connect: {port: 5432, user: planc, password: {env: ORDERS_PGPASSWORD}}
    tablespaces: {hot: d3, history: [d4, d5]}
    labels: {tier: gold, team: orders}
  notes: {engine: sqlite, host: here, path: data/notes.db}
devices:
  nvme:   {host: pg1, path: /srv/backup, capacity: 20 TiB, write: 2 GiB/s, append: true}
  bucket: {site: dub, s3: {endpoint: https://s3.dub.example.org, bucket: b}, immutable: true}
  tapes:  {host: pg1, volumes: 24, volume_size: 6 TiB, drives: 2}
contacts: {dba_oncall: {pager: orders-dba}, incident_lead: {group: incident-leads}}
facts: prod.facts.yaml
state: state
"#;

fn findings(text: &str) -> Vec<(u16, String)> {
    let mut out = Diagnostics::new();
    let _ = read(FileId(0), text, &mut out);
    let cut = |span: Span| text[span.start as usize..span.end as usize].to_owned();
    out.iter()
        .map(|found| (found.code.0, cut(found.span())))
        .collect()
}

#[test]
fn a_whole_inventory_is_understood() {
    let mut out = Diagnostics::new();
    let inventory = read(FileId(0), WHOLE, &mut out);
    assert_eq!(
        out.iter().map(|found| &found.message).collect::<Vec<_>>(),
        [""; 0]
    );
    assert!(!inventory.incomplete);
    let orders = &inventory.services["orders_db"];
    assert_eq!(orders.connect["password"], "env:ORDERS_PGPASSWORD");
    assert_eq!(orders.connect["port"], "5432");
    assert_eq!(orders.tablespaces["history"].disks, ["d4", "d5"]);
    assert_eq!(
        inventory.services["notes"].path.as_deref(),
        Some("data/notes.db")
    );
    assert_eq!(
        inventory.hosts["pg1"].disks["spare_disk"].free,
        Some(Bytes(3 << 40))
    );
    assert_eq!(inventory.devices["bucket"].kind, Some(DeviceKind::S3));
    assert_eq!(
        inventory.devices["tapes"].volumes,
        Some((24, Some(Bytes(6 << 40))))
    );
    assert_eq!(inventory.devices["tapes"].drives, 2);
    assert_eq!(
        inventory.facts.map(|(path, _)| path).as_deref(),
        Some("prod.facts.yaml")
    );
    assert_eq!(
        inventory.state.map(|(path, _)| path).as_deref(),
        Some("state")
    );
}

#[test]
fn an_empty_inventory_is_one() {
    assert_eq!(findings(""), []);
    assert_eq!(findings("# nothing yet\n"), []);
    assert_eq!(findings("services:\n"), []);
}

#[test]
fn unknown_keys_are_found_everywhere() {
    assert_eq!(findings("devces: {}\n"), [(1101, "devces".into())]);
    assert_eq!(
        findings("devices: {d: {pth: /x}}\n"),
        [(1101, "pth".into())]
    );
    assert_eq!(
        findings("hosts: {h: {disks: {d: {fre: 1 TiB}}}}\n"),
        [(1101, "fre".into())]
    );
    assert_eq!(
        findings("services: {s: {engine: postgres}}\n"),
        [(1101, "postgres".into())]
    );
    assert_eq!(findings("inventory: 2\n"), [(1101, "2".into())]);
    assert_eq!(findings("- a\n"), [(1101, "- a".into())]);
}

#[test]
fn numbers_where_text_is_meant_show_what_they_became() {
    let text = "services: {s: {engine: postgresql, version: 17.10}}\n";
    assert_eq!(findings(text), [(1103, "17.10".into())]);
    let mut out = Diagnostics::new();
    let _ = read(FileId(0), text, &mut out);
    let messages: Vec<_> = out.iter().map(|found| found.message.as_str()).collect();
    assert_eq!(messages, ["`version: 17.10` is the number 17.1"]);
    assert_eq!(
        findings("services: {s: {labels: {team: 7}}}\n"),
        [(1103, "7".into())]
    );
}

#[test]
fn quantities_have_the_codes_of_plans() {
    assert_eq!(
        findings("devices: {d: {capacity: 20}}\n"),
        [(302, "20".into())]
    );
    assert_eq!(
        findings("devices: {d: {capacity: 20 TB}}\n"),
        [(303, "20 TB".into())]
    );
    assert_eq!(
        findings("devices: {d: {write: 20 GiB}}\n"),
        [(305, "20 GiB".into())]
    );
    assert_eq!(
        findings("devices: {d: {write: 0 GiB/s}}\n"),
        [(307, "0 GiB/s".into())]
    );
    assert_eq!(findings("devices: {d: {drives: 0}}\n"), [(307, "0".into())]);
}

#[test]
fn secrets_in_clear_text_are_found_and_not_repeated() {
    let text = "services: {s: {connect: {password: hunter2}}}\n";
    assert_eq!(findings(text), [(1003, "hunter2".into())]);
    assert_eq!(
        findings("services: {s: {api_token: abc}}\n"),
        [(1003, "abc".into())]
    );
    let address = "devices: {d: {s3: {endpoint: 'https://me:hunter2@x.org', bucket: b}}}\n";
    assert_eq!(findings(address)[0].0, 1003);
    let mut out = Diagnostics::new();
    let _ = read(FileId(0), text, &mut out);
    assert!(
        out.iter()
            .all(|found| !format!("{}{:?}", found.message, found.help).contains("hunter2"))
    );
}
