//! Sessions that are encrypted: who is trusted, what is refused, and that nothing falls back to a
//! plain session. The authority is made by the openssl program.

use std::path::Path;
use std::process::Command;

use planc::engine::Retry;
use planc::engine::postgres::connect::{self, Connect};

use super::cluster::{Cluster, own};
use super::parts;

/// A server on a free port of this machine, with a certificate for `localhost`.
struct Secured {
    cluster: Cluster,
    port: u16,
}

fn openssl(folder: &Path, line: &str) {
    let output = Command::new("openssl")
        .args(line.split(' '))
        .current_dir(folder)
        .output()
        .expect("openssl starts");
    let told = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "openssl {line}: {told}");
}

/// An authority, and a certificate of it for each name.
fn authority(folder: &Path, authority: &str, names: &[&str]) {
    let ca = format!(
        "req -x509 -newkey rsa:2048 -nodes -days 9 -subj /CN={authority} -keyout {authority}.key \
         -out {authority}.crt -addext basicConstraints=critical,CA:TRUE \
         -addext keyUsage=critical,keyCertSign"
    );
    openssl(folder, &ca);
    for name in names {
        openssl(
            folder,
            &format!(
                "req -newkey rsa:2048 -nodes -subj /CN={name} -keyout {name}.key -out {name}.csr"
            ),
        );
        std::fs::write(folder.join("san"), format!("subjectAltName=DNS:{name}\n"))
            .expect("written");
        openssl(
            folder,
            &format!(
                "x509 -req -days 9 -in {name}.csr -CA {authority}.crt -CAkey {authority}.key \
                 -CAcreateserial -extfile san -out {name}.crt"
            ),
        );
        let private = std::os::unix::fs::PermissionsExt::from_mode(0o600);
        std::fs::set_permissions(folder.join(format!("{name}.key")), private).expect("private");
    }
}

impl Secured {
    fn start(version: u32, ssl: bool) -> Self {
        let cluster = Cluster::create(version);
        let folder = cluster.folder.path().to_owned();
        authority(&folder, "trusted", &["localhost", "mutual"]);
        authority(&folder, "stranger", &[]);
        let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
        let port = listener.local_addr().expect("an address").port();
        drop(listener);
        let place = folder.display();
        cluster.configure(&[
            "listen_addresses = '127.0.0.1'",
            &format!("port = {port}"),
            &format!("ssl = {}", if ssl { "on" } else { "off" }),
            &format!("ssl_cert_file = '{place}/localhost.crt'"),
            &format!("ssl_key_file = '{place}/localhost.key'"),
            &format!("ssl_ca_file = '{place}/trusted.crt'"),
        ]);
        let rules = "local all all trust\nhostssl all mutual 127.0.0.1/32 cert\n\
                     host all all 127.0.0.1/32 trust\n";
        std::fs::write(cluster.data.join("pg_hba.conf"), rules).expect("rules");
        own(&folder);
        cluster.start();
        Self { cluster, port }
    }

    fn fields(&self, host: &str, more: &[(&str, &str)]) -> Connect {
        let port = self.port.to_string();
        let all = [("host", host), ("port", &port), ("user", "postgres")];
        let owned = |(name, value): &(&str, &str)| {
            let file = name.starts_with("ssl") && *name != "sslmode";
            let value = if file {
                self.file(value)
            } else {
                (*value).to_owned()
            };
            ((*name).to_owned(), value)
        };
        all.iter().chain(more).map(owned).collect()
    }

    fn file(&self, name: &str) -> String {
        self.cluster.folder.path().join(name).display().to_string()
    }

    /// Whether the session that the fields ask for is encrypted.
    fn encrypted(&self, host: &str, more: &[(&str, &str)]) -> bool {
        let mut client = connect::open("shop", &self.fields(host, more)).expect("a session");
        let query = "select ssl from pg_stat_ssl where pid = pg_backend_pid()";
        client.query_one(query, &[]).expect("an answer").get(0)
    }

    /// Why the session is refused; waiting does not help.
    fn refused(&self, host: &str, more: &[(&str, &str)]) -> String {
        let error = connect::open("shop", &self.fields(host, more)).err();
        let error = error.expect("refused");
        assert_eq!(error.retry(), Retry::Never, "{error}");
        error.to_string()
    }
}

#[test]
fn a_session_is_as_secure_as_the_inventory_asks() {
    let server = Secured::start(15, true);
    let trusted = ("sslrootcert", "trusted.crt");
    assert!(!server.encrypted("localhost", &[]), "nobody asked for it");
    assert!(server.encrypted("localhost", &[trusted]), "all is verified");
    assert!(server.encrypted("localhost", &[("sslmode", "prefer")]));
    assert!(server.encrypted("127.0.0.1", &[("sslmode", "require")]));
    assert!(server.encrypted("127.0.0.1", &[("sslmode", "verify-ca"), trusted]));

    let told = server.refused("127.0.0.1", &[trusted]);
    assert!(told.contains("not valid for name"), "{told}");
    let told = server.refused("localhost", &[("sslrootcert", "stranger.crt")]);
    assert!(told.contains("UnknownIssuer"), "{told}");
    let strange = [("sslmode", "require"), ("sslrootcert", "stranger.crt")];
    let told = server.refused("127.0.0.1", &strange);
    assert!(told.contains("UnknownIssuer"), "{told}");
    let told = server.refused("localhost", &[("sslrootcert", "none.crt")]);
    assert!(told.contains("none.crt"), "{told}");

    let admin = connect::open("shop", &server.fields("localhost", &[]));
    let made = admin
        .expect("a session")
        .batch_execute("create role mutual login");
    made.expect("made");
    let own = [
        trusted,
        ("user", "mutual"),
        ("sslcert", "mutual.crt"),
        ("sslkey", "mutual.key"),
    ];
    assert!(server.encrypted("localhost", &own));
    let told = server.refused("localhost", &[trusted, ("user", "mutual")]);
    assert!(told.contains("certificate"), "{told}");
    let told = server.refused("localhost", &own[..3]);
    assert!(told.contains("belong together"), "{told}");

    // client programs are told the same
    let mut spec = parts::spec(&server.cluster, "postgres", &[]);
    spec.connect = server.fields("localhost", &[trusted]);
    let mut psql = connect::tool(&spec, "postgres", "psql").expect("a program");
    let query = "select ssl from pg_stat_ssl where pid = pg_backend_pid()";
    let output = psql.args(["-Atc", query]).output().expect("it starts");
    assert_eq!(String::from_utf8_lossy(&output.stdout).trim(), "t");
}

#[test]
fn a_server_without_encryption_is_refused_when_it_was_asked_for() {
    let server = Secured::start(15, false);
    for mode in ["require", "verify-full"] {
        let fields = [("sslmode", mode), ("sslrootcert", "trusted.crt")];
        let told = server.refused("localhost", &fields);
        assert!(told.contains("does not support TLS"), "{told}");
    }
    assert!(!server.encrypted("localhost", &[("sslmode", "prefer")]));
}
