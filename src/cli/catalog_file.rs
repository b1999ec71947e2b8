//! Owns where the catalog of a site lies and how it is opened: this host's file, which a server may
//! share with other hosts.

use std::collections::BTreeMap;
use std::io::Write;
use std::path::PathBuf;

use crate::catalog::{Catalog, CatalogError, SharedSpec};
use crate::cli::exit::CliError;
use crate::cli::site::{catalog_error, owner};
use crate::engine::postgres::connect;
use crate::resolve::plan::ResolvedPlan;
use crate::run::open::Places;

/// Where the catalog of a site lies.
pub(crate) fn catalog_path(places: &Places) -> PathBuf {
    places.state.join("catalog.sqlite")
}

/// Opens the catalog of a site: this host's file, shared by a server when the inventory names one.
/// `whole` reads all of the file first, for who changes it.
pub(crate) fn open_catalog(
    plan: &ResolvedPlan,
    places: &Places,
    whole: bool,
) -> Result<Catalog, CliError> {
    found_catalog(plan, places, whole).map_err(catalog_error)
}

/// As [`open_catalog`]; where the server gives no answer, this host's own copy. What is written down
/// there is shared when the server is asked again.
pub(crate) fn spared_catalog(
    plan: &ResolvedPlan,
    places: &Places,
    whole: bool,
) -> Result<Catalog, CliError> {
    let found = match found_catalog(plan, places, whole) {
        Err(CatalogError::Shared { cause }) => {
            writeln!(
                std::io::stderr().lock(),
                "warning: the shared catalog gives no answer, so this host's own copy is used and \
                 the devices are asked: {cause}"
            )?;
            own_catalog(places, whole)
        }
        found => found,
    };
    found.map_err(catalog_error)
}

fn own_catalog(places: &Places, whole: bool) -> Result<Catalog, CatalogError> {
    let open = if whole { Catalog::open } else { Catalog::look };
    open(&catalog_path(places))
}

fn found_catalog(
    plan: &ResolvedPlan,
    places: &Places,
    whole: bool,
) -> Result<Catalog, CatalogError> {
    let path = catalog_path(places);
    let Some(fields) = &plan.catalog else {
        return own_catalog(places, whole);
    };
    let fields: BTreeMap<String, String> = fields.clone().into_iter().collect();
    let spec = SharedSpec {
        owner: owner(plan),
        connect: Box::new(move || {
            let opened = connect::open("the shared catalog", &fields);
            opened.map_err(|error| format!("{error}; {}", error.help()))
        }),
    };
    Catalog::open_shared(&path, whole, spec)
}
