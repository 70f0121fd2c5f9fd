//! Scripted faults.

/// What goes wrong on purpose.
#[derive(Clone, Debug, Default)]
pub struct Faults {}
