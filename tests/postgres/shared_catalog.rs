//! The catalog that several hosts share by a server: they see each other's copies, lose no change
//! of one another, and work again after the server was away or lost what it had.

use std::path::Path;
use std::time::Duration;

use planc::catalog::{Catalog, CatalogError, SharedSpec};
use planc::facts::holdings::{JobHistory, Method};

use super::cluster::Cluster;
use crate::runs::site::{NOW, Site};

fn running() -> Cluster {
    let cluster = Cluster::create(15);
    cluster.start();
    cluster
}

fn spec(cluster: &Cluster) -> SharedSpec {
    let folder = cluster.folder.path().to_owned();
    SharedSpec {
        owner: "shop@test".to_owned(),
        connect: Box::new(move || {
            let mut config = postgres::Config::new();
            config
                .host_path(&folder)
                .user("postgres")
                .dbname("postgres");
            let client = config.connect(postgres::NoTls);
            client.map_err(|error| error.to_string())
        }),
    }
}

fn open(cluster: &Cluster, path: &Path) -> Catalog {
    Catalog::open_shared(path, true, spec(cluster)).expect("a shared catalog")
}

/// All that a catalog knows, as text.
fn all(catalog: &Catalog) -> String {
    let dump = catalog.dump_with_devices().expect("dump");
    format!("{dump}{:?}", catalog.holdings().expect("holdings"))
}

fn job(name: &str, seconds: f64) -> JobHistory {
    JobHistory {
        job: name.to_owned(),
        method: Some(Method::PhysicalFull),
        began: NOW.parse().expect("time"),
        seconds,
        bytes: u64::MAX,
    }
}

#[test]
fn hosts_that_write_at_once_lose_nothing_of_one_another() {
    const HOSTS: usize = 4;
    const TIMES: usize = 15;
    let (cluster, folder) = (running(), tempfile::tempdir().expect("folder"));
    let file = |host: usize| folder.path().join(host.to_string());
    std::thread::scope(|scope| {
        for host in 0..HOSTS {
            let (cluster, path) = (&cluster, file(host));
            scope.spawn(move || {
                let mut catalog = open(cluster, &path);
                let at = NOW.parse().expect("time");
                catalog
                    .bind_device("disk", "one and the same")
                    .expect("bound");
                for turn in 0..TIMES {
                    let own = format!("part {host} {turn}");
                    catalog
                        .record_verified(&own, "disk", at, true)
                        .expect("written");
                    catalog.record_tried("a part", "disk").expect("counted");
                    catalog.record_condemned(&own, "disk", at).expect("written");
                    if turn % 3 == 0 {
                        catalog.record_reprieved(&own, "disk").expect("written");
                    }
                    catalog.record_job(&job("nightly", 0.25)).expect("written");
                }
            });
        }
    });
    let hosts: Vec<Catalog> = (0..HOSTS).map(|host| open(&cluster, &file(host))).collect();
    let fresh = open(&cluster, &file(HOSTS));
    let holdings = fresh.holdings().expect("holdings");
    let counted = u32::try_from(HOSTS * TIMES).expect("small");
    assert_eq!(
        holdings.tried,
        [("a part".to_owned(), "disk".to_owned(), counted)]
    );
    assert_eq!(holdings.verified.len(), HOSTS * TIMES);
    assert_eq!(holdings.condemned.len(), HOSTS * TIMES * 2 / 3);
    assert_eq!(holdings.jobs, [job("nightly", 0.25)]);
    for host in &hosts {
        assert_eq!(all(host), all(&fresh));
    }
}

#[test]
fn one_name_means_one_device_on_all_hosts() {
    let (cluster, folder) = (running(), tempfile::tempdir().expect("folder"));
    let mut first = open(&cluster, &folder.path().join("a"));
    let mut second = open(&cluster, &folder.path().join("b"));
    first.bind_device("disk", "uuid-1").expect("bound");
    let refused = second.bind_device("disk", "uuid-2");
    assert!(
        matches!(&refused, Err(CatalogError::OtherDevice { expected, .. }) if expected == "uuid-1"),
        "{refused:?}"
    );
}

#[test]
fn a_server_that_was_away_or_lost_everything_is_caught_up_with() {
    let (cluster, folder) = (running(), tempfile::tempdir().expect("folder"));
    let (mine, theirs) = (folder.path().join("a"), folder.path().join("b"));
    let mut first = open(&cluster, &mine);
    first.record_job(&job("nightly", 1.5)).expect("written");
    let before = all(&first);
    cluster.stop("immediate");
    let refused = first.record_job(&job("nightly", 2.5));
    assert!(
        matches!(refused, Err(CatalogError::Shared { .. })),
        "{refused:?}"
    );
    assert!(
        matches!(first.holdings(), Err(CatalogError::Shared { .. })),
        "what others did meanwhile is not known"
    );
    let alone = Catalog::open(&mine).expect("its own copy is whole");
    assert_eq!(all(&alone), before);
    drop(alone);
    cluster.start();
    for _ in 0..600 {
        if first.holdings().is_ok() {
            break;
        }
        std::thread::sleep(Duration::from_millis(100));
    }
    assert_eq!(all(&first), before, "the refused change left nothing");
    cluster.sql("drop schema planc cascade");
    drop(first);
    let first = open(&cluster, &mine);
    assert_eq!(all(&first), before);
    assert_eq!(
        all(&open(&cluster, &theirs)),
        before,
        "the server has it again"
    );
    // what was written alone is shared when the server is asked again
    drop(first);
    let mut alone = Catalog::open(&mine).expect("open");
    alone.record_job(&job("weekly", 3.5)).expect("written");
    drop(alone);
    let joined = open(&cluster, &mine);
    assert_eq!(all(&open(&cluster, &theirs)), all(&joined));
    assert_eq!(joined.holdings().expect("holdings").jobs.len(), 2);
}

#[test]
fn a_host_lists_and_restores_what_another_one_stored() {
    let cluster = running();
    let catalog = format!(
        "catalog: {{postgres: {{socket: \"{}\", user: postgres}}}}\n",
        cluster.folder.path().display()
    );
    let (one, two) = (Site::new(), Site::new());
    for site in [&one, &two] {
        let path = site.path("inventory.yaml");
        let text = std::fs::read_to_string(&path).expect("inventory");
        std::fs::write(&path, text + &catalog).expect("inventory");
    }
    for device in ["disk", "nas"] {
        let own = two.path("devices").join(device);
        std::fs::remove_dir_all(&own).expect("removed");
        std::os::unix::fs::symlink(one.path("devices").join(device), &own).expect("link");
    }
    one.good(&format!("run --now {NOW}"));
    assert!(two.good("list").contains("shop/database/main"));
    assert_eq!(
        two.good("catalog dump --devices"),
        one.good("catalog dump --devices")
    );
    two.good("restore docs --to papers --yes");
    assert!(two.path("papers/a.txt").is_file());
    // what is back stays back when the server fails at the end
    cluster.sql(
        "create function planc.full() returns trigger language plpgsql as $$ begin raise 'no room'; \
         end $$; create trigger full_ before insert or update on planc.catalog_row for each row \
         when (new.kind = 'job') execute function planc.full()",
    );
    let text = two.good("restore docs --to unbooked --yes");
    assert!(
        text.contains("could not be written down: the shared catalog: no room"),
        "{text}"
    );
    assert!(two.path("unbooked/a.txt").is_file());
    // nothing of a host is needed, and nothing of the server
    let dump = one.good("catalog dump");
    std::fs::remove_dir_all(two.path("state")).expect("removed");
    cluster.sql("drop schema planc cascade");
    two.good("catalog rebuild --from disk nas");
    assert_eq!(two.good("catalog dump"), dump);
    assert_eq!(
        cluster.ask("select count(*) > 0 from planc.catalog_row"),
        "true"
    );
    cluster.stop("immediate");
    // a recovery does not wait for it, and the devices tell what another host stored meanwhile
    std::fs::remove_dir_all(two.path("state")).expect("removed");
    for end in ["--dry-run", "--yes"] {
        let text = two.good(&format!("restore docs --to again {end}"));
        assert!(
            text.contains("gives no answer, so this host's own copy"),
            "{text}"
        );
    }
    assert!(two.path("again/a.txt").is_file());
    let text = two.ends("list", 2);
    assert!(
        text.contains("the shared catalog") && text.contains("help:"),
        "{text}"
    );
}
