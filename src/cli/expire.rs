//! `planc expire`: shows what goes, what stays and why; with `--apply` does it.

use std::fmt::Write as _;
use std::io::Write as _;

use jiff::{SignedDuration, Timestamp};
use serde_json::json;

use crate::check::Purpose;
use crate::cli::exit::{CliError, Exit};
use crate::cli::list::Form;
use crate::cli::run::{say, work};
use crate::cli::site::SiteArgs;
use crate::cli::verify::seconds;
use crate::graph::expire::GRACE;
use crate::graph::retention::{Fate, Judgement};
use crate::graph::step::Intent;
use crate::quantity::Bytes;

/// Arguments of `planc expire`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Only copies on this device.
    #[arg(long, value_name = "DEVICE")]
    device: Option<String>,
    /// Put tombstones, and delete copies whose tombstone stood for the grace. Without it nothing
    /// is changed.
    #[arg(long, conflicts_with = "dry_run")]
    apply: bool,
    /// Only show what would be done; the default.
    #[arg(long)]
    dry_run: bool,
    /// How long a tombstone stands before the copy is deleted, for example `7d`; one day unless
    /// said otherwise.
    #[arg(long, value_name = "SPAN", value_parser = seconds)]
    grace: Option<u64>,
    /// The form of the answer.
    #[arg(long, value_enum, default_value_t = Form::Human)]
    format: Form,
    #[command(flatten)]
    site: SiteArgs,
}

/// Shows what goes and what stays, or makes it so.
pub(crate) fn run(args: &Args) -> Result<Exit, CliError> {
    let now = args.site.now.now();
    if args.apply {
        return apply(args, now);
    }
    let site = args.site.look(Purpose::Rescue)?;
    // refuses an unknown device and a clock that cannot be trusted, as the work itself would
    site.compile(&intent(args), now)?;
    let mut judged = site.judge(now)?;
    let wanted = |name: &str| args.device.as_deref().is_none_or(|device| device == name);
    judged.fates.append(&mut judged.left);
    judged.fates.retain(|fate| wanted(&fate.device));
    let grace = args.grace.unwrap_or(GRACE);
    let text = match args.format {
        Form::Human => human(&judged, now, grace),
        Form::Json => format!("{:#}\n", value(&judged, now, grace)),
    };
    write!(std::io::stdout().lock(), "{text}")?;
    Ok(Exit::Ok)
}

fn intent(args: &Args) -> Intent {
    Intent::Expire {
        device: args.device.clone(),
        grace: args.grace.unwrap_or(GRACE),
    }
}

/// What other hosts and runs that died left on the devices is learnt first: an increment that the
/// catalog does not know must keep its base.
fn apply(args: &Args, now: Timestamp) -> Result<Exit, CliError> {
    let mut site = args.site.open(Purpose::Work)?;
    let intent = intent(args);
    let before = site.compile(&intent, now)?;
    site.reconcile(&before)?;
    let Some(report) = work(&mut site, &intent, now, args.site.show)? else {
        say(args.site.show, "nothing to delete\n")?;
        return Ok(Exit::Ok);
    };
    Ok(report.verdict().into())
}

/// What becomes of a copy that goes.
fn next(fate: &Fate, now: Timestamp, grace: u64) -> String {
    let grace = SignedDuration::from_secs(i64::try_from(grace).unwrap_or(i64::MAX));
    match fate.condemned.map(|since| since.checked_add(grace)) {
        None => "gets a tombstone".to_owned(),
        Some(Ok(end)) if end <= now => "is deleted".to_owned(),
        Some(Ok(end)) => format!("is deleted after {end}"),
        Some(Err(_)) => "is never deleted: the grace does not end".to_owned(),
    }
}

fn human(judged: &Judgement, now: Timestamp, grace: u64) -> String {
    let mut text = String::new();
    let (gone, kept): (Vec<&Fate>, Vec<&Fate>) = judged.fates.iter().partition(|one| one.goes());
    let bytes = |fates: &[&Fate]| Bytes(fates.iter().map(|fate| fate.bytes).sum());
    // writing to a String cannot fail
    let _ = writeln!(text, "goes: {} copies, {}", gone.len(), bytes(&gone));
    for fate in &gone {
        let next = next(fate, now, grace);
        let _ = writeln!(
            text,
            "  {} on {} ({}): {next}",
            fate.what, fate.device, fate.object
        );
    }
    let _ = writeln!(text, "stays: {} copies, {}", kept.len(), bytes(&kept));
    for fate in &kept {
        let _ = writeln!(text, "  {} on {} ({})", fate.what, fate.device, fate.object);
        for reason in &fate.stays {
            let _ = writeln!(text, "    {reason}");
        }
        if fate.condemned.is_some() {
            let _ = writeln!(text, "    its tombstone is taken away");
        }
    }
    if !gone.is_empty() {
        text.push_str("nothing was changed; `planc expire --apply` does it\n");
    }
    text
}

fn value(judged: &Judgement, now: Timestamp, grace: u64) -> serde_json::Value {
    let copies = judged.fates.iter().map(|fate| {
        let next = fate.goes().then(|| next(fate, now, grace));
        let stays: Vec<String> = fate.stays.iter().map(ToString::to_string).collect();
        json!({
            "object": fate.object,
            "device": fate.device,
            "what": fate.what,
            "bytes": fate.bytes,
            "goes": fate.goes(),
            "next": next,
            "stays": stays,
            "condemned": fate.condemned,
        })
    });
    json!({ "format": "planc-expire/1", "copies": copies.collect::<Vec<_>>() })
}
