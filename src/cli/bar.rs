//! A progress bar on standard error, if that is a terminal.

use indicatif::{ProgressBar, ProgressStyle};

/// Shows how far something has come while it lives.
pub(super) struct Bar(ProgressBar);

impl Bar {
    /// A bar that says what is being done.
    pub(super) fn new(doing: &'static str) -> Self {
        let template = "{msg} {wide_bar} {percent}% of {human_len}, {eta} left";
        let style = ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar());
        Self(ProgressBar::new(0).with_style(style).with_message(doing))
    }

    /// So many are done, of so many.
    pub(super) fn show(&self, done: u64, of: u64) {
        self.0.set_length(of);
        self.0.set_position(done);
    }
}

impl Drop for Bar {
    fn drop(&mut self) {
        self.0.finish_and_clear();
    }
}
