//! Genuine frames, read where they are; a test without them says so and passes.

use std::path::PathBuf;

/// The lines of a capture below `live-2026-08/`; `None`, with a word to whoever looks, where there is none.
pub fn lines(name: &str) -> Option<Vec<String>> {
    Some(text(name)?.lines().map(str::to_owned).collect())
}

/// The text of a capture, likewise.
pub fn text(name: &str) -> Option<String> {
    let root = std::env::var_os("FEEDTAPE_CAPTURES")
        .map_or_else(|| PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../shared/captures"), PathBuf::from);
    let path = root.join("live-2026-08").join(name);
    match std::fs::read_to_string(&path) {
        Ok(text) => Some(text),
        Err(error) => {
            println!("SKIPPED: {}: {error}; set FEEDTAPE_CAPTURES", path.display());
            None
        }
    }
}
