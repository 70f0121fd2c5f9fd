//! A machine that does as it is told.

use std::fs::{File, OpenOptions};
use std::os::unix::fs::FileExt;
use std::path::PathBuf;
use std::process::Command;

use crate::scene::{Recorder, Scene, record};

/// A disk and a wall clock that do as they are told: see machine.c.
pub struct Machine {
    control: File,
    library: PathBuf,
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
}

impl Machine {
    pub fn new(scene: &Scene) -> Self {
        let library = scene.path("machine.so");
        let source = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/survival/machine.c");
        // SQLite is compiled by one as well, so there is a compiler.
        let compiler = std::env::var("CC").unwrap_or_else(|_| "cc".to_owned());
        let mut build = Command::new(compiler);
        build.args(["-shared", "-fPIC", "-O1", "-o"]).arg(&library).arg(source).arg("-ldl");
        assert!(build.status().expect("a C compiler").success());
        let path = scene.path("machine");
        let control = OpenOptions::new().read(true).write(true).create(true).truncate(true).open(&path).unwrap();
        control.set_len(8 * (Switch::ClockMs as u64 + 1)).unwrap();
        Self { control, library, folder: scene.folder.path().to_owned() }
    }

    /// Has a recorder run on it.
    pub fn under(&self, mut command: Command) -> Command {
        command.env("LD_PRELOAD", &self.library).env("FEEDTAPE_MACHINE", self.folder.join("machine"));
        command.env("FEEDTAPE_DISK_OF", self.folder.join("test.db"));
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
        self.control.write_all_at(&[0; 8 * (Switch::ClockMs as usize + 1)], 0).unwrap();
    }
}

/// [`crate::scene::started`], on such a machine.
pub fn started_on_machine(scene: Scene, records: i64) -> (Scene, Machine, Recorder) {
    let machine = Machine::new(&scene);
    let config = scene.config(&scene.path("test.db"), "");
    let mut recorder = Recorder::start(machine.under(record(&config)));
    recorder.until_reported(records);
    (scene, machine, recorder)
}
