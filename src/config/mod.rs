//! The configuration file: TOML to a resolved value in one step, with errors that name file, line and key.
