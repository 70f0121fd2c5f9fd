//! Derive, API version 3.
//!
//! There is no capture. The venue documents its messages as a schema (docs.derive.xyz/subscriptions.asyncapi.json) without
//! examples, so the frames are such as clients of the venue have recorded or keep for their tests: the login, the request
//! for balances and its answer (ccxt, static ws tests of Derive), a ticker as the test network sent it, a book as the live
//! one did, trades and orders (nautilus_trader, crates/adapters/derive/test_data).

use std::sync::Arc;

use feedtape::crypto::Secret;
use feedtape::model::{Event, Id, Number, OrderKind, Timestamp};
use feedtape::venue::{Account, Action, WalletAccount};

use crate::recording::Recording;
use crate::script::{Script, Wanted, plan};
use crate::server::Server;

const WALLET: &str = "0x86042886b1063625D0B3DDCC9e4cBcf912B79e16";
/// A throw-away key that the venue's documentation shows.
const KEY: &str = "2ae8be44db8a590d20bffbe3b6872df9b569147d3bf6801a35a28281a4816bbd";

const TICKER: &str = r#"{"method":"subscription","params":{"channel":"ticker_slim.ETH-PERP.100","data":{"timestamp":1789470139328,"instrument_ticker":{"t":1789470139328,"A":"40","a":"2485.85","B":"40","b":"2483.35","f":"0.000012500","option_pricing":null,"I":"2484.67","M":"2484.81","stats":{"c":"94.04","v":"237377.368","pr":"237379.351","n":13,"oi":"14609.766","h":"2569.89","l":"2474.329","p":"-0.027"},"minp":"2424.21","maxp":"2546.92"}}}}"#;
const BOOK: &str = r#"{"method":"subscription","params":{"channel":"orderbook.ETH-USDC.1.10","data":{"asks":[],"bids":[["0.2","45"],["0.1","32.9"]],"instrument_name":"ETH-USDC","publish_id":9582,"timestamp":1779607319268}}}"#;
const TRADES: &str = r#"{"method":"subscription","params":{"channel":"trades.ETH-PERP","data":[{"direction":"buy","index_price":"3500","instrument_name":"ETH-PERP","liquidity_role":"taker","mark_price":"3500.1","quote_id":null,"realized_pnl":"0","subaccount_id":1,"timestamp":1700000000001,"trade_amount":"1","trade_fee":"0.01","trade_id":"perp-trade-1","trade_price":"3500","tx_hash":"0xhash","batch_status":"Settled","wallet":"0xwallet"},{"direction":"sell","index_price":"3500","instrument_name":"ETH-PERP","liquidity_role":"maker","mark_price":"3500.1","quote_id":null,"realized_pnl":"0","subaccount_id":2,"timestamp":1700000000001,"trade_amount":"1","trade_fee":"0","trade_id":"perp-trade-1","trade_price":"3500","tx_hash":"0xhash","batch_status":"Settled","wallet":"0xother"}]}}"#;
const ORDER: &str = r#"{"method":"subscription","params":{"channel":"74412.orders","data":[{"amount":"2.0","average_price":"3500.25","cancel_reason":"","creation_timestamp":1700000000000,"direction":"buy","filled_amount":"1.5","instrument_name":"ETH-PERP","is_transfer":false,"label":"alpha-strategy","last_update_timestamp":1700000001000,"limit_price":"3501.0","max_fee":"10","mmp":false,"nonce":1700000000000001,"order_fee":"0.05","order_id":"abc-123","order_status":"open","order_type":"limit","signature":"0xdead","signature_expiry_sec":1700001000,"signer":"0xsigner","subaccount_id":74412,"time_in_force":"gtc"}]}}"#;
const FILL: &str = r#"{"method":"subscription","params":{"channel":"74412.trades","data":[{"subaccount_id":74412,"order_id":"pm2-held-fixture-order-close","instrument_name":"ETH-PERP","direction":"sell","label":"pm2-held-fixture-close","quote_id":null,"trade_id":"pm2-held-fixture-trade-close","rfq_id":null,"timestamp":1751600001000,"mark_price":"2568.670395471554","index_price":"2568.415935616099","trade_price":"2568.5","trade_amount":"0.1","liquidity_role":"taker","realized_pnl":"-0.21310522169","realized_pnl_excl_fees":"-0.039","is_transfer":false,"batch_status":"Settled","trade_fee":"0.087052478068","expected_rebate":"0","tx_hash":"0x0000000000000000000000000000000000000000000000000000000000000001","op_uuid":"00000000-0000-4000-8000-000000000002","extra_fee":"0"}]}}"#;
const INSTRUMENT: &str = r#"{"amount_step":"0.001","base_asset_address":"0xAf65752C4643E25C02F693f9D4FE19cF23a095E3","base_asset_sub_id":"0","base_currency":"ETH","base_fee":"0.01","instrument_name":"ETH-PERP","instrument_type":"perp","is_active":true,"maker_fee_rate":"0.0001","mark_price_fee_rate_cap":"0","maximum_amount":"10000","minimum_amount":"0.1","option_details":null,"quote_currency":"USD","scheduled_activation":1701840228,"scheduled_deactivation":9223372036854775807,"taker_fee_rate":"0.0003","tick_size":"0.01"}"#;

fn balance(subaccount: &str, before: &str, since: &str) -> String {
    format!(
        r#"{{"method":"subscription","params":{{"channel":"{subaccount}.balances","data":[{{"name":"USDC","previous_balance":"{before}","new_balance":"{since}","update_type":"transfer"}}]}}}}"#
    )
}

/// The answer to a request for a page of the list.
fn page(asked: &serde_json::Value) -> String {
    let (id, params) = (&asked["id"], &asked["params"]);
    if params["instrument_type"] == "erc20" {
        return format!(r#"{{"id":{id},"error":{{"code":12001,"message":"Instrument not found"}}}}"#);
    }
    let pages = if params["instrument_type"] == "option" { 2 } else { 1 };
    let name = match params["instrument_type"].as_str().unwrap() {
        "perp" => "ETH-PERP".to_owned(),
        _ => format!("ETH-20261225-{}000-C", params["page"]),
    };
    let instrument = INSTRUMENT.replace("ETH-PERP", &name);
    format!(r#"{{"id":{id},"result":{{"instruments":[{instrument}],"pagination":{{"count":1,"num_pages":{pages}}}}}}}"#)
}

fn account(key: &str) -> Arc<Account> {
    let session_key = Secret::new(key.to_owned());
    Arc::new(Account::Wallet(WalletAccount { wallet: WALLET.to_owned(), session_key }))
}

fn timeline(script: &Script, stream: &str) -> String {
    let states = script.timeline(stream).into_iter().map(|(at, state)| format!("{at} {state}"));
    states.collect::<Vec<_>>().join(", ")
}

#[test]
fn public_messages_become_rows() {
    let script = Script::replay("derive", [TICKER, BOOK, TRADES]);
    assert_eq!(script.odd(), Vec::<String>::new());
    let scaled = |number: &Number| number.as_scaled().unwrap();
    let mut trades = Vec::new();
    for event in &script.events {
        match event {
            Event::Ticker(ticker) => {
                let (bid, ask) = (ticker.bid.value().unwrap(), ticker.ask.value().unwrap());
                let low = ticker.low.value().unwrap();
                assert_eq!([scaled(&bid.0), scaled(&ask.0), scaled(&low.0)], [2_483_350, 2_485_850, 2_474_329]);
                assert!(ticker.last.is_absent());
                assert_eq!(ticker.time, Some(Timestamp(1_789_470_139_328_000_000)));
            }
            Event::Levels(book) => {
                assert_eq!((book.is_snapshot, book.levels.len(), book.last), (true, 2, Some(9582)));
                assert_eq!(scaled(&book.levels[1].price.as_ref().unwrap().0), 1);
            }
            Event::Trade(trade) => trades.push((trade.id.clone(), trade.taker_is_bid)),
            _ => {}
        }
    }
    // The two sides of one trade, under one number.
    let id = Some(Id::Text(Box::new("perp-trade-1".to_owned())));
    assert_eq!(trades, [(id.clone(), Some(true)), (id, Some(true))]);
    assert_eq!(timeline(&script, "orderbook ETH-USDC"), "2 consistent, 4 not_running");
}

#[test]
fn the_list_is_asked_for_page_by_page_and_then_what_is_wanted() {
    let wanted: &[Wanted<'_>] = &[
        ("orderbook", &["*-PERP", "ETH-2026*"], &[("group", "10"), ("depth", "20")]),
        ("ticker_slim", &["ETH-PERP"], &[]),
    ];
    let mut script = Script::open(plan("derive", wanted), None);
    let mut pages = Vec::new();
    loop {
        let sent = script.take_sent();
        let [only] = &sent[..] else {
            assert_eq!(
                sent,
                [
                    r#"{"id":2,"method":"subscribe","params":{"channels":["orderbook.ETH-PERP.10.20","orderbook.ETH-20261225-1000-C.10.20","orderbook.ETH-20261225-2000-C.10.20"]}}"#,
                    r#"{"id":3,"method":"subscribe","params":{"channels":["ticker_slim.ETH-PERP.1000"]}}"#,
                ]
            );
            break;
        };
        let asked: serde_json::Value = serde_json::from_str(only).unwrap();
        assert_eq!(asked["method"], "public/get_all_instruments");
        pages.push(asked["id"].as_str().unwrap().to_owned());
        script.receive(&page(&asked));
    }
    assert_eq!(pages, ["instruments perp 1", "instruments erc20 1", "instruments option 1", "instruments option 2"]);
    assert_eq!(script.count(|event| matches!(event, Event::Catalog(_))), 1);
    script.receive(r#"{"id":2,"result":{"status":{"orderbook.ETH-PERP.10.20":"ok","orderbook.ETH-20261225-1000-C.10.20":"{'group': ['Invalid enum value']}"},"current_subscriptions":["orderbook.ETH-PERP.10.20"]}}"#);
    let states = ["ETH-PERP", "ETH-20261225-1000-C", "ETH-20261225-2000-C"]
        .map(|name| script.state(&format!("orderbook {name}")));
    assert_eq!(states, ["consistent", "refused", "not_acknowledged"]);
    script.receive(r#"{"id":3,"error":{"code":-32602,"message":"Invalid params"}}"#);
    assert_eq!(script.state("ticker_slim ETH-PERP"), "refused");
    assert_eq!(script.odd(), Vec::<String>::new());
}

#[test]
fn the_login_is_the_time_signed_with_the_wallets_key() {
    let mut script = Script::open(plan("derive", &[("subaccount.balances", &[], &[])]), Some(account(KEY)));
    // The clock of the test stands at 1,000 s. The signature was made by another implementation (python, from the
    // definitions of secp256k1, RFC 6979 and Keccak).
    let signature = "0xe21ff454bd510274bd60591c22db4cfad5c967ae164036e889e5d9be358e59d25291004b1e471bf6990edd419e5bfc1e8322d961e8b1190f8436137ac324e4381b";
    let login = |signature: &str| {
        format!(
            r#"{{"id":1,"method":"public/login","params":{{"signature":"{signature}","timestamp":"1000000","wallet":"{WALLET}"}}}}"#
        )
    };
    assert_eq!(script.wire[0], login(signature));
    assert_eq!(script.sent[0], login("[redacted]"));
    script.receive(r#"{"id":1,"result":[74412,86126]}"#);
    let page_of = script.sent.iter().any(|sent| sent.contains("get_all_instruments"));
    assert!(page_of, "{:?}", script.sent);
    for _ in 0..4 {
        let asked = script.sent.iter().rev().find(|sent| sent.contains("get_all_instruments")).unwrap();
        let asked: serde_json::Value = serde_json::from_str(asked).unwrap();
        script.receive(&page(&asked));
    }
    let asked = r#""method":"subscribe","params":{"channels":["74412.balances","86126.balances"]}}"#;
    assert!(script.sent.last().unwrap().ends_with(asked), "{:?}", script.sent);
    let id: serde_json::Value = serde_json::from_str(script.sent.last().unwrap()).unwrap();
    script.receive(&format!(r#"{{"id":{},"result":{{"status":{{"74412.balances":"ok","86126.balances":"ok"}},"current_subscriptions":["74412.balances","86126.balances"]}}}}"#, id["id"]));
    assert_eq!(script.state("subaccount.balances"), "checked");
    assert_eq!(script.odd(), Vec::<String>::new());
}

#[test]
fn a_login_that_is_refused_or_cannot_be_signed_is_not_tried_again() {
    let refused = |script: &Script| script.wishes.iter().any(|wish| matches!(wish, Action::StopLogins { .. }));
    let mut script = Script::open(plan("derive", &[("subaccount.orders", &[], &[])]), Some(account(KEY)));
    script.receive(r#"{"id":1,"error":{"code":14014,"message":"Signature invalid"}}"#);
    assert!(refused(&script));
    assert_eq!(script.state("subaccount.orders"), "not_authenticated");
    let script = Script::open(plan("derive", &[("subaccount.orders", &[], &[])]), Some(account("0xno key")));
    assert!(refused(&script) && !script.sent.iter().any(|sent| sent.contains("login")));
    let told = format!("{:?}", script.wishes);
    assert!(told.contains("session_key") && !told.contains("no key"), "{told}");
}

#[test]
fn a_change_of_a_balance_that_is_missing_shows_with_the_next_one() {
    let changes = [
        balance("74412", "40.002873808976", "35.003062880558"),
        balance("74412", "35.003062880558", "10581.779418721074588722"),
        balance("86126", "1", "2"),
        balance("74412", "10581.779418721074588722", "0"),
    ];
    let all = |of: &[usize]| Script::replay("derive", of.iter().map(|n| changes[*n].as_str()));
    let script = all(&[0, 1, 2, 3]);
    assert_eq!(script.odd(), Vec::<String>::new());
    assert_eq!(timeline(&script, "subaccount.balances"), "1 checked, 4 unverifiable, 5 not_running");
    let total = |event: &Event| match event {
        Event::Balance(balance) => balance.total.as_ref().map(|total| (balance.places.unwrap(), total.0.clone())),
        _ => None,
    };
    let totals: Vec<_> = script.events.iter().filter_map(total).collect();
    // 23 digits at 18 places are more than 64 bits hold.
    assert_eq!(totals[0], (12, Number::Scaled(35_003_062_880_558)));
    assert_eq!(totals[1], (18, Number::Text(Box::new("10581.779418721074588722".to_owned()))));
    // Since when it is missing cannot be told: another asset's change, or another subaccount's, says nothing of it.
    let lost = "1 checked, 2 checksum_failed, 3 unverifiable, 4 not_running";
    assert_eq!(timeline(&all(&[0, 2, 3]), "subaccount.balances"), lost);
    assert_eq!(timeline(&all(&[0, 0, 1]), "subaccount.balances"), "1 checked, 3 unverifiable, 4 not_running");
}

#[test]
fn own_orders_say_what_is_left_of_them() {
    let filled = ORDER.replace(r#""order_status":"open""#, r#""order_status":"filled""#);
    let script = Script::replay("derive", [ORDER, &filled]);
    assert_eq!(script.odd(), Vec::<String>::new());
    let order = |event: &Event| match event {
        Event::Order(order) => Some((order.kind, order.own, order.quantity.as_ref().and_then(|left| left.as_scaled()))),
        _ => None,
    };
    let orders: Vec<_> = script.events.iter().filter_map(order).collect();
    assert_eq!(orders, [(OrderKind::Modified, true, Some(5)), (OrderKind::Closed, true, Some(0))]);
}

#[test]
fn the_account_is_recorded_and_its_key_and_signature_are_kept_nowhere() {
    let server = Server::start(
        |talk| {
            while let Some(asked) = talk.hear_json() {
                let id = &asked["id"];
                match asked["method"].as_str().unwrap() {
                    "public/login" => {
                        assert_eq!(asked["params"]["wallet"], WALLET);
                        talk.say(&format!(r#"{{"id":{id},"result":[74412]}}"#));
                    }
                    "public/get_all_instruments" => talk.say(&page(&asked)),
                    "subscribe" => {
                        let channel = asked["params"]["channels"][0].as_str().unwrap();
                        talk.say(&format!(r#"{{"id":{id},"result":{{"status":{{"{channel}":"ok"}},"current_subscriptions":["{channel}"]}}}}"#));
                        match channel {
                            "74412.orders" => talk.say(ORDER),
                            "74412.trades" => talk.say(FILL),
                            "74412.balances" => {
                                talk.say(&balance("74412", "40.002873808976", "10581.779418721074588722"));
                            }
                            other => panic!("{other}"),
                        }
                    }
                    other => panic!("{other}"),
                }
            }
        },
        |request| panic!("{request:?}"),
    );
    let recording = Recording::new(&[("key.txt", KEY)]);
    let sources = format!(
        "[[source]]\nname = \"mine\"\nvenue = \"derive\"\nurl = \"{}\"\nrest_url = \"{}\"\n\
         [source.account]\nwallet = \"{WALLET}\"\nsession_key = {{ file = \"key.txt\" }}\n\
         [[source.subscribe]]\nmethod = \"subaccount.orders\"\n[[source.subscribe]]\nmethod = \"subaccount.trades\"\n\
         [[source.subscribe]]\nmethod = \"subaccount.balances\"\n",
        server.url(),
        server.rest_url()
    );
    recording.until(
        &sources,
        "SELECT (SELECT count(*) FROM balances) = 1 AND (SELECT count(*) FROM fills) = 1 \
         AND (SELECT count(*) FROM my_orders WHERE order_id = 'abc-123') = 1",
    );
    let signatures = server.heard();
    let login: serde_json::Value =
        serde_json::from_str(signatures.iter().find(|heard| heard.contains("public/login")).unwrap()).unwrap();
    assert!(!recording.holds(login["params"]["signature"].as_str().unwrap()) && !recording.holds(KEY));
    assert!(recording.holds("[redacted]"));
    assert_eq!(recording.rows("SELECT asset, total FROM balances"), ["USDC 10581.779418721074588722"]);
    let fills = "SELECT side, role, price, quantity, counter_fee, order_id FROM fills";
    assert_eq!(recording.rows(fills), ["sell taker 2568.50 0.100 0.087052478068 pm2-held-fixture-order-close"]);
}
