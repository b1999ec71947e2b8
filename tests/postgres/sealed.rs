//! Sealed chains of incremental copies: who has the key restores them, elsewhere and onto a damaged
//! folder; who has not is told which one is needed.

use std::path::Path;
use std::process::Command;

use super::chains::{a_second, bulk, is_sound, sum};
use super::cluster::{self, own};
use super::site::{Site, incremental};

/// A service whose copies and log are sealed, and the folder with its key.
fn site() -> (Site, tempfile::TempDir, String) {
    let keys = cluster::folder();
    let file = keys.path().join("k.key");
    let holder = new_key(&file);
    own(keys.path());
    let site = Site::with(15, |plan| {
        let plan = incremental(plan).replace("encrypt none", "encrypt with k");
        let key = format!(
            "key k from file \"{}\" escrow at dub\n\nservice shop",
            file.display()
        );
        plan.replacen("service shop", &key, 1)
    });
    (site, keys, holder)
}

/// Makes a key file; its public half.
pub(crate) fn new_key(file: &Path) -> String {
    let made = Command::new(env!("CARGO_BIN_EXE_planc"))
        .args(["key", "new"])
        .arg(file)
        .output()
        .expect("planc starts");
    assert!(made.status.success(), "{made:?}");
    String::from_utf8_lossy(&made.stdout).trim().to_owned()
}

/// The command is refused, tells the device, whom the copies are sealed for and what to do; no run
/// has begun and nothing lies anywhere that was not there.
fn is_refused_untouched(site: &Site, line: &str, holder: &str, key: &str) {
    let (before, records) = (site.everything(), site.journal_records());
    let told = site.ends(line, 2);
    for word in [
        "on device near, sealed for",
        holder,
        key,
        "escrow",
        "nothing was changed",
    ] {
        assert!(told.contains(word), "{word}: {told}");
    }
    assert!(
        site.everything() == before && site.journal_records() == records,
        "{told}"
    );
}

#[test]
fn a_sealed_chain_is_restored_by_who_has_the_key() {
    let (site, keys, holder) = site();
    bulk(&site);
    site.good("run");
    for text in ["one", "two"] {
        site.cluster
            .sql(&format!("update bulk set t = '{text}' where i % 900 = 0"));
        a_second();
        let told = site.good("run");
        assert!(told.contains("changed pages of"), "{told}");
    }
    site.cluster.sql("insert into bulk values (9001, 'last')");
    site.good("run wal");
    let rows = sum(&site.cluster);

    let (file, away) = (keys.path().join("k.key"), keys.path().join("away"));
    std::fs::rename(&file, &away).expect("away");
    let onto_itself = "restore shop --delta --yes";
    let line = "restore shop --to chain --yes";
    is_refused_untouched(&site, line, &holder, "k.key");
    is_refused_untouched(&site, onto_itself, &holder, "k.key");
    // another key of that name opens nothing either
    new_key(&file);
    own(keys.path());
    is_refused_untouched(&site, line, &holder, "planc key list");
    std::fs::rename(&away, &file).expect("back");
    let hot = site.path("chain-hot").display().to_string();
    site.good(&format!(
        "restore shop --to chain --relocate hot={hot} --yes"
    ));
    let chain = site.restored("chain");
    assert_eq!(sum(&chain), rows);
    is_sound(&chain);

    // onto what stands: only what differs is written, over the whole chain
    site.cluster.stop("fast");
    let data = &site.cluster.data;
    std::fs::remove_file(data.join("base/1/1259")).expect("a lost file");
    std::fs::write(data.join("base/1/2619"), b"short").expect("a shortened file");
    own(&data.join("base/1/2619"));
    let dry = site.good("restore shop --delta --dry-run");
    assert_eq!(dry.matches("fetch-part").count(), 6, "{dry}");
    site.good("restore shop --delta --yes");
    site.cluster.start();
    assert_eq!(sum(&site.cluster), rows);
    is_sound(&site.cluster);
}
