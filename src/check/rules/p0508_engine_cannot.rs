//! P0508: the engine cannot do what the clause asks.

use crate::check::context::Context;
use crate::check::context::{archives, backups, subject};
use crate::check::found::{Found, Scope};
use crate::check::rule::Rule;
use crate::check::rules::example::notes;
use crate::diagnostic::{Code, Diagnostic, Severity};
use crate::facts::capability;
use crate::resolve::plan::{
    Archive, Backup, Component, ComponentId, ComponentKind, EngineKind, Method, ResolvedPlan, Take,
};

pub(super) static RULE: Rule = Rule {
    code: Code(508),
    name: "engine-cannot",
    level: Severity::Error,
    allowable: true,
    summary: "the engine cannot do what the clause asks",
    explanation: "Each engine has its own abilities: SQLite and file trees have no parts, MariaDB \
        is copied physically only as a whole, groups of tables are copied logically, and \
        only some engines keep a log that can be archived or streamed. Choose a method \
        that the engine has; `planc explain` of the method's word lists the engines.",
    bad: notes!(
        "\
objectives of notes {
  rpo 1d for loss of disk
}
backup nightly of service notes {
  physical incremental every day at 04:30
  store on near
  retain daily 7
}
"
    ),
    good: notes!(
        "\
objectives of notes {
  rpo 1d for loss of disk
}
backup nightly of service notes {
  physical full every day at 04:30
  store on near
  retain daily 7
}
"
    ),
};

pub(super) fn check(context: &Context<'_>, out: &mut Found) {
    for (id, backup) in backups(context.plan) {
        for take in &backup.takes {
            let finding = unable(context.plan, backup, take);
            if let Some(finding) = finding.or_else(|| unnamed(context.plan, backup, take)) {
                out.push(Scope::Backup(id), finding);
            }
        }
    }
    for (id, archive) in archives(context.plan) {
        for finding in unable_archive(context.plan, archive) {
            out.push(Scope::Archive(id), finding);
        }
    }
}

fn unable(plan: &ResolvedPlan, backup: &Backup, take: &Take) -> Option<Diagnostic> {
    let reasons = backup.targets.iter().filter_map(|target| {
        let part = plan.component(*target);
        reason(plan, backup, part, take.method)
    });
    let (message, help) = reasons.into_iter().next()?;
    let finding = Diagnostic::new(RULE.code, message, take.span, "not with this engine");
    Some(
        finding
            .subject(subject(&backup.name, &backup.origin))
            .help(help),
    )
}

/// A logical copy of a whole PostgreSQL service is one of each database that is declared.
fn unnamed(plan: &ResolvedPlan, backup: &Backup, take: &Take) -> Option<Diagnostic> {
    let mut targets = backup.targets.iter().map(|id| plan.component(*id));
    let base = targets.find(|part| {
        let service = plan.service(part.service);
        let mut all = plan
            .components_of(part.service)
            .map(|id| plan.component(id));
        part.kind == ComponentKind::Base
            && service.engine == EngineKind::Postgresql
            && !all.any(|one| one.kind == ComponentKind::Database)
    })?;
    if take.method != Method::Logical {
        return None;
    }
    let name = &plan.service(base.service).name;
    let message = format!("no database of `{name}` is declared: a logical copy would hold nothing");
    let finding = Diagnostic::new(RULE.code, message, take.span, "copies nothing");
    let help = format!("declare each `database NAME` in `service {name}`, or in the inventory");
    Some(
        finding
            .subject(subject(&backup.name, &backup.origin))
            .help(help),
    )
}

/// Why this component cannot be copied this way, and what to do instead.
fn reason(
    plan: &ResolvedPlan,
    backup: &Backup,
    part: &Component,
    method: Method,
) -> Option<(String, String)> {
    let engine = plan.service(part.service).engine;
    let able = capability::of(engine);
    if !able.methods.contains(&method) {
        let known: Vec<String> = able
            .methods
            .iter()
            .map(|m| format!("`{}`", m.words()))
            .collect();
        let message = format!("{} has no `{}` copy", engine.word(), method.words());
        return Some((message, format!("use {}", known.join(" or "))));
    }
    let whole = |id: &ComponentId| plan.component(*id).kind == ComponentKind::Base;
    let tables = matches!(part.kind, ComponentKind::Group | ComponentKind::Table);
    if method == Method::Logical || backup.targets.iter().any(whole) || (!tables && able.parts) {
        return None;
    }
    let alone = matches!(engine, EngineKind::Sqlite | EngineKind::Files);
    (!alone).then(|| {
        let (kind, name) = (part.kind.word(), &part.name);
        let message = format!("{} cannot copy {kind} `{name}` physically", engine.word());
        (
            message,
            "use `logical`, or back up the whole service physically".to_owned(),
        )
    })
}

fn unable_archive(plan: &ResolvedPlan, archive: &Archive) -> Vec<Diagnostic> {
    let engine = plan.service(archive.service).engine;
    let (able, word) = (capability::of(engine), engine.word());
    let name = subject(&archive.name, &archive.origin);
    if !able.log {
        let message = format!("{word} keeps no log that could be archived");
        let finding = Diagnostic::new(RULE.code, message, archive.span, "no log here");
        return vec![
            finding
                .subject(name)
                .help("remove the archive; copy more often instead"),
        ];
    }
    let streams = archive.streams.iter().filter(|_| !able.stream);
    let refused = streams.map(|stream| {
        let message = format!("the log of {word} cannot be streamed");
        Diagnostic::new(RULE.code, message, stream.span, "not with this engine")
            .subject(&name)
            .help("use `ship every …`")
    });
    refused.collect()
}
