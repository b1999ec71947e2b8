//! Owns the ties of tables that are taken to parents that stay behind: partitions, and tables that
//! inherit. A dump would hang the child onto the live parent, whose rows it would then be, and
//! cannot bring a partition without its parent's keys. So ties are cut in the copy, and made again
//! where the child came under its old name.

use postgres::Client;

use super::arrival::answer;
use super::connect::refused;
use super::tables::{Table, names, quoted};
use crate::engine::EngineError;

/// A table and its parent.
#[derive(Debug, Clone)]
pub(super) struct Tie {
    child: Table,
    parent: Table,
    /// What a partition holds, as the server says it; none for a table that inherits.
    bound: Option<String>,
}

/// Cuts the ties of these tables to others; says which there were.
///
/// # Errors
/// What the server says.
pub(super) fn cut(copy: &mut Client, tables: &[Table]) -> Result<Vec<Tie>, EngineError> {
    let query = "select n.nspname::text, c.relname::text, m.nspname::text, p.relname::text, \
                 pg_get_expr(c.relpartbound, c.oid) from pg_inherits i \
                 join pg_class c on c.oid = i.inhrelid \
                 join pg_namespace n on n.oid = c.relnamespace \
                 join pg_class p on p.oid = i.inhparent \
                 join pg_namespace m on m.oid = p.relnamespace \
                 where c.oid = any($1::text[]::regclass[]::oid[]) \
                 and p.oid <> all($1::text[]::regclass[]::oid[]) order by 1, 2, i.inhseqno";
    let rows = copy.query(query, &[&names(tables)]);
    let rows = rows.map_err(|error| refused("list the parents of the tables", &error))?;
    let ties: Vec<Tie> = rows.iter().map(Tie::of).collect();
    for tie in &ties {
        tie.cut(copy)?;
    }
    Ok(ties)
}

impl Tie {
    fn of(row: &postgres::Row) -> Self {
        Self {
            child: Table {
                schema: row.get(0),
                name: row.get(1),
            },
            parent: Table {
                schema: row.get(2),
                name: row.get(3),
            },
            bound: row.get(4),
        }
    }

    fn cut(&self, copy: &mut Client) -> Result<(), EngineError> {
        let (child, parent) = (self.child.sql(), self.parent.sql());
        let mut statements = Vec::new();
        if self.bound.is_some() {
            // rows that are referred to through the parent may not leave it
            statements.extend(self.referring(copy)?);
            statements.push(format!("alter table {parent} detach partition {child}"));
        } else {
            statements.push(format!("alter table {child} no inherit {parent}"));
        }
        let done = copy.batch_execute(&statements.join("; "));
        done.map_err(|error| refused(format!("cut {child} loose in the copy"), &error))
    }

    /// Statements that drop the foreign keys to all that the child is a part of.
    fn referring(&self, copy: &mut Client) -> Result<Vec<String>, EngineError> {
        let query = "select n.nspname::text, c.relname::text, k.conname::text \
                     from pg_partition_ancestors($1::text::regclass) a \
                     join pg_constraint k on k.confrelid = a.relid and k.contype = 'f' \
                     and k.conparentid = 0 join pg_class c on c.oid = k.conrelid \
                     join pg_namespace n on n.oid = c.relnamespace";
        let rows = copy.query(query, &[&self.parent.sql()]);
        let rows = rows.map_err(|error| refused("list the foreign keys to parents", &error))?;
        let drop = |row: &postgres::Row| {
            let (schema, name) = (row.get(0), row.get(1));
            let (table, key) = (Table { schema, name }.sql(), row.get::<_, &str>(2));
            format!("alter table {table} drop constraint {}", quoted(key))
        };
        Ok(rows.iter().map(drop).collect())
    }

    /// Ties a table that came to its live parent; says why it cannot.
    pub(super) fn again(&self, live: &mut Client, named: Option<&str>) -> Option<String> {
        let (child, parent) = (self.child.sql(), self.parent.sql());
        let (words, tie) = match &self.bound {
            Some(bound) => (
                format!("partition {child} of {parent} {bound}"),
                format!("alter table {parent} attach partition {child} {bound}"),
            ),
            None => (
                format!("table {child}, which inherits from {parent}"),
                format!("alter table {child} inherit {parent}"),
            ),
        };
        if named.is_some() {
            return Some(format!("{words}: came as a table of its own"));
        }
        if self.is_there(live).unwrap_or(false) {
            // an earlier try made it
            return None;
        }
        let error = live.batch_execute(&tie).err()?;
        let cause = refused(format!("run `{tie}`"), &error);
        Some(format!("{words}: came as a table of its own, {cause}"))
    }

    fn is_there(&self, live: &mut Client) -> Result<bool, EngineError> {
        let query = "select exists (select from pg_inherits \
                     where inhrelid = to_regclass($1) and inhparent = to_regclass($2))";
        answer(live, query, &[&self.child.sql(), &self.parent.sql()])
    }
}
