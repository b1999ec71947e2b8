//! `planc media`: the volumes of volume sets. Where each one is, what people carry today, labels,
//! errors, and on which volumes something lies.

mod list;
mod locate;
mod movement;

use std::sync::Arc;

use crate::check::Purpose;
use crate::cli::args::{NowArgs, PlanArgs};
use crate::cli::exit::{CliError, Exit};
use crate::cli::list::Form;
use crate::cli::site::{BusyArgs, Site, SiteArgs, open_error};
use crate::media::Device;
use crate::resolve::plan::DeviceKind;
use crate::run::open::{self, OpenError};

/// Arguments of `planc media`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, clap::Subcommand)]
enum Action {
    /// List volumes with their places, and what is to be done with them today.
    List(#[command(flatten)] Look),
    /// Label blank volumes, or volumes on which all has expired, so that they can be filled.
    Label {
        /// The volumes.
        #[arg(value_name = "VOLUME", required = true, num_args = 1..)]
        volumes: Vec<String>,
        #[command(flatten)]
        set: SetArgs,
    },
    /// Hand volumes out of the library, or note that they are lost or retired.
    Checkout {
        /// The volumes.
        #[arg(value_name = "VOLUME", required = true, num_args = 1..)]
        volumes: Vec<String>,
        /// Where they go: a site of the plan, `shelf`, `lost` or `retired`; the site of the
        /// rotation unless said otherwise.
        #[arg(long, value_name = "PLACE")]
        to: Option<String>,
        #[command(flatten)]
        set: SetArgs,
    },
    /// Note that volumes arrived: back in the library, where their labels are read, or at a site.
    Checkin {
        /// The volumes.
        #[arg(value_name = "VOLUME", required = true, num_args = 1..)]
        volumes: Vec<String>,
        /// The site at which they arrived; the library unless said otherwise.
        #[arg(long, value_name = "SITE")]
        at: Option<String>,
        #[command(flatten)]
        set: SetArgs,
    },
    /// List what failed on each volume, and which should not be used any more.
    Errors(#[command(flatten)] Look),
    /// Tell on which volumes a service, component, part or object lies, and where those are.
    Locate {
        /// A service, component, part, range of log, or object on a device.
        #[arg(value_name = "NAME")]
        name: String,
        #[command(flatten)]
        look: Look,
    },
}

/// Which sets are looked at, and how that is told.
#[derive(Debug, Clone, clap::Args)]
struct Look {
    /// Only this device.
    #[arg(long, value_name = "DEVICE")]
    device: Option<String>,
    /// The form of the answer.
    #[arg(long, value_enum, default_value_t = Form::Human)]
    format: Form,
    #[command(flatten)]
    plan: PlanArgs,
    #[command(flatten)]
    now: NowArgs,
}

/// The set that is worked on.
#[derive(Debug, Clone, clap::Args)]
struct SetArgs {
    /// The volume set; needed when the plan has more than one.
    #[arg(long, value_name = "DEVICE")]
    device: Option<String>,
    #[command(flatten)]
    plan: PlanArgs,
    #[command(flatten)]
    now: NowArgs,
    #[command(flatten)]
    busy: BusyArgs,
}

/// Looks at volumes, or notes what people did with them.
pub(crate) fn run(args: &Args) -> Result<Exit, CliError> {
    match &args.action {
        Action::List(look) => list::list(look),
        Action::Label { volumes, set } => movement::label(volumes, set),
        Action::Checkout { volumes, to, set } => movement::check_out(volumes, to.as_deref(), set),
        Action::Checkin { volumes, at, set } => movement::check_in(volumes, at.as_deref(), set),
        Action::Errors(look) => list::errors(look),
        Action::Locate { name, look } => locate::locate(name, look),
    }
}

/// The names of the plan's volume sets, or the one that was asked for.
fn names(site: &Site, wanted: Option<&str>) -> Result<Vec<String>, CliError> {
    let devices = site.plan.plan().devices.iter();
    let sets = devices.filter(|device| device.kind == DeviceKind::Volumes);
    let sets: Vec<String> = sets.map(|device| device.name.clone()).collect();
    match wanted {
        None => Ok(sets),
        Some(name) if sets.iter().any(|set| set == name) => Ok(vec![name.to_owned()]),
        Some(name) => {
            let error = CliError::refused(format!("no volume set is called `{name}`"));
            Err(error.help(format!("the plan has {}", known(&sets))))
        }
    }
}

fn known(sets: &[String]) -> String {
    if sets.is_empty() {
        return "none".to_owned();
    }
    sets.join(", ")
}

fn opened(site: &mut Site, name: &str) -> Result<Arc<dyn Device>, CliError> {
    let (plan, places) = (site.plan.plan(), &site.places);
    open::device(plan, places, &mut site.catalog, name).map_err(|error| open_error(&error))
}

/// The volume sets that are looked at.
fn sets(look: &Look) -> Result<(Site, Vec<Arc<dyn Device>>), CliError> {
    let mut site = Site::look(&look.plan, look.now, Purpose::Rescue)?;
    let names = names(&site, look.device.as_deref())?;
    let mut sets = Vec::new();
    for name in names {
        sets.push(opened(&mut site, &name)?);
    }
    Ok((site, sets))
}

/// The one set that is worked on, with the lock of the plan.
fn one_set(args: &SetArgs) -> Result<(Site, Arc<dyn Device>), CliError> {
    let site = SiteArgs::of(&args.plan, args.now, args.busy).open(Purpose::Rescue);
    let mut site = site?;
    let names = names(&site, args.device.as_deref())?;
    let [name] = names.as_slice() else {
        let error = CliError::refused("it is not said which volume set is meant");
        return Err(error.help(format!("add `--device`; the plan has {}", known(&names))));
    };
    let set = opened(&mut site, name)?;
    Ok((site, set))
}

fn device_error(error: crate::media::DeviceError) -> CliError {
    open_error(&OpenError::Device(error))
}
