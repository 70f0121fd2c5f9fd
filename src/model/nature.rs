//! What a stream is by the venue's own account: how exact its times are, and what its completeness is judged by.

use std::borrow::Cow;

/// The unit of a venue's times: what 1,787,612,486,307,000,000 ns was sent as.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum TimeUnit {
    /// Seconds.
    Seconds,
    /// Milliseconds.
    Millis,
    /// Microseconds.
    Micros,
    /// Nanoseconds.
    Nanos,
}

impl TimeUnit {
    /// How many ns it has.
    #[must_use]
    pub fn nanos(self) -> i64 {
        match self {
            Self::Seconds => 1_000_000_000,
            Self::Millis => 1_000_000,
            Self::Micros => 1_000,
            Self::Nanos => 1,
        }
    }
}

/// What a stream is, whatever became of it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Nature {
    /// The unit of its times; `None` if it has none, or it is not known.
    pub time: Option<TimeUnit>,
    /// The scheme that its completeness is judged by, with what it counts: `chain by market`.
    pub integrity: Cow<'static, str>,
}
