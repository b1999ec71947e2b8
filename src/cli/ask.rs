//! Owns what every device is asked before something is brought back: whether it holds copies and
//! log that this host's catalog does not know. What a device does not say, and what no key opens, is
//! told, because it may be newer.

use std::collections::BTreeMap;
use std::io::Write;
use std::sync::Arc;

use crate::catalog::CatalogError;
use crate::cli::exit::CliError;
use crate::cli::site::{Site, catalog_error, open_error, owner_of};
use crate::cli::strays;
use crate::media::Device;
use crate::run::open::{self, OpenError};
use crate::run::{self, Record};

/// Devices that could not say what they hold, with the cause and what helps.
#[derive(Debug, Clone, Default)]
pub(crate) struct Silent(BTreeMap<String, String>);

impl Silent {
    /// A device that gives no answer.
    pub(crate) fn add(&mut self, device: &str, error: &OpenError) {
        let cause = format!("{error}; {}", error.help());
        self.0.insert(device.to_owned(), cause);
    }

    /// What is said behind a search that found nothing; empty when every device was asked.
    pub(crate) fn hint(&self) -> String {
        if self.0.is_empty() {
            return String::new();
        }
        let names: Vec<&str> = self.0.keys().map(String::as_str).collect();
        format!(
            "; bring back {}, which could not be asked",
            names.join(", ")
        )
    }
}

impl Site {
    /// Teaches the catalog what the devices hold and it does not know, or what one of them holds.
    ///
    /// # Errors
    /// When the catalog cannot be written; a device that gives no answer is told on stderr.
    pub(crate) fn ask_devices(&mut self, only: Option<&str>) -> Result<(), CliError> {
        let plan = self.plan.plan();
        let names = plan.devices.iter().map(|device| device.name.as_str());
        let mut devices: Vec<Arc<dyn Device>> = Vec::new();
        let mut silent = Silent::default();
        for name in names.filter(|name| only.is_none_or(|only| only == *name)) {
            match open::device(plan, &self.places, &mut self.catalog, name) {
                Ok(device) => devices.push(device),
                Err(error) => silent.add(name, &error),
            }
        }
        let owner = owner_of(plan);
        let found = run::unrecorded(&owner, &self.holdings()?, &devices);
        for (device, error) in found.silent {
            silent.add(&device, &error.into());
        }
        self.learn(&found.records)?;
        let mut err = std::io::stderr().lock();
        for (device, cause) in &silent.0 {
            writeln!(
                err,
                "warning: {device} could not be asked: copies and log that only it holds and that \
                 this host's catalog does not know are left out: {cause}"
            )?;
        }
        let strays = strays::take_out(self.plan.plan(), &mut self.holdings()?);
        for (device, count) in strays.iter().filter(|(_, count)| **count > 0) {
            writeln!(
                err,
                "warning: {device} is not in the plan: {count} copies and ranges of log that no \
                 device of the plan holds are left out"
            )?;
        }
        for error in found.sealed.into_values() {
            let help = error.help();
            writeln!(
                err,
                "warning: what no key at hand opens is left out, though it may be this plan's: \
                 {error}; {help}"
            )?;
        }
        self.learned.silent = silent;
        Ok(())
    }

    /// Teaches the catalog what devices hold. What has the id of another part is left alone and told:
    /// it must keep nobody from a restore, or from retention.
    pub(crate) fn learn(&mut self, records: &[Record]) -> Result<(), CliError> {
        for record in records {
            match record.apply(&mut self.catalog) {
                Err(error @ CatalogError::OtherPart { .. }) => writeln!(
                    std::io::stderr().lock(),
                    "warning: {error}: two hosts wrote under one name; what lies there is left \
                     alone and does not count"
                )?,
                applied => applied.map_err(catalog_error)?,
            }
        }
        Ok(())
    }
}

/// The first device that could not say what it holds, as an error.
pub(crate) fn all_answered(
    silent: Vec<(String, crate::media::DeviceError)>,
) -> Result<(), CliError> {
    let first = silent.into_iter().next();
    first.map_or(Ok(()), |(_, error)| Err(open_error(&error.into())))
}
