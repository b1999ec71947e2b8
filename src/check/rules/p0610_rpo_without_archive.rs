//! P0610: an RPO is shorter than the time between two copies, and no log is archived.

use crate::check::context::Context;
use crate::check::coverage::Coverage;
use crate::check::found::{Found, Scope};
use crate::check::rule::Rule;
use crate::check::rules::example::notes;
use crate::check::words::loss_words;
use crate::diagnostic::{Code, Diagnostic, Proof, Severity};
use crate::facts::capability;
use crate::quantity::Duration;
use crate::resolve::plan::{Loss, Method, ServiceId};
use crate::source::Span;

pub(super) static RULE: Rule = Rule {
    code: Code(610),
    name: "rpo-without-archive",
    level: Severity::Error,
    allowable: true,
    summary: "an RPO is shorter than the time between two copies, and no log is archived",
    explanation: "Without an archive of the log, everything written since the last copy is lost with \
        the original. The longest time between two copies is therefore the best RPO that \
        can hold. Add an archive, take copies more often, or promise what the copies can \
        hold.",
    bad: notes!(
        "\
objectives of notes {
  rpo 5min for loss of disk
}
backup nightly of service notes {
  physical full every day at 04:30
  store on near
  retain daily 7
}
"
    ),
    good: notes!(
        "\
objectives of notes {
  rpo 5min for loss of disk
}
backup nightly of service notes {
  physical full every day at 04:30
  store on near
  retain daily 7
}
archive changes of service notes {
  ship every 1min to near
  retain window 7d
}
"
    ),
};

pub(super) fn check(context: &Context<'_>, out: &mut Found) {
    if !context.whole {
        return;
    }
    for id in context.services() {
        if context.service_archives(id).next().is_some() || needs_log(context, id) {
            continue;
        }
        let Some(gap) = Coverage::new(context, id).worst_gap() else {
            continue;
        };
        for (at, objectives) in context.service_objectives(id) {
            for (limit, loss, span) in &objectives.rpos {
                if *limit < gap {
                    let finding = broken(context, id, (*limit, gap), loss, *span);
                    out.push(Scope::Objectives(at), finding);
                }
            }
        }
    }
}

/// True when P0601 speaks already: a hot copy without its log is no copy at all.
fn needs_log(context: &Context<'_>, id: ServiceId) -> bool {
    let able = capability::of(context.plan.service(id).engine);
    let mut takes = context
        .service_backups(id)
        .flat_map(|(_, backup)| &backup.takes);
    !able.self_contained && takes.any(|take| take.method != Method::Logical)
}

fn broken(
    context: &Context<'_>,
    id: ServiceId,
    (limit, gap): (Duration, Duration),
    loss: &Loss,
    span: Span,
) -> Diagnostic {
    let service = context.plan.service(id);
    let (name, words) = (&service.name, loss_words(&loss.kind));
    let log = capability::of(service.engine).log;
    let more = if log {
        "add an `archive` of its log"
    } else {
        "copy it more often"
    };
    let message = format!(
        "rpo {limit} for {words}, but {name} is saved only every {gap} and its log is not archived"
    );
    let label = format!("promised here: {limit}");
    let mut finding = Diagnostic::new(RULE.code, message, span, label)
        .subject(format!("{name}:{words}"))
        .help(format!("{more}, or promise {gap}"));
    finding.proof = Some(Proof {
        claim: "rpo".to_owned(),
        loss: words,
        limit: limit.as_secs(),
        found: gap.as_secs(),
        terms: vec![("longest time between two copies".to_owned(), gap.as_secs())],
    });
    for (_, backup) in context.service_backups(id).take(1) {
        finding = finding.related("because it is saved only so often", backup.span, "");
    }
    finding
}
