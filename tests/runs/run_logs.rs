//! The run log: on every device, each entry naming the one before; rollback and omission show.

use super::site::{NOW, Site};

fn later(hour: u32) -> String {
    format!("2026-03-02T{hour}:00:00Z")
}

/// Entries of the run log on a device.
fn entries(site: &Site, device: &str) -> usize {
    let folder = site.path(&format!("devices/{device}/runs/shop_40test"));
    std::fs::read_dir(folder).map_or(0, Iterator::count)
}

#[test]
fn a_run_is_written_down_on_two_devices_and_fits() {
    let site = Site::new();
    site.good(&format!("run --now {NOW}"));
    site.good(&format!("run nightly --now {}", later(11)));
    assert_eq!([entries(&site, "disk"), entries(&site, "nas")], [2, 2]);
    site.good("status");
    site.good(&format!("run wal --now {}", later(12)));
    assert_eq!(
        entries(&site, "disk"),
        2,
        "log proves itself by its positions"
    );
}

#[test]
fn a_device_that_was_rolled_back_shows() {
    let site = Site::new();
    site.good(&format!("run --now {NOW}"));
    let kept = site.keep();
    site.good(&format!("run nightly --now {}", later(11)));
    std::fs::remove_dir_all(site.path("devices/nas")).expect("removed");
    let copied = std::process::Command::new("cp")
        .arg("-a")
        .arg(kept.path().join("devices/nas"))
        .arg(site.path("devices/nas"))
        .status();
    assert!(copied.expect("cp starts").success());
    let text = site.ends("status", 1);
    assert!(text.contains("nas lacks entry 2"), "{text}");
    assert!(text.contains("nas lacks part"), "{text}");
    let text = site.ends(&format!("verify --now {}", later(12)), 1);
    assert!(text.contains("run log: nas lacks"), "{text}");
}

#[test]
fn both_devices_rolled_back_show_against_what_the_host_knows() {
    let site = Site::new();
    site.good(&format!("run --now {NOW}"));
    site.good(&format!("run nightly --now {}", later(11)));
    for device in ["disk", "nas"] {
        let entry = format!("devices/{device}/runs/shop_40test/00000000000000000002");
        std::fs::remove_file(site.path(&entry)).expect("removed");
    }
    let text = site.ends("status", 1);
    assert!(text.contains("this host knows 2 entries"), "{text}");
}

#[test]
fn a_part_that_vanished_and_a_changed_entry_show() {
    let site = Site::new();
    site.good(&format!("run --now {NOW}"));
    let parts = site.path("devices/nas/parts");
    let part = std::fs::read_dir(&parts)
        .expect("list")
        .next()
        .expect("a part")
        .expect("entry");
    std::fs::remove_file(part.path()).expect("removed");
    let text = site.ends("status", 1);
    assert!(text.contains("which run"), "{text}");
    let entry = site.path("devices/disk/runs/shop_40test/00000000000000000001");
    let text = std::fs::read_to_string(&entry).expect("entry");
    std::fs::write(&entry, text.replace("shop@test", "shop@prod")).expect("written");
    let text = site.ends("status", 1);
    assert!(text.contains("of the run log is damaged"), "{text}");
}

#[test]
fn what_retention_deleted_is_not_missed() {
    let site = Site::new();
    site.good(&format!("run --now {NOW}"));
    site.good("run nightly papers wal --now 2026-03-12T09:00:00Z");
    site.good("run nightly papers wal --now 2026-03-20T09:00:00Z");
    site.good("expire --apply --now 2026-03-20T10:00:00Z");
    site.good("expire --apply --now 2026-03-22T10:00:00Z");
    let text = site.good("status --now 2026-03-22T10:00:00Z");
    assert!(!text.contains("RUN LOG"), "{text}");
}

#[test]
fn a_new_host_is_told_of_copies_that_its_catalog_does_not_know() {
    let site = Site::new();
    site.good(&format!("run --now {NOW}"));
    std::fs::remove_dir_all(site.path("state")).expect("another host");
    let told = "disk holds copies of this plan, and this host's catalog knows none: `planc \
                catalog rebuild --from disk`";
    for line in ["status", "verify"] {
        let text = site.ends(line, 1);
        assert!(text.contains(told), "{text}");
    }
    assert!(site.good("list").contains(told));
    site.good("catalog rebuild --from disk");
    assert!(!site.good("status").contains(told));
}
