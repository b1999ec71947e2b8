//! Puts a chain of stored parts together into one that stands alone: reads devices, writes devices,
//! and never asks the source.

use std::sync::Arc;

use super::Task;
use super::backup;
use crate::engine::EngineError;
use crate::engine::postgres::merge::{self, Files, Listing, Piece};
use crate::facts::holdings::Method;
use crate::graph::step::StepKind;
use crate::media::manifest::{Manifest, PartHeader};
use crate::media::part::{self, PartWriter, Pull, WrittenPart};
use crate::media::{Device, pack};
use crate::resolve::plan::EngineKind;
use crate::run::message::{StepDone, StepFailure};

impl Files for Pull {
    fn next_file(&mut self) -> Result<(), EngineError> {
        Pull::next_file(self)
    }
}

/// A part of the chain with those who hold it.
struct Link {
    manifest: Arc<Manifest>,
    holders: Vec<Arc<dyn Device>>,
}

/// Merges, and commits the new part on every device that holds its packs.
pub(super) fn merge(task: &Task<'_>) -> Result<StepDone, StepFailure> {
    let StepKind::MergeStored { parts, from, .. } = &task.step.kind else {
        return Err(StepFailure::new("not a merging step"));
    };
    let chain = links(task, parts, from)?;
    check(&chain)?;
    let mut written = transfer(task, &chain)?;
    backup::tell(task, &mut written);
    let newest = chain.last().ok_or_else(|| empty(parts))?;
    let ready = backup::ready(manifest(task, &newest.manifest, &mut written)?)?;
    let committed = backup::publish(task, &ready, &mut written)?;
    let said = format!("{} of {} parts", committed.join(", "), parts.len());
    Ok(StepDone::moved(written.bytes).says(said))
}

fn empty(parts: &[String]) -> StepFailure {
    StepFailure::new(format!("a chain of {} parts cannot be merged", parts.len()))
}

/// Reads the manifests of the chain.
fn links(
    task: &Task<'_>,
    parts: &[String],
    from: &[Vec<String>],
) -> Result<Vec<Link>, StepFailure> {
    let pairs = parts.iter().zip(from);
    let links = pairs.map(|(part, from)| {
        let holders = task.context.holders(from)?;
        let (manifest, replaced) = part::load_any(part, &holders)?;
        task.healed(part, replaced);
        Ok(Link {
            manifest: Arc::new(manifest),
            holders,
        })
    });
    links.collect()
}

/// Each part must build on the one before, and the first on none.
fn check(chain: &[Link]) -> Result<(), StepFailure> {
    let mut below: Option<&Manifest> = None;
    for link in chain {
        let header = &link.manifest.header;
        if header.engine != EngineKind::Postgresql {
            let engine = header.engine.word();
            return Err(StepFailure::new(format!(
                "parts of {engine} cannot be merged"
            )));
        }
        if header.base.as_deref() != below.map(|below| below.header.part.as_str()) {
            return Err(StepFailure::new(format!(
                "part {} does not build on the one before it in the chain",
                header.part
            ))
            .help("`planc catalog rebuild` reads from the devices what builds on what"));
        }
        below = Some(&link.manifest);
    }
    Ok(())
}

fn transfer(task: &Task<'_>, chain: &[Link]) -> Result<WrittenPart, StepFailure> {
    let StepKind::MergeStored {
        part,
        devices,
        codec,
        key,
        ..
    } = &task.step.kind
    else {
        return Err(StepFailure::new("not a merging step"));
    };
    let devices = task.writable(devices)?;
    let pieces = pieces(chain)?;
    let mut files = pulls(task, chain, &pieces)?;
    let progress = task.progress(task.step.estimate.bytes);
    let settings = task.context.write_settings(*codec, None);
    let seal = backup::seal(task, key.as_deref(), part, &devices)?;
    let mut writer = PartWriter::begin_sealed(&devices, settings, seal, &progress, pack::ROLL)?;
    merge::write(&pieces, &mut files, &mut writer)?;
    for (stream, link) in files.into_iter().zip(chain) {
        task.healed(&link.manifest.header.part, stream.finish());
    }
    Ok(writer.finish_first()?)
}

fn pieces(chain: &[Link]) -> Result<Vec<Piece>, EngineError> {
    let listings: Vec<Vec<_>> = chain
        .iter()
        .map(|link| {
            let entries = link.manifest.entries.iter();
            entries.map(|file| &file.entry).collect()
        })
        .collect();
    let listings: Vec<&Listing<'_>> = listings.iter().map(Vec::as_slice).collect();
    merge::plan(&listings)
}

/// One stream a part, of the files that are wanted of it, in the order in which they are wanted.
fn pulls(task: &Task<'_>, chain: &[Link], pieces: &[Piece]) -> Result<Vec<Pull>, StepFailure> {
    let mut streams = Vec::new();
    for (number, link) in chain.iter().enumerate() {
        let wanted = pieces.iter().flat_map(|piece| &piece.from);
        let wanted = wanted.filter(|(part, _)| *part == number);
        let order = wanted.map(|(_, at)| *at).collect();
        let (manifest, holders) = (Arc::clone(&link.manifest), link.holders.clone());
        let stream = Pull::start(manifest, holders, order);
        let stream = stream.map_err(|error| {
            StepFailure::new(format!(
                "cannot start to read {}: {error}",
                task.step.subject
            ))
        })?;
        streams.push(stream);
    }
    Ok(streams)
}

fn manifest(
    task: &Task<'_>,
    newest: &Manifest,
    written: &mut WrittenPart,
) -> Result<Manifest, StepFailure> {
    let StepKind::MergeStored {
        part, job, parts, ..
    } = &task.step.kind
    else {
        return Err(StepFailure::new("not a merging step"));
    };
    let graph = task.graph;
    let header = PartHeader {
        part: part.clone(),
        job: job.clone(),
        run: graph.run.clone(),
        plan: graph.plan.clone(),
        environment: graph.environment.clone(),
        plan_hash: graph.plan_hash.clone(),
        method: Method::PhysicalFull,
        base: None,
        ..newest.header.clone()
    };
    let ended = merge::ended(&newest.ended, parts);
    Ok(part::manifest(written, header, ended))
}
