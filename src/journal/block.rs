//! How records lie on disk: many to a block, columns first, then compressed.
