//! The feed under a protocol of a test.
