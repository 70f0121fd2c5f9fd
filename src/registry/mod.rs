//! The registry actor: loads what a venue lists, keeps it fresh, publishes immutable catalogs.
