//! What the catalog remembers, and what it refuses.

use super::*;

#[test]
fn a_device_keeps_its_identity() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("catalog.db");
    let mut catalog = Catalog::open(&path).unwrap();
    catalog.bind_device("a", "1").unwrap();
    catalog.bind_device("a", "1").unwrap();
    let answer = catalog.bind_device("a", "2");
    assert!(matches!(answer, Err(CatalogError::OtherDevice { .. })));
    drop(catalog);
    let catalog = Catalog::open(&path).unwrap();
    assert_eq!(catalog.device_identity("a").unwrap().as_deref(), Some("1"));
    assert_eq!(catalog.device_identity("b").unwrap(), None);
}

#[test]
fn a_file_that_is_no_catalog_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("catalog.db");
    std::fs::write(
        &path,
        "this is no database, but it is long enough to be read",
    )
    .unwrap();
    assert!(matches!(
        Catalog::open(&path),
        Err(CatalogError::Unusable { .. })
    ));
    let other = folder.path().join("other.db");
    let db = rusqlite::Connection::open(&other).unwrap();
    db.execute_batch("CREATE TABLE cats (name TEXT)").unwrap();
    drop(db);
    assert!(matches!(
        Catalog::open(&other),
        Err(CatalogError::Unusable { .. })
    ));
}

#[test]
fn a_newer_catalog_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("catalog.db");
    drop(Catalog::open(&path).unwrap());
    let db = rusqlite::Connection::open(&path).unwrap();
    db.pragma_update(None, "user_version", 99).unwrap();
    drop(db);
    let error = Catalog::open(&path).err().unwrap().to_string();
    assert!(error.contains("version 99"), "{error}");
}
