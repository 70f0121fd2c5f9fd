//! Protocols that a configuration describes: those of the examples.

use std::path::Path;
use std::process::Command;
use std::sync::Arc;

use feedtape::config::Config;
use feedtape::crypto::Secret;
use feedtape::journal::{Input, Opened, Plan};
use feedtape::model::{CloseCause, Event, Number, Price, Quantity, Timestamp};
use feedtape::venue::{Account, KeyAccount};

use crate::captures;
use crate::recording::Recording;
use crate::script::{SECOND, Script, mutations};
use crate::server::Server;

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

/// The examples of bybit-exchange.github.io/docs/v5/websocket/public/trade, and of alchemy.com's page on Hyperliquid's
/// stream of trades (docs/chains/websockets/hypercore/streams/trades); the venue's own has types only. Byte for byte but
/// for the white space between tokens.
#[test]
fn documented_trades_become_rows_by_a_description_alone() {
    let bybit = r#"{"topic":"publicTrade.BTCUSDT","type":"snapshot","ts":1672304486868,"data":[{"T":1672304486865,"s":"BTCUSDT","S":"Buy","v":"0.001","p":"16578.50","L":"PlusTick","i":"20f43950-d8dd-5b31-9112-a178eb6023af","BT":false}]}"#;
    let hyperliquid = r#"{"channel":"trades","data":[{"coin":"BTC","side":"B","px":"72581.0","sz":"0.00017","time":1787259217020,"hash":"0x0000000000000000000000000000000000000000000000000000000000000000","tid":877707108085800,"users":["0x9b54264d7502f80163ea949038aad771eae67e38","0x706bb519b05b7dc01d048af9a5e29d1ef5d6d9e3"]}]}"#;
    for (name, frame, id, time, price, quantity) in [
        ("bybit.toml", bybit, "20f43950-d8dd-5b31-9112-a178eb6023af", 1_672_304_486_865_000_000, 1_657_850, 1),
        ("hyperliquid.toml", hyperliquid, "877707108085800", 1_787_259_217_020_000_000, 725_810, 17),
    ] {
        let script = replay(name, [frame]);
        assert_eq!(script.odd(), Vec::<String>::new(), "{name}");
        let trades: Vec<_> = script
            .events
            .iter()
            .filter_map(|event| if let Event::Trade(trade) = event { Some(trade) } else { None })
            .collect();
        let [trade] = trades[..] else { panic!("{name}: {} trades", trades.len()) };
        assert_eq!(trade.id.as_ref().map(ToString::to_string).as_deref(), Some(id), "{name}");
        assert_eq!((trade.time, trade.taker_is_bid), (Some(Timestamp(time)), Some(true)), "{name}");
        // By the places of the first number, as no list says them.
        assert_eq!(trade.price, Some(Price::scaled(price)), "{name}");
        assert_eq!(trade.quantity, Some(Quantity::scaled(quantity)), "{name}");
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
    let mut sent = script.take_sent();
    while sent.len() < 2 {
        script.wait();
        sent.extend(script.take_sent());
    }
    assert!(sent[0].contains("public/unsubscribe") && sent[1].contains("public/subscribe"), "{sent:?}");
    assert_eq!(script.odd(), Vec::<String>::new());
}

/// A protocol with a login, a registry and a counter that begins anew at 1 and lets two messages overtake one.
const PROTOCOL: &str = r#"
[source.protocol]
sends_per_second = 2
ack = [{ match = { "/ok" = true }, id = "/id" }]
refusal = [{ match = { "/ok" = false }, id = "/id", message = "/why" }]

[source.protocol.login]
frame = '{"op":"auth","key":"{key}","pass":"{passphrase}","at":{now_ms},"sign":"{signature}"}'
signer = "SIGNER"
over = 'GET/realtime{now_ms}'
ack = { "/auth" = true }
refusal = { "/auth" = false }

[source.protocol.registry]
path = "/list?kind=spot"
rows = "/list"
name = "/name"
base = "/of/0"
counter = "/of/1"
tick = "/tick"
step = "/step"

[[source.protocol.channel]]
name = "book"
subscribe = '{"id":{id},"op":"sub","what":"book.{market}"}'
integrity = { scheme = "counter", at = "/n", restart = 1, reorder = 2 }

[[source.protocol.channel.route]]
match = { "/what" = "book.{market}" }
snapshot = { "/all" = true }
table = "book_levels"
bids = "/b"
asks = "/a"
columns = { price = "/0", quantity = "/1" }

[[source.protocol.channel]]
name = "fills"
subscribe = '{"id":{id},"op":"sub","what":"fills"}'
needs_login = true

[[source.protocol.channel.route]]
match = { "/what" = "fills" }
rows = "/list"
row_market = "/m"
table = "trades"
columns = { price = "/p", quantity = "/q", id = "/i" }
"#;

/// What that protocol is to record.
fn described(signer: &str, subscribe: &str, urls: (&str, &str)) -> String {
    let protocol = PROTOCOL.replace("SIGNER", signer);
    format!(
        "[[source]]\nname = \"any\"\nvenue = \"generic\"\nurl = \"{}\"\nrest_url = \"{}\"\n{subscribe}\n\
         [source.account]\nkey = {{ file = \"key.txt\" }}\nsecret = {{ file = \"secret.txt\" }}\n\
         passphrase = {{ file = \"pass.txt\" }}\n{protocol}",
        urls.0, urls.1
    )
}

fn described_plan(signer: &str, subscribe: &str) -> Plan {
    let folder = tempfile::TempDir::new().unwrap();
    for name in ["key.txt", "secret.txt", "pass.txt"] {
        std::fs::write(folder.path().join(name), "x").unwrap();
    }
    let sources = described(signer, subscribe, ("ws://localhost/", "http://localhost/"));
    let config = Config::parse(&folder.path().join("x.toml"), &format!("database = \"x.db\"\n{sources}"));
    config.unwrap_or_else(|errors| panic!("{errors}")).sources[0].plan("ws://localhost/", None, true)
}

const BOOKS: &str = "[[source.subscribe]]\nmethod = \"book\"\nmarkets = [\"A\", \"B\", \"C\", \"D\", \"E\"]\n";
const FILLS: &str = "[[source.subscribe]]\nmethod = \"fills\"\n";

/// HMACs by Python's `hmac` over `GET/realtime1000000` with the key `a secret`. The wallet's key is a throw-away one of
/// Derive's documentation; its signature was made with eth-account.
#[test]
fn each_signer_signs_by_its_name_and_nothing_secret_is_kept() {
    let hmacs = [
        ("hmac-sha256-hex", "2bc99411785ed29b4b3f8e425e58f36e05b157f466f007751948c6d6a7abd243"),
        ("hmac-sha256-base64", "K8mUEXhe0ptLP45CXljzbgWxV/Rm8Ad1GUjG1qer0kM="),
        (
            "hmac-sha384-hex",
            "8b09c95d20608e3ef0050eb8656f51eaf80a0cbf54265ebebe7f19779c46fcf49c211d54ac3ca40921ed53cfa3bdce3c",
        ),
        (
            "hmac-sha512-hex",
            "29b795e009b4b26f415197d1eb419ae5d2d8de682d1c89953b3bf0dd6f45baf0dff6e01e38a815dcacd3de0cec2a48d652de7b48fa1f9ac321834547a7e8a82b",
        ),
        (
            "hmac-sha512-base64",
            "KbeV4Am0sm9BUZfR60Ga5dLY3mgtHImVOzvw3W9FuvDf9uAeOKgV3KzT3gzsKkjWUt57SPofmsMhg0VHp+ioKw==",
        ),
    ];
    let wallet = "2ae8be44db8a590d20bffbe3b6872df9b569147d3bf6801a35a28281a4816bbd";
    let login = |signer: &str, over: Option<&str>, secret: &str| {
        let mut plan = described_plan(signer, FILLS);
        if let (Some(over), Some(spec)) = (over, &mut plan.protocol) {
            Arc::make_mut(spec).login.as_mut().unwrap().over = over.to_owned();
        }
        let account = KeyAccount {
            key: Secret::new("the key".to_owned()),
            secret: Secret::new(secret.to_owned()),
            passphrase: Some(Secret::new("the pass".to_owned())),
        };
        Script::open(plan, Some(Arc::new(Account::Key(account))))
    };
    let frame = |key: &str, pass: &str, sign: &str| {
        format!(r#"{{"op":"auth","key":"{key}","pass":"{pass}","at":1000000,"sign":"{sign}"}}"#)
    };
    for (signer, signature) in hmacs {
        let script = login(signer, None, "a secret");
        assert_eq!(script.wire, [frame("the key", "the pass", signature)], "{signer}");
        assert_eq!(script.sent, [frame("[redacted]", "[redacted]", "[redacted]")]);
    }
    let signed = "0xfccbd618b0154b6b3cedb0b952d247deb76d08af6c4d3fd7f7ae120fe1c3b6195fcd1a5e51901e17b37cffaa89847595f0ffc0d5c7998d3e017495a3dbd5d1161c";
    let script = login("eip191-secp256k1", Some("1700000000000"), wallet);
    assert_eq!(script.wire, [frame("the key", "the pass", signed)]);
    let script = login("eip191-secp256k1", None, "no key at all");
    assert!(script.wire.is_empty());
    assert!(format!("{:?}", script.wishes).contains("secret: the private key is not 32 bytes"), "{:?}", script.wishes);
}

#[test]
fn frames_keep_to_the_rate_that_is_described() {
    let mut plan = described_plan("hmac-sha256-hex", BOOKS);
    Arc::make_mut(plan.protocol.as_mut().unwrap()).registry = None;
    let mut script = Script::open(plan, None);
    let mut sent: Vec<i64> = script.take_sent().iter().map(|_| script.now).collect();
    while sent.len() < 5 {
        script.wait();
        sent.extend(script.take_sent().iter().map(|_| script.now));
    }
    assert!(sent.windows(3).all(|three| three[2] - three[0] >= SECOND), "{sent:?}");
}

#[test]
fn a_number_that_begins_anew_is_no_hole_and_so_many_messages_may_overtake_one() {
    let plan = described_plan("hmac-sha256-hex", BOOKS);
    let of = |n: u64, all: bool| format!(r#"{{"what":"book.A","n":{n},"all":{all},"b":[["2","1"]],"a":[]}}"#);
    let states = |frames: &[String]| {
        let mut script = Script::new("generic", None);
        script.obey = false;
        script.give(&Input::Connecting(Arc::new(Plan { subscribe: Vec::new(), ..plan.clone() })));
        script.give(&Input::Opened(Opened { peer: None }));
        for frame in frames {
            script.now += SECOND;
            script.receive(frame);
        }
        assert_eq!(script.odd(), Vec::<String>::new());
        script.timeline("book A").into_iter().map(|(_, state)| state).collect::<Vec<_>>()
    };
    let updates = |numbers: &[u64]| {
        let frames = numbers.iter().map(|n| of(*n, false));
        [of(10, true)].into_iter().chain(frames).collect::<Vec<_>>()
    };
    assert_eq!(states(&updates(&[11, 12])), ["proved"]);
    // 12 and 13 overtake 11; a third one shows that it is missing.
    assert_eq!(states(&updates(&[12, 13, 11, 14])), ["proved"]);
    assert_eq!(states(&updates(&[12, 13, 14])), ["sequence_broken"]);
    // The venue begins anew at 1, which is declared, and at 2, which is not.
    let anew = |n: u64| [of(10, true), of(11, false), of(n, true), of(n + 1, false)];
    assert_eq!(states(&anew(1)), ["proved"]);
    assert!(states(&anew(2)).contains(&"sequence_broken".to_owned()));
}

#[test]
fn on_the_wire_markets_are_listed_by_rest_and_what_is_private_is_asked_for_behind_the_login() {
    let server = Server::start(
        move |talk| {
            while let Some(asked) = talk.hear_json() {
                match asked["what"].as_str() {
                    None => {
                        assert_eq!(asked["key"], "the key");
                        talk.say(r#"{"auth":true}"#);
                    }
                    Some("book.X-NO") => talk.say(&format!(r#"{{"ok":false,"id":{},"why":"no such"}}"#, asked["id"])),
                    Some(what) => {
                        talk.say(&format!(r#"{{"ok":true,"id":{}}}"#, asked["id"]));
                        talk.say(&match what {
                            "fills" => r#"{"what":"fills","list":[{"m":"X-Y","p":"2.25","q":"0.5","i":7}]}"#.to_owned(),
                            _ => format!(r#"{{"what":"{what}","n":10,"all":true,"b":[["2.25","3"]],"a":[]}}"#),
                        });
                    }
                }
            }
        },
        |request| match request.line.as_str() {
            "GET /list?kind=spot" => {
                let row = |name: &str, counter: &str| {
                    format!(r#"{{"name":"{name}","of":["X","{counter}"],"tick":"0.0100","step":"0.001"}}"#)
                };
                (200, format!(r#"{{"list":[{},{},{{"odd":1}}]}}"#, row("X-Y", "Y"), row("X-NO", "NO")))
            }
            _ => (404, String::new()),
        },
    );
    let secrets = [("key.txt", "the key"), ("secret.txt", "the secret"), ("pass.txt", "the passphrase")];
    let recording = Recording::new(&secrets);
    let all =
        "[[source.subscribe]]\nmethod = \"book\"\nmarkets = [\"X-*\"]\n[[source.subscribe]]\nmethod = \"fills\"\n";
    recording.until(
        &described("hmac-sha256-hex", all, (&server.url(), &server.rest_url())),
        "SELECT count(*) = 3 FROM transition WHERE reason IN ('proved', 'refused', 'unverifiable') \
         AND (SELECT count(*) FROM trade) = 1",
    );
    for (_, secret) in secrets {
        assert!(!recording.holds(secret), "{secret}");
    }
    assert!(recording.holds("[redacted]"));
    let listed = "SELECT market, price_places, quantity_places FROM instruments ORDER BY market";
    assert_eq!(recording.rows(listed), ["X-NO 2 3", "X-Y 2 3"]);
    assert_eq!(recording.rows("SELECT market, price, quantity, trade_id FROM trades"), ["X-Y 2.25 0.500 7"]);
    assert_eq!(recording.rows("SELECT market, side, price, quantity FROM book_levels"), ["X-Y bid 2.25 3.000"]);
    let refused = "SELECT market, evidence FROM coverage WHERE cause = 'refused'";
    assert_eq!(recording.rows(refused), ["X-NO no such"]);
    assert_eq!(recording.verify(), "");
}

/// Frames of the shapes that the reference pages of the venues have.
#[test]
fn a_capture_of_hyperliquid_or_deribit_is_tried_route_by_route() {
    let hyperliquid = [
        r#"{"channel":"subscriptionResponse","data":{"method":"subscribe","subscription":{"type":"trades","coin":"BTC"}}}"#,
        r#"{"channel":"trades","data":[{"coin":"BTC","side":"B","px":"64000.5","sz":"0.001","time":1787612486307,"hash":"0x1","tid":118906512037719}]}"#,
        r#"{"channel":"l2Book","data":{"coin":"BTC","time":1787612486307,"levels":[[{"px":"64000","sz":"1.5","n":3}],[]]}}"#,
        r#"{"channel":"pong"}"#,
    ];
    let deribit = [
        r#"{"jsonrpc":"2.0","id":1,"result":["book.BTC-PERPETUAL.100ms"],"usIn":1,"usOut":2,"usDiff":1,"testnet":false}"#,
        r#"{"jsonrpc":"2.0","method":"subscription","params":{"channel":"book.BTC-PERPETUAL.100ms","data":{"type":"snapshot","timestamp":1554373962454,"instrument_name":"BTC-PERPETUAL","change_id":297217,"bids":[["new",5042.34,30]],"asks":[]}}}"#,
        r#"{"jsonrpc":"2.0","method":"subscription","params":{"channel":"trades.BTC-PERPETUAL.100ms","data":[{"trade_seq":30289442,"trade_id":"48079269","timestamp":1590484512188,"tick_direction":2,"price":8950.0,"mark_price":8948.9,"instrument_name":"BTC-PERPETUAL","index_price":8955.88,"direction":"sell","amount":10.0}]}}"#,
        r#"{"jsonrpc":"2.0","method":"heartbeat","params":{"type":"test_request"}}"#,
        r#"{"jsonrpc":"2.0","method":"heartbeat","params":{"type":"heartbeat"}}"#,
    ];
    let folder = tempfile::TempDir::new().unwrap();
    let path = folder.path().join("frames.jsonl");
    let check = |name: &str, frames: &[&str]| {
        std::fs::write(&path, frames.join("\n")).unwrap();
        let mut command = Command::new(env!("CARGO_BIN_EXE_feedtape"));
        let output = command.arg("check").arg(example(name)).arg("--capture").arg(&path).output().unwrap();
        assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stdout));
        String::from_utf8(output.stdout).unwrap()
    };
    let told = |name: &str, taken: &[&str]| -> String {
        taken.iter().map(|what| format!("{name}: {what}: 1 frames\n")).collect()
    };
    let expected = told("hyperliquid", &["ack 0", "ignore 0", "l2Book 0", "trades 0"]);
    assert_eq!(check("hyperliquid.toml", &hyperliquid), expected);
    let expected = told("deribit", &["ack 0", "book 0", "ignore 0", "reply 0", "trades 0"]);
    assert_eq!(check("deribit.toml", &deribit), expected);
}
