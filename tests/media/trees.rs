//! Chains of copies of a tree: what comes back is the tree as it was at each copy, and what did
//! not change is read once.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::os::unix::fs::{FileExt, symlink};
use std::path::{Path, PathBuf};

use jiff::Timestamp;
use planc::engine::memory::MemoryPart;
use planc::engine::{BaseCopy, EndedBackup, Engine, EntryKind};
use planc::facts::holdings::Method;
use planc::resolve::plan::EngineKind;

use crate::engines::support::spec;
use crate::engines::trees::picture;
use crate::runs::site::{Site, settle};

/// A tree with its copies.
struct Tree {
    folder: tempfile::TempDir,
    engine: Box<dyn Engine>,
    copies: Vec<(MemoryPart, EndedBackup)>,
    /// What the tree was when each copy was made.
    was: Vec<String>,
    /// What the last copy has of its long files.
    windows: BTreeMap<String, Vec<Option<blake3::Hash>>>,
}

impl Tree {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir(folder.path().join("tree")).unwrap();
        let state = folder.path().join("state");
        let spec = spec(EngineKind::Files, &folder.path().join("tree"), &state);
        Self {
            engine: planc::engine::open(&spec).unwrap(),
            folder,
            copies: Vec::new(),
            was: Vec::new(),
            windows: BTreeMap::new(),
        }
    }

    fn root(&self) -> PathBuf {
        self.folder.path().join("tree")
    }

    /// Copies what changed since the last copy, or all of it; why all was read, if it was.
    fn copy(&mut self) -> Option<String> {
        let at = Timestamp::new(1_800_000_000, i32::try_from(self.copies.len()).unwrap()).unwrap();
        let base = self.base();
        let mut session = match &base {
            None => self.engine.begin("c", Method::PhysicalFull, at).unwrap(),
            Some(base) => self
                .engine
                .begin_changed("c", base, &mut |_| None, at)
                .unwrap(),
        };
        let mut part = MemoryPart::default();
        session.copy(&mut part).unwrap();
        let whole = session.selective().and_then(|read| read.whole);
        self.copies.push((part, session.end().unwrap()));
        self.was.push(picture(&self.root()));
        self.windows = self.long_files();
        whole
    }

    fn long_files(&self) -> BTreeMap<String, Vec<Option<blake3::Hash>>> {
        let mut long = BTreeMap::new();
        for one in &self.copies.last().unwrap().0.entries {
            if one.length > 1 << 20 {
                let content = fs::read(self.root().join(&one.entry.path)).unwrap();
                let windows = content
                    .chunks(1 << 20)
                    .map(|window| Some(blake3::hash(window)));
                long.insert(one.entry.path.clone(), windows.collect());
            }
        }
        long
    }

    fn base(&self) -> Option<BaseCopy> {
        let (part, ended) = self.copies.last()?;
        let files = part.entries.iter();
        Some(BaseCopy {
            part: "below".to_owned(),
            identity: self.engine.identity().unwrap(),
            ended: ended.clone(),
            files: files
                .map(|one| (one.entry.path.clone(), one.length))
                .collect(),
            windows: self.windows.clone(),
        })
    }

    /// Restores the chain up to a copy and compares.
    fn comes_back(&self, copy: usize) {
        // a copy that holds everything begins a chain of its own
        let goes_over = |copy: &usize| {
            let mut entries = self.copies[*copy].0.entries.iter();
            entries.any(|one| one.entry.kind == EntryKind::Over)
        };
        let first = (0..=copy).rev().find(|copy| !goes_over(copy)).unwrap();
        let staging = tempfile::tempdir().unwrap();
        let mut session = self.engine.restore(staging.path()).unwrap();
        for (part, ended) in &self.copies[first..=copy] {
            session.begin_part(ended).unwrap();
            part.play(session.as_mut(), ended).unwrap();
        }
        session.check().unwrap();
        assert_eq!(picture(&session.result()), self.was[copy], "copy {copy}");
    }

    /// Files whose content the last copy holds.
    fn read(&self) -> BTreeSet<&str> {
        let entries = self.copies.last().unwrap().0.entries.iter();
        let files = entries.filter(|one| one.entry.kind == EntryKind::File);
        files.map(|one| one.entry.path.as_str()).collect()
    }
}

/// Numbers that are the same each time.
struct Dice(u64);

impl Dice {
    fn below(&mut self, most: u64) -> u64 {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1);
        (self.0 >> 33) % most
    }
}

/// Makes, changes, moves and removes something, anything that a tree can have.
fn shake(root: &Path, dice: &mut Dice) {
    const NAMES: [&str; 5] = ["a", "b", "c-d", "c", "e"];
    let mut name = || NAMES[usize::try_from(dice.below(5)).unwrap()];
    let mut place = root.join(name());
    for _ in 0..2 {
        let there = place.symlink_metadata().ok();
        if there.is_some_and(|meta| meta.is_dir()) {
            place = place.join(name());
        }
    }
    let meta = place.symlink_metadata().ok();
    let other = root.join(name());
    match dice.below(9) {
        0 | 1 => drop(remove(&place)),
        2 => drop(remove(&place).and_then(|()| fs::create_dir(&place))),
        3 => drop(remove(&place).and_then(|()| symlink("a/b", &place))),
        4 => drop(fs::rename(&place, &other)),
        5 if other.is_file() => drop(remove(&place).and_then(|()| fs::hard_link(&other, &place))),
        _ if meta.is_some_and(|meta| !meta.is_file()) => {}
        _ => {
            let length = usize::try_from(dice.below(9_000)).unwrap();
            drop(fs::write(
                &place,
                vec![u8::try_from(dice.below(250)).unwrap(); length],
            ));
        }
    }
}

fn remove(path: &Path) -> std::io::Result<()> {
    match path.symlink_metadata() {
        Ok(meta) if meta.is_dir() => fs::remove_dir_all(path),
        Ok(_) => fs::remove_file(path),
        Err(_) => Ok(()),
    }
}

#[test]
fn chains_of_random_trees_come_back_as_they_were_at_each_copy() {
    let mut trees: Vec<(Tree, Dice)> = (0..40).map(|seed| (Tree::new(), Dice(seed))).collect();
    let mut of_changes = 0;
    for round in 0..4 {
        for (tree, dice) in &mut trees {
            let times = if round == 0 { 40 } else { 4 };
            (0..times).for_each(|_| shake(&tree.root(), dice));
        }
        settle();
        for (tree, _) in &mut trees {
            let whole = tree.copy();
            of_changes += usize::from(round > 0 && whole.is_none());
        }
    }
    assert!(of_changes > 60, "only {of_changes} copies were of changes");
    for (tree, _) in &trees {
        (0..tree.copies.len()).for_each(|copy| tree.comes_back(copy));
    }
}

#[test]
fn of_a_tree_only_what_changed_is_stored() {
    let mut tree = Tree::new();
    let root = tree.root();
    let large = noise(5 << 20);
    fs::write(root.join("large"), &large).unwrap();
    fs::write(root.join("gone"), "x").unwrap();
    fs::create_dir(root.join("sub")).unwrap();
    for name in ["one", "two", "sub/three"] {
        fs::write(root.join(name), name).unwrap();
    }
    fs::write(root.join("young"), "before").unwrap();
    settle();
    // as old as it was when the copy looked at it, a change of it would not show
    fs::write(root.join("young"), "before").unwrap();
    assert_eq!(tree.copy(), None, "a full copy");
    assert_eq!(tree.read().len(), 6);
    fs::write(root.join("two"), "too").unwrap();
    fs::remove_file(root.join("gone")).unwrap();
    let file = fs::File::options()
        .write(true)
        .open(root.join("large"))
        .unwrap();
    file.write_all_at(b"now", (2 << 20) + 17).unwrap();
    file.set_len((4 << 20) + 9).unwrap();
    settle();
    assert_eq!(tree.copy(), None, "a copy of changes");
    assert_eq!(tree.read(), ["two", "young"].into());
    let stored = tree.copies[1].0.find("large").unwrap();
    let pieces: Vec<u64> = stored.pieces.iter().map(|piece| piece.0).collect();
    assert_eq!(
        pieces,
        [2 << 20, 4 << 20],
        "the changed window and the cut one"
    );
    assert_eq!(tree.copy(), None);
    assert_eq!(tree.read(), BTreeSet::new(), "nothing changed");
    (0..3).for_each(|copy| tree.comes_back(copy));
}

#[test]
fn a_chain_that_lacks_a_part_is_refused() {
    let mut tree = Tree::new();
    fs::write(tree.root().join("a"), "a").unwrap();
    settle();
    (0..3).for_each(|_| drop(tree.copy()));
    let staging = tempfile::tempdir().unwrap();
    let mut session = tree.engine.restore(staging.path()).unwrap();
    let error = session.begin_part(&tree.copies[1].1).unwrap_err();
    assert!(error.to_string().contains("was not given"), "{error}");
    let (part, ended) = &tree.copies[0];
    session.begin_part(ended).unwrap();
    part.play(session.as_mut(), ended).unwrap();
    let error = session.begin_part(&tree.copies[2].1).unwrap_err();
    assert!(error.to_string().contains("given before"), "{error}");
    // a part that claims more of a file than the one below has
    session.begin_part(&tree.copies[1].1).unwrap();
    let mut lying = tree.copies[1].0.clone();
    lying.entries.iter_mut().for_each(|one| one.length *= 2);
    let error = lying.play(session.as_mut(), ended).unwrap_err();
    assert!(error.to_string().contains("not all of the rest"), "{error}");
}

const PLAN: &str = r#"planc 1
plan shop "A shop"
timezone UTC
environment test inventory "inventory.yaml"

backup papers of service docs {
  physical full every sun at 02:00
  physical incremental every mon..sat at 02:00
  store on disk
  copy to nas within 1h
  retain window 7d
  encrypt none
}
"#;

fn run_of(site: &Site, day: u32) -> String {
    site.good(&format!("run papers --now 2026-03-0{day}T02:00:00Z"))
}

#[test]
fn a_chain_of_a_tree_survives_its_catalog_and_a_damaged_device() {
    let site = Site::of(PLAN, crate::runs::site::INVENTORY);
    fs::write(site.path("docs/large"), noise(4 << 20)).unwrap();
    settle();
    run_of(&site, 1);
    let first = picture(&site.path("docs"));
    fs::write(site.path("docs/sub/b.txt"), "other").unwrap();
    let file = fs::File::options()
        .write(true)
        .open(site.path("docs/large"));
    file.unwrap().write_all_at(b"now", 3 << 20).unwrap();
    settle();
    let text = run_of(&site, 2);
    assert!(
        text.contains("1 files of 3000 bytes are as they were"),
        "{text}"
    );
    fs::remove_file(site.path("docs/sub/b.txt")).unwrap();
    let file = fs::File::options()
        .write(true)
        .open(site.path("docs/large"));
    file.unwrap().write_all_at(b"then", 1 << 20).unwrap();
    run_of(&site, 3);
    let list: serde_json::Value = serde_json::from_str(&site.good("list --format json")).unwrap();
    let parts = list["parts"].as_array().unwrap().iter();
    let bytes: Vec<u64> = parts.map(|part| part["bytes"].as_u64().unwrap()).collect();
    assert!(
        bytes[0] > 4 << 20 && bytes[1..].iter().all(|b| *b < 3 << 19),
        "{bytes:?}"
    );
    site.good("verify");
    let text = site.ends("merge papers", 2);
    assert!(text.contains("only those of postgresql"), "{text}");
    let dump = site.good("catalog dump");
    fs::remove_file(site.path("state/shop@test/catalog.sqlite")).unwrap();
    site.good("catalog rebuild --from nas disk");
    assert_eq!(site.good("catalog dump"), dump);
    site.good("restore docs --to newest --yes");
    assert_eq!(picture(&site.path("newest")), picture(&site.path("docs")));
    site.good("restore docs --to oldest --at 2026-03-01T12:00:00Z --yes");
    assert_eq!(picture(&site.path("oldest")), first);
    // the pack of the full is lost on one device: the other one gives it
    let objects = walkdir::WalkDir::new(site.path("devices/disk/packs")).into_iter();
    let objects = objects.map(|object| object.unwrap());
    let largest = objects.max_by_key(|object| object.metadata().unwrap().len());
    fs::remove_file(largest.unwrap().path()).unwrap();
    site.good("restore docs --to healed --yes");
    assert_eq!(picture(&site.path("healed")), picture(&site.path("docs")));
}

#[test]
fn a_reader_made_from_the_documentation_restores_a_chain() {
    let site = Site::of(PLAN, crate::runs::site::INVENTORY);
    // two windows, of which only the short one changes
    fs::write(site.path("docs/large"), noise((1 << 20) + 3_000)).unwrap();
    fs::write(site.path("docs/gone"), "gone").unwrap();
    settle();
    run_of(&site, 1);
    fs::remove_file(site.path("docs/gone")).unwrap();
    fs::write(site.path("docs/sub/b.txt"), "other").unwrap();
    let file = fs::File::options()
        .write(true)
        .open(site.path("docs/large"));
    file.unwrap().write_all_at(b"now", 1 << 20).unwrap();
    settle();
    run_of(&site, 2);
    fs::write(site.path("docs/new"), "new").unwrap();
    run_of(&site, 3);
    let list: serde_json::Value = serde_json::from_str(&site.good("list --format json")).unwrap();
    let parts = list["parts"].as_array().unwrap();
    assert_eq!(parts.len(), 3, "{list}");
    let last = planc::media::name::manifest(parts[2]["part"].as_str().unwrap());
    let (device, to) = (site.path("devices/disk"), site.path("read"));
    let answer = super::reader::reader(&[&device, Path::new(&last), &to]);
    let said = String::from_utf8_lossy(&answer.stderr);
    assert!(answer.status.success(), "{said}");
    assert_eq!(picture(&to), picture(&site.path("docs")));
    assert!(!site.path("read.below").exists());
}

#[test]
fn a_host_with_public_keys_only_goes_on_with_a_sealed_chain() {
    let sealed = PLAN.replace("encrypt none", "encrypt with k").replace(
        "backup papers",
        "key k from file \"shop.key\" escrow at dub\n\nbackup papers",
    );
    let site = Site::of(&sealed, crate::runs::site::INVENTORY);
    site.good("key new offline.key --public shop.key");
    fs::write(site.path("docs/large"), noise(3 << 20)).unwrap();
    settle();
    run_of(&site, 1);
    let first = picture(&site.path("docs"));
    let file = fs::File::options()
        .write(true)
        .open(site.path("docs/large"));
    file.unwrap().write_all_at(b"now", 2 << 20).unwrap();
    fs::remove_file(site.path("docs/sub/b.txt")).unwrap();
    settle();
    run_of(&site, 2);
    let last = picture(&site.path("docs"));
    let said = site.ends("restore docs --to closed --yes", 2);
    assert!(said.contains("public half of `k`"), "{said}");
    assert!(!site.path("closed").exists());
    // on another day, where the offline key is
    fs::rename(site.path("offline.key"), site.path("shop.key")).unwrap();
    fs::remove_file(site.path("state/shop@test/catalog.sqlite")).unwrap();
    site.good("catalog rebuild --from nas");
    for (to, at, was) in [
        ("newest", "", last),
        ("oldest", " --at 2026-03-01T12:00:00Z", first),
    ] {
        site.good(&format!("restore docs --to {to}{at} --yes"));
        assert_eq!(picture(&site.path(to)), was);
    }
}

fn noise(length: usize) -> Vec<u8> {
    let mut bytes = vec![0; length];
    blake3::Hasher::new().finalize_xof().fill(&mut bytes);
    bytes
}
