//! File systems made for a test.

use std::fs::{File, create_dir_all};
use std::path::{Path, PathBuf};
use std::process::Command;

/// Bytes of one: enough for what is recorded between two cuts of the power.
const IMAGE_BYTES: u64 = 192 << 20;

/// A file system in a file. Unmounted when dropped.
pub struct Mounted {
    pub at: PathBuf,
}

impl Mounted {
    /// A new one, in that file; `None` if this machine cannot.
    pub fn new(image: &Path, at: PathBuf) -> Option<Self> {
        File::create(image).unwrap().set_len(IMAGE_BYTES).unwrap();
        if run("mkfs.ext4", &["-q", "-F"], &[image]) { Self::mount(image, at) } else { None }
    }

    /// The one in that file; `None` if it cannot be mounted.
    pub fn mount(image: &Path, at: PathBuf) -> Option<Self> {
        create_dir_all(&at).unwrap();
        run("mount", &["-o", "loop"], &[image, &at]).then(|| Self { at })
    }

    /// Another mount of it over this one. What is open stays open through this one, what is opened is by the other.
    pub fn again(&self) -> Self {
        assert!(run("mount", &["--bind"], &[&self.at, &self.at]));
        Self { at: self.at.clone() }
    }

    /// Changes how it is mounted.
    pub fn remount(&self, how: &str) {
        assert!(run("mount", &["-o", &format!("remount,{how}")], &[&self.at]), "{how}");
    }
}

impl Drop for Mounted {
    fn drop(&mut self) {
        // When a test fails, a recorder may still have files open there.
        run("umount", &["--lazy"], &[&self.at]);
    }
}

/// Runs a program. Whether it did what it was to do.
fn run(program: &str, options: &[&str], paths: &[&Path]) -> bool {
    Command::new(program).args(options).args(paths).status().is_ok_and(|status| status.success())
}
