//! Sums over the time just past, kept in steps so that memory is bounded however much is added.

use std::collections::VecDeque;

use super::Micros;

/// How far back a sum reaches, and in what steps time leaves it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Span {
    /// Length of a step.
    pub step: Micros,
    /// How many steps there are, the present one included.
    pub steps: i64,
}

/// Something that adds up.
pub(super) trait Sum: Copy + Default {
    /// Adds what came later.
    fn add(&mut self, later: Self);
}

/// The sum of what was added within the span.
#[derive(Clone, Debug)]
pub(super) struct Trailing<T> {
    span: Span,
    /// Number of a step since the epoch, and its sum.
    steps: VecDeque<(i64, T)>,
    sum: T,
}

impl<T: Sum> Trailing<T> {
    pub(super) fn new(span: Span) -> Self {
        Self { span, steps: VecDeque::new(), sum: T::default() }
    }

    /// The sum, as of the last call of the others.
    pub(super) fn sum(&self) -> T {
        self.sum
    }

    /// Adds something at `now`, which never goes back.
    pub(super) fn add(&mut self, now: Micros, value: T) {
        self.roll(now);
        self.sum.add(value);
        let step = self.step(now);
        match self.steps.back_mut() {
            Some((last, sum)) if *last == step => sum.add(value),
            _ => self.steps.push_back((step, value)),
        }
    }

    /// Drops what is too old; whether there was such.
    pub(super) fn roll(&mut self, now: Micros) -> bool {
        let oldest = self.step(now) - self.span.steps + 1;
        let kept = self.steps.len();
        while self.steps.front().is_some_and(|(step, _)| *step < oldest) {
            self.steps.pop_front();
        }
        if self.steps.len() == kept {
            return false;
        }
        self.sum = T::default();
        for (_, value) in &self.steps {
            self.sum.add(*value);
        }
        true
    }

    fn step(&self, now: Micros) -> i64 {
        now.0.div_euclid(self.span.step.0)
    }
}

/// Units of an asset that were traded.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Volume(pub i64);

impl Sum for Volume {
    fn add(&mut self, later: Self) {
        self.0 = self.0.saturating_add(later.0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SPAN: Span = Span { step: Micros(10), steps: 3 };

    #[test]
    fn what_is_older_than_the_span_leaves_the_sum() {
        let mut trailing = Trailing::new(SPAN);
        trailing.add(Micros(5), Volume(1));
        trailing.add(Micros(9), Volume(2));
        trailing.add(Micros(25), Volume(4));
        assert_eq!(trailing.sum(), Volume(7));
        assert!(!trailing.roll(Micros(29)));
        assert!(trailing.roll(Micros(30)), "the first step has left");
        assert_eq!(trailing.sum(), Volume(4));
        trailing.add(Micros(1_000), Volume(8));
        assert_eq!(trailing.sum(), Volume(8));
    }

    #[test]
    fn memory_is_bounded_by_the_steps() {
        let mut trailing = Trailing::new(SPAN);
        for now in 0..1_000 {
            trailing.add(Micros(now), Volume(1));
        }
        assert_eq!(trailing.steps.len(), 3);
        assert_eq!(trailing.sum(), Volume(30));
    }
}
