//! Owns a figure that says where it comes from: terms that add up, and what is not known.
//! Must not compare itself with a promise.

/// A sum of named terms. With something missing it is a lower bound, else an upper bound.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Figure {
    /// The terms in order, none negative.
    pub terms: Vec<(String, f64)>,
    /// The first fact that is missing, in the words of a message.
    pub missing: Option<String>,
}

impl Figure {
    /// A figure of one known term.
    #[must_use]
    pub fn of(name: impl Into<String>, value: f64) -> Self {
        Self::default().plus(name, value)
    }

    /// A figure of which nothing is known but what is missing.
    #[must_use]
    pub fn unknown(missing: impl Into<String>) -> Self {
        Self {
            terms: Vec::new(),
            missing: Some(missing.into()),
        }
    }

    /// With one more term. A term that is no number counts as missing.
    #[must_use]
    pub fn plus(mut self, name: impl Into<String>, value: f64) -> Self {
        let name = name.into();
        if value.is_finite() && value >= 0.0 {
            self.terms.push((name, value));
            self
        } else {
            self.lacks(name)
        }
    }

    /// With one more fact missing; the first one is remembered.
    #[must_use]
    pub fn lacks(mut self, missing: impl Into<String>) -> Self {
        self.missing.get_or_insert(missing.into());
        self
    }

    /// With the terms of another figure.
    #[must_use]
    pub fn and(mut self, other: Self) -> Self {
        self.terms.extend(other.terms);
        self.missing = self.missing.or(other.missing);
        self
    }

    /// What the terms add up to.
    #[must_use]
    pub fn total(&self) -> f64 {
        self.terms.iter().map(|(_, value)| value).sum()
    }

    /// True when nothing is missing, so that [`Self::total`] is an upper bound.
    #[must_use]
    pub fn is_bound(&self) -> bool {
        self.missing.is_none()
    }

    /// True when it is shown to stay within a limit.
    #[must_use]
    pub fn within(&self, limit: f64) -> bool {
        self.is_bound() && self.total() <= limit
    }

    /// True when it is shown to pass a limit, whatever is missing.
    #[must_use]
    pub fn beyond(&self, limit: f64) -> bool {
        self.total() > limit
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_missing_never_proves_and_may_disprove() {
        let figure = Figure::of("a", 10.0).and(Figure::unknown("b"));
        assert!(!figure.within(100.0));
        assert!(!figure.beyond(10.0));
        assert!(figure.beyond(9.0));
        assert!(!Figure::of("a", f64::INFINITY).is_bound());
        assert!(!Figure::of("a", f64::NAN).is_bound());
    }
}
