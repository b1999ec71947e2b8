//! Owns the clauses that backups, archives and devices share: where copies go, how long they
//! stay, how fast and how they are written. Defaults: zstd 3, verified on write.

use super::cx::Cx;
use super::plan::{
    Allow, At, Codec, CopyTo, DeviceId, Encrypt, Keeping, Retain, Schedule, Throttle, Tier, Verify,
};
use super::value::value_span;
use crate::diagnostic::Code;
use crate::quantity::{Bytes, Duration};
use crate::source::Span;
use crate::syntax::ast::{self, Clause, ClauseKind, ThrottleRate, TierKind, Word};

/// The level of zstd when none is written.
const ZSTD_LEVEL: i32 = 3;

/// The highest level of zstd that needs no special memory.
const ZSTD_MOST: i32 = 19;

/// The least that `memory` may say.
const LEAST_MEMORY: Bytes = Bytes(48 << 20);

/// A `copy` clause before its devices.
#[derive(Clone)]
struct Copying {
    scope: ast::CopyScope,
    live: bool,
    every: Option<Schedule>,
    within: Option<Duration>,
    span: Span,
}

impl Copying {
    fn to(self, device: DeviceId) -> CopyTo {
        CopyTo {
            scope: self.scope,
            device,
            live: self.live,
            every: self.every,
            within: self.within,
            span: self.span,
        }
    }
}

impl Cx<'_, '_> {
    /// A keeping in which nothing is written yet.
    pub(super) fn no_keeping() -> Keeping {
        Keeping {
            store: None,
            copies: Vec::new(),
            retain: Vec::new(),
            encrypt: Encrypt::Unsaid,
            codec: Codec::Zstd(ZSTD_LEVEL),
            throttle: Vec::new(),
            parallel: None,
            memory: None,
            verify: Vec::new(),
            after: Vec::new(),
            finish: None,
            notify: Vec::new(),
            allows: Vec::new(),
            incomplete: false,
        }
    }

    /// Adds a shared clause; other clauses are left alone. `after` is joined later, when all
    /// jobs are known.
    pub(super) fn keep(&mut self, keeping: &mut Keeping, clause: &Clause) {
        let span = clause.span;
        match &clause.kind {
            ClauseKind::Store(device) => {
                let place = device.span;
                keeping.store = self.device(device).map(|value| At { value, span: place });
            }
            ClauseKind::Copy { to, .. } => {
                let copy = self.copy(&clause.kind, span);
                for device in to.iter().filter_map(|word| self.device(word)) {
                    let copy = copy.clone();
                    keeping.copies.extend(copy.map(|copy| copy.to(device)));
                }
            }
            ClauseKind::Retain { on, tiers } => {
                keeping.retain.extend(self.retain(on, tiers, clause));
            }
            ClauseKind::Encrypt(None) => keeping.encrypt = Encrypt::None(span),
            ClauseKind::Encrypt(Some(key)) => {
                if let Some(key) = self.key(key) {
                    keeping.encrypt = Encrypt::With(key, span);
                }
            }
            ClauseKind::Compress { codec, level } => {
                if let Some(codec) = self.codec(codec, level.as_ref()) {
                    keeping.codec = codec;
                }
            }
            ClauseKind::Throttle(rates) => keeping.throttle.extend(self.throttle(rates, span)),
            ClauseKind::Parallel(count) => {
                keeping.parallel = self.count(count).map(|value| At { value, span });
            }
            ClauseKind::Memory(value) => keeping.memory = self.memory(value, span),
            ClauseKind::Verify(schedule) => {
                keeping.verify.extend(self.verify(schedule.as_ref(), span));
            }
            ClauseKind::Finish(limit) => {
                keeping.finish = self.positive(limit).map(|value| At { value, span });
            }
            ClauseKind::Notify { contacts, on } => {
                self.notify(&mut keeping.notify, contacts, *on, span);
            }
            ClauseKind::Allow(allow) => keeping.allows.push(self.allow(allow)),
            ClauseKind::Bad { .. } => self.incomplete = true,
            _ => {}
        }
    }

    /// How and when a `copy` clause copies.
    fn copy(&mut self, clause: &ClauseKind, span: Span) -> Option<Copying> {
        let ClauseKind::Copy {
            scope,
            live,
            every,
            within,
            ..
        } = clause
        else {
            return None;
        };
        let timed = every.is_some();
        if timed && within.is_some() {
            let message = "`every` says already when the copy is made";
            self.refuse(307, message, span, "take `within` or `every …` away");
        }
        let within = within.as_ref().and_then(|value| self.positive(value));
        let every = every.as_ref().and_then(|every| self.schedule(every));
        let gap = every.as_ref().and_then(Schedule::longest_gap);
        if every.is_some() && gap.is_none() {
            let help = "write a time: `every day at 03:00`, `every 6h`";
            self.refuse(307, "a copy cannot wait for a size", span, help);
        }
        Some(Copying {
            scope: *scope,
            live: *live || !timed,
            within: gap.map(|gap| Duration(gap.0.saturating_mul(2))).or(within),
            every,
            span,
        })
    }

    /// The most memory that a job may take; too little to work in is refused.
    fn memory(&mut self, value: &ast::Value, span: Span) -> Option<At<Bytes>> {
        let bytes = self.size(value)?;
        if bytes.0 < LEAST_MEMORY.0 {
            let message = format!("{bytes} is too little memory to copy in");
            let help = format!("write {LEAST_MEMORY} or more");
            self.refuse(307, message, value_span(value), help);
            return None;
        }
        Some(At { value: bytes, span })
    }

    fn verify(&mut self, schedule: Option<&ast::Schedule>, span: Span) -> Option<Verify> {
        match schedule {
            None => Some(Verify::OnWrite(span)),
            Some(schedule) => self.schedule(schedule).map(Verify::Every),
        }
    }

    pub(super) fn notify(
        &mut self,
        to: &mut Vec<(String, ast::NotifyOn, Span)>,
        contacts: &[Word],
        on: ast::NotifyOn,
        span: Span,
    ) {
        for contact in contacts.iter().filter_map(|word| self.contact(word)) {
            to.push((contact, on, span));
        }
    }

    pub(super) fn retain(
        &mut self,
        on: &[Word],
        tiers: &[ast::Tier],
        clause: &Clause,
    ) -> Option<Retain> {
        let devices: Vec<_> = on.iter().filter_map(|word| self.device(word)).collect();
        let tiers: Vec<_> = tiers.iter().filter_map(|tier| self.tier(tier)).collect();
        // a clause whose only device is unknown must not become one for all devices
        let lost = devices.is_empty() && !on.is_empty() || tiers.is_empty();
        (!lost).then_some(Retain {
            on: devices,
            tiers,
            span: clause.span,
        })
    }

    fn tier(&mut self, tier: &ast::Tier) -> Option<Tier> {
        Some(match &tier.kind {
            TierKind::Window(value) => Tier::Window(self.kept(value)?),
            TierKind::Daily(count) => Tier::Daily(self.count(count)?),
            TierKind::Weekly(count) => Tier::Weekly(self.count(count)?),
            TierKind::Monthly(count) => Tier::Monthly(self.count(count)?),
            TierKind::Yearly(count) => Tier::Yearly(self.count(count)?),
            TierKind::Last(count) => Tier::Last(self.count(count)?),
        })
    }

    pub(super) fn throttle(&mut self, rates: &[ThrottleRate], span: Span) -> Vec<Throttle> {
        let mut throttles = Vec::with_capacity(rates.len());
        for rate in rates {
            let window = match &rate.window {
                None => Some(None),
                Some(word) => self.window(word).map(Some),
            };
            let rate_span = value_span(&rate.rate);
            if let (Some(rate), Some(window)) = (self.rate(&rate.rate), window) {
                throttles.push(Throttle {
                    rate,
                    window,
                    span,
                    rate_span,
                });
            }
        }
        throttles
    }

    fn codec(&mut self, word: &Word, level: Option<&Word>) -> Option<Codec> {
        let codec = match word.text.as_str() {
            "none" => Codec::None,
            "lz4" => Codec::Lz4,
            "zstd" => return self.zstd(level),
            other => {
                self.incomplete = true;
                let message = format!("no compression is called `{other}`");
                let known = ["zstd", "lz4", "none"];
                self.push(self.suggest(Code(201), message, word, "kinds", &known));
                return None;
            }
        };
        if let Some(level) = level {
            let message = format!("`{}` has no levels", word.text);
            self.refuse(307, message, level.span, "take the number away");
        }
        Some(codec)
    }

    fn zstd(&mut self, level: Option<&Word>) -> Option<Codec> {
        let Some(word) = level else {
            return Some(Codec::Zstd(ZSTD_LEVEL));
        };
        let level = word
            .text
            .parse()
            .ok()
            .filter(|level| (1..=ZSTD_MOST).contains(level));
        if level.is_none() {
            let message = format!("zstd has no level `{}`", word.text);
            let help = format!("write 1 (fast) to {ZSTD_MOST} (small)");
            self.refuse(307, message, word.span, help);
        }
        level.map(Codec::Zstd)
    }

    pub(super) fn allow(&mut self, allow: &ast::Allow) -> Allow {
        let incomplete = self.incomplete;
        let until = allow.until.as_ref().and_then(|day| self.date(day));
        // an allowance hides no clause: nothing follows from its being wrong
        self.incomplete = incomplete;
        Allow {
            code: allow.code.text.parse().ok(),
            written: allow.code.text.clone(),
            until,
            because: allow.because.text.clone(),
            span: allow.span,
        }
    }
}
