//! Owns how a run gets at devices and engines: paths made absolute, identities checked against
//! the catalog, once a run and before the first write.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use indexmap::IndexMap;

use super::changes::Changes;
use super::context::{Context, KnownLogs, service_of};
use super::devices;
use super::dropped::Dropped;
use crate::catalog::{Catalog, CatalogError};
use crate::engine::{self, Engine, EngineError, SourceSpec, TableSet};
use crate::facts::holdings::Holdings;
use crate::graph::step::{StepGraph, StepKind};
use crate::media::keys::KeyError;
use crate::media::{Device, DeviceError};
use crate::quantity::Bytes;
use crate::resolve::plan::{ComponentKind, Method, ResolvedPlan};

/// Where a plan's paths begin and where its state lies.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Places {
    /// Folder that relative paths of the inventory begin in, absolute.
    pub base: PathBuf,
    /// Folder of catalog, journals and lock of this plan and environment, absolute.
    pub state: PathBuf,
}

/// Why a device or engine cannot be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The device.
    #[error(transparent)]
    Device(#[from] DeviceError),
    /// The source.
    #[error("service {service}: {cause}")]
    Engine {
        /// The service.
        service: String,
        /// Why.
        cause: EngineError,
    },
    /// A key that copies are sealed with.
    #[error(transparent)]
    Key(#[from] KeyError),
    /// The catalog knows another device under this name.
    #[error(transparent)]
    Catalog(#[from] CatalogError),
    /// Copies on one device would count as copies on two.
    #[error("device {device} is the same as device {other}: both have the identity {identity}")]
    Twice {
        /// The device.
        device: String,
        /// The device that it is.
        other: String,
        /// What both say that they are.
        identity: String,
    },
    /// Volumes must be brought before anything is restored.
    #[error("volumes to fetch first: {0}")]
    Fetch(String),
    /// The inventory does not say what keeps the volumes of a set.
    #[error("device {device}: {missing}")]
    NoLibrary {
        /// The device.
        device: String,
        /// What is missing.
        missing: &'static str,
    },
    /// No device that holds an object is there.
    #[error("no copy of {object} can be read: {causes}")]
    Away {
        /// Part or log.
        object: String,
        /// What keeps the devices that hold it.
        causes: String,
        /// What to do about the first of them.
        help: String,
    },
    /// No key at hand opens what is to be read.
    #[error("no key at hand opens what is to be read: {copies}: {cause}")]
    Sealed {
        /// Copies, where they are, and whom they are sealed for.
        copies: String,
        /// What is known of keys that are not here.
        cause: KeyError,
    },
    /// A restored copy cannot come to be there.
    #[error(transparent)]
    Target(EngineError),
    /// No copy has what is wanted of it.
    #[error(transparent)]
    Choice(EngineError),
    /// The inventory gives no bucket.
    #[error("device {0} has no `s3`, `azure` or `gcs` in the inventory")]
    NoStore(String),
    /// What is to be written does not fit.
    #[error("{place}: {free} are free, and about {needed} are to be written there")]
    Space {
        /// Devices and folders on one file system.
        place: String,
        /// What is left.
        free: Bytes,
        /// What the run would write.
        needed: Bytes,
    },
    /// The inventory gives no path.
    #[error("device {0} has no `path` in the inventory")]
    NoPath(String),
}

impl OpenError {
    /// What the operator does next.
    #[must_use]
    pub fn help(&self) -> String {
        match self {
            Self::Device(error) => error.help().to_owned(),
            Self::Key(error) => error.help().to_owned(),
            Self::Sealed { cause, .. } => format!("{}; nothing was changed", cause.help()),
            Self::Catalog(CatalogError::OtherDevice { .. }) => {
                "mount the device that was there before, or give the new one another name; where the \
                 old one is gone for good, `planc catalog rebuild --from DEVICE` with one that is \
                 left forgets it"
                    .to_owned()
            }
            Self::Twice { .. } => "give each device a place of its own in the inventory, or mount \
                                   what should be there, and claim it with `planc device init`; if \
                                   a run used both names, then `planc catalog rebuild`"
                .to_owned(),
            Self::Catalog(_) => "run `planc catalog rebuild --from DEVICE`".to_owned(),
            Self::Fetch(_) => {
                "put them into the library, run `planc media checkin VOLUME`, and repeat".to_owned()
            }
            Self::NoLibrary { device, .. } => format!(
                "write `volumes: 8, volume_size: 100 GiB, library: {{folder: PATH}}` for `{device}`"
            ),
            Self::Away { help, .. } => help.clone(),
            Self::Target(EngineError::Refused { .. } | EngineError::NotASource { .. }) => {
                "name another place with `--to PATH`; nothing was changed".to_owned()
            }
            Self::Choice(_) => "name databases that the copy has; one that was made later comes \
                                whole with the log, beside any other"
                .to_owned(),
            Self::Engine { cause, .. } | Self::Target(cause) => cause.help().to_owned(),
            Self::NoStore(device) => {
                format!(
                    "add `s3: {{endpoint: https://…, bucket: …}}` to `{device}` in the inventory"
                )
            }
            Self::Space { .. } => {
                "free space there, or name another place; nothing was changed".to_owned()
            }
            Self::NoPath(device) => format!("add `path: FOLDER` to `{device}` in the inventory"),
        }
    }
}

/// Opens a device and checks that it is the one the catalog knows.
///
/// # Errors
/// When it is missing, foreign or another one.
pub fn device(
    plan: &ResolvedPlan,
    places: &Places,
    catalog: &mut Catalog,
    name: &str,
) -> Result<Arc<dyn Device>, OpenError> {
    bound(plan, devices::open(plan, places, name)?, catalog)
}

/// As [`device`], and proves that it can be written.
fn writable_device(
    plan: &ResolvedPlan,
    places: &Places,
    catalog: &mut Catalog,
    name: &str,
) -> Result<Arc<dyn Device>, OpenError> {
    bound(plan, devices::open_writable(plan, places, name)?, catalog)
}

/// Meets devices that the plan calls by a new name, so that what they hold is known under it before
/// anything is compiled. One that is away is met when it is back.
///
/// # Errors
/// When the catalog fails.
pub fn meet_renamed(
    plan: &ResolvedPlan,
    places: &Places,
    catalog: &mut Catalog,
) -> Result<(), CatalogError> {
    let known = catalog.device_names()?;
    if known.iter().all(|name| plan.find_device(name).is_some()) {
        return Ok(());
    }
    for one in plan.devices.iter().filter(|one| !known.contains(&one.name)) {
        let _ = device(plan, places, catalog, &one.name);
    }
    Ok(())
}

/// A device that is known to the catalog, and by no other name of the plan.
fn bound(
    plan: &ResolvedPlan,
    device: Arc<dyn Device>,
    catalog: &mut Catalog,
) -> Result<Arc<dyn Device>, OpenError> {
    let identity = device.identity()?;
    let others = plan.devices.iter().map(|other| other.name.as_str());
    for other in others.filter(|other| *other != device.name()) {
        if catalog.device_identity(other)?.as_ref() == Some(&identity) {
            return Err(OpenError::Twice {
                device: device.name().to_owned(),
                other: other.to_owned(),
                identity,
            });
        }
    }
    catalog.bind_device(device.name(), &identity)?;
    // under two names one copy would count as two
    let is_former = |name: &str| plan.find_device(name).is_none();
    catalog.rename_device(device.name(), &identity, is_former)?;
    Ok(device)
}

/// Every key that a step seals with must be at hand before the first step begins.
fn check_keys(plan: &ResolvedPlan, places: &Places, graph: &StepGraph) -> Result<(), OpenError> {
    let named = graph.steps.iter().filter_map(|step| match &step.kind {
        StepKind::CopyPart { key, .. }
        | StepKind::ArchiveLog { key, .. }
        | StepKind::MergeStored { key, .. } => key.as_deref(),
        _ => None,
    });
    let named: BTreeSet<&str> = named.collect();
    if named.is_empty() {
        return Ok(());
    }
    let ring = devices::keyring(plan, places);
    named
        .into_iter()
        .try_for_each(|name| Ok(ring.key(name).map(drop)?))
}

/// Opens the engine of a service.
///
/// # Errors
/// When there is no driver for it, or no path.
pub fn engine(
    plan: &ResolvedPlan,
    places: &Places,
    service: &str,
) -> Result<Arc<dyn Engine>, OpenError> {
    let failed = |cause| OpenError::Engine {
        service: service.to_owned(),
        cause,
    };
    let spec = source(plan, places, service).map_err(failed)?;
    engine::open(&spec).map(Arc::from).map_err(failed)
}

/// Where a service's source lies and how it is reached.
///
/// # Errors
/// When the plan has no such service.
pub fn source(
    plan: &ResolvedPlan,
    places: &Places,
    service: &str,
) -> Result<SourceSpec, EngineError> {
    let found = plan.find_service(service).map(|id| plan.service(id));
    let found = found.ok_or_else(|| EngineError::Refused {
        what: "open it".to_owned(),
        cause: "the plan has no such service".to_owned(),
    })?;
    Ok(SourceSpec {
        service: service.to_owned(),
        engine: found.engine,
        path: found.path.as_ref().map(|path| places.base.join(path)),
        programs: found.programs.as_ref().map(|path| places.base.join(path)),
        state_dir: places.state.join("sources").join(service),
        connect: connect(&found.connect, places),
        apart: apart(plan, service),
        sets: sets(plan, service),
    })
}

/// The connection fields; files of certificates are named from the folder of the inventory.
fn connect(fields: &IndexMap<String, String>, places: &Places) -> BTreeMap<String, String> {
    let field = |(name, value): (&String, &String)| {
        let file = ["sslrootcert", "sslcert", "sslkey"].contains(&name.as_str());
        let value = if file {
            places.base.join(value).display().to_string()
        } else {
            value.clone()
        };
        (name.clone(), value)
    };
    fields.iter().map(field).collect()
}

/// What the components of a service are that can be copied in the engine's own words.
fn sets(plan: &ResolvedPlan, service: &str) -> BTreeMap<String, TableSet> {
    let ids = plan.find_service(service).into_iter();
    let ids = ids.flat_map(|id| plan.components_of(id));
    let sets = ids.filter_map(|id| {
        let component = plan.component(id);
        let set = match component.kind {
            ComponentKind::Database => TableSet {
                database: Some(component.name.clone()),
                tables: Vec::new(),
            },
            // a group that is told by labels only has no tables of its own
            ComponentKind::Group | ComponentKind::Table if !component.taken().is_empty() => {
                TableSet {
                    database: component.database.clone(),
                    tables: component.taken(),
                }
            }
            _ => return None,
        };
        Some((plan.component_key(id), set))
    });
    sets.collect()
}

/// The components of a service that some backup copies physically, besides base: base leaves them
/// out.
fn apart(plan: &ResolvedPlan, service: &str) -> BTreeSet<String> {
    let own =
        |kind: ComponentKind| matches!(kind, ComponentKind::Tablespace | ComponentKind::Database);
    let physical = plan.backups.iter().filter(|backup| {
        backup
            .takes
            .iter()
            .any(|take| take.method != Method::Logical)
    });
    let targets = physical.flat_map(|backup| backup.targets.iter().copied());
    let targets = targets.filter(|id| {
        let component = plan.component(*id);
        own(component.kind) && plan.service(component.service).name == service
    });
    targets.map(|id| plan.component_key(id)).collect()
}

/// The devices that must hold the log of a service before its server may forget it, and all that
/// may hold it.
#[must_use]
pub fn log_devices(plan: &ResolvedPlan, service: &str) -> (BTreeSet<String>, BTreeSet<String>) {
    let (mut needed, mut all) = (BTreeSet::new(), BTreeSet::new());
    let required = required(plan);
    for archive in &plan.archives {
        if plan.service(archive.service).name != service {
            continue;
        }
        let job = crate::graph::full_name(&archive.origin, &archive.name);
        needed.extend(required.get(&job).into_iter().flatten().cloned());
        let copies = archive.keeping.copies.iter();
        all.extend(copies.map(|copy| plan.device(copy.device).name.clone()));
    }
    all.extend(needed.iter().cloned());
    (needed, all)
}

/// Opens everything a graph needs; engines that are open already are used on. Devices that are
/// only read from may be away; those that are written to must be there and take bytes.
///
/// # Errors
/// The first device or engine that is missing.
pub fn context(
    plan: &ResolvedPlan,
    places: &Places,
    catalog: &mut Catalog,
    engines: &mut BTreeMap<String, Arc<dyn Engine>>,
    graph: &StepGraph,
) -> Result<Context, OpenError> {
    check_keys(plan, places, graph)?;
    let needs = Needs::of(graph);
    let mut devices: BTreeMap<String, Arc<dyn Device>> = BTreeMap::new();
    let mut away = BTreeMap::new();
    for name in &needs.written {
        match writable_device(plan, places, catalog, name) {
            Ok(opened) => drop(devices.insert(name.clone(), opened)),
            Err(error) if can_wait(graph, catalog, name, &error)? => {
                away.insert(name.clone(), error);
            }
            Err(error) => return Err(error),
        }
    }
    some_device(&needs, &devices, &mut away)?;
    let dropped = Dropped::default();
    for (name, error) in &away {
        dropped.add(name, format!("{error}; {}", error.help()));
    }
    for name in needs.read.difference(&needs.written) {
        match device(plan, places, catalog, name) {
            Ok(opened) => drop(devices.insert(name.clone(), opened)),
            Err(error) => drop(away.insert(name.clone(), error)),
        }
    }
    for name in &needs.services {
        if !engines.contains_key(name) {
            engines.insert(name.clone(), engine(plan, places, name)?);
        }
    }
    let holdings = catalog.holdings()?;
    Ok(Context {
        devices,
        dropped,
        away,
        engines: engines.clone(),
        standbys: standbys(plan, places, graph)?,
        live_files: live_files(plan, places),
        required: required(plan),
        logs: KnownLogs::of(&holdings),
        damaged: holdings.damaged.iter().cloned().collect(),
        changes: Changes::load(&places.state),
        shares: shares(&holdings),
        log_limits: log_limits(plan),
        parts: holdings.parts.into_iter().map(|part| part.part).collect(),
        ..Context::default()
    })
}

/// Whether a run may begin although a device that it writes to is away, or something else is in
/// its place: the device was there before, and what is to be stored on it can be copied later from another one.
fn can_wait(
    graph: &StepGraph,
    catalog: &Catalog,
    name: &str,
    error: &OpenError,
) -> Result<bool, OpenError> {
    let known = catalog.device_identity(name)?.is_some();
    let away = matches!(
        error,
        OpenError::Device(
            DeviceError::Missing { .. }
                | DeviceError::Foreign { .. }
                | DeviceError::Io { .. }
                | DeviceError::ReadOnly { .. }
                | DeviceError::Full { .. }
                | DeviceError::Denied { .. }
                | DeviceError::Skewed { .. }
                | DeviceError::Hung { .. }
        ) | OpenError::Catalog(CatalogError::OtherDevice { .. })
    );
    let alone = |devices: &[String]| devices.iter().all(|device| device == name);
    let only = graph.steps.iter().any(|step| match &step.kind {
        StepKind::CopyPart { devices, .. }
        | StepKind::CommitPart { devices, .. }
        | StepKind::ArchiveLog { devices, .. } => {
            devices.contains(&name.to_owned()) && alone(devices)
        }
        _ => false,
    });
    Ok(known && away && !only)
}

/// A run that could write to no device at all does not begin.
fn some_device(
    needs: &Needs,
    devices: &BTreeMap<String, Arc<dyn Device>>,
    away: &mut BTreeMap<String, OpenError>,
) -> Result<(), OpenError> {
    if !devices.is_empty() || needs.written.is_empty() {
        return Ok(());
    }
    away.pop_first().map_or(Ok(()), |(_, error)| Err(error))
}

/// The smallest `log space` that the plan states of each service.
fn log_limits(plan: &ResolvedPlan) -> BTreeMap<String, u64> {
    let mut limits = BTreeMap::new();
    for objectives in &plan.objectives {
        if let Some(space) = objectives.log_space {
            let name = plan.service(objectives.service).name.clone();
            let limit = limits.entry(name).or_insert(space.value.0);
            *limit = (*limit).min(space.value.0);
        }
    }
    limits
}

/// The share of its size that the newest copy of each component took on a device.
#[expect(clippy::cast_precision_loss, reason = "a share of something large")]
fn shares(holdings: &Holdings) -> BTreeMap<String, f64> {
    let parts = holdings.parts.iter().filter(|part| part.bytes > 0);
    let shares = parts.map(|part| {
        let share = part.stored_bytes as f64 / part.bytes as f64;
        (part.component.clone(), share)
    });
    // they come in the order of time: the newest counts
    shares.collect()
}

/// Where the standbys of switchovers are.
fn standbys(
    plan: &ResolvedPlan,
    places: &Places,
    graph: &StepGraph,
) -> Result<BTreeMap<String, SourceSpec>, OpenError> {
    let named = graph.steps.iter().filter_map(|step| match &step.kind {
        StepKind::Switch { standby, .. } => Some(standby),
        _ => None,
    });
    let named: BTreeSet<&String> = named.collect();
    let found = named.into_iter().map(|name| {
        let failed = |cause| OpenError::Engine {
            service: name.clone(),
            cause,
        };
        let spec = source(plan, places, name).map_err(failed)?;
        Ok((name.clone(), spec))
    });
    found.collect()
}

fn live_files(plan: &ResolvedPlan, places: &Places) -> BTreeMap<String, PathBuf> {
    let files = plan.services.iter().filter_map(|service| {
        let path: &Path = service.path.as_ref()?.as_ref();
        Some((service.name.clone(), places.base.join(path)))
    });
    files.collect()
}

/// The devices that a log job ships to: the source keeps its log until they hold it.
fn required(plan: &ResolvedPlan) -> BTreeMap<String, BTreeSet<String>> {
    let jobs = plan.archives.iter().map(|archive| {
        let ships = archive.ships.iter().map(|ship| ship.device);
        let streams = archive.streams.iter().map(|stream| stream.device);
        let store = archive.keeping.store.iter().map(|store| store.value);
        let devices = ships.chain(streams).chain(store);
        let names = devices.map(|id| plan.device(id).name.clone()).collect();
        let name = crate::graph::full_name(&archive.origin, &archive.name);
        (name, names)
    });
    jobs.collect()
}

/// What the steps of a graph work on.
#[derive(Default)]
struct Needs {
    written: BTreeSet<String>,
    read: BTreeSet<String>,
    services: BTreeSet<String>,
}

impl Needs {
    fn of(graph: &StepGraph) -> Self {
        let mut needs = Self::default();
        for step in &graph.steps {
            needs.devices(&step.kind);
            needs.services(&step.kind);
        }
        needs
    }

    fn devices(&mut self, kind: &StepKind) {
        match kind {
            StepKind::CopyPart { devices, .. }
            | StepKind::CommitPart { devices, .. }
            | StepKind::ArchiveLog { devices, .. } => self.written.extend(devices.iter().cloned()),
            StepKind::MergeStored { from, devices, .. } => {
                self.written.extend(devices.iter().cloned());
                self.read.extend(from.iter().flatten().cloned());
            }
            StepKind::BeginBackup {
                base: Some(base), ..
            } => self.read.extend(base.from.iter().cloned()),
            StepKind::CopyStored { from, to, .. } => {
                self.written.insert(to.clone());
                self.read.extend(from.iter().cloned());
            }
            StepKind::VerifyStored { device, .. }
            | StepKind::Condemn { device, .. }
            | StepKind::DeleteStored { device, .. }
            | StepKind::Reprieve { device, .. } => {
                self.read.insert(device.clone());
            }
            StepKind::FetchPart { from, .. } => self.read.extend(from.iter().cloned()),
            StepKind::ReplayLog { logs, .. } => {
                for (_, from) in logs {
                    self.read.extend(from.iter().cloned());
                }
            }
            _ => {}
        }
    }

    fn services(&mut self, kind: &StepKind) {
        match kind {
            StepKind::BeginBackup { component, .. }
            | StepKind::CopyPart { component, .. }
            | StepKind::CommitPart { component, .. }
            | StepKind::PrepareInPlace { component, .. } => {
                self.services.insert(service_of(component).to_owned());
            }
            StepKind::ArchiveLog { service, .. }
            | StepKind::PrepareTarget { service, .. }
            | StepKind::PrepareDelta { service, .. }
            | StepKind::Probe { service, .. }
            | StepKind::Extract { service, .. }
            | StepKind::Undo { service, .. } => {
                self.services.insert(service.clone());
            }
            StepKind::Switch {
                service, standby, ..
            } => self.services.extend([service.clone(), standby.clone()]),
            _ => {}
        }
    }
}
