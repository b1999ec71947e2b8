//! Owns what must hold after the promotion: the new primary archives, and the old one follows it.

use rustix::process::Signal;

use super::Pair;
use crate::engine::EngineError;
use crate::engine::postgres::archive;
use crate::engine::postgres::connect::{self, Connect, refused};
use crate::engine::postgres::lsn::Lsn;
use crate::engine::switch::Switched;

const RECEIVES: &str = "\
    select pg_is_in_recovery() and exists \
    (select 1 from pg_stat_wal_receiver where status = 'streaming' and received_tli = $1)";

/// Ends the first segment of the new history, and waits until it is archived.
pub(super) fn archive(pair: &Pair<'_>) -> Result<Switched, EngineError> {
    let archived = archive::switch(pair.standby, pair.patience)?;
    let at = archived.position.map_or(0, |at| at.value);
    Ok(Switched::told(format!("archived up to {}", Lsn(at))))
}

/// Starts the old primary as a standby of the new one, and waits until it streams.
pub(super) fn follow(pair: &Pair<'_>) -> Result<Switched, EngineError> {
    let (mut new, facts) = pair.standby()?;
    if facts.in_recovery {
        return Err(pair.refuse_new("follow", "it is no primary"));
    }
    if !pair.old.is_fenced() {
        let cause = "its fence is gone, so it would start as a second primary; it is left alone";
        return Err(pair.refuse_old("start", cause));
    }
    let row = new.query_one("select current_setting('primary_conninfo')", &[]);
    let what = || format!("ask {} how it reached its primary", pair.standby.service);
    let own: String = row.map_err(|error| refused(what(), &error))?.get(0);
    pair.old.follow(&redirected(&own, &pair.standby.connect))?;
    match pair.old.running()? {
        None => pair.old.start(pair)?,
        Some(pid) => pair.old.signal(pid, Signal::HUP)?,
    }
    let timeline = i32::try_from(facts.timeline.number()).unwrap_or(i32::MAX);
    let streams = pair.wait(|| {
        let mut client = connect::open(&pair.spec.service, &pair.spec.connect)?;
        let row = client.query_one(RECEIVES, &[&timeline]);
        Ok(row.map_err(|error| refused(what(), &error))?.get(0))
    })?;
    if !streams {
        let cause = "it runs as a standby and receives nothing yet: look at its log, and at \
                     pg_hba.conf of the new primary";
        return Err(pair.refuse_old("follow with", cause));
    }
    Ok(Switched::told(format!("it streams timeline {timeline}")))
}

/// The connection that the standby had to its primary, to the standby itself: of a word that is
/// there twice the last one counts.
fn redirected(own: &str, standby: &Connect) -> String {
    let field = |name: &str| standby.get(name).map(String::as_str);
    let host = field("socket").or_else(|| field("host"));
    let port = field("port").unwrap_or("5432");
    let host = host.unwrap_or("/var/run/postgresql");
    format!(
        "{own} host={} hostaddr='' port={}",
        quoted(host),
        quoted(port)
    )
}

fn quoted(value: &str) -> String {
    format!("'{}'", value.replace('\\', "\\\\").replace('\'', "\\'"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_place_is_another() {
        let connect = [("host", "o'dub"), ("port", "5433"), ("user", "keeper")];
        let connect: Connect = connect.map(|(k, v)| (k.to_owned(), v.to_owned())).into();
        assert_eq!(
            redirected("user=rep host=fra", &connect),
            "user=rep host=fra host='o\\'dub' hostaddr='' port='5433'"
        );
    }
}
