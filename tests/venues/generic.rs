//! Protocols that a configuration describes: those of the examples.

use std::path::Path;
use std::process::Command;
use std::sync::Arc;

use feedtape::config::Config;
use feedtape::journal::{Input, Opened, Plan};
use feedtape::model::{CloseCause, Event, Number};

use crate::captures;
use crate::script::{SECOND, Script, mutations};

fn example(name: &str) -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("examples").join(name)
}

/// What an example records.
fn plan(name: &str) -> Plan {
    let config = Config::load(&[example(name)]).unwrap_or_else(|errors| panic!("{errors}"));
    config.sources[0].plan("ws://localhost/", None, true)
}

/// An example's protocol over frames; nothing that is wished for is done.
fn replay<'f>(name: &str, frames: impl IntoIterator<Item = &'f str>) -> Script {
    let mut script = Script::new("generic", None);
    script.obey = false;
    // As a capture is taken: with nothing that is wanted.
    script.give(&Input::Connecting(Arc::new(Plan { subscribe: Vec::new(), ..plan(name) })));
    script.give(&Input::Opened(Opened { peer: None }));
    for frame in frames {
        script.now += SECOND;
        script.receive(frame);
    }
    script.now += SECOND;
    script.close(CloseCause::EndOfCapture);
    script
}

#[test]
fn the_captured_book_of_bybit_is_proved_by_a_description_alone() {
    let Some(frames) = captures::lines("bybit_orderbook.jsonl") else { return };
    let script = replay("bybit.toml", frames.iter().map(String::as_str));
    assert_eq!(script.odd(), Vec::<String>::new());
    let last = frames.len() as i64;
    assert_eq!(
        script.timeline("orderbook BTCUSDT"),
        [(2, "proved".to_owned()), (last, "unverifiable".to_owned()), (last + 1, "not_running".to_owned())]
    );
    let levels: Vec<_> = script
        .events
        .iter()
        .filter_map(|event| match event {
            Event::Levels(levels) => Some(levels),
            _ => None,
        })
        .collect();
    assert_eq!(levels.len() as i64, last - 1);
    assert_eq!((levels[0].is_snapshot, levels[0].levels.len()), (true, 100));
    assert_eq!((levels[1].is_snapshot, levels[1].last), (false, Some(217_107_085)));
    // 78716.8 is finer than the first price, 78715: exact text in that frame, an integer in the next.
    let price = |n: usize, level: usize| levels[n].levels[level].price.as_ref().unwrap().0.clone();
    assert_eq!(price(0, 0), Number::Scaled(78_715));
    assert_eq!(price(0, 1), Number::Text(Box::new("78713.8".to_owned())));
    assert_eq!(price(1, 0), Number::Scaled(787_168));
}

#[test]
fn a_captured_frame_that_is_missing_or_out_of_place_is_never_called_proved() {
    let Some(frames) = captures::lines("bybit_orderbook.jsonl") else { return };
    for (what, changed) in mutations(&frames) {
        let script = replay("bybit.toml", changed);
        let states: Vec<_> = script.timeline("orderbook BTCUSDT").into_iter().map(|(_, state)| state).collect();
        let n: usize = what.rsplit(' ').next().unwrap().parse().unwrap();
        let is_delta_inside = n >= 2 && n + 1 < frames.len();
        let is_seen = states.contains(&"sequence_broken".to_owned());
        match what.split(' ').next().unwrap() {
            "without" if n == 1 => assert_eq!(states, ["not_running"], "{what}"),
            "without" => assert_eq!(is_seen, is_delta_inside, "{what}: {states:?}"),
            "swapped" => assert_eq!(is_seen, n >= 1, "{what}: {states:?}"),
            // Nothing is missing where something comes twice, and it is told.
            _ => {
                assert!(!is_seen, "{what}: {states:?}");
                let told = script.count(|event| matches!(event, Event::Finding(_)));
                assert_eq!(told, usize::from(n >= 2), "{what}");
            }
        }
    }
}

#[test]
fn a_capture_is_tried_route_by_route_and_the_first_frame_that_none_takes_is_shown() {
    let Some(frames) = captures::lines("bybit_orderbook.jsonl") else { return };
    let folder = tempfile::TempDir::new().unwrap();
    let path = folder.path().join("frames.jsonl");
    let check = |text: &str| {
        std::fs::write(&path, text).unwrap();
        let mut command = Command::new(env!("CARGO_BIN_EXE_feedtape"));
        let output = command.arg("check").arg(example("bybit.toml")).arg("--capture").arg(&path).output().unwrap();
        (output.status.code(), String::from_utf8(output.stdout).unwrap())
    };
    let all = frames.join("\n");
    let data = frames.len() - 1;
    let report = format!("bybit: ack 0: 1 frames\nbybit: orderbook 0: {data} frames\n");
    assert_eq!(check(&all), (Some(0), report.clone()));
    let other = r#"{"topic":"tickers.BTCUSDT","data":{}}"#;
    let more = format!("{report}bybit: taken by nothing: 2 frames, the first is\n{other}\n");
    assert_eq!(check(&format!("{all}\n{other}\n{other}")), (Some(1), more));
}

/// Frames of the documentation of each venue, as their reference pages have them.
#[test]
fn subscriptions_are_agreed_to_by_echo_by_list_and_by_number() {
    let mut script = Script::open(plan("hyperliquid.toml"), None);
    assert_eq!(
        script.take_sent(),
        [
            r#"{"method":"subscribe","subscription":{"type":"l2Book","coin":"BTC"}}"#,
            r#"{"method":"subscribe","subscription":{"type":"trades","coin":"BTC"}}"#,
            r#"{"method":"subscribe","subscription":{"type":"trades","coin":"ETH"}}"#,
        ]
    );
    script.receive(r#"{"channel":"subscriptionResponse","data":{"method":"subscribe","subscription":{"type":"trades","coin":"BTC"}}}"#);
    assert_eq!([script.state("trades BTC"), script.state("trades ETH")], ["unverifiable", "not_acknowledged"]);
    script.receive(r#"{"channel":"trades","data":[{"coin":"BTC","side":"B","px":"64000.5","sz":"0.001","time":1787612486307,"hash":"0x1","tid":118906512037719}]}"#);
    script.receive(r#"{"channel":"l2Book","data":{"coin":"BTC","time":1787612486307,"levels":[[{"px":"64000","sz":"1.5","n":3}],[{"px":"64001","sz":"0.25","n":1}]]}}"#);
    assert_eq!(script.state("l2Book BTC"), "consistent");
    assert_eq!(script.count(|event| matches!(event, Event::Trade(trade) if trade.taker_is_bid == Some(true))), 1);
    assert_eq!(script.odd(), Vec::<String>::new());

    let mut script = Script::open(plan("deribit.toml"), None);
    assert_eq!(script.take_sent().len(), 2);
    // What is refused is missing in the answer.
    script.receive(r#"{"jsonrpc":"2.0","id":1,"result":["book.BTC-PERPETUAL.100ms"],"usIn":1,"usOut":2,"usDiff":1,"testnet":false}"#);
    script.receive(r#"{"jsonrpc":"2.0","id":2,"result":[],"usIn":1,"usOut":2,"usDiff":1,"testnet":false}"#);
    assert_eq!(
        [script.state("book BTC-PERPETUAL"), script.state("trades BTC-PERPETUAL")],
        ["not_acknowledged", "refused"]
    );
    let book = |kind: &str, ids: &str, level: &str| {
        format!(
            r#"{{"jsonrpc":"2.0","method":"subscription","params":{{"channel":"book.BTC-PERPETUAL.100ms","data":{{"type":"{kind}","timestamp":1554373962454,"instrument_name":"BTC-PERPETUAL",{ids},"bids":[{level}],"asks":[]}}}}}}"#
        )
    };
    script.receive(&book("snapshot", r#""change_id":297217"#, r#"["new",5042.34,30]"#));
    script.receive(&book("change", r#""prev_change_id":297217,"change_id":297218"#, r#"["delete",5042.34,0]"#));
    assert_eq!(script.state("book BTC-PERPETUAL"), "proved");
    script.take_sent();
    script.receive(r#"{"jsonrpc":"2.0","method":"heartbeat","params":{"type":"test_request"}}"#);
    assert_eq!(script.take_sent(), [r#"{"jsonrpc":"2.0","id":0,"method":"public/test","params":{}}"#]);
    // A hole: the book alone is taken up anew.
    script.receive(&book("change", r#""prev_change_id":297219,"change_id":297220"#, r#"["change",5041.94,20]"#));
    assert_eq!(script.state("book BTC-PERPETUAL"), "sequence_broken");
    let sent = script.take_sent();
    assert!(sent[0].contains("public/unsubscribe") && sent[1].contains("public/subscribe"), "{sent:?}");
    assert_eq!(script.odd(), Vec::<String>::new());
}
