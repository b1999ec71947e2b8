//! P0808: what a day sends to another site does not fit its line.

use std::collections::BTreeMap;

use crate::check::context::{Context, archives, backups};
use crate::check::deadline::carries;
use crate::check::found::{Found, Scope};
use crate::check::job::Job;
use crate::check::rule::Rule;
use crate::check::words::amount;
use crate::diagnostic::{Code, Diagnostic, Proof, Severity};
use crate::estimate::Agenda;
use crate::estimate::horizon::WEEKS;
use crate::estimate::load::Load;
use crate::resolve::plan::{Backup, DeviceId, Every, JobId, Method};
use crate::source::Span;

const DAY: f64 = 86_400.0;
const MBIT: f64 = 1e6 / 8.0;

pub(super) static RULE: Rule = Rule {
    code: Code(808),
    name: "link-too-thin",
    level: Severity::Warning,
    allowable: true,
    summary: "what a day sends to another site does not fit its line",
    explanation: "Copies and log that go to another site share its line, whose rate the inventory states with \
        `link`. What all jobs send there on an average day of five weeks needs more than the line \
        carries all day long, so that copies come later every day. Compress, send less often, \
        move fulls by volume, or rent a wider line.",
    bad: r#"planc 1
plan tree
timezone UTC
environment prod inventory "inventory.yaml"
assume {
  size 400 GiB
}
objectives of docs {
  rpo 3d for human error
}
backup nightly of service docs {
  physical full every day at 04:00
  store on near
  copy to far
  retain daily 30
  encrypt none
}
--- inventory.yaml
inventory: 1
sites: {home: {}, away: {link: 30 Mbit/s}}
hosts: {box: {site: home}, nas: {site: home}, depot: {site: away}}
services: {docs: {engine: files, host: box, path: docs}}
devices:
  near: {host: nas, path: near}
  far: {host: depot, path: far}
"#,
    good: r#"planc 1
plan tree
timezone UTC
environment prod inventory "inventory.yaml"
assume {
  size 400 GiB
}
objectives of docs {
  rpo 3d for human error
}
backup nightly of service docs {
  physical full every day at 04:00
  store on near
  copy to far
  retain daily 30
  encrypt none
}
--- inventory.yaml
inventory: 1
sites: {home: {}, away: {link: 80 Mbit/s}}
hosts: {box: {site: home}, nas: {site: home}, depot: {site: away}}
services: {docs: {engine: files, host: box, path: docs}}
devices:
  near: {host: nas, path: near}
  far: {host: depot, path: far}
"#,
};

/// What goes over one line in a day: bytes, and the job that sends most of it.
#[derive(Debug, Clone, Copy)]
struct Traffic {
    bytes: f64,
    most: (f64, JobId, Span),
}

/// Lines with what goes over them; nothing when no line is known.
struct Lines<'c, 'a> {
    context: &'c Context<'a>,
    sites: BTreeMap<&'c str, Traffic>,
}

impl<'c> Lines<'c, '_> {
    fn send(&mut self, from: Option<&'c str>, to: Option<&'c str>, sent: (f64, JobId, Span)) {
        let (Some(from), Some(to)) = (from, to) else {
            return;
        };
        if from == to || sent.0 <= 0.0 {
            return;
        }
        for site in [from, to] {
            let traffic = self.sites.entry(site).or_insert(Traffic {
                bytes: 0.0,
                most: sent,
            });
            traffic.bytes += sent.0;
            if sent.0 > traffic.most.0 {
                traffic.most = sent;
            }
        }
    }

    fn site(&self, device: DeviceId) -> Option<&'c str> {
        self.context.plan.device(device).site.as_deref()
    }
}

pub(super) fn check(context: &Context<'_>, out: &mut Found) {
    let lines = context.plan.sites.values().any(|site| site.link.is_some());
    let Some(agenda) = context.agenda.as_ref().filter(|_| lines) else {
        return;
    };
    let mut lines = Lines {
        context,
        sites: BTreeMap::new(),
    };
    copies(&mut lines, agenda);
    logs(&mut lines);
    for (site, traffic) in &lines.sites {
        let link = context.plan.sites.get(*site).and_then(|site| site.link);
        if let Some(link) = link.filter(|link| traffic.bytes / DAY > link.0) {
            let job = traffic.most.1;
            out.push(Scope::from(job), finding(context, site, traffic, link.0));
        }
    }
}

fn copies(lines: &mut Lines<'_, '_>, agenda: &Agenda<'_>) {
    let context = lines.context;
    let mut loads = (agenda.loads.iter().zip(&agenda.slots)).peekable();
    for (id, backup) in backups(context.plan) {
        let mut daily: Vec<(&Load, f64)> = Vec::new();
        while let Some((load, slots)) = loads.next_if(|(load, _)| load.backup == id) {
            daily.push((load, runs_a_day(backup, load, slots.len())));
        }
        let Some(store) = backup.keeping.store else {
            continue;
        };
        let first = backup.targets.first();
        let home = first.and_then(|id| context.site_of(context.plan.component(*id).service));
        let sum = |carried: &dyn Fn(Method) -> bool| -> f64 {
            let carried = daily
                .iter()
                .filter(|(l, _)| carried(backup.takes[l.take].method));
            carried.map(|(load, runs)| load.bytes() * runs).sum()
        };
        let job = JobId::Backup(id);
        let stored = (sum(&|_| true), job, store.span);
        lines.send(home, lines.site(store.value), stored);
        for copy in &backup.keeping.copies {
            let scope = copy.scope;
            let sent = (sum(&|method| carries(scope, method)), job, copy.span);
            let (from, to) = (lines.site(store.value), lines.site(copy.device));
            lines.send(from, to, sent);
        }
    }
}

fn runs_a_day(backup: &Backup, load: &Load, runs: usize) -> f64 {
    #[expect(clippy::cast_precision_loss, reason = "a few hundred")]
    let runs = runs as f64;
    match &backup.takes[load.take].schedule.every {
        Every::Interval(length, _) => DAY / length.as_secs(),
        Every::Hour => 24.0,
        _ => runs / f64::from(WEEKS * 7),
    }
}

fn logs(lines: &mut Lines<'_, '_>) {
    let context = lines.context;
    for (id, archive) in archives(context.plan) {
        let Some(rate) = context.known.log_mean_high(archive.service) else {
            continue;
        };
        let home = context.site_of(archive.service);
        let job = JobId::Archive(id);
        let first = Job::new(context.plan, job).first_devices();
        for device in &first {
            lines.send(home, lines.site(*device), (rate * DAY, job, archive.span));
        }
        let from = first.first().and_then(|device| lines.site(*device));
        for copy in &archive.keeping.copies {
            let sent = (rate * DAY, job, copy.span);
            lines.send(from, lines.site(copy.device), sent);
        }
    }
}

fn finding(context: &Context<'_>, site: &str, traffic: &Traffic, link: f64) -> Diagnostic {
    let rate = traffic.bytes / DAY;
    let message = format!(
        "{} a day over the line of {site} need {:.0} Mbit/s all day; the line has {:.0}",
        amount(traffic.bytes),
        (rate / MBIT).ceil(),
        link / MBIT,
    );
    let (bytes, _, span) = traffic.most;
    let mut finding = Diagnostic::new(RULE.code, message, span, "sends most of it")
        .subject(site)
        .help("compress, send less often, or move fulls by volume");
    if let Some(place) = context.plan.sites.get(site) {
        finding = finding.related("the line's rate is stated here", place.span, "");
    }
    finding.proof = Some(Proof {
        claim: "line".to_owned(),
        loss: String::new(),
        limit: link,
        found: rate,
        terms: vec![
            ("the job that sends most".to_owned(), bytes / DAY),
            ("all others".to_owned(), rate - bytes / DAY),
        ],
    });
    finding
}
