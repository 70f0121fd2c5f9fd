//! Frames written by hand from the API documents, against the types in both directions.

use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::*;
use crate::model::{AssetCode, Patch, UserId};

const XBT: AssetCode = AssetCode(63488);
const USDT: AssetCode = AssetCode(65283);

/// The value is read from the frame, and the frame (in whatever order of keys) is written from the value.
#[track_caller]
fn both_ways<T: Serialize + DeserializeOwned + PartialEq + std::fmt::Debug>(frame: &str, value: T) {
    assert_eq!(serde_json::from_str::<T>(frame).expect(frame), value);
    writes(frame, &value);
}

#[track_caller]
fn writes<T: Serialize>(frame: &str, value: &T) {
    let written = serde_json::to_string(value).expect(frame);
    assert_eq!(
        serde_json::from_str::<Value>(&written).expect("our own frame"),
        serde_json::from_str::<Value>(frame).expect(frame),
        "{written}"
    );
}

#[track_caller]
fn command(frame: &str, tag: Option<i64>, command: Command) {
    assert!(frame.contains(&format!(r#""method":"{}""#, command.method())), "{frame}");
    let request = Request { tag, command };
    assert_eq!(Request::decode(frame).expect(frame), request);
    assert_eq!(
        serde_json::from_str::<Value>(&request.to_json()).expect("our own frame"),
        serde_json::from_str::<Value>(frame).expect(frame)
    );
}

#[track_caller]
fn refused(frame: &str, tag: Option<i64>, refusal: Refusal) {
    assert_eq!(refusal.code(), 8, "{frame}");
    assert_eq!(Request::decode(frame), Err(Undecodable { tag, refusal }), "{frame}");
}

fn limit_order() -> PlaceOrder {
    PlaceOrder {
        tonce: None,
        base: XBT,
        counter: USDT,
        quantity: Some(-12_345),
        price: Some(104_000_000),
        total: None,
        persist: None,
        post_only: None,
    }
}

#[test]
fn every_command_is_read_and_written_as_documented() {
    command(
        r#"{"tag":1,"method":"Authenticate","user_id":18446744073709551615,"cookie":"HGREqcILTz8blHa/jsUTVTNBJlg=",
            "nonce":"8IyYyvH9gujOqYJdv/BP0A==",
            "signature":["P7d6nXtbKmggnnb2hyB4xXkTQNWYmFSto6tzXg==","NLhDQS8YqRDxin1M4dNZeGDmNFsiv3iUz2d4Cg=="]}"#,
        Some(1),
        Command::Authenticate(Authenticate {
            user_id: UserId(u64::MAX),
            cookie: "HGREqcILTz8blHa/jsUTVTNBJlg=".into(),
            nonce: "8IyYyvH9gujOqYJdv/BP0A==".into(),
            signature: [
                "P7d6nXtbKmggnnb2hyB4xXkTQNWYmFSto6tzXg==".into(),
                "NLhDQS8YqRDxin1M4dNZeGDmNFsiv3iUz2d4Cg==".into(),
            ],
        }),
    );
    command(r#"{"method":"GetBalances"}"#, None, Command::GetBalances);
    command(r#"{"method":"GetOrders","tag":9223372036854775807}"#, Some(i64::MAX), Command::GetOrders);
    command(
        r#"{"method":"EstimateMarketOrder","base":63488,"counter":65283,"quantity":-10000,"tag":4}"#,
        Some(4),
        Command::EstimateMarketOrder(EstimateMarketOrder {
            base: XBT,
            counter: USDT,
            quantity: Some(-10_000),
            total: None,
        }),
    );
    command(
        r#"{"method":"EstimateMarketOrder","base":63488,"counter":65283,"total":500}"#,
        None,
        Command::EstimateMarketOrder(EstimateMarketOrder {
            base: XBT,
            counter: USDT,
            quantity: None,
            total: Some(500),
        }),
    );
    command(
        r#"{"method":"PlaceOrder","base":63488,"counter":65283,"quantity":-12345,"price":104000000}"#,
        None,
        Command::PlaceOrder(limit_order()),
    );
    command(
        r#"{"tag":7,"method":"PlaceOrder","tonce":5,"base":63488,"counter":65283,"quantity":-12345,"price":104000000,
            "persist":false,"post_only":true}"#,
        Some(7),
        Command::PlaceOrder(PlaceOrder {
            tonce: Some(5),
            persist: Some(Persist::UntilDisconnected),
            post_only: Some(true),
            ..limit_order()
        }),
    );
    command(
        r#"{"method":"PlaceOrder","base":63488,"counter":65283,"quantity":-12345,"price":104000000,"persist":true}"#,
        None,
        Command::PlaceOrder(PlaceOrder { persist: Some(Persist::UntilCancelled), ..limit_order() }),
    );
    command(
        r#"{"method":"PlaceOrder","base":63488,"counter":65283,"quantity":-12345,"price":104000000,
            "persist":"fill_or_kill"}"#,
        None,
        Command::PlaceOrder(PlaceOrder { persist: Some(Persist::FillOrKill), ..limit_order() }),
    );
    command(
        r#"{"method":"PlaceOrder","base":63488,"counter":65283,"total":-990000}"#,
        None,
        Command::PlaceOrder(PlaceOrder { quantity: None, price: None, total: Some(-990_000), ..limit_order() }),
    );
    command(
        r#"{"method":"ModifyOrder","id":211118,"quantity_delta":-10,"price":32000,"post_only":false}"#,
        None,
        Command::ModifyOrder(ModifyOrder {
            id: Some(211_118),
            tonce: None,
            quantity_delta: Some(-10),
            price: Some(32_000),
            post_only: Some(false),
        }),
    );
    command(
        r#"{"method":"CancelOrder","tonce":5}"#,
        None,
        Command::CancelOrder(CancelOrder { id: None, tonce: Some(5) }),
    );
    command(r#"{"method":"CancelAllOrders"}"#, None, Command::CancelAllOrders);
    command(
        r#"{"method":"GetTradeVolume","asset":63488}"#,
        None,
        Command::GetTradeVolume(GetTradeVolume { asset: XBT }),
    );
    command(
        r#"{"method":"WatchOrders","base":63488,"counter":65283,"watch":true,"tag":2}"#,
        Some(2),
        Command::WatchOrders(Watch { base: XBT, counter: USDT, watch: true }),
    );
    command(
        r#"{"method":"WatchTicker","base":63488,"counter":65283,"watch":false}"#,
        None,
        Command::WatchTicker(Watch { base: XBT, counter: USDT, watch: false }),
    );
}

#[test]
fn every_method_is_listed() {
    for method in Command::METHODS {
        let refusal = Request::decode(&format!(r#"{{"method":"{method}"}}"#)).err().map(|error| error.refusal);
        assert!(!matches!(refusal, Some(Refusal::UnknownMethod | Refusal::NotACommand)), "{method}: {refusal:?}");
    }
}

#[test]
fn a_tag_of_zero_is_no_tag() {
    assert_eq!(Request::decode(r#"{"tag":0,"method":"GetOrders"}"#).map(|request| request.tag), Ok(None));
    writes(r#"{"error_code":0}"#, &Reply::success(Some(0), Done {}));
    writes(
        r#"{"error_code":7,"error_msg":"You are not authenticated."}"#,
        &Reply::refused(Some(0), &Refusal::NotAuthenticated),
    );
}

#[test]
fn what_is_no_command_is_refused_with_code_8_and_its_tag() {
    refused("", None, Refusal::NotACommand);
    refused("{", None, Refusal::NotACommand);
    refused("[1,\"GetBalances\"]", None, Refusal::NotACommand);
    refused("null", None, Refusal::NotACommand);
    refused(&"[".repeat(100_000), None, Refusal::NotACommand);
    refused(r#"{"tag":3,"method":"GetOrders"} x"#, None, Refusal::NotACommand);
    refused(r#"{"tag":3}"#, Some(3), Refusal::NotACommand);
    refused(r#"{"tag":3,"method":4}"#, Some(3), Refusal::NotACommand);
    refused(r#"{"tag":3,"method":"getorders"}"#, Some(3), Refusal::UnknownMethod);
    refused(r#"{"tag":"3","method":"GetOrders"}"#, None, Refusal::InvalidField("tag"));
    refused(r#"{"tag":9223372036854775808,"method":"GetOrders"}"#, None, Refusal::InvalidField("tag"));
    refused(r#"{"tag":3,"method":"WatchOrders","base":63488,"watch":true}"#, Some(3), Refusal::InvalidField("counter"));
    refused(r#"{"method":"WatchOrders","base":63488,"counter":65283,"watch":1}"#, None, Refusal::InvalidField("watch"));
    for price in ["1.5", "1e3", "\"1\"", "9223372036854775808", "-9223372036854775809", "true", "[]"] {
        refused(
            &format!(r#"{{"method":"PlaceOrder","base":63488,"counter":65283,"quantity":1,"price":{price}}}"#),
            None,
            Refusal::InvalidField("price"),
        );
    }
    for persist in ["1", "\"FILL_OR_KILL\"", "{}"] {
        refused(
            &format!(r#"{{"method":"PlaceOrder","base":1,"counter":2,"quantity":1,"price":1,"persist":{persist}}}"#),
            None,
            Refusal::InvalidField("persist"),
        );
    }
    refused(r#"{"method":"CancelOrder","id":-0.0}"#, None, Refusal::InvalidField("id"));
    refused(
        r#"{"method":"Authenticate","user_id":-1,"cookie":"","nonce":"","signature":["",""]}"#,
        None,
        Refusal::InvalidField("user_id"),
    );
    refused(
        r#"{"method":"Authenticate","user_id":1,"cookie":"","nonce":"","signature":["","",""]}"#,
        None,
        Refusal::InvalidField("signature"),
    );
}

#[test]
fn null_and_unknown_fields_of_a_command_count_as_absent() {
    assert_eq!(
        Request::decode(r#"{"method":"CancelOrder","id":1,"tonce":null,"comment":"x","tag":null}"#),
        Ok(Request { tag: None, command: Command::CancelOrder(CancelOrder { id: Some(1), tonce: None }) })
    );
}

#[test]
fn a_refusal_never_repeats_what_the_client_sent() {
    let frame = r#"{"method":"Authenticate","user_id":1,"cookie":["hunter2"],"nonce":"","signature":["",""]}"#;
    let error = Request::decode(frame).expect_err("a list is no cookie");
    assert!(!error.refusal.to_string().contains("hunter2"), "{}", error.refusal);
}

#[test]
fn a_login_does_not_show_its_secrets() {
    let frame = r#"{"method":"Authenticate","user_id":1,"cookie":"hunter2","nonce":"n","signature":["sig-r","sig-s"]}"#;
    let shown = format!("{:?}", Request::decode(frame));
    assert!(shown.contains("Authenticate") && !shown.contains("hunter2") && !shown.contains("sig-"), "{shown}");
}

#[test]
fn every_reply_is_read_and_written_as_documented() {
    both_ways(r#"{"tag":1,"error_code":0}"#, Reply::success(Some(1), Done {}));
    both_ways(
        r#"{"tag":1,"error_code":4,"error_msg":"You have insufficient funds."}"#,
        Reply::refused(Some(1), &Refusal::InsufficientFunds),
    );
    both_ways(
        r#"{"error_code":0,"tag":101,"balances":[
            {"asset":63488,"balance":1,"reserved_balance":2,"total_balance":3},{"asset":65283,"balance":-4}]}"#,
        Reply::success(
            Some(101),
            Balances {
                balances: vec![
                    Balance { asset: XBT, balance: 1, reserved_balance: Some(2), total_balance: Some(3) },
                    Balance { asset: USDT, balance: -4, reserved_balance: None, total_balance: None },
                ],
            },
        ),
    );
    let order =
        OwnOrder { id: 7, tonce: Patch::Null, base: XBT, counter: USDT, quantity: -5, price: 6, time: 1_393_761 };
    both_ways(
        r#"{"error_code":0,"orders":[
            {"id":7,"tonce":null,"base":63488,"counter":65283,"quantity":-5,"price":6,"time":1393761},
            {"id":7,"tonce":9,"base":63488,"counter":65283,"quantity":-5,"price":6,"time":1393761},
            {"id":7,"base":63488,"counter":65283,"quantity":-5,"price":6,"time":1393761}]}"#,
        Reply::success(
            None,
            Orders {
                orders: vec![
                    order.clone(),
                    OwnOrder { tonce: Patch::Value(9), ..order.clone() },
                    OwnOrder { tonce: Patch::Absent, ..order.clone() },
                ],
            },
        ),
    );
    both_ways(
        r#"{"tag":2,"error_code":0,"id":7,"tonce":null,"base":63488,"counter":65283,"quantity":-5,"price":6,
            "time":1393761}"#,
        Reply::success(Some(2), order),
    );
    both_ways(
        r#"{"error_code":0,"quantity":10000,"tag":304,"total":33000}"#,
        Reply::success(Some(304), Estimate { quantity: 10_000, total: 33_000 }),
    );
    both_ways(
        r#"{"error_code":0,"id":211120,"tag":302,"time":1393762153711925}"#,
        Reply::success(Some(302), Opened { id: 211_120, time: 1_393_762_153_711_925 }),
    );
    both_ways(r#"{"error_code":0,"remaining":0}"#, Reply::success(None, Remaining { remaining: 0 }));
    both_ways(r#"{"error_code":0,"volume":40070,"tag":102}"#, Reply::success(Some(102), Volume { volume: 40_070 }));
    both_ways(
        r#"{"error_code":0,"orders":[{"id":1,"quantity":-2,"price":3,"time":4}]}"#,
        Reply::success(None, Book { orders: vec![BookOrder { id: 1, quantity: -2, price: 3, time: 4 }] }),
    );
    both_ways(
        r#"{"ask":33000,"bid":32000,"error_code":0,"high":null,"last":32000,"low":null,"tag":202,"volume":0}"#,
        Reply::success(
            Some(202),
            Ticker { last: Some(32_000), bid: Some(32_000), ask: Some(33_000), low: None, high: None, volume: 0 },
        ),
    );
}

#[test]
fn every_notice_is_read_and_written_as_documented() {
    both_ways(
        r#"{"notice":"Welcome","nonce":"azRzAi5rm1ry/l0drnz1vw=="}"#,
        Notice::Welcome(Welcome { nonce: "azRzAi5rm1ry/l0drnz1vw==".into(), warning: None }),
    );
    both_ways(
        r#"{"notice":"BalanceChanged","asset":65283,"balance":990000}"#,
        Notice::BalanceChanged(BalanceChanged { asset: USDT, balance: 990_000 }),
    );
    let opened = OrderChange { id: 1, tonce: Patch::Absent, base: XBT, counter: USDT, quantity: 2, price: 3, time: 4 };
    both_ways(
        r#"{"notice":"OrderOpened","id":1,"base":63488,"counter":65283,"quantity":2,"price":3,"time":4}"#,
        Notice::OrderOpened(opened.clone()),
    );
    both_ways(
        r#"{"notice":"OrderOpened","id":1,"tonce":null,"base":63488,"counter":65283,"quantity":2,"price":3,"time":4}"#,
        Notice::OrderOpened(OrderChange { tonce: Patch::Null, ..opened.clone() }),
    );
    both_ways(
        r#"{"notice":"OrderModified","id":1,"tonce":8,"base":63488,"counter":65283,"quantity":2,"price":3,"time":4}"#,
        Notice::OrderModified(OrderChange { tonce: Patch::Value(8), ..opened }),
    );
    let matched = OrdersMatched {
        bid: Some(211_183),
        bid_tonce: Patch::Absent,
        ask: Some(211_184),
        ask_tonce: Patch::Absent,
        base: XBT,
        counter: USDT,
        quantity: 4_768,
        taker_side: Some(Side::Ask),
        taker: None,
        price: 32_000,
        total: 15_258,
        bid_rem: Some(0),
        ask_rem: Some(10_464),
        time: 1_393_861_703_915_695,
        bid_base_fee: None,
        bid_counter_fee: None,
        ask_base_fee: None,
        ask_counter_fee: None,
    };
    both_ways(
        r#"{"notice":"OrdersMatched","bid":211183,"ask":211184,"base":63488,"counter":65283,"quantity":4768,
            "taker_side":"ask","price":32000,"total":15258,"bid_rem":0,"ask_rem":10464,"time":1393861703915695}"#,
        Notice::OrdersMatched(Box::new(matched.clone())),
    );
    both_ways(
        r#"{"notice":"OrdersMatched","bid":211183,"bid_tonce":null,"base":63488,"counter":65283,"quantity":4768,
            "taker_side":"bid","taker":true,"price":32000,"total":15258,"bid_rem":0,"time":1393861703915695,
            "bid_base_fee":0,"bid_counter_fee":5}"#,
        Notice::OrdersMatched(Box::new(OrdersMatched {
            ask: None,
            ask_rem: None,
            bid_tonce: Patch::Null,
            taker_side: Some(Side::Bid),
            taker: Some(true),
            bid_base_fee: Some(0),
            bid_counter_fee: Some(5),
            ..matched
        })),
    );
    both_ways(
        r#"{"notice":"OrderClosed","id":1,"base":63488,"counter":65283,"quantity":-2,"price":3,"time_closed":5}"#,
        Notice::OrderClosed(OrderClosed {
            id: 1,
            tonce: Patch::Absent,
            base: XBT,
            counter: USDT,
            quantity: -2,
            price: 3,
            time_closed: Some(5),
        }),
    );
    both_ways(
        r#"{"notice":"TickerChanged","base":63488,"counter":65283,"ask":31899,"bid":null}"#,
        Notice::TickerChanged(TickerChanged {
            base: XBT,
            counter: USDT,
            last: Patch::Absent,
            bid: Patch::Null,
            ask: Patch::Value(31_899),
            low: Patch::Absent,
            high: Patch::Absent,
            volume: Patch::Absent,
        }),
    );
    both_ways(
        r#"{"notice":"TradeVolumeChanged","asset":63488,"volume":40070}"#,
        Notice::TradeVolumeChanged(TradeVolumeChanged { asset: XBT, volume: 40_070 }),
    );
}

#[test]
fn every_rest_body_is_read_and_written_as_documented() {
    both_ways(
        r#"[{"id":63488,"name":"XBT","scale":10000},
            {"id":51202,"spot_id":63488,"spot_name":"XBT","name":"XBTMAR","scale":10000}]"#,
        vec![
            RestAsset { id: XBT, spot_id: None, spot_name: None, name: "XBT".into(), scale: 10_000 },
            RestAsset {
                id: AssetCode(51_202),
                spot_id: Some(XBT),
                spot_name: Some("XBT".into()),
                name: "XBTMAR".into(),
                scale: 10_000,
            },
        ],
    );
    both_ways(
        r#"[{"base":63488,"counter":65283,"name":"XBT:USDT","tick":10000},
            {"base":51202,"counter":51862,"name":"XBTMAR:USDTMAR","spot_name":"XBT:USDT","start":1580385600000,
             "expires":1585310400000,"tenor":"H","tick":5000}]"#,
        vec![
            RestMarket {
                base: XBT,
                counter: USDT,
                name: "XBT:USDT".into(),
                spot_name: None,
                start: None,
                expires: None,
                tenor: None,
                tick: 10_000,
            },
            RestMarket {
                base: AssetCode(51_202),
                counter: AssetCode(51_862),
                name: "XBTMAR:USDTMAR".into(),
                spot_name: Some("XBT:USDT".into()),
                start: Some(1_580_385_600_000),
                expires: Some(1_585_310_400_000),
                tenor: Some("H".into()),
                tick: 5_000,
            },
        ],
    );
    both_ways(
        r#"{"base":63488,"counter":65283,"name":"XBT:USDT","last":null,"bid":1,"ask":2,"low":null,"high":null,
            "volume":0,"time":1393761892719645}"#,
        RestTicker {
            base: XBT,
            counter: USDT,
            name: "XBT:USDT".into(),
            spot_name: None,
            last: None,
            bid: Some(1),
            ask: Some(2),
            low: None,
            high: None,
            volume: 0,
            time: 1_393_761_892_719_645,
        },
    );
    both_ways(r#"{"bids":[[100,5],[99,7]],"asks":[]}"#, RestDepth { bids: vec![(100, 5), (99, 7)], asks: vec![] });
    both_ways(r#"{"id":63488,"available":1,"reserved":2}"#, RestBalance { id: XBT, available: 1, reserved: 2 });
    both_ways(
        r#"{"id":1,"base":63488,"counter":65283,"quantity":-2,"price":3,"time":4}"#,
        RestOrder { id: 1, base: XBT, counter: USDT, quantity: -2, price: 3, time: 4 },
    );
    both_ways(r#"{"asset":63488,"position":-5,"through":6}"#, RestPosition { asset: XBT, position: -5, through: 6 });
    both_ways(
        r#"{"time":1,"base":63488,"counter":65283,"quantity":-2,"price":3,"total":-4,"base_fee":0,"counter_fee":5,
            "order_id":null}"#,
        RestTrade {
            time: 1,
            base: XBT,
            counter: USDT,
            quantity: -2,
            price: 3,
            total: -4,
            base_fee: 0,
            counter_fee: 5,
            order_id: None,
        },
    );
    both_ways(
        r#"{"asset":63488,"spot_value":1,"change_in_spot_value":2,"futures_value":3,"change_in_futures_value":4,
            "total_value":5,"change_in_total_value":6}"#,
        AccountValue {
            asset: XBT,
            spot_value: 1,
            change_in_spot_value: 2,
            futures_value: 3,
            change_in_futures_value: 4,
            total_value: 5,
            change_in_total_value: 6,
        },
    );
}

/// What the fuzzer starts from, and the property it looks for.
#[test]
fn every_seed_of_the_fuzzer_is_answered() {
    let seeds = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fuzz/corpus/command");
    let mut accepted = 0;
    for seed in std::fs::read_dir(seeds).expect("the corpus").map(|seed| seed.expect("a file").path()) {
        let Ok(text) = std::fs::read_to_string(&seed) else { continue };
        match Request::decode(&text) {
            Ok(request) => {
                accepted += 1;
                assert_eq!(Request::decode(&request.to_json()).as_ref(), Ok(&request), "{}", seed.display());
            }
            Err(error) => assert_eq!(error.refusal.code(), 8, "{}", seed.display()),
        }
    }
    assert!(accepted >= Command::METHODS.len(), "a seed for each command");
}

proptest::proptest! {
    #[test]
    fn no_text_makes_the_decoder_panic(text in ".{0,200}") {
        let _ = Request::decode(&text);
    }

    #[test]
    fn what_a_client_writes_the_exchange_reads(
        tag in 1i64.., id in proptest::option::of(0i64..), tonce in proptest::option::of(1i64..),
        delta in proptest::option::of(proptest::num::i64::ANY), price in proptest::option::of(proptest::num::i64::ANY),
    ) {
        let request =
            Request::tagged(tag, Command::ModifyOrder(ModifyOrder { id, tonce, quantity_delta: delta, price, post_only: None }));
        proptest::prop_assert_eq!(Request::decode(&request.to_json()), Ok(request));
    }
}
