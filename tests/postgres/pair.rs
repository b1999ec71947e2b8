//! Owns a service of two servers, a primary and a streaming standby, with a plan that hands the
//! work over from one to the other and back.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use super::cluster::{Cluster, own, tools};
use super::site::{Site, incremental};
use super::standby::{catch_up, follow};

const SWITCHOVER: &str = r#"
switchover to_dublin {
  require lag <= 16 MiB
  require log archived within 1min
  require no running backup
  require backup newer than 26h
  fence old primary
  promote shop_dub from shop
  probe shop "select not pg_is_in_recovery()" is true
  probe orders "select count(*) from lines" >= 40
  notify ops on success
  notify night on failure
}
"#;

/// Both servers. The first is the one that the site made.
pub(crate) struct Pair {
    pub(crate) site: Site,
    other: Cluster,
    /// The second is the primary now.
    flipped: bool,
}

impl Pair {
    /// A primary with a copy of everything, and a standby that follows it.
    pub(crate) fn new(version: u32) -> Self {
        let site = Site::with(version, |plan| {
            let plan = incremental(plan).replace(
                "  tablespace hot\n",
                "  tablespace hot\n  standby shop_dub at dub\n",
            );
            let plan = plan.replace(
                "of base, tablespace hot {",
                "of base of shop, tablespace hot {",
            );
            plan + SWITCHOVER
        });
        site.cluster.sql(
            "grant pg_read_all_stats to keeper; \
             grant execute on function pg_promote(boolean, integer) to keeper",
        );
        let other = follow(&site.cluster);
        let pair = Self {
            site,
            other,
            flipped: false,
        };
        pair.write_inventory();
        pair.site.good("run");
        pair.meet();
        pair
    }

    pub(crate) fn primary(&self) -> &Cluster {
        if self.flipped {
            &self.other
        } else {
            &self.site.cluster
        }
    }

    pub(crate) fn standby(&self) -> &Cluster {
        if self.flipped {
            &self.site.cluster
        } else {
            &self.other
        }
    }

    /// The work went over: the inventory learns it.
    pub(crate) fn flip(&mut self) {
        self.flipped = !self.flipped;
        self.write_inventory();
    }

    /// The standby has all that was written, and streams.
    pub(crate) fn meet(&self) {
        catch_up(self.primary(), self.standby());
        self.streams();
    }

    /// Waits until the standby streams.
    pub(crate) fn streams(&self) {
        let query = "exists (select 1 from pg_stat_wal_receiver where status = 'streaming')";
        for _ in 0..12_000 {
            if self.standby().ask(query) == "true" {
                return;
            }
            std::thread::sleep(Duration::from_millis(25));
        }
        panic!("the standby does not stream:\n{}", self.standby().log());
    }

    fn write_inventory(&self) {
        let path = self.site.path("inventory.yaml");
        let text = std::fs::read_to_string(&path).expect("inventory");
        let (head, rest) = text.split_once("services:\n").expect("services");
        let (_, devices) = rest.split_once("devices:\n").expect("devices");
        let version = self.other.version;
        let entry = |name: &str, host: &str, cluster: &Cluster| {
            let secret = self.site.path("secret");
            format!(
                "  {name}:\n    engine: postgresql\n    version: \"{version}\"\n    host: {host}\n\
                 \x20   path: {}\n    programs: {}\n\
                 \x20   connect: {{socket: {}, user: keeper, password: {{file: {}}}}}\n",
                cluster.data.display(),
                tools(version).display(),
                cluster.folder.path().display(),
                secret.display(),
            )
        };
        let services =
            entry("shop", "till", self.primary()) + &entry("shop_dub", "till", self.standby());
        std::fs::write(
            &path,
            format!("{head}services:\n{services}devices:\n{devices}"),
        )
        .expect("inventory");
        own(&path);
    }

    /// Whether a server takes writes; one that cannot be asked does not.
    pub(crate) fn writes(cluster: &Cluster) -> bool {
        takes_writes(cluster.folder.path())
    }
}

fn takes_writes(socket: &std::path::Path) -> bool {
    let mut config = postgres::Config::new();
    config.host_path(socket).user("postgres").dbname("postgres");
    let Ok(mut client) = config.connect(postgres::NoTls) else {
        return false;
    };
    let row = client.query_one("select not pg_is_in_recovery()", &[]);
    row.is_ok_and(|row| row.get(0))
}

/// Looks all the time whether both servers take writes at once.
pub(crate) struct Watch {
    stop: Arc<AtomicBool>,
    thread: JoinHandle<bool>,
}

impl Watch {
    pub(crate) fn over(pair: &Pair) -> Self {
        let sockets = [pair.primary(), pair.standby()].map(|one| one.folder.path().to_owned());
        let stop = Arc::new(AtomicBool::new(false));
        let stopped = Arc::clone(&stop);
        let thread = std::thread::spawn(move || {
            let [one, other] = sockets;
            let mut both = false;
            while !stopped.load(Ordering::Relaxed) {
                // the first one before and after: else the work may have gone over in between
                both |= takes_writes(&one) && takes_writes(&other) && takes_writes(&one);
                std::thread::sleep(Duration::from_millis(20));
            }
            both
        });
        Self { stop, thread }
    }

    /// Both never took writes at once.
    pub(crate) fn end(self) {
        self.stop.store(true, Ordering::Relaxed);
        assert!(!self.thread.join().expect("the watch"), "two primaries");
    }
}

/// A client that writes until it is cut off, and remembers what was acknowledged.
pub(crate) struct Client {
    thread: JoinHandle<i64>,
}

impl Client {
    pub(crate) fn start(cluster: &Cluster) -> Self {
        cluster.sql("create table if not exists ledger (number int8 primary key)");
        cluster.sql("truncate ledger");
        let mut client = cluster.client();
        let thread = std::thread::spawn(move || {
            let insert = "insert into ledger values ($1)";
            let mut last = 0;
            while client.execute(insert, &[&(last + 1)]).is_ok() {
                last += 1;
            }
            last
        });
        Self { thread }
    }

    /// Waits until it is cut off; what was acknowledged.
    pub(crate) fn ended(self) -> Written {
        let last = self.thread.join().expect("the client");
        assert!(last > 0, "nothing was written");
        Written(last)
    }

    /// All that was acknowledged is there.
    pub(crate) fn check(self, cluster: &Cluster) {
        self.ended().is_in(cluster);
    }
}

/// What a client has written: so many rows.
pub(crate) struct Written(i64);

impl Written {
    /// All of it is there; of the rest at most what was under way when the client was cut off.
    pub(crate) fn is_in(&self, cluster: &Cluster) {
        let last = self.0;
        let query = "select format('%s %s', count(*), max(number)) from ledger";
        let found = cluster.ask(query);
        let (one, more) = (format!("{last} {last}"), format!("{0} {0}", last + 1));
        assert!(
            found == one || found == more,
            "{found}, acknowledged {last}"
        );
    }
}
