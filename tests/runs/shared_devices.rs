//! One device for several plans, and one folder under several names: nobody takes what others keep,
//! and one copy counts once.

use super::site::{INVENTORY, NOW, Site};

const OTHER: &str = r#"planc 1
plan other "Another plan"
timezone UTC
environment test inventory "inventory.yaml"

backup papers of service docs {
  physical full every day at 02:00
  store on disk
  retain window 7d
  encrypt none
}
"#;

/// Another plan with a source and a state of its own on the devices of a site.
fn neighbour(site: &Site) {
    let folder = site.path("other");
    std::fs::create_dir_all(folder.join("docs")).expect("folder");
    std::fs::write(folder.join("docs/own.txt"), "of the other plan").expect("file");
    std::fs::write(folder.join("other.plan"), OTHER).expect("plan");
    let inventory = INVENTORY.replace("path: devices/", "path: ../devices/");
    std::fs::write(folder.join("inventory.yaml"), inventory).expect("inventory");
}

#[test]
fn what_another_plan_is_about_to_delete_is_its_own_business() {
    let site = Site::new();
    neighbour(&site);
    let other = " --plan other/other.plan --now";
    site.good(&format!("run papers --now {NOW}"));
    for now in [NOW, "2026-03-12T09:00:00Z", "2026-03-20T09:00:00Z"] {
        site.good(&format!("run papers{other} {now}"));
    }
    let theirs = site.good(&format!(
        "expire --apply --grace 30d{other} 2026-03-20T10:00:00Z"
    ));
    assert!(theirs.contains("condemn"), "{theirs}");
    let parts = || {
        let folder = site.path("devices/disk/parts");
        std::fs::read_dir(folder).expect("list").count()
    };
    assert_eq!(parts(), 4);
    // a catalog that is made anew, and one that learns what a dead run left
    site.good("catalog rebuild --from disk nas");
    let ours = site.good("expire --apply --now 2026-03-25T10:00:00Z");
    assert!(ours.contains("nothing to delete"), "{ours}");
    assert_eq!(parts(), 4);
    site.good("run nightly --now 2026-03-25T10:00:00Z");
    site.good("expire --apply --now 2026-03-25T11:00:00Z");
    let dump = site.good("catalog dump");
    assert_eq!(dump.matches("docs/files/tree").count(), 1, "{dump}");
    site.good(&format!("verify{other} 2026-03-25T12:00:00Z"));
}

#[test]
fn one_folder_under_two_names_is_refused() {
    let inventory = INVENTORY.replace("devices/nas", "devices/./disk");
    let site = Site::new();
    std::fs::write(site.path("inventory.yaml"), inventory).expect("inventory");
    let lines = [
        format!("run --now {NOW}"),
        "device init --all".to_owned(),
        "catalog rebuild --from disk nas".to_owned(),
    ];
    for line in &lines {
        let told = site.ends(line, 2);
        let same = "device nas is the same as device disk";
        assert!(told.contains(same), "{line}: {told}");
    }
}
