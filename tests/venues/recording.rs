//! The whole recorder against a local venue: real sockets, real files.

use std::fs;
use std::future::Future;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::time::Duration;

use feedtape::config::Config;
use feedtape::recorder::Recorder;
use rusqlite::Connection;
use tempfile::TempDir;

use crate::rows::rows;

/// Nothing here takes this long unless something hangs.
const PATIENCE: Duration = Duration::from_secs(30);

/// A folder with a configuration, its secrets and its database.
pub struct Recording {
    folder: TempDir,
}

impl Recording {
    /// With these secrets, each a file.
    pub fn new(secrets: &[(&str, &str)]) -> Self {
        let folder = TempDir::new().unwrap();
        for (name, text) in secrets {
            let path = folder.path().join(name);
            fs::write(&path, text).unwrap();
            fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
        }
        Self { folder }
    }

    pub fn database(&self) -> PathBuf {
        self.folder.path().join("test.db")
    }

    /// Records what `sources` (TOML) say until the query gives 1, and stops.
    pub fn until(&self, sources: &str, done: &str) {
        let text = format!("database = \"test.db\"\n{sources}");
        let config =
            Config::parse(&self.folder.path().join("test.toml"), &text).unwrap_or_else(|error| panic!("{error}"));
        actix_rt::System::new().block_on(async {
            let recorder = Recorder::start(&config).await.unwrap();
            let view = recorder.view();
            let reached = patiently(async {
                while self.rows(done) != ["1"] {
                    view.sink.committed().await;
                }
            });
            let reached = reached.await;
            recorder.stop().await.unwrap();
            assert!(reached, "it never came to: {done}");
        });
    }

    /// The rows of a query, columns joined by a space.
    pub fn rows(&self, sql: &str) -> Vec<String> {
        rows(&Connection::open(self.database()).unwrap(), sql)
    }

    /// What `feedtape verify` says: whether the rows follow from the journal.
    pub fn verify(&self) -> String {
        let output = assert_cmd::Command::cargo_bin("feedtape").unwrap().arg("verify").arg(self.database()).output();
        let output = output.unwrap();
        let told = String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
        if output.status.success() { String::new() } else { told }
    }

    /// Whether a text is anywhere in the database's files, or in the bodies of its journal.
    pub fn holds(&self, text: &str) -> bool {
        let is_in_file = fs::read_dir(self.folder.path()).unwrap().any(|entry| {
            let path = entry.unwrap().path();
            path.to_string_lossy().contains("test.db")
                && fs::read(path).unwrap().windows(text.len()).any(|window| window == text.as_bytes())
        });
        let frames = assert_cmd::Command::cargo_bin("feedtape").unwrap().arg("frames").arg(self.database()).output();
        is_in_file || String::from_utf8_lossy(&frames.unwrap().stdout).contains(text)
    }
}

/// Whether it came to an end in time.
async fn patiently(what: impl Future<Output = ()>) -> bool {
    actix_rt::time::timeout(PATIENCE, what).await.is_ok()
}
