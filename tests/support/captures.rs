//! Genuine frames, read where they are; a test without them says so and passes.

use std::path::PathBuf;

/// A capture, or a folder of them; `None`, with a word to whoever looks, where there is none.
pub fn captures(name: &str) -> Option<PathBuf> {
    let root = std::env::var_os("FEEDTAPE_CAPTURES")
        .map_or_else(|| PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../shared/captures"), PathBuf::from);
    let path = root.join(name);
    if path.exists() {
        return Some(path);
    }
    println!("SKIPPED: there is no {}; FEEDTAPE_CAPTURES can name the folder of captures", path.display());
    None
}
