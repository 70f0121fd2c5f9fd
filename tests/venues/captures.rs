//! Genuine frames of the venues that are alive.

use std::fs;

#[path = "../support/captures.rs"]
mod root;

/// The lines of a capture below `live-2026-08/`; `None`, with a word to whoever looks, where there is none.
pub fn lines(name: &str) -> Option<Vec<String>> {
    Some(text(name)?.lines().map(str::to_owned).collect())
}

/// The text of a capture, likewise.
pub fn text(name: &str) -> Option<String> {
    let path = root::captures(&format!("live-2026-08/{name}"))?;
    Some(fs::read_to_string(path).unwrap())
}
