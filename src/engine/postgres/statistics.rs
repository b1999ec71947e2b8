//! Owns the extended statistics of tables that are taken alone: `pg_dump` leaves them out of a dump
//! of single tables, so that they are made again beside what came.

use postgres::Client;

use super::connect::refused;
use super::tables::{Table, quoted};
use crate::engine::EngineError;

/// One object of statistics.
#[derive(Debug)]
pub(super) struct Statistics {
    schema: String,
    name: String,
    of: Table,
    /// What stands between its name and its table: ` (ndistinct) ON a, b`.
    what: String,
}

const FIND: &str = "\
    select n.nspname::text, s.stxname::text, tn.nspname::text, c.relname::text, \
           substr(pg_get_statisticsobjdef(s.oid), \
                  length(format('CREATE STATISTICS %I.%I', n.nspname, s.stxname)) + 1), \
           length(format(' FROM %I.%I', tn.nspname, c.relname)) \
    from pg_statistic_ext s join pg_namespace n on n.oid = s.stxnamespace \
    join pg_class c on c.oid = s.stxrelid join pg_namespace tn on tn.oid = c.relnamespace \
    where s.stxrelid = any($1::text[]::regclass[]::oid[]) order by 1, 2";

/// Those of the tables in a copy.
///
/// # Errors
/// What the server says.
pub(super) fn find(copy: &mut Client, tables: &[Table]) -> Result<Vec<Statistics>, EngineError> {
    let failed = |error: &postgres::Error| refused("list the extended statistics", error);
    let names: Vec<String> = tables.iter().map(Table::sql).collect();
    // definitions give all names in full where no schema is searched
    let mut session = copy.transaction().map_err(|error| failed(&error))?;
    let plain = session.batch_execute("set local search_path = ''");
    plain.map_err(|error| failed(&error))?;
    let rows = session.query(FIND, &[&names]);
    let rows = rows.map_err(|error| failed(&error))?;
    let one = |row: &postgres::Row| {
        let (what, table): (String, i32) = (row.get(4), row.get(5));
        let kept = what
            .chars()
            .count()
            .saturating_sub(usize::try_from(table).unwrap_or(0));
        Statistics {
            schema: row.get(0),
            name: row.get(1),
            of: Table {
                schema: row.get(2),
                name: row.get(3),
            },
            what: what.chars().take(kept).collect(),
        }
    };
    Ok(rows.iter().map(one).collect())
}

impl Statistics {
    /// Makes it in the live database, in the schema `named` when what came bears that name; what
    /// was in the way, in words.
    pub(super) fn again(&self, live: &mut Client, named: Option<&str>) -> Option<String> {
        let schema = quoted(named.unwrap_or(&self.schema));
        let of = Table {
            schema: named.unwrap_or(&self.of.schema).to_owned(),
            name: self.of.name.clone(),
        };
        let make = format!(
            "create statistics if not exists {schema}.{}{} from {}",
            quoted(&self.name),
            self.what,
            of.sql()
        );
        let error = live.batch_execute(&make).err()?;
        let (name, why) = (&self.name, refused("make it", &error));
        Some(format!(
            "extended statistics {name}: {why}; by hand: `{make}`"
        ))
    }
}
