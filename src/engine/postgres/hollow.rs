//! Owns the databases of a recovered cluster whose content was left out: which they are once the
//! log is replayed, what the server is told of them, and the words for people.
//!
//! A copy that stays marks them as invalid, as a server marks a database that it began to drop: it
//! refuses sessions in them, its workers and tools pass them over, `drop database` removes them.

use std::collections::BTreeMap;

use super::component;
use super::connect::refused;
use super::instance::Instance;
use super::notes::Names;
use super::scope::Scope;
use super::tables::quoted;
use crate::engine::EngineError;

/// What a recovered cluster lacks, when the content of some databases only was wanted.
#[derive(Debug, Clone, Default)]
pub(super) struct Hollow {
    /// Databases without content, by object id.
    pub(super) databases: BTreeMap<u32, String>,
    /// Databases in words, each with the tablespaces that it shares with others.
    words: Vec<String>,
    /// Tablespaces of which nothing was wanted.
    tablespaces: Vec<String>,
    /// Databases that were wanted and are not there at the target.
    gone: Vec<String>,
}

impl Hollow {
    /// Asks the recovered server what became of the databases.
    ///
    /// # Errors
    /// What the server says; [`EngineError::Refused`] when the log makes a database that is wanted
    /// of one that was left out.
    pub(super) fn find(instance: &Instance, scope: &Scope) -> Result<Self, EngineError> {
        if scope.wanted().is_empty() {
            return Ok(Self::default());
        }
        let names = component::names(&mut instance.home()?, "the copy")?;
        Self::of(&names, scope)
    }

    fn of(names: &Names, scope: &Scope) -> Result<Self, EngineError> {
        let is = |wanted: &&String| names.databases.values().any(|name| name == *wanted);
        let gone = scope.wanted().iter().filter(|one| !is(one));
        let gone = gone.cloned().collect();
        let called = |oid: &u32| names.tablespaces.get(oid).cloned();
        let tablespaces = scope.unused().iter().filter_map(called).collect();
        let lacking = scope.lacking();
        let (mut databases, mut words) = (BTreeMap::new(), Vec::new());
        for (oid, name) in &names.databases {
            if !lacking.contains(oid) {
                continue;
            }
            if scope.wanted().contains(name) {
                return Err(without_content(name, scope.leaves_out(*oid)));
            }
            let shared: Vec<String> = scope.shared_by(*oid).iter().filter_map(called).collect();
            words.push(match shared.join(", ") {
                none if none.is_empty() => format!("database {name}"),
                shared => format!("database {name} with its files in tablespace {shared}"),
            });
            databases.insert(*oid, name.clone());
        }
        Ok(Self {
            databases,
            words,
            tablespaces,
            gone,
        })
    }

    /// Marks them as invalid. A server of before 15.4 takes the mark for no limit of sessions.
    ///
    /// # Errors
    /// What the server says.
    pub(super) fn close(&self, instance: &Instance) -> Result<(), EngineError> {
        if self.databases.is_empty() {
            return Ok(());
        }
        let mut client = instance.home()?;
        let oids: Vec<u32> = self.databases.keys().copied().collect();
        let statement = "update pg_database set datconnlimit = -2 where oid = any($1)";
        let done = client.execute(statement, &[&oids]);
        done.map(drop)
            .map_err(|error| refused("mark databases without content", &error))
    }

    /// What the copy lacks, in words; empty for nothing.
    #[must_use]
    pub(super) fn left_out(&self) -> String {
        let spaces = self.tablespaces.iter();
        let spaces = spaces.map(|name| format!("tablespace {name}"));
        let all: Vec<String> = self.words.iter().cloned().chain(spaces).collect();
        all.join(", ")
    }

    /// What is to be done in a copy that stays.
    #[must_use]
    pub(super) fn to_do(&self) -> Vec<String> {
        let mut told = Vec::new();
        let databases = self.databases.values();
        let drops = databases.map(|name| format!("drop database {}", quoted(name)));
        let spaces = self.tablespaces.iter();
        let spaces = spaces.map(|name| format!("drop tablespace {}", quoted(name)));
        let drops: Vec<String> = drops.chain(spaces).collect();
        if !drops.is_empty() {
            let drops = drops.join("; ");
            told.push(format!(
                "nothing of what is left out was proven: in the restored cluster run {drops}"
            ));
        }
        if !self.gone.is_empty() {
            let gone = self.gone.join(", ");
            told.push(format!(
                "the restored cluster has no database {gone}: the log drops or renames it before \
                 the target"
            ));
        }
        told
    }
}

fn without_content(name: &str, renamed: bool) -> EngineError {
    let how = if renamed {
        "gives this name to a database that had another one in the copy, and is left out"
    } else {
        "makes it by copying the files of a database that is left out"
    };
    EngineError::refused(
        format!("restore only database {name}"),
        format!("the log {how}: name that, too, or restore all of them"),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn named(all: &[(u32, &str)]) -> BTreeMap<u32, String> {
        let all = all.iter();
        all.map(|(oid, name)| (*oid, (*name).to_owned())).collect()
    }

    fn scope() -> Scope {
        let known = Names {
            databases: named(&[(1, "template1"), (5, "other"), (6, "own")]),
            ..Names::default()
        };
        let mut scope = Scope::default();
        scope.only(&["own".to_owned()], &known);
        for (path, wanted) in [
            ("base/5/1259", false),
            ("base/6/1259", true),
            ("pg_tblspc/9/PG_15_1", true),
            ("pg_tblspc/9/PG_15_1/5/2", false),
            ("pg_tblspc/10/PG_15_1/5/2", false),
            ("pg_tblspc/10/PG_15_1/6/2", true),
        ] {
            assert_eq!(scope.judge(path), wanted, "{path}");
        }
        scope
    }

    fn cluster(databases: &[(u32, &str)]) -> Names {
        Names {
            databases: named(databases),
            tablespaces: named(&[(8, "idle"), (9, "cold"), (10, "hot")]),
        }
    }

    #[test]
    fn what_is_left_out_is_named_as_the_cluster_does() {
        let mut scope = scope();
        // 8 is made of 7, and that of one that is left out
        for (made, from) in [(8, 7), (7, 5), (9, 6)] {
            scope.copies(made, from);
        }
        let now = cluster(&[(5, "renamed"), (6, "own"), (8, "made"), (9, "made too")]);
        let hollow = Hollow::of(&now, &scope).expect("a cluster");
        assert_eq!(hollow.databases, named(&[(5, "renamed"), (8, "made")]));
        let words = "database renamed with its files in tablespace hot, database made, \
                     tablespace cold";
        assert_eq!(hollow.left_out(), words);
        let told = hollow.to_do();
        let drops = "drop database \"renamed\"; drop database \"made\"; drop tablespace \"cold\"";
        assert_eq!(told.len(), 1);
        assert!(told[0].ends_with(drops), "{}", told[0]);
    }

    #[test]
    fn what_was_wanted_and_is_not_there_is_told() {
        let mut scope = scope();
        let hollow = Hollow::of(&cluster(&[(1, "template1")]), &scope).expect("a cluster");
        let told = hollow.to_do();
        assert!(told[1].contains("has no database own"), "{told:?}");
        scope.copies(6, 5);
        let error = Hollow::of(&cluster(&[(5, "other"), (6, "own")]), &scope);
        let error = error.expect_err("it has no content");
        assert!(error.to_string().contains("name that, too"), "{error}");
        let error = Hollow::of(&cluster(&[(6, "other"), (5, "own")]), &scope);
        let error = error.expect_err("it has no content");
        assert!(error.to_string().contains("had another one"), "{error}");
    }
}
