//! Owns the blocks of the plan itself: what it declares, promises and does.

use super::stock::{Stock, block};
use super::{Block, From, Origin, Param, Sources, Value, clause, defaults};
use crate::resolve::plan::{self, ComponentId, Given, ServiceId};
use crate::source::Span;
use crate::syntax::ast::{Ast, Clause, ClauseKind, Item, ItemKind, Setting};

/// Name, zone, environment, parameters and single statements.
pub(super) fn head(sources: &Sources<'_>) -> Block {
    let mut values = Vec::new();
    for (main, item) in items(sources) {
        match &item.kind {
            ItemKind::Param(param) => values.push(self::param(sources, param)),
            ItemKind::Environment { name, .. } if name.text != sources.plan.environment => {}
            ItemKind::Plan { .. } | ItemKind::Timezone(_) | ItemKind::Version(_) if !main => {}
            ItemKind::Version(_)
            | ItemKind::Plan { .. }
            | ItemKind::Timezone(_)
            | ItemKind::Environment { .. }
            | ItemKind::Import { .. }
            | ItemKind::Site(_)
            | ItemKind::Key(_)
            | ItemKind::Window { .. }
            | ItemKind::Allow(_) => values.push(written(sources, item.span)),
            _ => {}
        }
    }
    block("plan", &sources.plan.name, values)
}

/// All statements, and whether they stand in the plan itself.
fn items<'a>(sources: &Sources<'a>) -> impl Iterator<Item = (bool, &'a Item)> {
    let files = sources.asts.iter().enumerate();
    files.flat_map(|(at, ast): (usize, &Ast)| ast.items.iter().map(move |item| (at == 0, item)))
}

fn written(sources: &Sources<'_>, span: Span) -> Value {
    let mut value = clause::value(sources, span, &plan::Origin::default());
    if let Some(head) = value.value.strip_suffix('{') {
        value.value = head.trim_end().to_owned();
    }
    value
}

/// A parameter with the value it has here.
fn param(sources: &Sources<'_>, param: &crate::syntax::ast::Param) -> Value {
    let mut settings = param.settings.iter();
    let own = settings.find(|(name, _)| name.text == sources.plan.environment);
    let (setting, given) = match own {
        Some((_, setting)) => (setting, Given::Environment),
        None => (&param.default, Given::Default),
    };
    let span = match setting {
        Setting::Clock(word) | Setting::Name(word) | Setting::Text(word) => word.span,
        Setting::Value(value) => match value {
            crate::syntax::ast::Value::Quantity(quantity) => quantity.span,
            crate::syntax::ast::Value::Var(word) => word.span,
        },
    };
    let name = param.name.text.clone();
    let place = clause::place(sources, span);
    Value {
        key: format!("param {name}: {}", param.type_name.text),
        value: sources.texts.text(span).to_owned(),
        origin: Origin {
            from: From::Line,
            place: Some(place.clone()),
            params: vec![Param { name, given, place }],
        },
    }
}

/// Devices, services and assumptions.
pub(super) fn declared(sources: &Sources<'_>, stock: &Stock) -> Vec<Block> {
    let mut devices = stock.fields(sources, "devices");
    let mut services = stock.fields(sources, "services");
    let mut blocks = Vec::new();
    for (_, item) in items(sources) {
        match &item.kind {
            ItemKind::Device(device) => {
                let mut values = vec![written(sources, head_of(item, &device.body))];
                values.extend(body(sources, &device.body));
                values.extend(devices.remove(&device.name.text).unwrap_or_default());
                values.extend(defaults::of_device(&values));
                blocks.push(block("device", &device.name.text, values));
            }
            ItemKind::Service(service) => {
                let mut values = vec![written(sources, head_of(item, &service.body))];
                values.extend(body(sources, &service.body));
                values.extend(services.remove(&service.name.text).unwrap_or_default());
                blocks.push(block("service", &service.name.text, values));
            }
            ItemKind::Assume(clauses) => {
                blocks.push(block("assume", "", body(sources, clauses)));
            }
            _ => {}
        }
    }
    for (name, mut values) in devices {
        values.extend(defaults::of_device(&values));
        blocks.push(block("device", &name, values));
    }
    blocks.extend(
        services
            .iter()
            .map(|(name, values)| block("service", name, values.clone())),
    );
    blocks
}

/// A statement up to its first clause.
fn head_of(item: &Item, body: &[Clause]) -> Span {
    match body.first() {
        Some(first) => Span {
            end: first.span.start,
            ..item.span
        },
        None => item.span,
    }
}

fn body(sources: &Sources<'_>, clauses: &[Clause]) -> Vec<Value> {
    let mut values = Vec::new();
    for one in clauses {
        match &one.kind {
            ClauseKind::Database { name, body: inner } => {
                let mut databases = body(sources, inner);
                for value in &mut databases {
                    value.key = format!("database {} {}", name.text, value.key);
                }
                if databases.is_empty() {
                    databases.push(written(sources, one.span));
                }
                values.extend(databases);
            }
            _ => values.push(written(sources, one.span)),
        }
    }
    values
}

/// Promises, jobs and scenarios, those of policies once for each instance.
pub(super) fn expanded(sources: &Sources<'_>) -> Vec<Block> {
    let plan = sources.plan;
    let mut blocks = Vec::new();
    for one in &plan.objectives {
        let name = service(sources, one.service);
        blocks.push(of_plan(sources, "objectives", &name, &one.origin));
    }
    for one in &plan.backups {
        let mut block = of_plan(sources, "backup", &one.name, &one.origin);
        block
            .values
            .insert(0, targets(sources, &one.targets, one.span, &one.origin));
        let more = defaults::of_job(plan, &one.keeping, &block.values);
        block.values.extend(more);
        block.values.extend(defaults::of_backup(plan, one));
        blocks.push(block);
    }
    for one in &plan.archives {
        let mut block = of_plan(sources, "archive", &one.name, &one.origin);
        let of = of(
            sources,
            service(sources, one.service),
            one.span,
            &one.origin,
        );
        block.values.insert(0, of);
        let more = defaults::of_job(plan, &one.keeping, &block.values);
        block.values.extend(more);
        blocks.push(block);
    }
    let scenarios = [
        ("drill", &plan.drills),
        ("recovery", &plan.recoveries),
        ("switchover", &plan.switchovers),
    ];
    for (kind, scenarios) in scenarios {
        for one in scenarios {
            let mut block = of_plan(sources, kind, &one.name, &one.origin);
            if let Some(schedule) = &one.schedule {
                block
                    .values
                    .insert(0, clause::value(sources, schedule.span, &one.origin));
            }
            blocks.push(block);
        }
    }
    blocks
}

fn service(sources: &Sources<'_>, id: ServiceId) -> String {
    sources.plan.service(id).name.clone()
}

fn of_plan(sources: &Sources<'_>, kind: &str, name: &str, origin: &plan::Origin) -> Block {
    let clauses = origin.clauses.iter();
    let values = clauses.map(|span| clause::value(sources, *span, origin));
    Block {
        kind: kind.to_owned(),
        name: name.to_owned(),
        policy: origin.policy.clone(),
        instance: origin.instance.clone(),
        values: values.collect(),
    }
}

fn targets(sources: &Sources<'_>, ids: &[ComponentId], head: Span, origin: &plan::Origin) -> Value {
    let keys = ids.iter().map(|id| sources.plan.component_key(*id));
    of(sources, keys.collect::<Vec<_>>().join(", "), head, origin)
}

/// What a job is of, by the head of its block.
fn of(sources: &Sources<'_>, what: String, head: Span, origin: &plan::Origin) -> Value {
    Value {
        key: "of".to_owned(),
        value: what,
        ..clause::value(sources, head, origin)
    }
}
