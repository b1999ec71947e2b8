//! Owns tables by name: finding what a plan or an operator means in a database, the foreign keys
//! that tie tables to the rest, and the sequences that they use. Changes nothing.

use postgres::Client;
use serde::{Deserialize, Serialize};

use super::connect::refused;
use crate::engine::EngineError;
use crate::facts::sizes;

/// A table, or another relation, by its full name.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Table {
    /// Schema.
    pub schema: String,
    /// Name.
    pub name: String,
}

impl Table {
    /// The name in SQL.
    #[must_use]
    pub fn sql(&self) -> String {
        format!("{}.{}", quoted(&self.schema), quoted(&self.name))
    }

    /// The name for people.
    #[must_use]
    pub fn words(&self) -> String {
        format!("{}.{}", self.schema, self.name)
    }

    fn of(row: &postgres::Row) -> Self {
        Self {
            schema: row.get(0),
            name: row.get(1),
        }
    }
}

/// An identifier in SQL.
#[must_use]
pub fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

/// Where tables are looked for, in words.
#[derive(Debug, Clone, Copy)]
pub struct Place<'a> {
    /// The database.
    pub database: &'a str,
    /// `the copy`, or the service.
    pub words: &'a str,
    /// Is it the state of an earlier moment?
    pub past: bool,
}

/// Tables that were found by names and patterns.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Meant {
    /// Each once.
    pub tables: Vec<Table>,
    /// The names that mean none, in words.
    pub gone: Vec<String>,
}

/// Where tables of a copy are looked for.
#[must_use]
pub fn in_copy(database: &str) -> Place<'_> {
    Place {
        database,
        words: "the copy",
        past: true,
    }
}

impl Place<'_> {
    fn none(&self, name: &str) -> EngineError {
        let database = self.database;
        EngineError::refused(
            format!("find table {name} in {}", self.words),
            if self.past {
                format!(
                    "database {database} had none at that moment; choose another moment or name"
                )
            } else {
                format!("database {database} has none; correct the plan")
            },
        )
    }

    /// What is told of one name of several.
    fn gone(&self, name: &str) -> String {
        let database = self.database;
        if self.past {
            format!(
                "table {name} did not come: database {database} had none at that moment; choose \
                 another moment if it is wanted"
            )
        } else {
            format!(
                "table {name} is GONE and in no copy from here on: database {database} has none; \
                 take it out of the plan if that is meant"
            )
        }
    }
}

const ORDINARY: &str = "select n.nspname::text, c.relname::text from pg_class c \
     join pg_namespace n on n.oid = c.relnamespace \
     where c.relkind in ('r', 'p') and c.relpersistence <> 't' \
     and n.nspname <> 'information_schema' and n.nspname !~ '^pg_' order by 1, 2";

/// Every table of the database that is not the server's own.
///
/// # Errors
/// What the server says.
pub fn all(client: &mut Client, place: Place<'_>) -> Result<Vec<Table>, EngineError> {
    let rows = client.query(ORDINARY, &[]);
    let rows =
        rows.map_err(|error| refused(format!("list the tables of {}", place.words), &error))?;
    Ok(rows.iter().map(Table::of).collect())
}

/// The tables that names and patterns mean, with their partitions and those that inherit from
/// them. One that is gone does not take the others with it.
///
/// # Errors
/// When all mean none, or a bare name means several, none of them in `public`.
pub fn find(client: &mut Client, place: Place<'_>, names: &[String]) -> Result<Meant, EngineError> {
    let known = all(client, place)?;
    let (mut found, mut gone) = (Vec::new(), Vec::new());
    for name in names {
        if let Some(kind) = other_kind(client, &known, name)? {
            let what = format!("find table {name} in {}", place.words);
            let cause =
                format!("it is {kind}: take the tables that it is made of, or the whole database");
            return Err(EngineError::refused(what, cause));
        }
        let tables = meant(&known, place, name)?;
        if tables.is_empty() {
            gone.push(name);
        }
        found.extend(tables);
    }
    if let Some(name) = gone.first().filter(|_| found.is_empty()) {
        return Err(place.none(name));
    }
    let mut whole = found.clone();
    for table in &found {
        whole.extend(below(client, table)?);
    }
    whole.sort();
    whole.dedup();
    Ok(Meant {
        tables: whole,
        gone: gone.into_iter().map(|name| place.gone(name)).collect(),
    })
}

/// What a name is of that no table has, where it is something else with rows.
fn other_kind(
    client: &mut Client,
    known: &[Table],
    name: &str,
) -> Result<Option<&'static str>, EngineError> {
    if known
        .iter()
        .any(|table| table.name == name || table.words() == name)
    {
        return Ok(None);
    }
    let query = "select c.relkind::text from pg_class c \
                 join pg_namespace n on n.oid = c.relnamespace \
                 where c.relkind in ('v', 'm', 'f') and n.nspname !~ '^pg_' \
                 and $1::text in (c.relname::text, n.nspname || '.' || c.relname) limit 1";
    let row = client.query_opt(query, &[&name]);
    let row = row.map_err(|error| refused(format!("look what {name} is"), &error))?;
    Ok(row.map(|row| match row.get(0) {
        "v" => "a view",
        "m" => "a materialized view",
        _ => "a foreign table",
    }))
}

/// What one name or pattern means; nothing when no table is called so. A bare name means the table
/// in `public` first.
fn meant(known: &[Table], place: Place<'_>, name: &str) -> Result<Vec<Table>, EngineError> {
    let bare = name.strip_prefix(&format!("{}.", place.database));
    let names = [Some(name), bare];
    let by = |name: &str| -> Vec<Table> {
        let is = |table: &&Table| {
            let exact = table.words() == name || table.name == name;
            exact || sizes::is_pattern(name) && sizes::matches(&table.words(), name)
        };
        known.iter().filter(is).cloned().collect()
    };
    let found = names.into_iter().flatten().map(by);
    let found = found.into_iter().find(|found| !found.is_empty());
    let mut found = found.unwrap_or_default();
    // as sessions see it: what was brought back beside does not make a name mean two tables
    if !sizes::is_pattern(name) && found.iter().any(|table| table.schema == "public") {
        found.retain(|table| table.schema == "public");
    }
    if found.len() > 1 && !sizes::is_pattern(name) {
        let schemas: Vec<&str> = found.iter().map(|table| table.schema.as_str()).collect();
        return Err(EngineError::refused(
            format!("find table {name} in {}", place.words),
            format!("it is in the schemas {}: say which", schemas.join(", ")),
        ));
    }
    Ok(found)
}

/// Tables whose rows are rows of this one.
fn below(client: &mut Client, table: &Table) -> Result<Vec<Table>, EngineError> {
    let query = "with recursive below(oid) as (select $1::text::regclass::oid \
                 union select inhrelid from pg_inherits join below on inhparent = below.oid) \
                 select n.nspname::text, c.relname::text from below join pg_class c using (oid) \
                 join pg_namespace n on n.oid = c.relnamespace";
    let rows = client.query(query, &[&table.sql()]);
    let what = || format!("list the children of {}", table.words());
    let rows = rows.map_err(|error| refused(what(), &error))?;
    Ok(rows.iter().map(Table::of).collect())
}

/// What does not come with the tables, in words: large objects that their columns may refer to
/// belong to the database.
///
/// # Errors
/// What the server says.
pub fn apart(client: &mut Client, tables: &[Table]) -> Result<Vec<String>, EngineError> {
    let query = "select a.attrelid::regclass::text || '.' || quote_ident(a.attname) \
                 from pg_attribute a join pg_type t on t.oid = a.atttypid \
                 where a.attrelid = any($1::text[]::regclass[]::oid[]) and a.attnum > 0 \
                 and (t.oid = 'oid'::regtype or t.typname = 'lo') \
                 and exists (select from pg_largeobject_metadata) order by 1";
    let rows = client.query(query, &[&names(tables)]);
    let rows = rows.map_err(|error| refused("look for large objects", &error))?;
    let told = rows.iter().map(|row| {
        let column: String = row.get(0);
        format!("{column} may refer to large objects: they come with the whole database only")
    });
    Ok(told.collect())
}

/// Tables that a copy of files and log cannot bring the rows of, in words.
///
/// # Errors
/// What the server says.
pub fn emptied(client: &mut Client, tables: &[Table]) -> Result<Vec<String>, EngineError> {
    let query = "select n.nspname::text, c.relname::text from pg_class c \
                 join pg_namespace n on n.oid = c.relnamespace where c.relpersistence = 'u' \
                 and c.relkind = 'r' and c.oid = any($1::text[]::regclass[]::oid[]) order by 1, 2";
    let failed = |error: &postgres::Error| refused("look for unlogged tables", error);
    let rows = client.query(query, &[&names(tables)]);
    let mut told = Vec::new();
    for table in rows.map_err(|error| failed(&error))?.iter().map(Table::of) {
        let query = format!("select from only {} limit 1", table.sql());
        let row = client.query_opt(&query, &[]);
        if row.map_err(|error| failed(&error))?.is_none() {
            told.push(format!(
                "table {} is unlogged and came empty: only a `logical` copy has its rows",
                table.words()
            ));
        }
    }
    Ok(told)
}

/// A foreign key from or to one of the tables.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Link {
    /// The table that refers.
    pub from: Table,
    /// The key's name.
    pub name: String,
    /// As `ALTER TABLE … ADD CONSTRAINT` takes it.
    pub definition: String,
    /// Does one of the tables refer, or is it referred to?
    pub own: bool,
}

impl Link {
    /// The statement that makes it.
    #[must_use]
    pub fn sql(&self) -> String {
        let (table, name) = (self.from.sql(), quoted(&self.name));
        let definition = self.definition.trim_end_matches(" NOT VALID");
        format!("alter table {table} add constraint {name} {definition}")
    }
}

/// Foreign keys of the tables and to them, other than among themselves.
///
/// # Errors
/// What the server says.
pub fn links(client: &mut Client, tables: &[Table]) -> Result<Vec<Link>, EngineError> {
    let query = "select n.nspname::text, c.relname::text, k.conname::text, \
                 pg_get_constraintdef(k.oid), k.conrelid = any($1::text[]::regclass[]::oid[]) \
                 from pg_constraint k join pg_class c on c.oid = k.conrelid \
                 join pg_namespace n on n.oid = c.relnamespace where k.contype = 'f' \
                 and k.conparentid = 0 \
                 and (k.conrelid = any($1::text[]::regclass[]::oid[])) \
                 <> (k.confrelid = any($1::text[]::regclass[]::oid[])) order by 1, 2, 3";
    // definitions must name schemas, wherever they are read
    let set = client.batch_execute("set search_path = pg_catalog");
    set.map_err(|error| refused("prepare the question for foreign keys", &error))?;
    let rows = client.query(query, &[&names(tables)]);
    let rows = rows.map_err(|error| refused("list the foreign keys", &error))?;
    let link = |row: &postgres::Row| Link {
        from: Table::of(row),
        name: row.get(2),
        definition: row.get(3),
        own: row.get(4),
    };
    Ok(rows.iter().map(link).collect())
}

/// Indexes of the tables that are parts of indexes of other tables: those of a partition that is
/// taken without its parent.
///
/// # Errors
/// What the server says.
pub fn hanging(client: &mut Client, tables: &[Table]) -> Result<Vec<Table>, EngineError> {
    let query = "select n.nspname::text, c.relname::text from pg_inherits i \
                 join pg_class c on c.oid = i.inhrelid \
                 join pg_namespace n on n.oid = c.relnamespace \
                 join pg_index own on own.indexrelid = i.inhrelid \
                 join pg_index above on above.indexrelid = i.inhparent \
                 where own.indrelid = any($1::text[]::regclass[]::oid[]) \
                 and above.indrelid <> all($1::text[]::regclass[]::oid[]) order by 1, 2";
    let rows = client.query(query, &[&names(tables)]);
    let rows = rows.map_err(|error| refused("list the indexes of partitions", &error))?;
    Ok(rows.iter().map(Table::of).collect())
}

/// Sequences that defaults of the tables use without being owned by one of their columns.
///
/// # Errors
/// What the server says.
pub fn loose_sequences(client: &mut Client, tables: &[Table]) -> Result<Vec<Table>, EngineError> {
    let query = "select distinct n.nspname::text, s.relname::text from pg_attrdef d \
                 join pg_depend p on p.classid = 'pg_attrdef'::regclass and p.objid = d.oid \
                 and p.refclassid = 'pg_class'::regclass \
                 join pg_class s on s.oid = p.refobjid and s.relkind = 'S' \
                 join pg_namespace n on n.oid = s.relnamespace \
                 where d.adrelid = any($1::text[]::regclass[]::oid[]) and not exists ( \
                 select from pg_depend o where o.classid = 'pg_class'::regclass \
                 and o.objid = s.oid and o.deptype in ('a', 'i') \
                 and o.refobjid = any($1::text[]::regclass[]::oid[])) order by 1, 2";
    let rows = client.query(query, &[&names(tables)]);
    let rows = rows.map_err(|error| refused("list the sequences of the tables", &error))?;
    Ok(rows.iter().map(Table::of).collect())
}

/// Bytes of the tables, with their indexes and long values.
///
/// # Errors
/// What the server says.
pub fn bytes(client: &mut Client, tables: &[Table]) -> Result<u64, EngineError> {
    let query = "select coalesce(sum(pg_total_relation_size(name::regclass)), 0)::int8 \
                 from unnest($1::text[]) name";
    let row = client.query_one(query, &[&names(tables)]);
    let row = row.map_err(|error| refused("measure the tables", &error))?;
    Ok(u64::try_from(row.get::<_, i64>(0)).unwrap_or(0))
}

/// The names in SQL.
#[must_use]
pub fn names(tables: &[Table]) -> Vec<String> {
    tables.iter().map(Table::sql).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table(schema: &str, name: &str) -> Table {
        Table {
            schema: schema.to_owned(),
            name: name.to_owned(),
        }
    }

    #[test]
    fn names_are_quoted() {
        let odd = table("my \"own\"", "Orders");
        assert_eq!(odd.sql(), "\"my \"\"own\"\"\".\"Orders\"");
    }

    #[test]
    fn a_name_or_a_pattern_means_tables() {
        let known = [
            table("public", "lines"),
            table("sales", "lines"),
            table("sales", "orders"),
            table("sales", "people"),
            table("staff", "people"),
        ];
        let place = Place {
            database: "shop",
            words: "the copy",
            past: true,
        };
        let count = |name| meant(&known, place, name).map(|found| found.len());
        assert_eq!(count("orders").expect("one"), 1);
        assert_eq!(count("shop.orders").expect("with its database"), 1);
        assert_eq!(count("sales.lines").expect("one"), 1);
        assert_eq!(count("sales.*").expect("a schema"), 3);
        assert_eq!(count("lines").expect("that of public"), 1);
        assert_eq!(count("l*").expect("a pattern"), 2);
        let told = count("people").expect_err("two schemas").to_string();
        assert!(told.contains("sales, staff"), "{told}");
        assert_eq!(count("gone").expect("none"), 0);
        assert!(
            place
                .none("gone")
                .to_string()
                .contains("had none at that moment")
        );
    }
}
