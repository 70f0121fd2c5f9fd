//! Secrets that can be recognised, looked for wherever they must not be.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use crate::scene::{Recorder, Scene, feedtape, until};

const COOKIE: &str = "canaryCOOKIE5f1d8a90";
const PASSPHRASE: &str = "canary PASSPHRASE 77e0c3b2";

/// Where a secret shows in a text, in any of the forms it takes.
fn found(bytes: &[u8]) -> Option<&'static str> {
    for secret in [COOKIE, PASSPHRASE] {
        let hex: String = secret.bytes().map(|byte| format!("{byte:02x}")).collect();
        let forms = [secret.to_owned(), STANDARD.encode(secret), hex, secret.replace(' ', "%20")];
        // What is sent for REST is the base64 of the user, the cookie and the passphrase: each form's middle is enough.
        if forms
            .iter()
            .any(|form| bytes.windows(form.len() - 4).any(|part| part == &form.as_bytes()[2..form.len() - 2]))
        {
            return Some(secret);
        }
    }
    None
}

fn account(scene: &Scene) -> String {
    for (name, text) in [("cookie", COOKIE), ("passphrase", PASSPHRASE)] {
        fs::write(scene.path(name), text).unwrap();
        fs::set_permissions(scene.path(name), fs::Permissions::from_mode(0o600)).unwrap();
    }
    "[source.account]\nuser_id = 7\ncookie = { file = \"cookie\" }\npassphrase = { file = \"passphrase\" }\n".to_owned()
}

fn every_file_but_the_secrets(scene: &Scene) {
    for entry in fs::read_dir(scene.folder.path()).unwrap() {
        let path = entry.unwrap().path();
        let is_secret = ["cookie", "passphrase", "broken.toml"].iter().any(|name| path.ends_with(name));
        if !is_secret {
            assert_eq!(found(&fs::read(&path).unwrap()), None, "{}", path.display());
        }
    }
}

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o777
}

#[test]
fn secrets_are_in_no_output_no_file_and_no_argument_whether_the_login_succeeds_or_not() {
    let scene = Scene::new();
    let account = account(&scene);
    // One source whose exchange knows the account, one whose exchange refuses it, one that leads nowhere.
    let text = format!(
        "database = \"test.db\"\nmin_free_space = \"0B\"\n\
         [[source]]\nname = \"good\"\nvenue = \"coinflex\"\nexchange = \"built-in\"\n{account}\
         [[source.poll]]\nmethod = \"GetBalances\"\nevery = \"200ms\"\n\
         {}{account}\
         [[source]]\nname = \"nowhere\"\nvenue = \"coinflex\"\nurl = \"ws://127.0.0.1:1/v1\"\n\
         rest_url = \"http://127.0.0.1:1/\"\n{account}[[source.subscribe]]\nmethod = \"WatchTicker\"\nmarkets = [\"*\"]\n",
        scene.source("refused", &["WatchOrders"]),
    );
    fs::write(scene.path("test.toml"), text).unwrap();
    let mut command = feedtape();
    command.args(["--log-level", "trace", "record", "--progress", "json"]).arg(scene.path("test.toml"));
    let mut recorder = Recorder::start(command);
    recorder.until_reported(200);
    until("the login that is refused", || recorder.said("logins stopped") > 0);
    let arguments = fs::read(format!("/proc/{}/cmdline", recorder.pid())).unwrap();
    let environment = fs::read(format!("/proc/{}/environ", recorder.pid())).unwrap();
    assert_eq!((found(&arguments), found(&environment)), (None, None));
    assert_eq!(found(&fs::read(scene.path("cookie")).unwrap()), Some(COOKIE), "it would be found");
    every_file_but_the_secrets(&scene);
    recorder.signal("HUP");
    until("it is reloaded", || recorder.said("the configuration was read again") > 0);
    for name in ["test.db", "test.db-wal", "test.db-shm", "test.db.lock"] {
        assert_eq!(mode(&scene.path(name)) & 0o137, 0, "{name} is for its owner, and its group may read");
    }
    recorder.signal("TERM");
    let (_, status, told) = recorder.end();
    assert_eq!(status.code(), Some(77), "one login was refused");
    assert_eq!(found(told.as_bytes()), None);
    every_file_but_the_secrets(&scene);
    // The journal is compressed: every frame, readable.
    for arguments in [&["frames"][..], &["frames", "--format", "json"], &["status"], &["coverage"], &["verify"]] {
        let output = feedtape().args(arguments).arg(scene.path("test.db")).output().unwrap();
        assert_eq!((found(&output.stdout), found(&output.stderr)), (None, None), "{arguments:?}");
    }
    let frames = feedtape().arg("frames").arg(scene.path("test.db")).output().unwrap();
    assert!(String::from_utf8_lossy(&frames.stdout).contains("Authenticate"), "the logins are among them");
}

#[test]
fn a_broken_configuration_is_explained_without_its_secrets() {
    let scene = Scene::new();
    let broken = [
        format!("passphrase = {PASSPHRASE:?}"),
        format!("passphrase = {{ file = {PASSPHRASE:?}, env = 1 }}"),
        format!("cookie = '{COOKIE}"),
        format!("cookie = [{COOKIE:?}]"),
        format!("cookie = {COOKIE}"),
        format!("cookie = {{ {COOKIE} = 1 }}"),
        format!("cookie = {COOKIE:?}\ncookie = {COOKIE:?}"),
        format!("user_id = {PASSPHRASE:?}"),
    ];
    for account in broken {
        let text = format!("database = \"t.db\"\n{}[source.account]\n{account}\n", scene.source("a", &["WatchOrders"]));
        fs::write(scene.path("broken.toml"), text).unwrap();
        for command in ["check", "record"] {
            let output = feedtape().arg(command).arg(scene.path("broken.toml")).output().unwrap();
            assert_eq!(output.status.code(), Some(78), "{account}");
            assert_eq!((found(&output.stdout), found(&output.stderr)), (None, None), "{account}");
            assert!(String::from_utf8_lossy(&output.stderr).contains("broken.toml:"), "{account}: it says where");
        }
    }
}
