//! `feedtape check`, `assets` and `markets`.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use feedtape::exchange::{Exchange, ExchangeConfig, Running};
use serde_json::Value;
use tempfile::TempDir;

/// A folder with a configuration that leads to an exchange of its own.
struct Place {
    folder: TempDir,
    exchange: Running,
}

impl Place {
    fn new() -> Self {
        let place = Self {
            folder: tempfile::tempdir().expect("a folder"),
            exchange: Exchange::start(ExchangeConfig::default()).expect("a free port"),
        };
        let account = &place.exchange.accounts()[0];
        place.secret("cookie", account.cookie.expose());
        place.secret("passphrase", account.passphrase.expose());
        place
    }

    fn secret(&self, name: &str, text: &str) {
        let path = self.folder.path().join(name);
        fs::write(&path, text).expect("a secret");
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).expect("its mode");
    }

    /// The configuration, with `more` at its end.
    fn config(&self, more: &str) -> PathBuf {
        let (url, rest_url) = (self.exchange.ws_url(), self.exchange.rest_url());
        let user = self.exchange.accounts()[0].id;
        let text = format!(
            "database = \"tape.db\"\n[[source]]\nname = \"here\"\nvenue = \"coinflex\"\nurl = \"{url}\"\n\
             rest_url = \"{rest_url}\"\n[source.account]\nuser_id = {user}\ncookie = {{ file = \"cookie\" }}\n\
             passphrase = {{ file = \"passphrase\" }}\n{more}"
        );
        let path = self.folder.path().join("feedtape.toml");
        fs::write(&path, text).expect("a configuration");
        path
    }
}

fn feedtape(command: &[&str], file: &Path) -> Output {
    let mut feedtape = Command::new(env!("CARGO_BIN_EXE_feedtape"));
    feedtape.env_remove("RUST_LOG").args(command).arg(file).output().expect("it runs")
}

#[track_caller]
fn says(output: &Output, code: i32, out: &str, err: &str) {
    let (said, complained) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert_eq!(output.status.code(), Some(code), "stdout: {said}\nstderr: {complained}");
    assert!(said.ends_with(out), "{said}");
    assert!(complained.ends_with(err), "{complained}");
}

#[test]
fn offline_a_configuration_is_checked_against_what_is_known() {
    let place = Place::new();
    let unlisted = place.config("");
    says(
        &feedtape(&["check"], &unlisted),
        0,
        "here: good: 0 subscribe, 0 poll, with a login, names not checked (no list is known yet, --online loads it)\n",
        "",
    );
    let listing = "[[source.subscribe]]\nmethod = \"WatchTicker\"\nmarkets = [\"XBT:UDST\"]\n\
                   [[source.asset]]\nname = \"XBT\"\ncode = 1\nscale = 1\n[[source.asset]]\nname = \"USDT\"\ncode = 2\nscale = 1\n\
                   [[source.market]]\nbase = \"XBT\"\ncounter = \"USDT\"\n";
    let slip = place.config(listing);
    says(
        &feedtape(&["check"], &slip),
        78,
        "",
        "feedtape.toml:13:12: source[0].subscribe[0].markets[0]: unknown market `XBT:UDST`, did you mean `XBT:USDT`\n",
    );
    assert_eq!(place.exchange.counts().requests, 0, "nobody was asked");
    fs::remove_file(place.folder.path().join("cookie")).expect("it was there");
    says(
        &feedtape(&["check"], &unlisted),
        78,
        "",
        "feedtape.toml:9:10: source[0].account.cookie: the file named here cannot be read: No such file or directory \
         (os error 2)\n",
    );
    says(
        &feedtape(&["check"], Path::new("none.toml")),
        66,
        "",
        "cannot be read: No such file or directory (os error 2)\n",
    );
}

#[test]
fn online_the_exchange_is_asked_for_its_markets_and_the_login_is_tried() {
    let place = Place::new();
    let good = place.config("[[source.subscribe]]\nmethod = \"WatchTicker\"\nmarkets = [\"XBT:USDT\", \"*:USDT\"]\n");
    says(
        &feedtape(&["check", "--online"], &good),
        0,
        "here: good: 1 subscribe, 0 poll, logged in, names as the exchange lists them\n",
        "",
    );
    let slip = place.config("[[source.subscribe]]\nmethod = \"WatchTicker\"\nmarkets = [\"XBT:UDST\"]\n");
    says(&feedtape(&["check", "--online"], &slip), 78, "", "unknown market `XBT:UDST`, did you mean `XBT:USDT`\n");
    assert_eq!(place.exchange.counts().logins, 1, "with a wrong name nobody logs in");

    let good = place.config("");
    place.secret("passphrase", "canary");
    let refused = feedtape(&["check", "--online", "--log-level", "trace"], &good);
    says(&refused, 77, "", "look at the passphrase\n");
    assert!(!String::from_utf8_lossy(&refused.stderr).contains("canary"));
}

#[actix_web::test]
async fn assets_and_markets_are_printed_as_the_exchange_lists_them_or_else_as_configured() {
    let place = Place::new();
    let config = place.config(
        "[[source.asset]]\nname = \"XBT\"\ncode = 1\nscale = 100\n[[source.asset]]\nname = \"USDT\"\ncode = 2\nscale = 10\n\
         [[source.market]]\nbase = \"XBT\"\ncounter = \"USDT\"\n",
    );
    let rows = |command: &str| -> Vec<Value> {
        let output = feedtape(&[command, "--format", "json"], &config);
        assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stderr));
        serde_json::from_slice(&output.stdout).expect("JSON")
    };
    let named = |rows: &[Value], column: &str, name: &str| {
        rows.iter().find(|row| row[column] == name).map(Value::to_string).unwrap_or_default()
    };
    let assets = rows("assets");
    assert!(assets.len() > 12, "{assets:?}");
    assert_eq!(
        named(&assets, "asset", "XBT"),
        r#"{"asset":"XBT","code":63488,"places":4,"source":"here","spot":null}"#
    );
    let markets = rows("markets");
    let xbt = named(&markets, "market", "XBT:USDT");
    assert!(xbt.contains(r#""tick":"1.0000""#) && xbt.contains(r#""expires":null"#), "{xbt}");

    place.exchange.stop().await;
    assert_eq!(
        named(&rows("assets"), "asset", "XBT"),
        r#"{"asset":"XBT","code":1,"places":2,"source":"here","spot":null}"#
    );
    says(
        &feedtape(&["markets", "--source", "hare"], &config),
        64,
        "",
        "feedtape: the file has no source `hare`, did you mean `here`\n",
    );
}
