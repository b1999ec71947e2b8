//! `planc list`: what is where, by component, device and time.

use std::io::Write;

use jiff::Timestamp;
use serde_json::json;

use crate::cli::args::{NowArgs, PlanArgs};
use crate::cli::exit::{CliError, Exit};
use crate::cli::site::Site;
use crate::facts::holdings::{Holdings, LogHolding, PartHolding};
use crate::quantity::Bytes;

/// Arguments of `planc list`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Only copies of this component or service.
    #[arg(long, value_name = "NAME")]
    component: Option<String>,
    /// Only copies on this device.
    #[arg(long, value_name = "DEVICE")]
    device: Option<String>,
    /// Only copies taken at or after this instant.
    #[arg(long, value_name = "INSTANT")]
    since: Option<Timestamp>,
    /// The form of the list.
    #[arg(long, value_enum, default_value_t = Form::Human)]
    format: Form,
    #[command(flatten)]
    plan: PlanArgs,
}

/// Forms of a list.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Form {
    /// Text.
    Human,
    /// One object.
    Json,
}

impl Args {
    fn wants_part(&self, part: &PartHolding) -> bool {
        self.wants(&part.component, &part.devices, part.taken_at)
    }

    fn wants_log(&self, log: &LogHolding) -> bool {
        self.wants(&log.service, &log.devices, log.last_at)
    }

    fn wants(&self, name: &str, devices: &[String], at: Timestamp) -> bool {
        let service = name.split('/').next().unwrap_or(name);
        let named = |wanted: &String| wanted == name || wanted == service;
        self.component.as_ref().is_none_or(named)
            && self
                .device
                .as_ref()
                .is_none_or(|wanted| devices.contains(wanted))
            && self.since.is_none_or(|since| since <= at)
    }
}

/// Lists copies.
pub(crate) fn run(args: &Args) -> Result<Exit, CliError> {
    let site = Site::look(&args.plan, NowArgs::default())?;
    let mut holdings = site.holdings()?;
    holdings.parts.retain(|part| args.wants_part(part));
    holdings.logs.retain(|log| args.wants_log(log));
    let text = match args.format {
        Form::Human => human(&holdings),
        Form::Json => {
            let value = json!({
                "format": "planc-list/1",
                "parts": holdings.parts,
                "logs": holdings.logs,
            });
            format!("{value:#}\n")
        }
    };
    write!(std::io::stdout().lock(), "{text}")?;
    Ok(Exit::Ok)
}

fn human(holdings: &Holdings) -> String {
    let mut text = String::new();
    let mut add = |line: String| {
        text += &line;
        text.push('\n');
    };
    let mut component = "";
    let mut parts: Vec<&PartHolding> = holdings.parts.iter().collect();
    parts.sort_by_key(|part| (&part.component, part.taken_at));
    for part in parts {
        if component != part.component {
            component = &part.component;
            add(component.to_owned());
        }
        let (bytes, stored) = (Bytes(part.bytes), Bytes(part.stored_bytes));
        let devices = part.devices.join(", ");
        let at = part.taken_at;
        add(format!(
            "  {at}  {bytes} stored as {stored}  on {devices}  part {}",
            part.part
        ));
    }
    let mut service = "";
    for log in &holdings.logs {
        if service != log.service {
            service = &log.service;
            add(format!("log of {service}"));
        }
        let (from, until) = (log.from.value, log.until.value);
        let (first, last) = (log.first_at, log.last_at);
        let (stored, devices) = (Bytes(log.stored_bytes), log.devices.join(", "));
        add(format!(
            "  {from} to {until}  {first} to {last}  {stored}  on {devices}"
        ));
    }
    if text.is_empty() {
        text += "no copies\n";
    }
    text
}
