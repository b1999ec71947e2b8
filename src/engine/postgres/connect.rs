//! Owns how a session with a server begins: the connection fields of the inventory, secrets by
//! source only, and the words for what a server refuses.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use postgres::error::SqlState;
use postgres::{Client, Config};

use super::{PostgresSpec, instance, tls};
use crate::engine::EngineError;
use crate::media::keys::withhold;

/// Connection fields: `host`, `port`, `socket` (folder), `user`, `database`, `password`
/// (`env:NAME` or `file:PATH`), `options`, and for encryption `sslmode`, `sslrootcert`, `sslcert`,
/// `sslkey`.
pub type Connect = BTreeMap<String, String>;

const TIMEOUT: Duration = Duration::from_secs(10);

/// Opens a session that the server does not end for idleness.
///
/// # Errors
/// When a field is wrong, the server cannot be reached (worth trying again) or refuses.
pub fn open(service: &str, connect: &Connect) -> Result<Client, EngineError> {
    let config = config(service, connect)?;
    let what = || {
        format!(
            "connect to {service} as {}",
            config.get_user().unwrap_or("")
        )
    };
    let opened = tls::open(service, connect, config.clone())?;
    let mut client = opened.map_err(|error| refused(what(), &error))?;
    let settings = "set idle_session_timeout = 0; set statement_timeout = 0; \
                    set idle_in_transaction_session_timeout = 0; set search_path = pg_catalog";
    let done = client.batch_execute(settings);
    done.map_err(|error| refused(what(), &error))?;
    Ok(client)
}

/// As [`open`], in another database than the inventory's.
///
/// # Errors
/// As [`open`].
pub fn open_database(
    service: &str,
    connect: &Connect,
    database: &str,
) -> Result<Client, EngineError> {
    let mut connect = connect.clone();
    connect.insert("database".to_owned(), database.to_owned());
    open(service, &connect)
}

/// A client program of the server's version that connects as the inventory says. The password goes
/// by the environment of that program, never by its arguments.
///
/// # Errors
/// When the programs are not found or the secret cannot be read.
pub fn tool(spec: &PostgresSpec, database: &str, name: &str) -> Result<Command, EngineError> {
    let mut client = open(&spec.service, &spec.connect)?;
    let row = client.query_one("select current_setting('server_version_num')::int8", &[]);
    let row = row.map_err(|error| refused(format!("ask {} its version", spec.service), &error))?;
    let major = u32::try_from(row.get::<_, i64>(0) / 10_000).unwrap_or(0);
    let programs = instance::programs(spec.programs.as_deref(), major)?;
    program(spec, database, &programs.join(name))
}

/// A client program that connects as the inventory says.
///
/// # Errors
/// When the secret cannot be read.
pub fn program(
    spec: &PostgresSpec,
    database: &str,
    program: &Path,
) -> Result<Command, EngineError> {
    let mut command = Command::new(program);
    withhold(&mut command);
    for variable in ["PGSERVICE", "PGOPTIONS", "PGPASSWORD", "PGHOSTADDR"] {
        command.env_remove(variable);
    }
    command.env("LC_ALL", "C").env("PGDATABASE", database);
    let field = |name: &str| spec.connect.get(name);
    let host = field("socket").or_else(|| field("host"));
    command.env("PGHOST", host.map_or("/var/run/postgresql", String::as_str));
    command.env("PGPORT", field("port").map_or("5432", String::as_str));
    command.env("PGUSER", field("user").map_or("postgres", String::as_str));
    encrypt(&spec.service, &spec.connect, &mut command)?;
    if let Some(source) = field("password") {
        command.env("PGPASSWORD", secret(&spec.service, source)?);
    }
    Ok(command)
}

/// Tells a client program how its session is encrypted.
///
/// # Errors
/// Names the field that is wrong.
pub(super) fn encrypt(
    service: &str,
    connect: &Connect,
    command: &mut Command,
) -> Result<(), EngineError> {
    for (_, variable) in tls::FIELDS {
        command.env_remove(variable);
    }
    command.envs(tls::environment(service, connect)?);
    Ok(())
}

fn config(service: &str, connect: &Connect) -> Result<Config, EngineError> {
    let mut config = Config::new();
    config.application_name("planc").connect_timeout(TIMEOUT);
    config.dbname("postgres").user("postgres");
    for (field, value) in connect {
        match field.as_str() {
            "host" => config.host(value),
            "socket" => config.host_path(value),
            "port" => config.port(port(service, value)?),
            "user" => config.user(value),
            "database" => config.dbname(value),
            "password" => config.password(secret(service, value)?),
            "options" => config.options(value),
            field if tls::FIELDS.iter().any(|(known, _)| *known == field) => continue,
            other => return Err(wrong(service, other, "no such field".to_owned())),
        };
    }
    if config.get_hosts().is_empty() {
        config.host_path("/var/run/postgresql");
    }
    Ok(config)
}

fn port(service: &str, value: &str) -> Result<u16, EngineError> {
    let port = value.parse();
    port.map_err(|_| wrong(service, "port", format!("`{value}` is not a port")))
}

/// The password of the inventory, when it names one.
pub(super) fn password(service: &str, connect: &Connect) -> Result<Option<String>, EngineError> {
    let source = connect.get("password");
    source.map(|source| secret(service, source)).transpose()
}

/// Reads a secret from where the inventory says it lies.
fn secret(service: &str, source: &str) -> Result<String, EngineError> {
    let place = |cause: String| wrong(service, "password", cause);
    match source.split_once(':') {
        Some(("env", name)) => {
            std::env::var(name).map_err(|error| place(format!("variable {name}: {error}")))
        }
        Some(("file", path)) => {
            let text = std::fs::read_to_string(path);
            let text = text.map_err(|error| place(format!("file {path}: {error}")))?;
            Ok(text.trim_end_matches(['\r', '\n']).to_owned())
        }
        // the text itself may be a secret somebody wrote out: it is not repeated
        _ => Err(place("its source is neither env nor file".to_owned())),
    }
}

pub(super) fn wrong(service: &str, field: &str, cause: String) -> EngineError {
    EngineError::Refused {
        what: format!("read `connect: {field}` of {service}"),
        cause,
    }
}

/// The engine's error for a server's answer; says whether waiting can help.
pub fn refused(what: impl Into<String>, error: &postgres::Error) -> EngineError {
    let what = what.into();
    let Some(answer) = error.as_db_error() else {
        let cause = chain(error);
        if cause.contains("TLS handshake") {
            let next = "look at the ssl fields of `connect` and at the server's `ssl` settings";
            let cause = format!("{cause}; {next}");
            return EngineError::Refused { what, cause };
        }
        // the server is down, restarting, or the session was cut
        let next = "is the server up, and `connect` in the inventory right?";
        let cause = format!("{cause}; {next}");
        return EngineError::Busy { what, cause };
    };
    let mut cause = answer.message().to_owned();
    if let Some(detail) = answer.detail() {
        cause = format!("{cause}: {detail}");
    }
    // words of somebody's own function say little without its name
    if *answer.code() == SqlState::RAISE_EXCEPTION
        && let Some(place) = answer.where_()
    {
        cause = format!("{cause} ({})", place.replace('\n', "; "));
    }
    if let Some(next) = next_action(answer.code(), answer.message()).or(answer.hint()) {
        cause = format!("{cause}; {next}");
    }
    let waiting_helps = [
        SqlState::CANNOT_CONNECT_NOW,
        SqlState::TOO_MANY_CONNECTIONS,
        SqlState::ADMIN_SHUTDOWN,
        SqlState::CRASH_SHUTDOWN,
    ];
    if waiting_helps.contains(answer.code()) {
        return EngineError::Busy { what, cause };
    }
    EngineError::Refused { what, cause }
}

fn next_action(code: &SqlState, message: &str) -> Option<&'static str> {
    let authentication = [
        SqlState::INVALID_PASSWORD,
        SqlState::INVALID_AUTHORIZATION_SPECIFICATION,
    ];
    if authentication.contains(code) {
        return Some("check `connect` in the inventory and the server's pg_hba.conf");
    }
    if *code == SqlState::INVALID_CATALOG_NAME {
        return Some("create it, or name another database in the plan or in `connect`");
    }
    if *code != SqlState::INSUFFICIENT_PRIVILEGE {
        return None;
    }
    if message.contains("replication") {
        return Some(
            "give the role REPLICATION, and let pg_hba.conf allow it replication sessions",
        );
    }
    let writes = ["database", "schema", "table", "relation"];
    if writes.iter().any(|word| message.contains(word)) {
        return Some("name a role in `connect` of the inventory that owns what is to be changed");
    }
    Some(
        "grant the role pg_read_all_settings and execute on pg_backup_start, pg_backup_stop \
         and pg_switch_wal",
    )
}

fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(inner) = cause {
        text = format!("{text}: {inner}");
        cause = inner.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn connect(fields: &[(&str, &str)]) -> Connect {
        let owned = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
        fields.iter().map(owned).collect()
    }

    #[test]
    fn a_wrong_field_is_named() {
        for (field, value) in [
            ("port", "70000"),
            ("password", "hunter2"),
            ("colour", "red"),
        ] {
            let error = config("shop", &connect(&[(field, value)])).expect_err(field);
            let told = error.to_string();
            assert!(told.contains(field) && told.contains("shop"), "{told}");
            assert!(!told.contains("hunter2"), "{told}");
        }
    }

    #[test]
    fn the_database_and_the_socket_have_defaults() {
        let config = config("shop", &connect(&[("user", "planc")])).expect("a config");
        assert_eq!(config.get_dbname(), Some("postgres"));
        assert_eq!(config.get_hosts().len(), 1);
    }

    #[test]
    fn a_server_that_is_down_is_worth_another_try() {
        let folder = tempfile::tempdir().expect("folder");
        let path = folder.path().display().to_string();
        let error = open("shop", &connect(&[("socket", &path)]))
            .err()
            .expect("no server");
        assert_eq!(error.retry(), crate::engine::Retry::Later);
        assert!(error.to_string().contains("connect to shop"), "{error}");
    }
}
