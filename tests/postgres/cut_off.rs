//! An import that is cut off just before it begins or right behind its commit: the next call asks
//! the live server again, knows what the first one brought, and touches nothing of others.

use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;
use std::process::Stdio;
use std::time::{Duration, Instant};

use super::arrival::DATABASE_THEN;
use super::cluster::{own, tools};
use super::scenarios::{SCHEMA_THEN, blamed, orders};
use super::site::Site;

/// Cuts planc off, which waits for its program. What has not begun by then does not begin.
const KILL: &str = "kill -9 $PPID; exit 1";

/// A site whose `pg_restore` does what the files `before` and `after` say, once each.
fn site() -> Site {
    let site = Site::with(15, |plan| plan.to_owned() + SCHEMA_THEN + DATABASE_THEN);
    site.cluster.sql("alter role keeper superuser");
    let programs = site.path("programs");
    std::fs::create_dir(&programs).expect("folder");
    for program in std::fs::read_dir(tools(15)).expect("programs").flatten() {
        symlink(program.path(), programs.join(program.file_name())).expect("a link");
    }
    let own_one = programs.join("pg_restore");
    std::fs::remove_file(&own_one).expect("removed");
    let script = format!(
        "#!/bin/sh\nonce() {{ [ ! -e {0}/$1 ] || {{ mv {0}/$1 {0}/did; . {0}/did; }}; }}\n\
         once before\n{1}/pg_restore \"$@\"\ncode=$?\nonce after\nexit $code\n",
        site.cluster.folder.path().display(),
        tools(15).display(),
    );
    std::fs::write(&own_one, script).expect("written");
    let all = std::fs::Permissions::from_mode(0o755);
    std::fs::set_permissions(&own_one, all).expect("permissions");
    let inventory = site.path("inventory.yaml");
    let text = std::fs::read_to_string(&inventory).expect("inventory");
    let (old, new) = (tools(15), programs.display().to_string());
    let text = text.replace(&old.display().to_string(), &new);
    std::fs::write(&inventory, text).expect("written");
    own(site.cluster.folder.path());
    site
}

/// What `pg_restore` does besides its work, the next time.
fn hook(site: &Site, when: &str, script: &str) {
    std::fs::write(site.path(when), script).expect("written");
    own(&site.path(when));
}

/// Runs a recovery that is killed at a moment of its import.
fn cut_off(site: &Site, line: &str, when: &str) {
    hook(site, when, KILL);
    let output = site.planc(line);
    assert!(
        !output.status.success() && !site.path(when).exists(),
        "{output:?}"
    );
}

fn ask(site: &Site, query: &str) -> String {
    let mut client = site.cluster.client_of("postgres", "orders");
    let row = client.query_one(&format!("select ({query})::text"), &[]);
    let answer: Option<String> = row.expect(query).get(0);
    answer.unwrap_or_default()
}

fn told(site: &Site, line: &str, code: i32, words: &[&str]) {
    let told = site.ends(line, code);
    for word in words {
        assert!(told.contains(word), "{line}: `{word}` is not in {told}");
    }
}

const EARLIER: &str = "brought by an earlier try";
const COMMENT: &str = "obj_description(to_regnamespace('sales_then'), 'pg_namespace')";
const ROWS: &str = "count(*) from sales_then.visits";

fn visits(site: &Site) -> i64 {
    orders(
        &site.cluster,
        "create schema sales; comment on schema sales is E'what\\nwas sold'; \
         create table sales.visits as select generate_series(1, 9) i",
    );
    site.good("run");
    let bad = blamed(
        &site.cluster,
        "delete from sales.visits; drop table lines cascade",
    );
    site.good("run wal");
    bad
}

/// A name that was taken and a right that was lost meanwhile are told before anything is done.
fn asks_again(site: &Site, line: &str) {
    cut_off(site, line, "before");
    orders(&site.cluster, "create schema sales_then");
    let resume = "recover --resume";
    told(
        site,
        resume,
        2,
        &["bring back schema sales_then", "of this name", "rename"],
    );
    assert_eq!(
        ask(site, COMMENT),
        "",
        "the schema of others stays as it is"
    );
    orders(&site.cluster, "drop schema sales_then");
    site.cluster.sql("alter role keeper nosuperuser");
    told(
        site,
        resume,
        2,
        &["keeper may not", "grant create on database"],
    );
    site.cluster.sql("alter role keeper superuser");
    told(site, resume, 0, &["sales_then.visits (9 rows)"]);
}

/// The program outlives planc and is at work when the next call begins.
fn ends_what_goes_on(site: &Site, line: &str) {
    let psql = tools(15).join("psql").display().to_string();
    let work = "begin; create schema sales_then; select pg_sleep(60); commit";
    let asleep = "select count(*) from pg_stat_activity where wait_event = 'PgSleep'";
    let script = format!(
        "{psql} -c \"{work}\" >/dev/null 2>&1 &\n\
         until [ \"$({psql} -Atc \"{asleep}\")\" = 1 ]; do :; done\n{KILL}"
    );
    hook(site, "before", &script);
    assert!(!site.planc(line).status.success());
    told(site, "recover --resume", 0, &["sales_then.visits (9 rows)"]);
    assert_eq!(ask(site, asleep), "0");
}

#[test]
fn an_import_that_is_cut_off_asks_again_and_knows_its_own_work() {
    let site = site();
    let bad = visits(&site);
    let line = format!("recover schema_then bad={bad} --yes");
    asks_again(&site, &line);
    orders(&site.cluster, "drop schema sales_then cascade");
    ends_what_goes_on(&site, &line);
    orders(&site.cluster, "drop schema sales_then cascade");
    for again in ["recover --resume", &line] {
        cut_off(&site, &line, "after");
        assert_eq!(ask(&site, &format!("select {ROWS}")), "9");
        assert!(
            ask(&site, COMMENT).ends_with("\nwhat\nwas sold"),
            "it is marked"
        );
        // of another state: it is neither taken for this one nor dropped
        let other = format!("recover schema_then bad={} --yes", later(&site));
        told(
            &site,
            &other,
            2,
            &[
                "bring back schema sales_then",
                "could not write",
                "--resume",
            ],
        );
        told(&site, again, 0, &["sales_then.visits (9 rows)", EARLIER]);
        assert_eq!(
            ask(&site, COMMENT),
            "what\nwas sold",
            "the mark is taken off"
        );
        told(&site, &line, 2, &["has a schema of this name"]);
        orders(&site.cluster, "drop schema sales_then cascade");
    }
    tables_with_keys(&site, bad);
    a_database(&site);
    assert_eq!(site.left_behind(), 0);
}

/// A later transaction.
fn later(site: &Site) -> i64 {
    let number = blamed(&site.cluster, "delete from notes where line = 7");
    site.good("run wal");
    number
}

/// Foreign keys are made behind the import: they are there at last.
fn tables_with_keys(site: &Site, bad: i64) {
    let line = format!("recover dropped_for_good victim=lines bad={bad} --yes");
    cut_off(site, &line, "after");
    let keys = "select count(*) from pg_constraint where contype = 'f' and convalidated \
                and 'lines'::regclass in (conrelid, confrelid)";
    assert_eq!(ask(site, keys), "0");
    told(site, &line, 0, &["public.lines (40 rows)", EARLIER]);
    assert_eq!(ask(site, keys), "2");
    let comment = "obj_description('lines'::regclass, 'pg_class')";
    assert_eq!(ask(site, comment), "");
}

/// A database gets its name in the transaction that marks it. What comes behind waits for a lock
/// here.
fn a_database(site: &Site) {
    site.cluster
        .sql("create role clerk superuser; alter database orders owner to clerk");
    let bad = later(site);
    let line = format!("recover database_then bad={bad} --yes");
    let lock = "begin; lock table pg_shdepend in exclusive mode; select pg_sleep(600)";
    let psql = tools(15).join("psql");
    hook(
        site,
        "after",
        &holding(&psql, site.cluster.folder.path(), lock),
    );
    let mut command = site.command(&line);
    let child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn();
    let mut child = child.expect("planc starts");
    let named = "select count(*) from pg_database where datname = 'orders_then'";
    let began = Instant::now();
    while ask(site, named) == "0" {
        assert!(
            began.elapsed() < Duration::from_mins(5),
            "no database comes"
        );
        std::thread::sleep(Duration::from_millis(10));
    }
    site.kill_planc(&child);
    child.wait().expect("it ends");
    site.cluster.sql(
        "select pg_terminate_backend(pid) from pg_locks where mode = 'ExclusiveLock' \
                      and relation = 'pg_shdepend'::regclass",
    );
    told(
        site,
        "recover --resume",
        0,
        &["database orders_then (", EARLIER],
    );
    let about = "select row(shobj_description(oid, 'pg_database'), pg_get_userbyid(datdba)) \
                 from pg_database where datname = 'orders_then'";
    assert_eq!(ask(site, about), "(,clerk)");
}

/// Runs statements in the background, and waits until they hold what they lock.
fn holding(psql: &Path, socket: &Path, statements: &str) -> String {
    let psql = format!(
        "{} -h {} -U postgres postgres",
        psql.display(),
        socket.display()
    );
    format!(
        "{psql} -c \"{statements}\" >/dev/null 2>&1 &\n\
         until [ \"$({psql} -Atc \"select count(*) from pg_locks where mode = 'ExclusiveLock' \
         and granted and relation = 'pg_shdepend'::regclass\")\" = 1 ]; do :; done\n"
    )
}
