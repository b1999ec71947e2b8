//! What a live server must offer to what is brought into it: names that are taken, rights and
//! places that are missing are told before anything is restored; types, extensions, roles and
//! tablespaces that only the copy can tell of, before anything is brought.

use super::cluster::Cluster;
use super::scenarios::{SCHEMA_THEN, blamed};
use super::site::Site;

pub(crate) const DATABASE_THEN: &str = r#"
recovery database_then {
  for human error
  given bad: transaction
  restore service shop to scratch from nearest
  replay log until before $bad
  extract database orders into service shop as "orders_then"
}
"#;

/// The recovery, what is in the way, what brings that about and what takes it away again, and the
/// words for its place, cause and next action.
struct Case {
    line: &'static str,
    wrong: &'static str,
    mend: &'static str,
    words: [&'static str; 3],
}

const LINES: &str = "dropped_for_good victim=lines";
const VISITS: &str = "dropped_for_good victim=sales.visits";
const BESIDE: &str = "dropped_table victim=lines";

const CASES: [Case; 11] = [
    Case {
        line: LINES,
        wrong: "create table public.lines ()",
        mend: "drop table public.lines",
        words: ["bring back \"public\".\"lines\"", "of this name", "rename"],
    },
    Case {
        line: BESIDE,
        wrong: "create schema recovered; create table recovered.lines ()",
        mend: "drop schema recovered cascade",
        words: [
            "bring back \"recovered\".\"lines\"",
            "of this name",
            "rename",
        ],
    },
    Case {
        line: "schema_then",
        wrong: "create schema sales_then",
        mend: "drop schema sales_then",
        words: ["bring back schema sales_then", "of this name", "rename"],
    },
    Case {
        line: "database_then",
        wrong: "create database orders_then",
        mend: "drop database orders_then",
        words: ["bring back database orders", "orders_then", "rename"],
    },
    Case {
        line: "database_then",
        wrong: "create database \"orders_then.loading\"",
        mend: "drop database \"orders_then.loading\"",
        words: ["orders_then.loading", "did not make", "rename or drop"],
    },
    Case {
        line: "database_then",
        wrong: "alter role keeper nosuperuser",
        mend: "alter role keeper superuser",
        words: [
            "a database",
            "keeper may not",
            "alter role \"keeper\" createdb",
        ],
    },
    Case {
        line: BESIDE,
        wrong: "alter role keeper nosuperuser",
        mend: "alter role keeper superuser",
        words: [
            "database orders",
            "keeper may not",
            "grant create on database",
        ],
    },
    Case {
        line: VISITS,
        wrong: "alter role keeper nosuperuser",
        mend: "alter role keeper superuser",
        words: ["schema sales", "keeper may not", "grant create on schema"],
    },
    Case {
        line: VISITS,
        wrong: "drop schema sales",
        mend: "create schema sales",
        words: ["schema sales", "has none of this name", "create it"],
    },
    Case {
        line: LINES,
        wrong: "alter role keeper set default_transaction_read_only = on",
        mend: "alter role keeper reset default_transaction_read_only",
        words: ["into shop", "only read", "default_transaction_read_only"],
    },
    Case {
        line: LINES,
        wrong: "alter database orders rename to elsewhere",
        mend: "alter database elsewhere rename to orders",
        words: ["connect to shop", "\"orders\" does not exist", "create it"],
    },
];

/// Each statement alone; a database is renamed from outside of it.
fn each(cluster: &Cluster, statements: &str) {
    for statement in statements.split("; ") {
        let outside = statement.starts_with("alter database");
        let database = if outside { "postgres" } else { "orders" };
        let mut client = cluster.client_of("postgres", database);
        client.batch_execute(statement).expect(statement);
    }
}

/// The recovery is refused with all these words; nothing is begun, made or changed.
fn refused(site: &Site, line: &str, words: &[&str]) {
    let (before, records) = (site.everything(), site.journal_records());
    let told = site.ends(line, 2);
    for word in words {
        assert!(told.contains(word), "{line}: `{word}` is not in {told}");
    }
    assert_eq!(site.journal_records(), records, "{told}");
    assert_eq!(site.left_behind(), 0, "{told}");
    assert!(site.everything() == before, "{told}");
}

#[test]
fn what_an_import_lacks_is_told_before_anything_is_restored() {
    let site = Site::with(15, |plan| plan.to_owned() + SCHEMA_THEN + DATABASE_THEN);
    each(
        &site.cluster,
        "alter role keeper superuser; create schema sales; create table sales.visits ()",
    );
    site.good("run");
    let bad = blamed(
        &site.cluster,
        "drop table lines cascade; drop table sales.visits",
    );
    site.good("run wal");
    for case in CASES {
        each(&site.cluster, case.wrong);
        let line = format!("recover {} bad={bad} --yes", case.line);
        refused(&site, &line, &case.words);
        each(&site.cluster, case.mend);
    }
    let line = format!("recover {LINES} bad={bad} --yes");
    site.cluster.stop("fast");
    let next = "is the server up, and `connect` in the inventory right?";
    refused(&site, &line, &["connect to shop as keeper", next]);
    site.cluster.start();
    for line in [LINES, BESIDE, VISITS, "schema_then", "database_then"] {
        let line = format!("recover {line} bad={bad} --yes");
        let told = site.ends(&line, 0);
        assert!(told.contains("rows)") || told.contains("tables)"), "{told}");
    }
}

/// What is used and lacking: what takes it away, what brings it back, and the words for it.
struct Used {
    wrong: &'static str,
    mend: &'static str,
    words: &'static str,
}

const USED: [Used; 6] = [
    Used {
        wrong: "drop extension citext",
        mend: "create extension citext",
        words: "extension citext (`create extension \"citext\"`)",
    },
    Used {
        wrong: "drop type mood",
        mend: "create type mood as enum ('good', 'bad')",
        words: "type public.mood (create it as it was)",
    },
    Used {
        wrong: "drop function price",
        mend: "create function price() returns int language sql as 'select 7'",
        words: "function public.price() (create it as it was)",
    },
    Used {
        wrong: "drop collation german",
        mend: "create collation german (provider = icu, locale = 'de')",
        words: "collation public.german (create it as it was)",
    },
    Used {
        wrong: "alter role clerk rename to clark",
        mend: "alter role clark rename to clerk",
        words: "role clerk (`create role \"clerk\"`)",
    },
    Used {
        wrong: "alter tablespace hot rename to warm",
        mend: "alter tablespace warm rename to hot",
        words: "tablespace hot (`create tablespace \"hot\"`)",
    },
];

const USING: &str = "create table using_all (price int default price(), mood mood, kind citext[], \
     name text collate german) tablespace hot; create schema sales; \
     create table sales.visits as select 1 as i; create policy own on using_all to clerk using (true)";

#[test]
fn what_an_import_uses_and_the_server_lacks_is_told_before_anything_is_brought() {
    let site = Site::with(15, |plan| plan.to_owned() + SCHEMA_THEN + DATABASE_THEN);
    each(
        &site.cluster,
        "alter role keeper superuser; create role clerk",
    );
    for used in &USED[..4] {
        each(&site.cluster, used.mend);
    }
    each(&site.cluster, USING);
    each(&site.cluster, "create extension amcheck");
    site.good("run");
    let bad = blamed(&site.cluster, "drop table using_all");
    site.good("run wal");
    let line = |name: &str| format!("recover {name} bad={bad} --yes");
    let tables = line("dropped_for_good victim=using_all");
    for used in USED {
        each(&site.cluster, used.wrong);
    }
    let told = site.ends(&tables, 1);
    for used in USED {
        assert!(told.contains(used.words), "{} is not in {told}", used.words);
    }
    let names = "(select count(*) from pg_class where relname = 'using_all')::text";
    assert_eq!(site.cluster.ask(names), "0");
    let told = site.ends(&line("database_then"), 1);
    for used in &USED[4..] {
        assert!(told.contains(used.words), "{} is not in {told}", used.words);
    }
    let databases = "(select count(*) from pg_database where datname like 'orders\\_%')::text";
    assert_eq!(site.cluster.ask(databases), "0");
    for used in USED {
        each(&site.cluster, used.mend);
    }
    each(&site.cluster, "alter role keeper nosuperuser createdb");
    let told = site.ends(&line("database_then"), 1);
    let words = "the right to make extension amcheck (name a superuser in `connect`";
    assert!(told.contains(words) && !told.contains("citext"), "{told}");
    assert_eq!(site.cluster.ask(databases), "0");
    each(&site.cluster, "alter role keeper superuser");
    // where all is there, nothing is lacking
    for name in [
        "dropped_for_good victim=using_all",
        "database_then",
        "schema_then",
    ] {
        site.good(&line(name));
    }
    assert_eq!(site.left_behind(), 0);
}
