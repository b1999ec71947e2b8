//! Owns `$name`: what it can stand for, where it is looked up, and parameters with their values
//! for environments (P0209, P1104, P0311).

use std::collections::HashMap;

use jiff::civil::Time;

use super::cx::Cx;
use super::plan::{ComponentId, DeviceId, Given, ParamUse, ServiceId};
use super::sink::Sink;
use super::world::World;
use crate::diagnostic::{Code, Diagnostic};
use crate::quantity::Amount;
use crate::source::Span;
use crate::syntax::ast::{self, Block, ClauseKind, ItemKind, Kind, Param, Word};

/// The default that says there is none: every environment must give a value.
const REQUIRED: &str = "required";

/// The types a parameter can have.
const TYPES: [&str; 9] = [
    "duration", "size", "rate", "change", "share", "count", "time", "text", "name",
];

/// What a variable stands for.
#[derive(Debug, Clone)]
pub(super) enum Bound {
    Service(ServiceId),
    Component(ComponentId),
    Device(DeviceId),
    Site(String),
    /// A parameter's value, and what gave it.
    Setting(Setting, Given, Span),
    /// Supplied when the scenario runs.
    Input(Kind),
    /// Its definition is wrong, and that is already reported.
    Broken,
}

/// The value of a parameter.
#[derive(Debug, Clone)]
pub(super) enum Setting {
    Amount(Amount),
    Count(String),
    Clock(Time),
    /// A name or a quoted text, as it is written.
    Text(Word),
}

impl Setting {
    /// The name of its type.
    fn type_name(&self) -> &'static str {
        match self {
            Self::Amount(amount) => match amount {
                Amount::Duration(_) | Amount::Months(_) => "duration",
                Amount::Bytes(_) => "size",
                Amount::Rate(_) => "rate",
                Amount::Change(_) => "change",
                Amount::Share(_) => "share",
            },
            Self::Count(_) => "count",
            Self::Clock(_) => "time",
            Self::Text(word) if word.quoted => "text",
            Self::Text(_) => "name",
        }
    }
}

/// The values of all parameters of all files in this environment.
pub(super) fn of_files<'a>(
    world: &World<'a>,
    sink: &Sink,
    known: &[&str],
) -> Vec<HashMap<&'a str, Bound>> {
    let mut files = Vec::with_capacity(world.scopes.len());
    for (id, scope) in world.scopes.iter().enumerate() {
        let mut cx = Cx::new(world, sink, id);
        let params = scope.params.iter();
        let values = params.map(|(name, param)| {
            environments(&cx, param.what, known);
            (*name, of_param(&mut cx, param.what, None))
        });
        files.push(values.collect());
    }
    files
}

/// A value for an environment that does not exist is a slip in a name.
fn environments(cx: &Cx<'_, '_>, param: &Param, known: &[&str]) {
    for (name, _) in &param.settings {
        if !known.contains(&name.text.as_str()) {
            let message = format!("no environment is called `{}`", name.text);
            cx.push(cx.suggest(Code(201), message, name, "environments", known));
        }
    }
}

/// The value of one parameter: what `with` gives, or the environment's value, or the default.
pub(super) fn of_param(cx: &mut Cx<'_, '_>, param: &Param, with: Option<(Setting, Span)>) -> Bound {
    let type_name = param.type_name.text.as_str();
    if !TYPES.contains(&type_name) {
        let message = format!("no type of parameter is called `{type_name}`");
        cx.push(cx.suggest(Code(201), message, &param.type_name, "types", &TYPES));
        return Bound::Broken;
    }
    // every value is looked at in every environment, so that the answer is the same in all
    let default = setting(cx, &param.default, param);
    let mut here = None;
    for (name, value) in &param.settings {
        let value = setting(cx, value, param);
        if name.text == cx.world.plan.environment {
            here = Some(value);
        }
    }
    if let Some((value, span)) = with {
        return if fits(cx, &value, span, param) {
            Bound::Setting(value, Given::With, span)
        } else {
            Bound::Broken
        };
    }
    let given = if here.is_some() {
        Given::Environment
    } else {
        Given::Default
    };
    if let Some((value, span)) = here.unwrap_or(default) {
        Bound::Setting(value, given, span)
    } else {
        if is_required(&param.default) && !has_setting(cx, param) {
            missing(cx, param);
        }
        Bound::Broken
    }
}

fn has_setting(cx: &Cx<'_, '_>, param: &Param) -> bool {
    let environment = &cx.world.plan.environment;
    param
        .settings
        .iter()
        .any(|(name, _)| name.text == *environment)
}

fn is_required(setting: &ast::Setting) -> bool {
    matches!(setting, ast::Setting::Name(word) if word.text == REQUIRED)
}

fn missing(cx: &Cx<'_, '_>, param: &Param) {
    let name = &param.name.text;
    let environment = &cx.world.plan.environment;
    let (place, help) = if environment.is_empty() {
        (
            String::new(),
            format!("write a default, or `with {name} …` where it is applied"),
        )
    } else {
        (
            format!(" and no value for {environment}"),
            format!("add `{environment}: …`, or write a default in place of `{REQUIRED}`"),
        )
    };
    let message = format!("`{name}` has no default{place}");
    let finding = Diagnostic::new(Code(1104), message, param.span, "");
    cx.push(finding.help(help).subject(name.clone()));
}

/// A written value, when it is one of the parameter's type.
fn setting(cx: &mut Cx<'_, '_>, written: &ast::Setting, param: &Param) -> Option<(Setting, Span)> {
    if is_required(written) {
        return None;
    }
    let (value, span) = given(cx, written)?;
    fits(cx, &value, span, param).then_some((value, span))
}

/// What `with` gives a parameter, when it can be read. Its type is judged where it is declared.
pub(super) fn given(cx: &mut Cx<'_, '_>, written: &ast::Setting) -> Option<(Setting, Span)> {
    Some(match written {
        ast::Setting::Value(value) => of_value(cx, value)?,
        ast::Setting::Clock(word) => (Setting::Clock(cx.clock(word)?), word.span),
        ast::Setting::Name(word) | ast::Setting::Text(word) => {
            (Setting::Text(word.clone()), word.span)
        }
    })
}

/// A quantity, a count, or what another variable stands for.
fn of_value(cx: &mut Cx<'_, '_>, value: &ast::Value) -> Option<(Setting, Span)> {
    match value {
        ast::Value::Quantity(quantity) if quantity.unit.is_empty() => {
            Some((Setting::Count(quantity.number.clone()), quantity.span))
        }
        ast::Value::Quantity(quantity) => {
            Some((Setting::Amount(cx.quantity(quantity)?), quantity.span))
        }
        ast::Value::Var(word) => match cx.var(word)? {
            Bound::Setting(setting, ..) => Some((setting, word.span)),
            _ => None,
        },
    }
}

fn fits(cx: &Cx<'_, '_>, value: &Setting, span: Span, param: &Param) -> bool {
    let wanted = param.type_name.text.as_str();
    let given = value.type_name();
    if given == wanted || matches!(value, Setting::Text(_)) && matches!(wanted, "name" | "text") {
        return true;
    }
    let name = &param.name.text;
    let written = cx.world.sources.text(span);
    let message = format!("`{name}` is a {wanted}; `{written}` is a {given}");
    cx.push(
        Diagnostic::new(Code(311), message, span, "")
            .label(param.type_name.span, "its type")
            .help(format!("write a {wanted}{}", example(wanted)))
            .subject(name.clone()),
    );
    false
}

fn example(type_name: &str) -> &'static str {
    match type_name {
        "duration" => ", for example `5min`",
        "size" => ", for example `64 MiB`",
        "rate" => ", for example `400 MiB/s`",
        "change" => ", for example `6%/day`",
        "share" => ", for example `6%`",
        "count" => ", for example `4`",
        "time" => ", for example `01:30`",
        _ => " in quotes",
    }
}

impl Cx<'_, '_> {
    /// What `$name` stands for; P0209 when it is not defined here.
    pub(super) fn var(&mut self, word: &Word) -> Option<Bound> {
        let found = self.find_var(&word.text);
        match found {
            Some(Bound::Broken) => {
                self.incomplete = true;
                None
            }
            Some(bound) => {
                self.note_use(word, &bound);
                Some(bound)
            }
            None => {
                self.undefined(word);
                None
            }
        }
    }

    /// Remembers where the value of a clause comes from.
    fn note_use(&self, word: &Word, bound: &Bound) {
        if let Bound::Setting(_, given, value) = bound {
            let one = ParamUse {
                name: word.text.clone(),
                given: *given,
                value: *value,
            };
            self.sink.used((word.span, self.applied), one);
        }
    }

    fn find_var(&self, name: &str) -> Option<Bound> {
        let own = self.own.iter().rev().chain(self.shared.iter());
        let local = own
            .into_iter()
            .find(|(known, _)| *known == name)
            .map(|(_, bound)| bound);
        local
            .or_else(|| self.world.params.get(self.scope)?.get(name))
            .cloned()
    }

    fn undefined(&mut self, word: &Word) {
        self.incomplete = true;
        let name = &word.text;
        if self.world.scopes[self.scope].may_declare("param", name) {
            return;
        }
        let message = format!("`${name}` is not defined here");
        let finding = Diagnostic::new(Code(209), message, word.span, "").subject(name.clone());
        if let Some((scenario, span)) = self.given_in(name) {
            return self.push(
                finding
                    .related(
                        format!("it is incident input of `{scenario}`"),
                        span,
                        "only there",
                    )
                    .help("use a fixed instant or `latest`, or declare it with `given`"),
            );
        }
        let params = self.world.params.get(self.scope);
        let files = params.into_iter().flat_map(HashMap::keys).copied();
        let mut known: Vec<&str> = files.collect();
        known.extend(self.own.iter().chain(self.shared).map(|(name, _)| *name));
        known.sort_unstable();
        self.push(match self.sink.nearest(name, known) {
            Some(near) => finding.help(format!("did you mean `${near}`?")),
            None => finding.help(format!("declare it: `param {name}: duration = …`")),
        });
    }

    /// The scenario of this file that declares the name as its input.
    fn given_in(&self, name: &str) -> Option<(String, Span)> {
        let items = self.world.scopes[self.scope].items.iter();
        let blocks = items.filter_map(|item| match &item.kind {
            ItemKind::Block(block) => Some(block),
            _ => None,
        });
        let mut inputs = blocks.flat_map(|block| inputs(block).map(move |input| (block, input)));
        inputs
            .find(|(_, input)| input.name.text == name)
            .map(|(block, input)| (block.name.text.clone(), input.span))
    }
}

fn inputs(block: &Block) -> impl Iterator<Item = &ast::Input> {
    let given = block.body.iter().filter_map(|clause| match &clause.kind {
        ClauseKind::Given(inputs) => Some(inputs),
        _ => None,
    });
    given.flatten()
}
