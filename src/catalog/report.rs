//! Owns what is read out of the catalog: holdings for the planner, dumps for comparison.

use std::fmt::Write as _;

use rusqlite::{Connection, Row};

use super::store::{parse, time, unsigned};
use super::{Catalog, CatalogError};
use crate::facts::holdings::{Holdings, JobHistory, LogHolding, PartHolding, Position, SpoiltFile};

impl Catalog {
    /// All copies, as the planner sees them.
    ///
    /// # Errors
    /// When SQLite fails.
    pub fn holdings(&self) -> Result<Holdings, CatalogError> {
        self.store.read(|db| {
            let mut holdings = Holdings {
                parts: parts(db, &Question::default())?,
                logs: logs(db, &Question::default())?,
                jobs: jobs(db)?,
                verified: verified(db)?,
                damaged: damaged(db)?,
                tried: tried(db)?,
                condemned: condemned(db)?,
                spoilt: spoilt(db)?,
                ..Holdings::default()
            };
            sort(&mut holdings);
            Ok(holdings)
        })
    }

    /// The copies that a question is about, and nothing else: parts and log, in the order of
    /// [`Catalog::holdings`].
    ///
    /// # Errors
    /// When SQLite fails.
    pub fn find(&self, question: &Question<'_>) -> Result<Holdings, CatalogError> {
        self.store.read(|db| {
            let mut holdings = Holdings {
                parts: parts(db, question)?,
                logs: logs(db, question)?,
                spoilt: spoilt(db)?,
                ..Holdings::default()
            };
            sort(&mut holdings);
            Ok(holdings)
        })
    }

    /// How many parts and ranges of log there are.
    ///
    /// # Errors
    /// When SQLite fails.
    pub fn counts(&self) -> Result<(u64, u64), CatalogError> {
        self.store.read(|db| {
            let sql = "SELECT (SELECT count(*) FROM part), (SELECT count(*) FROM log)";
            db.query_row(sql, [], |row| {
                Ok((unsigned(row.get(0)?), unsigned(row.get(1)?)))
            })
        })
    }

    /// The newest entry of the run log that this host knows: number and hash.
    ///
    /// # Errors
    /// When SQLite fails.
    pub fn run_log_head(&self) -> Result<Option<(u64, String)>, CatalogError> {
        self.store.read(|db| {
            let found = all(db, "SELECT number, hash FROM run_log", |row| {
                Ok((unsigned(row.get(0)?), row.get(1)?))
            })?;
            Ok(found.into_iter().next())
        })
    }

    /// The same text for the same copies, whatever the order of events and on how many devices
    /// they lie: rebuilt from any one complete device it is equal. Fields that only this machine
    /// knows (verification times, job times) are left out.
    ///
    /// # Errors
    /// When SQLite fails.
    pub fn canonical_dump(&self) -> Result<String, CatalogError> {
        self.store.read(|db| dump(db, false))
    }

    /// As [`Catalog::canonical_dump`], with the devices that are known and those that hold each
    /// copy.
    ///
    /// # Errors
    /// When SQLite fails.
    pub fn dump_with_devices(&self) -> Result<String, CatalogError> {
        self.store.read(|db| dump(db, true))
    }

    /// Copies that were found damaged when they were last read back: object, device.
    ///
    /// # Errors
    /// When SQLite fails.
    pub fn damaged(&self) -> Result<Vec<(String, String)>, CatalogError> {
        self.store.read(|db| {
            let sql = "SELECT object, device FROM verified WHERE NOT intact ORDER BY 1, 2";
            all(db, sql, |row| Ok((row.get(0)?, row.get(1)?)))
        })
    }

    /// The UUID under which a device's name is known.
    ///
    /// # Errors
    /// When SQLite fails.
    pub fn device_identity(&self, name: &str) -> Result<Option<String>, CatalogError> {
        self.store.device(name)
    }

    /// The names of all devices that are known.
    ///
    /// # Errors
    /// When SQLite fails.
    pub fn device_names(&self) -> Result<Vec<String>, CatalogError> {
        let devices = self.store.devices()?.into_iter();
        Ok(devices.map(|(name, _)| name).collect())
    }
}

/// Which copies are asked for; what is not said is not asked.
#[derive(Debug, Clone, Copy, Default)]
pub struct Question<'a> {
    /// Component or service.
    pub name: Option<&'a str>,
    /// A device that holds the copy.
    pub device: Option<&'a str>,
}

impl Question<'_> {
    /// The condition on a table of copies; `names` are its columns of which one must be the name.
    /// Its parameters are ?1, the name, and ?2, the device.
    fn condition(&self, names: &[&str], key: &str) -> String {
        let mut all = vec!["1".to_owned()];
        if self.name.is_some() {
            let names = names.iter().map(|name| format!("{name} = ?1"));
            all.push(format!("({})", names.collect::<Vec<_>>().join(" OR ")));
        }
        if self.device.is_some() {
            all.push(format!(
                "EXISTS (SELECT 1 FROM held WHERE object = {key} AND device = ?2)"
            ));
        }
        // every parameter is named once, so that it may be bound
        format!(
            "{} AND (?1 IS NULL OR 1) AND (?2 IS NULL OR 1)",
            all.join(" AND ")
        )
    }
}

fn sort(holdings: &mut Holdings) {
    (holdings.parts).sort_by(|a, b| (a.taken_at, &a.part).cmp(&(b.taken_at, &b.part)));
    holdings.logs.sort_by(|a, b| {
        let key = |log: &LogHolding| (log.service.clone(), log.identity.clone());
        (key(a), &a.from, &a.log).cmp(&(key(b), &b.from, &b.log))
    });
}

fn asked<T>(
    db: &Connection,
    sql: &str,
    question: &Question<'_>,
    read: impl FnMut(&Row<'_>) -> rusqlite::Result<T>,
) -> rusqlite::Result<Vec<T>> {
    let parameters = [question.name, question.device];
    db.prepare(sql)?.query_map(parameters, read)?.collect()
}

fn all<T>(
    db: &Connection,
    sql: &str,
    read: impl FnMut(&Row<'_>) -> rusqlite::Result<T>,
) -> rusqlite::Result<Vec<T>> {
    db.prepare(sql)?.query_map([], read)?.collect()
}

/// Devices that hold an object, as one column: a JSON list, sorted.
const DEVICES: &str = "(SELECT json_group_array(device) FROM
    (SELECT device FROM held WHERE object = KEY ORDER BY device))";

fn devices_of(key: &str) -> String {
    DEVICES.replace("KEY", key)
}

fn text<T>(
    row: &Row<'_>,
    column: usize,
    read: impl FnOnce(&str) -> rusqlite::Result<T>,
) -> rusqlite::Result<T> {
    read(row.get_ref(column)?.as_str()?)
}

fn position(row: &Row<'_>, column: usize) -> rusqlite::Result<Option<Position>> {
    let incarnation: Option<String> = row.get(column)?;
    let value: Option<i64> = row.get(column + 1)?;
    Ok(incarnation.zip(value).map(|(incarnation, value)| Position {
        incarnation,
        value: unsigned(value),
    }))
}

fn parts(db: &Connection, question: &Question<'_>) -> rusqlite::Result<Vec<PartHolding>> {
    let sql = format!(
        "SELECT part, component, job, run, method, identity, taken_at, from_incarnation, from_value,
         until_incarnation, until_value, base, bytes, stored_bytes, {} FROM part WHERE {}",
        devices_of("part.part"),
        question.condition(&["component", "service"], "part.part")
    );
    asked(db, &sql, question, |row| {
        Ok(PartHolding {
            part: row.get(0)?,
            component: row.get(1)?,
            job: row.get(2)?,
            run: row.get(3)?,
            method: text(row, 4, parse)?,
            identity: row.get(5)?,
            taken_at: text(row, 6, time)?,
            from: position(row, 7)?,
            until: position(row, 9)?,
            base: row.get(11)?,
            bytes: unsigned(row.get(12)?),
            stored_bytes: unsigned(row.get(13)?),
            devices: text(row, 14, parse)?,
        })
    })
}

fn logs(db: &Connection, question: &Question<'_>) -> rusqlite::Result<Vec<LogHolding>> {
    let sql = format!(
        "SELECT log, service, identity, incarnation, from_value, until_incarnation, until_value,
         first_at, last_at, stored_bytes, {} FROM log WHERE {}",
        devices_of("log.log"),
        question.condition(&["service"], "log.log")
    );
    asked(db, &sql, question, |row| {
        Ok(LogHolding {
            log: row.get(0)?,
            service: row.get(1)?,
            identity: row.get(2)?,
            from: Position {
                incarnation: row.get(3)?,
                value: unsigned(row.get(4)?),
            },
            until: Position {
                incarnation: row.get(5)?,
                value: unsigned(row.get(6)?),
            },
            first_at: text(row, 7, time)?,
            last_at: text(row, 8, time)?,
            stored_bytes: unsigned(row.get(9)?),
            devices: text(row, 10, parse)?,
        })
    })
}

fn jobs(db: &Connection) -> rusqlite::Result<Vec<JobHistory>> {
    let sql = "SELECT job, method, began, seconds, bytes FROM job ORDER BY job, method";
    all(db, sql, |row| {
        Ok(JobHistory {
            job: row.get(0)?,
            method: text(row, 1, parse)?,
            began: text(row, 2, time)?,
            seconds: row.get(3)?,
            bytes: unsigned(row.get(4)?),
        })
    })
}

fn verified(db: &Connection) -> rusqlite::Result<Vec<(String, String, jiff::Timestamp)>> {
    let sql = "SELECT object, device, at FROM verified WHERE intact ORDER BY object, device";
    all(db, sql, |row| {
        Ok((row.get(0)?, row.get(1)?, text(row, 2, time)?))
    })
}

fn damaged(db: &Connection) -> rusqlite::Result<Vec<(String, String)>> {
    let sql = "SELECT object, device FROM verified WHERE NOT intact ORDER BY object, device";
    all(db, sql, |row| Ok((row.get(0)?, row.get(1)?)))
}

fn tried(db: &Connection) -> rusqlite::Result<Vec<(String, String, u32)>> {
    let sql = "SELECT object, device, tries FROM tried ORDER BY object, device";
    all(db, sql, |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))
}

fn condemned(db: &Connection) -> rusqlite::Result<Vec<(String, String, jiff::Timestamp)>> {
    let sql = "SELECT object, device, at FROM condemned ORDER BY object, device";
    all(db, sql, |row| {
        Ok((row.get(0)?, row.get(1)?, text(row, 2, time)?))
    })
}

fn spoilt(db: &Connection) -> rusqlite::Result<Vec<SpoiltFile>> {
    let sql = "SELECT part, file, blocks FROM spoilt ORDER BY part, file";
    all(db, sql, |row| {
        Ok(SpoiltFile {
            part: row.get(0)?,
            file: row.get(1)?,
            blocks: row.get(2)?,
        })
    })
}

/// Columns of the dump; `stored_bytes` of a part is that of its packs, equal on every device.
const PARTS: &str =
    "SELECT 'part ' || json_array(part, component, service, engine, job, run, method,
    identity, taken_at, from_incarnation, from_value, until_incarnation, until_value, base, bytes,
    stored_bytes, content)";

const LOGS: &str = "SELECT 'log ' || json_array(log, service, engine, job, identity, incarnation,
    from_value, until_incarnation, until_value, first_at, last_at, bytes)";

fn dump(db: &Connection, devices: bool) -> rusqlite::Result<String> {
    let mut dump = String::from("planc-catalog/1\n");
    if devices {
        let sql = "SELECT 'device ' || json_array(name, identity) FROM device ORDER BY 1";
        for line in all(db, sql, |row| row.get::<_, String>(0))? {
            // writing to a String cannot fail
            let _ = writeln!(dump, "{line}");
        }
    }
    for (columns, table, key) in [(PARTS, "part", "part.part"), (LOGS, "log", "log.log")] {
        let held = if devices {
            format!("|| ' ' || {}", devices_of(key))
        } else {
            String::new()
        };
        let sql = format!("{columns} {held} FROM {table} ORDER BY 1");
        for line in all(db, &sql, |row| row.get::<_, String>(0))? {
            // writing to a String cannot fail
            let _ = writeln!(dump, "{line}");
        }
    }
    let sql = "SELECT 'spoilt ' || json_array(part, file, blocks) FROM spoilt ORDER BY 1";
    for line in all(db, sql, |row| row.get::<_, String>(0))? {
        // writing to a String cannot fail
        let _ = writeln!(dump, "{line}");
    }
    Ok(dump)
}
