//! What is measured on, and what the kernel says of a process.

use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

/// Syncs timed to learn what one costs.
const SYNCS: usize = 200;

/// What is measured on.
pub struct Machine {
    pub processor: String,
    pub cores: usize,
    pub kernel: String,
    pub file_system: FileSystem,
    /// Appending 8 KiB to a file and syncing it: the median.
    pub fsync: Duration,
}

/// Where the files are.
pub struct FileSystem {
    pub kind: String,
    pub device: String,
}

impl Machine {
    /// Looks at it, and at the file system of `folder`.
    pub fn look(folder: &Path) -> Self {
        let first = |path: &str, name: &str| {
            let text = fs::read_to_string(path).unwrap_or_default();
            let line = text.lines().find(|line| line.starts_with(name)).unwrap_or_default();
            line.split_once(':').map_or(line, |(_, value)| value).trim().to_owned()
        };
        Self {
            processor: first("/proc/cpuinfo", "model name"),
            cores: std::thread::available_parallelism().map_or(0, usize::from),
            kernel: fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default().trim().to_owned(),
            file_system: FileSystem::of(folder),
            fsync: fsync(folder),
        }
    }

    pub fn json(&self) -> Value {
        json!({
            "processor": self.processor,
            "cores": self.cores,
            "kernel": self.kernel,
            "file_system": self.file_system.kind,
            "device": self.file_system.device,
            "fsync_p50_us": self.fsync.as_micros() as u64,
            "feedtape": env!("CARGO_PKG_VERSION"),
            "sqlite": rusqlite::version(),
        })
    }
}

impl FileSystem {
    /// The one a folder is on: the longest mount point that it begins with.
    fn of(folder: &Path) -> Self {
        let folder = folder.canonicalize().expect("the folder exists");
        let mounts = fs::read_to_string("/proc/mounts").unwrap_or_default();
        let mounts = mounts.lines().filter_map(|line| {
            let mut words = line.split(' ');
            Some((words.next()?, PathBuf::from(words.next()?), words.next()?))
        });
        let mount = mounts.filter(|(_, point, _)| folder.starts_with(point));
        let (device, _, kind) =
            mount.max_by_key(|(_, point, _)| point.as_os_str().len()).expect("something is mounted");
        Self { kind: kind.to_owned(), device: device.to_owned() }
    }

    /// Whether what is written there never reaches a disk.
    pub fn is_memory(&self) -> bool {
        matches!(self.kind.as_str(), "tmpfs" | "ramfs" | "devtmpfs")
    }
}

fn fsync(folder: &Path) -> Duration {
    let path = folder.join("fsync");
    let mut file = File::create(&path).expect("the folder can be written to");
    let page = [0x5a; 8 << 10];
    let mut times: Vec<_> = (0..SYNCS)
        .map(|_| {
            let start = Instant::now();
            file.write_all(&page).and_then(|()| file.sync_data()).expect("the file is written");
            start.elapsed()
        })
        .collect();
    fs::remove_file(path).expect("it is there");
    times.sort();
    times[SYNCS / 2]
}

/// CPU time of this process so far, all threads.
pub fn process_cpu() -> Duration {
    let threads = fs::read_dir("/proc/self/task").expect("this is Linux");
    threads.flatten().map(|thread| cpu_of(&thread.path())).sum()
}

/// CPU time of this thread so far.
pub fn thread_cpu() -> Duration {
    cpu_of(Path::new("/proc/thread-self"))
}

fn cpu_of(thread: &Path) -> Duration {
    // A thread may end while one looks.
    let times = fs::read_to_string(thread.join("schedstat")).unwrap_or_default();
    Duration::from_nanos(times.split(' ').next().and_then(|ns| ns.parse().ok()).unwrap_or(0))
}

/// Memory of this process in bytes: the peak, and now.
pub fn memory() -> (u64, u64) {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let kib = |name: &str| {
        let line = status.lines().find(|line| line.starts_with(name)).unwrap_or_default();
        line.split_whitespace().nth(1).and_then(|kib| kib.parse::<u64>().ok()).unwrap_or(0)
    };
    (kib("VmHWM:") << 10, kib("VmRSS:") << 10)
}
