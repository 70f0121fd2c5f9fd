//! `feedtape request` against the built-in exchange.

use std::io::{BufRead, BufReader};
use std::process::{Command, Output, Stdio};

use feedtape::exchange::{Account, Exchange, ExchangeConfig, Running};
use serde_json::{Value, json};

/// An exchange without traders, and a command line that leads to it.
struct Floor {
    exchange: Running,
}

impl Floor {
    fn open() -> Self {
        Self { exchange: Exchange::start(ExchangeConfig::default()).expect("a free port") }
    }

    fn account(&self) -> &Account {
        &self.exchange.accounts()[0]
    }

    /// The command without a login.
    fn public(&self, words: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_feedtape"));
        command.env_remove("RUST_LOG").env_remove("FEEDTAPE_COOKIE").env_remove("FEEDTAPE_PASSPHRASE");
        command.args(["request", "--url", &self.exchange.ws_url(), "--rest-url", &self.exchange.rest_url()]);
        command.args(words);
        command
    }

    /// The command with a login.
    fn logged_in(&self, words: &[&str]) -> Command {
        let account = self.account();
        let mut command = self.public(words);
        command.args(["--user", &account.id.to_string()]);
        command.env("FEEDTAPE_COOKIE", account.cookie.expose());
        command.env("FEEDTAPE_PASSPHRASE", account.passphrase.expose());
        command
    }
}

#[track_caller]
fn ran(mut command: Command, code: i32) -> Output {
    let output = command.output().expect("it runs");
    let (out, err) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert_eq!(output.status.code(), Some(code), "stdout: {out}\nstderr: {err}");
    output
}

/// The only line of the output.
#[track_caller]
fn reply(command: Command, code: i32) -> Value {
    let output = ran(command, code);
    assert!(output.stderr.is_empty(), "{}", String::from_utf8_lossy(&output.stderr));
    let line = String::from_utf8(output.stdout).expect("UTF-8");
    assert_eq!(line.matches('\n').count(), 1, "{line}");
    serde_json::from_str(&line).expect("JSON")
}

#[track_caller]
fn complaint(command: Command, code: i32) -> String {
    let output = ran(command, code);
    assert!(output.stdout.is_empty(), "{}", String::from_utf8_lossy(&output.stdout));
    String::from_utf8(output.stderr).expect("UTF-8")
}

#[test]
fn the_reply_is_printed_and_its_error_code_decides_the_exit_code() {
    let floor = Floor::open();
    let estimate = ["EstimateMarketOrder", "market=XBT:USDT", "quantity=-0.5"];
    assert_eq!(reply(floor.public(&estimate), 0), json!({"tag": 1, "error_code": 0, "quantity": 0, "total": 0}));
    let refused = reply(floor.public(&["WatchOrders", "base=1", "counter=2", "--tag", "7"]), 1);
    assert_eq!((&refused["tag"], &refused["error_code"]), (&json!(7), &json!(1)));
    let untagged = reply(floor.public(&["WatchTicker", "market=XBT:USDT", "--tag", "0"]), 0);
    assert_eq!(untagged.get("tag"), None);
}

#[test]
fn a_method_that_needs_it_is_put_after_a_login() {
    let floor = Floor::open();
    let balances = reply(floor.logged_in(&["GetBalances"]), 0);
    assert!(!balances["balances"].as_array().expect("a list").is_empty());
    assert_eq!(reply(floor.logged_in(&["Authenticate", "--tag", "5"]), 0), json!({"tag": 5, "error_code": 0}));
    let refused = reply(floor.logged_in(&["GetBalances", "--no-auth"]), 1);
    assert_eq!(refused["error_code"], 7);
    assert_eq!(
        complaint(floor.public(&["GetBalances"]), 64),
        "feedtape: `GetBalances` needs a login; add --user, or --no-auth\n"
    );
}

#[test]
fn orders_are_placed_by_decimals_and_only_when_trading_is_allowed() {
    let floor = Floor::open();
    let order = ["PlaceOrder", "market=XBT:USDT", "quantity=0.25", "price=1000.5", "tonce=9"];
    assert_eq!(
        complaint(floor.logged_in(&order), 64),
        "feedtape: `PlaceOrder` trades; add --allow-trading if that is meant\n"
    );
    let placed = reply(floor.logged_in(&[&order[..], &["--allow-trading"]].concat()), 0);
    let open = reply(floor.logged_in(&["GetOrders"]), 0);
    let order = &open["orders"][0];
    assert_eq!(order["id"], placed["id"]);
    // The market's tick is 1 USDT: bids are snapped down to it.
    assert_eq!((&order["quantity"], &order["price"], &order["tonce"]), (&json!(2500), &json!(10_000_000), &json!(9)));
    let cancelled = reply(floor.logged_in(&["CancelOrder", "tonce=9", "--allow-trading"]), 0);
    assert_eq!(cancelled["id"], placed["id"]);
}

#[test]
fn a_refused_login_says_what_to_look_at_and_shows_no_secret() {
    let floor = Floor::open();
    for (variable, remedy) in
        [("FEEDTAPE_COOKIE", "look at the cookie"), ("FEEDTAPE_PASSPHRASE", "look at the passphrase")]
    {
        let mut command = floor.logged_in(&["GetBalances", "--log-level", "trace"]);
        command.env(variable, "canary");
        let output = ran(command, 77);
        let error = String::from_utf8_lossy(&output.stderr);
        assert!(error.contains(remedy), "{error}");
        for secret in ["canary", floor.account().cookie.expose(), floor.account().passphrase.expose()] {
            assert!(!error.contains(secret), "{error}");
        }
    }
    let mut command = floor.logged_in(&["GetBalances"]);
    command.env_remove("FEEDTAPE_COOKIE");
    assert_eq!(
        complaint(command, 78),
        "feedtape: command line: --user: FEEDTAPE_COOKIE: the environment variable named here is not set\n"
    );
}

#[test]
fn what_is_typed_wrong_is_told_before_anything_is_asked() {
    let floor = Floor::open();
    for (words, message) in [
        (&["WatchOrdres", "market=XBT:USDT"][..], "unknown method `WatchOrdres`, did you mean `WatchOrders`"),
        (&["WatchOrders", "XBT:USDT"], "`XBT:USDT` is no argument; write KEY=VALUE"),
        (&["WatchOrders", "markte=XBT:USDT"], "markte: unknown to `WatchOrders`, did you mean `market`"),
        (&["WatchOrders", "market=XBT:UDST"], "market: unknown asset `UDST`, did you mean `USDT`"),
        (&["file.toml", "GetOrders"], "give either a configuration file or --url"),
    ] {
        assert_eq!(complaint(floor.public(words), 64), format!("feedtape: {message}\n"));
    }
    assert_eq!(floor.exchange.counts().connections, 0);
}

#[test]
fn nobody_there_is_unavailable() {
    let port = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port").local_addr().expect("its address");
    let mut command = Command::new(env!("CARGO_BIN_EXE_feedtape"));
    command.args(["request", "--url", &format!("ws://{port}/v1"), "WatchOrders", "base=1", "counter=2"]);
    let error = complaint(command, 69);
    assert!(error.starts_with("feedtape: the connection failed (unreachable)"), "{error}");
}

#[actix_web::test]
async fn notices_are_followed_until_the_exchange_is_gone() {
    let floor = Floor::open();
    let mut watcher = floor.public(&["WatchOrders", "market=XBT:USDT", "--follow"]);
    let mut watcher = watcher.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("it runs");
    let mut lines = BufReader::new(watcher.stdout.take().expect("piped")).lines();
    let mut line = || serde_json::from_str::<Value>(&lines.next().expect("a line").expect("UTF-8")).expect("JSON");
    assert_eq!(line()["orders"], json!([]));
    let order = ["PlaceOrder", "market=XBT:USDT", "quantity=1", "price=1000", "--allow-trading"];
    let placed = reply(floor.logged_in(&order), 0);
    let opened = line();
    assert_eq!((&opened["notice"], &opened["id"]), (&json!("OrderOpened"), &placed["id"]));
    floor.exchange.stop().await;
    let output = watcher.wait_with_output().expect("it ends");
    assert_eq!(output.status.code(), Some(69), "{}", String::from_utf8_lossy(&output.stderr));
}

#[test]
fn a_file_names_the_source_and_its_built_in_exchange_is_started_for_the_request() {
    let demo = concat!(env!("CARGO_MANIFEST_DIR"), "/examples/demo.toml");
    let mut command = Command::new(env!("CARGO_BIN_EXE_feedtape"));
    command.env_remove("RUST_LOG").args(["request", demo, "GetTradeVolume", "asset=XBT"]);
    assert_eq!(reply(command, 0)["volume"], 0);
}
