//! Owns what is written into the catalog.

use std::collections::BTreeMap;

use blake3::Hash;
use jiff::Timestamp;
use rusqlite::params;

use super::store::{signed, word};
use super::{Catalog, CatalogError};
use crate::facts::holdings::{JobHistory, Position};
use crate::media::manifest::{LogRecord, Manifest, PartHeader};

impl Catalog {
    /// Binds a device's name to its UUID at first use; refuses another one later (R11).
    ///
    /// # Errors
    /// [`CatalogError::OtherDevice`].
    pub fn bind_device(&mut self, name: &str, identity: &str) -> Result<(), CatalogError> {
        self.store.write(|db| {
            let sql = "INSERT INTO device VALUES (?1, ?2) ON CONFLICT DO NOTHING";
            db.execute(sql, [name, identity])
        })?;
        match self.store.device(name)? {
            Some(known) if known != identity => Err(CatalogError::OtherDevice {
                device: name.to_owned(),
                expected: known,
                found: identity.to_owned(),
            }),
            _ => Ok(()),
        }
    }

    /// What a device holds counts under its present name only: what was recorded under names that
    /// `is_former` is moved.
    ///
    /// # Errors
    /// When SQLite fails.
    pub fn rename_device(
        &mut self,
        name: &str,
        identity: &str,
        is_former: impl Fn(&str) -> bool,
    ) -> Result<(), CatalogError> {
        let known = self.store.devices()?.into_iter();
        let same = known.filter(|(known, its)| its == identity && known != name);
        for (old, _) in same.filter(|(known, _)| is_former(known)) {
            self.store.write(|db| {
                db.execute("DELETE FROM device WHERE name = ?1", [&old])?;
                for table in ["held", "condemned", "verified", "tried"] {
                    let sql =
                        format!("UPDATE OR REPLACE {table} SET device = ?1 WHERE device = ?2");
                    db.execute(&sql, [name, &old])?;
                }
                Ok(())
            })?;
        }
        Ok(())
    }

    /// Records that a device holds a part. Repeating it is harmless.
    ///
    /// # Errors
    /// When SQLite fails; [`CatalogError::OtherPart`] when another part is known by this id.
    pub fn record_part(&mut self, record: &PartRecord, device: &str) -> Result<(), CatalogError> {
        let part = &record.header.part;
        let same = self.store.write(|db| {
            let same = record.insert(db)? || record.is_known(db)?;
            if same {
                insert_held(db, part, device)?;
            }
            Ok(same)
        })?;
        if same {
            Ok(())
        } else {
            Err(CatalogError::OtherPart {
                device: device.to_owned(),
                part: part.clone(),
            })
        }
    }

    /// Records that a device holds a range of log. Repeating it is harmless.
    ///
    /// # Errors
    /// When SQLite fails.
    pub fn record_log(&mut self, record: &LogRecord, device: &str) -> Result<(), CatalogError> {
        self.store.write(|db| {
            insert_log(db, record)?;
            insert_held(db, &record.log, device)
        })
    }

    /// Records that a device's copy was read back whole and found intact (or not).
    ///
    /// # Errors
    /// When SQLite fails.
    pub fn record_verified(
        &mut self,
        object: &str,
        device: &str,
        at: Timestamp,
        intact: bool,
    ) -> Result<(), CatalogError> {
        self.store.write(|db| {
            let sql = "INSERT OR REPLACE INTO verified VALUES (?1, ?2, ?3, ?4)";
            db.execute(sql, params![object, device, at.to_string(), intact])?;
            if intact {
                let sql = "DELETE FROM tried WHERE object = ?1 AND device = ?2";
                db.execute(sql, [object, device])?;
            }
            Ok(())
        })
    }

    /// Remembers the newest entry of the run log: number and hash.
    ///
    /// # Errors
    /// When SQLite fails.
    pub fn record_run_log_head(&mut self, head: &(u64, String)) -> Result<(), CatalogError> {
        self.store.write(|db| {
            let sql = "INSERT OR REPLACE INTO run_log VALUES (1, ?1, ?2)";
            db.execute(sql, params![signed(head.0), head.1])?;
            Ok(())
        })
    }

    /// Records that a damaged copy is about to be replaced once more.
    ///
    /// # Errors
    /// When SQLite fails.
    pub fn record_tried(&mut self, object: &str, device: &str) -> Result<(), CatalogError> {
        self.store.write(|db| {
            let sql = "INSERT INTO tried VALUES (?1, ?2, 1)
                ON CONFLICT DO UPDATE SET tries = tries + 1";
            db.execute(sql, [object, device])?;
            Ok(())
        })
    }

    /// Records that a tombstone stands beside a copy; the first one counts.
    ///
    /// # Errors
    /// When SQLite fails.
    pub fn record_condemned(
        &mut self,
        object: &str,
        device: &str,
        at: Timestamp,
    ) -> Result<(), CatalogError> {
        self.store.write(|db| {
            let sql = "INSERT INTO condemned VALUES (?1, ?2, ?3) ON CONFLICT DO NOTHING";
            db.execute(sql, params![object, device, at.to_string()])?;
            Ok(())
        })
    }

    /// Records that no tombstone stands beside a copy.
    ///
    /// # Errors
    /// When SQLite fails.
    pub fn record_reprieved(&mut self, object: &str, device: &str) -> Result<(), CatalogError> {
        self.store.write(|db| {
            let sql = "DELETE FROM condemned WHERE object = ?1 AND device = ?2";
            db.execute(sql, [object, device])?;
            Ok(())
        })
    }

    /// Records that a copy was deleted. What no device holds any more is forgotten.
    ///
    /// # Errors
    /// When SQLite fails.
    pub fn record_gone(&mut self, object: &str, device: &str) -> Result<(), CatalogError> {
        self.store.write(|db| {
            for table in ["held", "condemned", "verified", "tried"] {
                let sql = format!("DELETE FROM {table} WHERE object = ?1 AND device = ?2");
                db.execute(&sql, [object, device])?;
            }
            for (table, key) in [("part", "part"), ("log", "log")] {
                let sql = format!(
                    "DELETE FROM {table} WHERE {key} = ?1
                     AND NOT EXISTS (SELECT 1 FROM held WHERE object = ?1)"
                );
                db.execute(&sql, [object])?;
            }
            let sql = "DELETE FROM spoilt WHERE part = ?1
                AND NOT EXISTS (SELECT 1 FROM part WHERE part = ?1)";
            db.execute(sql, [object])?;
            Ok(())
        })
    }

    /// Records a job's success; the latest beginning counts.
    ///
    /// # Errors
    /// When SQLite fails.
    pub fn record_job(&mut self, job: &JobHistory) -> Result<(), CatalogError> {
        self.store.write(|db| {
            let method = word(&job.method)?;
            let began = job.began.to_string();
            let values = params![job.job, method, began, job.seconds, signed(job.bytes)];
            db.execute(
                "INSERT OR REPLACE INTO job VALUES (?1, ?2, ?3, ?4, ?5)",
                values,
            )?;
            Ok(())
        })
    }
}

/// The row of a part.
#[derive(Debug, Clone)]
pub struct PartRecord {
    /// What the part is.
    pub header: PartHeader,
    taken_at: Timestamp,
    from: Option<Position>,
    until: Option<Position>,
    bytes: u64,
    stored_bytes: u64,
    /// Pages that were damaged at the source: blocks by file.
    spoilt: BTreeMap<String, String>,
    /// The hash that stands for all that the manifest says.
    content: Hash,
}

impl PartRecord {
    /// What the catalog says of a manifest; `content` is the hash of its text.
    #[must_use]
    pub fn of(manifest: &Manifest, content: Hash) -> Self {
        Self {
            header: manifest.header.clone(),
            taken_at: manifest.ended.taken_at,
            from: manifest.ended.from.clone(),
            until: manifest.ended.until.clone(),
            bytes: manifest.bytes,
            stored_bytes: manifest.stored_bytes,
            spoilt: manifest.ended.spoilt(),
            content,
        }
    }

    /// True when no part was known by this id.
    fn insert(&self, db: &rusqlite::Connection) -> rusqlite::Result<bool> {
        let header = &self.header;
        let (from, until) = (self.from.as_ref(), self.until.as_ref());
        let sql = "INSERT INTO part VALUES
             (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17)
             ON CONFLICT DO NOTHING";
        let added = db.prepare_cached(sql)?.execute(params![
            header.part,
            header.component,
            header.service,
            word(&header.engine)?,
            header.job,
            header.run,
            word(&header.method)?,
            header.identity,
            self.taken_at.to_string(),
            from.map(|position| &position.incarnation),
            from.map(|position| signed(position.value)),
            until.map(|position| &position.incarnation),
            until.map(|position| signed(position.value)),
            header.base,
            signed(self.bytes),
            signed(self.stored_bytes),
            self.content.to_hex().as_str(),
        ])?;
        if added > 0 {
            for (file, blocks) in &self.spoilt {
                let sql = "INSERT INTO spoilt VALUES (?1, ?2, ?3) ON CONFLICT DO NOTHING";
                db.execute(sql, [&header.part, file, blocks])?;
            }
        }
        Ok(added > 0)
    }

    /// Whether the part that is known by this id says the same.
    fn is_known(&self, db: &rusqlite::Connection) -> rusqlite::Result<bool> {
        let mut look = db.prepare_cached("SELECT content FROM part WHERE part = ?1")?;
        let known: String = look.query_row([&self.header.part], |row| row.get(0))?;
        Ok(known == self.content.to_hex().as_str())
    }
}

fn insert_held(db: &rusqlite::Connection, object: &str, device: &str) -> rusqlite::Result<()> {
    let sql = "INSERT INTO held VALUES (?1, ?2) ON CONFLICT DO NOTHING";
    db.prepare_cached(sql)?.execute([object, device])?;
    Ok(())
}

fn insert_log(db: &rusqlite::Connection, record: &LogRecord) -> rusqlite::Result<()> {
    db.execute(
        "INSERT INTO log VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13)
         ON CONFLICT DO NOTHING",
        params![
            record.log,
            record.service,
            word(&record.engine)?,
            record.job,
            record.identity,
            record.from.incarnation,
            signed(record.from.value),
            record.until.incarnation,
            signed(record.until.value),
            record.first_at.to_string(),
            record.last_at.to_string(),
            signed(record.bytes),
            signed(record.stored_bytes),
        ],
    )?;
    Ok(())
}
