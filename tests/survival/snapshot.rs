//! An answer as long as they come.

use std::fs;

use feedtape::exchange::Faults;
use serde_json::{Value, json};

use crate::scene::{Recorder, Scene, feedtape, record};
use crate::server::Server;

/// Orders of a side that a snapshot has at most.
const SIDE: i64 = 1_000;

/// A full snapshot, as CoinFLEX writes it.
fn snapshot() -> Vec<Value> {
    let order = |n: i64, sign: i64| {
        json!({"id": 1_580_472_000_000_000_i64 + n, "price": 31_000 + sign * n, "quantity": -sign * (10_000 + n),
            "time": 1_580_472_000_000_000_i64 + n})
    };
    (1..=SIDE).map(|n| order(n, -1)).chain((1..=SIDE).map(|n| order(SIDE + n, 1))).collect()
}

#[test]
fn a_snapshot_of_two_thousand_orders_is_stored_whole() {
    let orders = Value::from(snapshot()).to_string();
    assert!(orders.len() > 150_000, "{} bytes", orders.len());
    let answer = |tag: &Value, orders: &str| format!(r#"{{"error_code":0,"tag":{tag},"orders":{orders}}}"#);
    let sent = orders.clone();
    let server = Server::start(
        move |talk| {
            talk.say(r#"{"notice":"Welcome","nonce":"azRzAi5rm1ry/l0drnz1vw=="}"#);
            while let Some(command) = talk.hear_json() {
                talk.say(&answer(&command["tag"], &orders));
            }
        },
        |_| (404, String::new()),
    );
    let scene = Scene::with(Faults::new(), 1);
    let source = scene.source("test", &["WatchOrders"]).replace(&scene.exchange.ws_url(), &server.url());
    let (config, database) = (scene.path("test.toml"), scene.path("test.db"));
    fs::write(&config, format!("database = {database:?}\nmin_free_space = \"0B\"\n{source}")).unwrap();
    let mut recorder = Recorder::start(record(&config));
    recorder.until_reported(4);
    let recording = scene.stopped(recorder, "a long answer");
    let stored = "SELECT orders, (SELECT count(*) FROM book_order WHERE snapshot = id), \
         (SELECT count(DISTINCT order_id) FROM book_order) FROM book_snapshot";
    assert_eq!(recording.rows(stored), ["2000 2000 2000"]);
    let frames = feedtape().arg("frames").arg(&database).args(["--format", "import"]).output().unwrap();
    assert!(String::from_utf8(frames.stdout).unwrap().lines().any(|line| line.contains(&sent)));
}
