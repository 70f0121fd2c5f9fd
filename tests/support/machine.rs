//! A machine that does as it is told.

use std::fs::{File, OpenOptions};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::process::Command;

/// A disk and a wall clock that do as they are told: see machine.c.
pub struct Machine {
    control: File,
    folder: PathBuf,
}

/// In the order of `struct control` in machine.c.
#[derive(Clone, Copy)]
pub enum Switch {
    WriteError,
    WriteAt,
    SyncError,
    SyncAt,
    SyncDelayMs,
    SyncIsLeftOut,
    Writes,
    Syncs,
    Fired,
    ClockMs,
    ClockFails,
    ClockWorks,
}

impl Machine {
    /// One that keeps what it needs in this folder.
    pub fn new(folder: &Path) -> Self {
        let source = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/support/machine.c");
        // SQLite is compiled by one as well, so there is a compiler.
        let compiler = std::env::var("CC").unwrap_or_else(|_| "cc".to_owned());
        let mut build = Command::new(compiler);
        build.args(["-shared", "-fPIC", "-O1", "-o"]).arg(folder.join("machine.so")).arg(source).arg("-ldl");
        assert!(build.status().expect("a C compiler").success());
        let path = folder.join("machine");
        let control = OpenOptions::new().read(true).write(true).create(true).truncate(true).open(&path).unwrap();
        control.set_len(8 * (Switch::ClockWorks as u64 + 1)).unwrap();
        Self { control, folder: folder.to_owned() }
    }

    /// The one that this process runs on; `None`: on whatever there is.
    pub fn of_this_process() -> Option<Self> {
        let path = PathBuf::from(std::env::var_os("FEEDTAPE_MACHINE")?);
        let control = OpenOptions::new().read(true).write(true).open(&path).unwrap();
        Some(Self { control, folder: path.parent()?.to_owned() })
    }

    /// Has a program run on it, with this file on its disk.
    pub fn under(&self, mut command: Command, file: &Path) -> Command {
        command.env("LD_PRELOAD", self.folder.join("machine.so")).env("FEEDTAPE_MACHINE", self.folder.join("machine"));
        command.env("FEEDTAPE_DISK_OF", file);
        command
    }

    pub fn set(&self, switch: Switch, value: i64) {
        self.control.write_all_at(&value.to_ne_bytes(), switch as u64 * 8).unwrap();
    }

    pub fn get(&self, switch: Switch) -> i64 {
        let mut value = [0; 8];
        self.control.read_exact_at(&mut value, switch as u64 * 8).unwrap();
        i64::from_ne_bytes(value)
    }

    /// A machine that works.
    pub fn reset(&self) {
        self.control.write_all_at(&[0; 8 * (Switch::ClockWorks as usize + 1)], 0).unwrap();
    }
}
