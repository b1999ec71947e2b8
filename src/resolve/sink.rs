//! Owns how findings of one environment are gathered: what is found again and again for the
//! instances of one policy clause becomes one finding with a count and three examples.

use std::cell::{Cell, RefCell};

use indexmap::IndexMap;

use super::plan::{ParamUse, ParamUses};
use crate::diagnostic::{Code, Diagnostic, Diagnostics};
use crate::similar;
use crate::source::Span;

/// How many mistyped names get a suggestion; comparing each of very many names with all known
/// ones would make the cost quadratic.
const SUGGESTIONS: usize = 100;

/// How many instances a folded finding names.
const EXAMPLES: usize = 3;

struct Fold {
    finding: Diagnostic,
    examples: Vec<String>,
    count: usize,
}

/// Findings of one environment.
pub(super) struct Sink {
    environment: String,
    plain: RefCell<Diagnostics>,
    folded: RefCell<IndexMap<(Code, Span), Fold>>,
    suggested: Cell<usize>,
    uses: RefCell<ParamUses>,
}

impl Sink {
    pub(super) fn new(environment: &str) -> Self {
        Self {
            environment: environment.to_owned(),
            plain: RefCell::default(),
            folded: RefCell::default(),
            suggested: Cell::new(0),
            uses: RefCell::default(),
        }
    }

    /// A parameter is used; the same for every instance of one `apply`.
    pub(super) fn used(&self, place: (Span, Option<Span>), one: ParamUse) {
        self.uses.borrow_mut().entry(place).or_insert(one);
    }

    /// The uses so far.
    pub(super) fn take_uses(&self) -> ParamUses {
        self.uses.take()
    }

    /// Adds a finding; `instance` is what the block is expanded for, if it is.
    pub(super) fn push(&self, mut finding: Diagnostic, instance: Option<&str>) {
        if !self.environment.is_empty() {
            finding.environments = vec![self.environment.clone()];
        }
        let Some(instance) = instance else {
            return self.plain.borrow_mut().push(finding);
        };
        let mut folded = self.folded.borrow_mut();
        let key = (finding.code, finding.span());
        let fold = folded.entry(key).or_insert_with(|| Fold {
            finding,
            examples: Vec::new(),
            count: 0,
        });
        fold.count += 1;
        if fold.examples.len() < EXAMPLES && fold.examples.iter().all(|name| name != instance) {
            fold.examples.push(instance.to_owned());
        }
    }

    /// True when so much was suggested already that further findings do without.
    pub(super) fn is_tired(&self) -> bool {
        self.suggested.get() >= SUGGESTIONS
    }

    /// The known name nearest to a mistyped one.
    pub(super) fn nearest<'n>(
        &self,
        word: &str,
        known: impl IntoIterator<Item = &'n str>,
    ) -> Option<&'n str> {
        let asked = self.suggested.get();
        self.suggested.set(asked + 1);
        if asked >= SUGGESTIONS {
            return None;
        }
        similar::nearest(word, known)
    }

    /// Moves everything found to `out`.
    pub(super) fn drain(self, out: &mut Diagnostics) {
        out.append(self.plain.into_inner());
        let folded = self.folded.into_inner().into_values();
        out.extend(folded.map(Fold::into_finding));
    }
}

impl Fold {
    fn into_finding(self) -> Diagnostic {
        let mut finding = self.finding;
        finding.folded = self.count - 1;
        let names = self.examples.iter().map(String::as_str);
        let more = if self.count > self.examples.len() {
            ", …"
        } else {
            ""
        };
        let found = match self.count {
            1 => "found for",
            _ => &format!("found {} times: for", self.count),
        };
        let place = format!("{found} {}{more}", similar::list(names, EXAMPLES));
        finding.message = format!("{} ({place})", finding.message);
        finding
    }
}
