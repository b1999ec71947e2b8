//! Owns the way from a standby to the server that it receives its log from: only that one can end a
//! log segment.

use postgres::Client;

use super::connect::{self, Connect, refused};
use super::server::ServerFacts;
use super::{PostgresSpec, server};
use crate::engine::EngineError;

/// A session with the server that a standby follows, and what it says of itself. The role and its
/// password are those of the standby's own session: both are one cluster.
///
/// # Errors
/// When the standby receives nothing now, or the other server is none that writes this cluster.
pub(super) fn open(
    spec: &PostgresSpec,
    standby: &mut Client,
    own: &ServerFacts,
) -> Result<(Client, ServerFacts), EngineError> {
    let what = || format!("find the primary of the standby {}", spec.service);
    let query = "select sender_host, sender_port::text from pg_stat_wal_receiver \
                 where status = 'streaming' and sender_host is not null";
    let row = standby.query_opt(query, &[]);
    let row = row.map_err(|error| refused(what(), &error))?;
    let row = row.ok_or_else(|| {
        EngineError::refused(
            what(),
            "it streams from none, or the role may not see it: grant pg_read_all_stats to it",
        )
    })?;
    let connect = other(&spec.connect, row.get(0), row.get(1));
    let opened = connect::open(&spec.service, &connect);
    // the standby may not know yet that it is gone
    let mut client = opened.map_err(|error| EngineError::Busy {
        what: format!("the primary of the standby {}", spec.service),
        cause: error.to_string(),
    })?;
    let facts = ServerFacts::ask(&mut client, &spec.service, Some(&own.data_directory))?;
    if facts.system_identifier != own.system_identifier || facts.in_recovery {
        return Err(EngineError::refused(
            what(),
            "the server that it follows is a standby, too, or another cluster",
        ));
    }
    server::check_rights(&mut client, &spec.service)?;
    Ok((client, facts))
}

/// The connection fields for another host.
fn other(own: &Connect, host: &str, port: &str) -> Connect {
    let mut connect = own.clone();
    for field in ["host", "socket", "port"] {
        connect.remove(field);
    }
    let field = if host.starts_with('/') {
        "socket"
    } else {
        "host"
    };
    connect.insert(field.to_owned(), host.to_owned());
    connect.insert("port".to_owned(), port.to_owned());
    connect
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_place_changes() {
        let own = [("socket", "/here"), ("user", "keeper"), ("port", "1")];
        let own: Connect = own.map(|(k, v)| (k.to_owned(), v.to_owned())).into();
        let there = other(&own, "10.0.0.7", "5433");
        let field = |name: &str| there.get(name).map(String::as_str);
        assert_eq!(field("host"), Some("10.0.0.7"));
        assert_eq!(
            (field("port"), field("user")),
            (Some("5433"), Some("keeper"))
        );
        assert_eq!(field("socket"), None);
        assert_eq!(
            other(&own, "/run", "5").get("socket").map(String::as_str),
            Some("/run")
        );
    }
}
