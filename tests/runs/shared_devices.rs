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
fn what_another_plan_sealed_keeps_nobody_from_a_rebuild() {
    let site = Site::new();
    neighbour(&site);
    let sealed = OTHER.replace("encrypt none", "encrypt with k").replace(
        "backup papers",
        "key k from file \"k.key\" escrow at dub\n\nbackup papers",
    );
    std::fs::write(site.path("other/other.plan"), sealed).expect("plan");
    site.good("key new other/k.key");
    site.good(&format!("run papers --now {NOW}"));
    site.good(&format!("run papers --plan other/other.plan --now {NOW}"));
    let text = site.ends("catalog rebuild --from disk", 1);
    let told = "not read: 1 objects on device disk, which may be another plan's";
    assert!(text.contains("1 parts") && text.contains(told), "{text}");
    let text = site.good("restore docs --to back --yes");
    assert!(text.contains("what no key at hand opens"), "{text}");
    // who finds nothing else is refused, and a former catalog stays
    let parts = site.path("devices/disk/parts");
    let kept = site.keep();
    for part in std::fs::read_dir(parts).expect("list").flatten() {
        let bytes = std::fs::read(part.path()).expect("manifest");
        if !String::from_utf8_lossy(&bytes).contains("age-encryption.org") {
            std::fs::remove_file(part.path()).expect("removed");
        }
    }
    let text = site.ends("catalog rebuild --from disk", 2);
    assert!(text.contains("sealed for other keys"), "{text}");
    assert!(site.good("list").contains("docs/files/tree"));
    site.put_back(&kept);
}

#[test]
fn a_device_under_a_new_name_counts_once() {
    let site = Site::new();
    site.good(&format!("run --now {NOW}"));
    let before = site.good("catalog dump --devices");
    for file in ["shop.plan", "inventory.yaml"] {
        let text = std::fs::read_to_string(site.path(file)).expect("text");
        let text = text.replace("to nas", "to vault").replace("nas:", "vault:");
        std::fs::write(site.path(file), text).expect("text");
    }
    let text = site.good("run --now 2026-03-02T10:05:00Z");
    assert!(!text.contains("copy stored"), "all of it is there: {text}");
    let after = site.good("catalog dump --devices");
    assert_eq!(after, before.replace("nas", "vault"));
}

#[test]
fn copies_on_a_device_that_the_plan_does_not_have_do_not_count() {
    let site = Site::new();
    site.good(&format!("run --now {NOW}"));
    let (disk, away) = (site.path("devices/disk"), site.path("away"));
    std::fs::rename(&disk, &away).expect("unplugged");
    site.ends("run papers --now 2026-03-03T10:00:00Z", 1);
    std::fs::rename(&away, &disk).expect("plugged in");
    std::fs::remove_dir_all(site.path("devices/nas")).expect("lost");
    let last = |day: &str| format!("docs/files/tree: last copy {day} ago on");
    let now = "--now 2026-03-03T10:00:00Z";
    let text = site.ends(&format!("status {now}"), 1);
    assert!(text.contains(&last("0s")), "{text}");
    let told = "only nas has the others and is not here";
    assert!(text.contains(told), "nobody rolled anything back: {text}");
    // the loss is written into the plan
    let plan = std::fs::read_to_string(site.path("shop.plan")).expect("plan");
    let plan: Vec<&str> = plan
        .lines()
        .filter(|line| !line.contains("to nas"))
        .collect();
    std::fs::write(site.path("shop.plan"), plan.join("\n") + "\n").expect("plan");
    let inventory = INVENTORY.replace("  nas: {host: bk2, path: devices/nas}\n", "");
    std::fs::write(site.path("inventory.yaml"), inventory).expect("inventory");
    let text = site.planc(&format!("status {now}")).stdout;
    let text = String::from_utf8_lossy(&text);
    assert!(text.contains(&last("1d")), "{text}");
    assert!(text.contains("device nas: not in the plan"), "{text}");
    let text = site.good("restore docs --to back --yes");
    assert!(
        text.contains("warning: nas is not in the plan: 1 copies"),
        "{text}"
    );
    site.good("run papers --now 2026-03-04T10:00:00Z");
    let text = site.good("status --now 2026-03-04T10:00:00Z");
    assert!(!text.contains("RUN LOG"), "{text}");
    let plan = std::fs::read_to_string(site.path("shop.plan")).expect("plan");
    let plan = plan.replace("backup papers", "backup writings");
    std::fs::write(site.path("shop.plan"), plan).expect("plan");
    let text = site.good("status --now 2026-03-04T10:00:00Z");
    assert!(
        text.contains("job papers: not in the plan; 2 copies stay"),
        "{text}"
    );
}

#[test]
fn what_another_host_wrote_to_a_copy_of_a_device_keeps_nobody_from_a_restore() {
    let site = Site::new();
    site.good(&format!("run --now {NOW}"));
    let (nas, theirs) = (site.path("devices/nas"), site.path("theirs"));
    let kept = site.keep();
    let next = "run papers --now 2026-03-03T10:00:00Z";
    std::fs::write(site.path("docs/a.txt"), "theirs").expect("file");
    site.good(next);
    std::fs::rename(&nas, &theirs).expect("another host's");
    std::fs::create_dir(&nas).expect("folder");
    site.put_back(&kept);
    std::fs::remove_dir_all(&nas).expect("away");
    std::fs::write(site.path("docs/a.txt"), "ours").expect("file");
    site.ends(next, 0);
    std::fs::rename(&theirs, &nas).expect("in its place");
    let text = site.good("restore docs --to back --yes");
    assert!(text.contains("device nas holds another part"), "{text}");
    let back = std::fs::read_to_string(site.path("back/a.txt")).expect("file");
    assert_eq!(back, "ours");
    site.good("expire --apply --now 2026-03-03T10:00:00Z");
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
