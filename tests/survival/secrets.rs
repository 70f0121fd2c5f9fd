//! Secrets that can be recognised, looked for wherever they must not be.

use std::fs::{self, File, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use feedtape::exchange::Faults;

use crate::canary::Canaries;
use crate::panics;
use crate::scene::{Recorder, STOP_MAX, Scene, feedtape, until};
use crate::wire::Wire;

const COOKIE: &str = "canaryCOOKIE5f1d8a90";
const PASSPHRASE: &str = "canary PASSPHRASE 77e0c3b2";
const USER: u64 = 7;

/// The files that hold secrets.
const SECRETS: [&str; 7] = ["cookie", "passphrase", "good.cookie", "good.passphrase", "key", "secret", "session_key"];

fn canaries() -> Canaries {
    let mut canaries = Canaries::default();
    canaries.add_user("the user", USER, COOKIE, PASSPHRASE);
    canaries
}

/// Writes a secret where only its owner reads it.
fn write_secret(scene: &Scene, name: &str, text: &str) {
    fs::write(scene.path(name), text).unwrap();
    fs::set_permissions(scene.path(name), Permissions::from_mode(0o600)).unwrap();
}

/// The account, its secrets from a place of that kind.
fn account(scene: &Scene, origin: &str) -> String {
    write_secret(scene, "cookie", COOKIE);
    write_secret(scene, "passphrase", PASSPHRASE);
    let name = |name: &str| if origin == "env" { name.to_uppercase() } else { name.to_owned() };
    let from = |secret: &str| format!("{{ {origin} = {:?} }}", name(secret));
    format!("[source.account]\nuser_id = {USER}\ncookie = {}\npassphrase = {}\n", from("cookie"), from("passphrase"))
}

/// Runs a recorder of `test.toml` at the most talkative, whose streams are files in the scene's folder.
fn recorder_of(scene: &Scene) -> Recorder {
    let stream = |name: &str| Stdio::from(File::create(scene.path(name)).unwrap());
    let mut command = feedtape();
    command.args(["--log-level", "trace", "record", "--progress", "json"]).arg(scene.path("test.toml"));
    command.stdin(Stdio::null()).stdout(stream("stdout.txt")).stderr(stream("stderr.txt"));
    command.env("COOKIE", COOKIE).env("PASSPHRASE", PASSPHRASE).env("CREDENTIALS_DIRECTORY", scene.folder.path());
    command.env("RUST_BACKTRACE", "full");
    Recorder::silent(command)
}

fn text(path: PathBuf) -> String {
    String::from_utf8_lossy(&fs::read(path).unwrap_or_default()).into_owned()
}

/// Fails if a secret shows in what these commands print.
fn are_not_printed(scene: &Scene, canaries: &Canaries, commands: &[&[&str]]) {
    for arguments in commands {
        let mut command = feedtape();
        command.args(*arguments).current_dir(scene.folder.path()).env("COOKIE", COOKIE).env("PASSPHRASE", PASSPHRASE);
        let output = command.env("CREDENTIALS_DIRECTORY", scene.folder.path()).output().unwrap();
        assert_eq!((canaries.found(&output.stdout), canaries.found(&output.stderr)), (None, None), "{arguments:?}");
        let is_silent = output.stdout.is_empty() && output.stderr.is_empty();
        assert!(!is_silent || arguments[0] == "backup", "{arguments:?}");
    }
}

/// The commands that read a recording, and `check`.
const READING: [&[&str]; 11] = [
    &["frames", "test.db"],
    &["frames", "test.db", "--format", "json"],
    &["status", "test.db"],
    &["coverage", "test.db"],
    &["verify", "test.db"],
    &["query", "test.db", "SELECT * FROM commands, sessions"],
    &["query", "test.db", "SELECT * FROM gaps", "--format", "json"],
    &["backup", "test.db", "backup.db"],
    &["rebuild", "test.db", "--into", "rebuilt.db"],
    &["check", "test.toml"],
    &["--log-level", "trace", "check", "test.toml", "--online"],
];

/// Fails unless only their owner can use these files; its group may read.
fn are_for_their_owner(scene: &Scene, names: &[&str]) {
    for name in names {
        let mode = fs::metadata(scene.path(name)).unwrap().permissions().mode();
        assert_eq!(mode & 0o137, 0, "{name}: {mode:o}");
    }
}

#[test]
fn secrets_are_in_no_output_no_file_and_no_argument_whatever_becomes_of_the_login() {
    let scene = Scene::with(Faults::new(), 500);
    let wire = Wire::before(scene.exchange.addr());
    let at = format!("{}/v1", wire.address);
    let good = &scene.exchange.accounts()[0];
    write_secret(&scene, "good.cookie", good.cookie.expose());
    write_secret(&scene, "good.passphrase", good.passphrase.expose());
    let mut canaries = canaries();
    canaries.add_user("the good one", good.id.0, good.cookie.expose(), good.passphrase.expose());
    // An account of the exchange; ours at one that knows it, at one that refuses it, at one without TLS, and nowhere.
    let rest_url = scene.exchange.rest_url();
    let source = |name: &str, url: &str, account: &str| {
        format!(
            "[[source]]\nname = {name:?}\nvenue = \"coinflex\"\nurl = {url:?}\nrest_url = {rest_url:?}\n{account}\
             [[source.poll]]\nmethod = \"GetBalances\"\nevery = \"1s\"\n"
        )
    };
    let account_of_good = format!(
        "[source.account]\nuser_id = {}\ncookie = {{ file = \"good.cookie\" }}\n\
         passphrase = {{ credential = \"good.passphrase\" }}\n",
        good.id.0
    );
    let built_in = source("own", "", &account(&scene, "file"));
    let built_in = built_in.replace(&format!("url = \"\"\nrest_url = {rest_url:?}\n"), "exchange = \"built-in\"\n");
    let text_of_config = [
        "database = \"test.db\"\nmin_free_space = \"0B\"\n".to_owned(),
        source("good", &format!("ws://{at}"), &account_of_good),
        built_in,
        source("refused", &format!("ws://{at}"), &account(&scene, "env")),
        source("untrusted", &format!("wss://{at}"), &account(&scene, "credential")),
        source("nowhere", "ws://127.0.0.1:1/v1", &account(&scene, "file")),
    ];
    fs::write(scene.path("test.toml"), text_of_config.concat()).unwrap();
    let mut recorder = recorder_of(&scene);
    let said = |what: &str| until(what, || text(scene.path("stderr.txt")).contains(what));
    said("logins stopped");
    said("untrusted");
    said("nowhere");
    until("both have tried to log in", || {
        wire.proofs().len() >= 4 && text(scene.path("stdout.txt")).lines().count() > 20
    });
    let arguments = fs::read(format!("/proc/{}/cmdline", recorder.pid())).unwrap();
    assert_eq!(canaries.found(&arguments), None);
    assert!(canaries.found(&fs::read(scene.path("cookie")).unwrap()).is_some(), "it would be found");
    are_for_their_owner(&scene, &["test.db", "test.db-wal", "test.db-shm", "test.db.lock"]);
    are_not_printed(&scene, &canaries, &[&["backup", "test.db", "mid.db"], &["status", "test.db"]]);
    canaries.are_in_no_file(scene.folder.path(), &SECRETS);
    recorder.signal("HUP");
    said("the configuration was read again");
    recorder.signal("TERM");
    let status = recorder.wait(STOP_MAX).expect("it ends");
    assert_eq!(status.code(), Some(77), "one login was refused: {}", text(scene.path("stderr.txt")));
    // Each proof is for its moment only, and still nobody's business.
    for (n, proof) in wire.proofs().iter().enumerate() {
        canaries.add(&format!("proof {n}"), proof.as_bytes());
    }
    are_not_printed(&scene, &canaries, &READING);
    canaries.are_in_no_file(scene.folder.path(), &SECRETS);
    let frames = feedtape().arg("frames").arg(scene.path("test.db")).output().unwrap();
    assert!(String::from_utf8_lossy(&frames.stdout).contains("Authenticate"), "the logins are among them");
}

#[test]
fn keys_are_in_no_output_and_no_file_whichever_venue_they_are_for() {
    const KEY: &str = "canaryKEYe2b7714c";
    // Kraken's is base64, a wallet's is hexadecimal.
    const SECRET: &str = "Y2FuYXJ5LXNlY3JldC1vZi1hbi1BUEkta2V5LTEyMzQ=";
    const SESSION_KEY: &str = "2ae8be44db8a590d20bffbe3b6872df9b569147d3bf6801a35a28281a4816bbd";
    let scene = Scene::with(Faults::new(), 10);
    let wire = Wire::before(scene.exchange.addr());
    let mut canaries = canaries();
    for (name, secret) in [("key", KEY), ("secret", SECRET), ("session_key", SESSION_KEY)] {
        canaries.add(name, secret.as_bytes());
        write_secret(&scene, name, secret);
    }
    canaries.add("the secret's bytes", b"canary-secret-of-an-API-key-1234");
    write_secret(&scene, "passphrase", PASSPHRASE);
    let key = "[source.account]\nkey = { file = \"key\" }\nsecret = { file = \"secret\" }\n";
    let with_passphrase = format!("{key}passphrase = {{ file = \"passphrase\" }}\n");
    let wallet = "[source.account]\nwallet = \"0x0000000000000000000000000000000000000001\"\n\
                  session_key = { file = \"session_key\" }\n";
    let login = "[source.protocol.login]\nframe = '{\"op\":\"auth\",\"key\":\"{key}\",\"pass\":\"{passphrase}\",\
                 \"sign\":\"{signature}\"}'\nsigner = \"hmac-sha256-hex\"\nover = 'GET{now_ms}'\nack = { \"/auth\" = true }\n\
                 refusal = { \"/auth\" = false }\n[[source.protocol.channel]]\nname = \"fills\"\n\
                 subscribe = '{\"op\":\"sub\"}'\nneeds_login = true\n[[source.protocol.channel.route]]\n\
                 match = { \"/what\" = \"fills\" }\ntable = \"trades\"\nmarket = \"/m\"\ncolumns = { price = \"/p\", quantity = \"/q\" }\n";
    let mut config = "database = \"test.db\"\nmin_free_space = \"0B\"\n".to_owned();
    for (venue, account, method, markets) in [
        ("okx", with_passphrase.as_str(), "orders", ""),
        ("kraken", key, "executions", ""),
        ("bitstamp", key, "private-my_orders", "markets = [\"btcusd\"]\n"),
        ("derive", wallet, "subaccount.orders", ""),
        ("generic", &format!("{with_passphrase}[source.protocol]\n{login}"), "fills", ""),
    ] {
        let address = wire.address;
        config += &format!(
            "[[source]]\nname = {venue:?}\nvenue = {venue:?}\nurl = \"ws://{address}/v1\"\nrest_url = \"http://{address}/\"\n\
             [[source.subscribe]]\nmethod = {method:?}\n{markets}{account}"
        );
    }
    fs::write(scene.path("test.toml"), config).unwrap();
    let mut recorder = recorder_of(&scene);
    until("each has tried to log in", || wire.proofs().len() >= 5 || recorder.wait(Default::default()).is_some());
    recorder.signal("TERM");
    assert!(recorder.wait(STOP_MAX).is_some(), "it ends");
    for (n, proof) in wire.proofs().iter().enumerate() {
        canaries.add(&format!("proof {n}"), proof.as_bytes());
    }
    are_not_printed(&scene, &canaries, &READING);
    canaries.are_in_no_file(scene.folder.path(), &SECRETS);
}

#[test]
fn a_panic_tells_no_secret() {
    let scene = Scene::new();
    let config = scene.config(&scene.path("test.db"), "");
    let own = format!(
        "{}[[source]]\nname = \"own\"\nvenue = \"coinflex\"\nexchange = \"built-in\"\n{}",
        fs::read_to_string(&config).unwrap(),
        account(&scene, "file")
    );
    fs::write(&config, own).unwrap();
    let mut command = panics::process_that_panics(&config, "task");
    command.env("RUST_BACKTRACE", "full");
    let (reported, status, told) = Recorder::start(command).end();
    assert_eq!(status.code(), Some(70), "{told}");
    assert!(!reported.is_empty());
    assert_eq!(canaries().found(told.as_bytes()), None);
    canaries().are_in_no_file(scene.folder.path(), &SECRETS);
}

#[test]
fn a_broken_configuration_is_explained_without_its_secrets() {
    let scene = Scene::new();
    let canaries = canaries();
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
            assert_eq!((canaries.found(&output.stdout), canaries.found(&output.stderr)), (None, None), "{account}");
            assert!(String::from_utf8_lossy(&output.stderr).contains("broken.toml:"), "{account}: it says where");
        }
    }
}

#[test]
fn a_secret_that_others_can_read_is_refused() {
    let scene = Scene::new();
    let text = format!(
        "database = \"test.db\"\n{}[[source.poll]]\nmethod = \"GetBalances\"\nevery = \"1s\"\n{}",
        scene.source("a", &["WatchOrders"]),
        account(&scene, "file")
    );
    fs::write(scene.path("test.toml"), text).unwrap();
    for mode in [0o640, 0o604, 0o644] {
        fs::set_permissions(scene.path("passphrase"), Permissions::from_mode(mode)).unwrap();
        for command in ["check", "record"] {
            let output = feedtape().arg(command).arg(scene.path("test.toml")).output().unwrap();
            let told = String::from_utf8(output.stderr).unwrap();
            assert_eq!(output.status.code(), Some(78), "{mode:o}: {told}");
            assert!(told.contains("chmod 600"), "{mode:o}: {told}");
            assert_eq!(canaries().found(told.as_bytes()), None);
        }
    }
    assert!(!scene.path("test.db").exists(), "nothing was begun");
}

#[test]
fn files_are_for_their_owner_whatever_the_umask() {
    let scene = Scene::new();
    scene.config(&scene.path("test.db"), "");
    let run = |arguments: &str| {
        let mut command = Command::new("sh");
        command.args(["-c", &format!("umask 000 && exec \"$0\" {arguments}"), env!("CARGO_BIN_EXE_feedtape")]);
        command.current_dir(scene.folder.path());
        command
    };
    let mut recorder = Recorder::start(run("record --progress json test.toml"));
    recorder.until_reported(100);
    assert!(run("backup test.db mid.db").output().unwrap().status.success());
    are_for_their_owner(&scene, &["test.db", "test.db-wal", "test.db-shm", "test.db.lock", "mid.db"]);
    assert_eq!(recorder.said("others have access"), 0);
    scene.stopped(recorder, "umask");
    assert!(run("backup test.db backup.db").output().unwrap().status.success());
    assert!(run("rebuild test.db --into rebuilt.db").output().unwrap().status.success());
    are_for_their_owner(&scene, &["backup.db", "rebuilt.db"]);
    // Whoever opened it to others meanwhile is told, and has it so.
    fs::set_permissions(scene.path("test.db"), Permissions::from_mode(0o644)).unwrap();
    let mut recorder = Recorder::start(run("record --progress json test.toml"));
    recorder.until_reported(100);
    assert_eq!(recorder.said("others have access to what is recorded; chmod 600 it"), 1);
    scene.stopped(recorder, "open to others");
}
