//! The session as tables of inputs and what it says and wants.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use feedtape::crypto::{OsRandomness, Randomness};
use feedtape::journal::{Closed, Input, Opened, Plan, PollPlan, RestAnswer};
use feedtape::model::{
    AssetCode, CloseCause, Coverage, Event, MarketPattern, Seq, Stamp, SubscriptionChange, Timestamp,
};
use feedtape::venue::Action;

use super::script::*;

#[test]
fn a_public_session_greets_subscribes_and_is_covered_from_the_snapshot_on() {
    let mut script = Script::connected(plan(&[("WatchOrders", &["XBT:USDT"])]), None);
    let lines = script.receive(WELCOME);
    assert_eq!(lines, ["greeted", "s0 gap not_acknowledged", "asked s0"]);
    assert_eq!(script.sent, [r#"{"tag":1,"method":"WatchOrders","base":63488,"counter":65283,"watch":true}"#]);
    let lines = script.receive(r#"{"error_code":0,"tag":1,"orders":[{"id":7,"quantity":5,"price":9,"time":1}]}"#);
    assert_eq!(
        lines,
        ["reply WatchOrders Some(0)", "book m0 from Some(Seq(4)): 1 orders", "acknowledged s0", "s0 consistent"]
    );
    let lines = script.give(&Input::Closed(Closed::new(CloseCause::EndOfStream, "")));
    assert_eq!(lines, ["ended s0 not_connected", "s0 gap not_connected", "closed end_of_stream"]);
}

#[test]
fn the_login_is_signed_as_the_exchange_publishes_and_journalled_without_secrets() {
    let mut script = Script::connected(account_plan(&[]), Some(account()));
    script.obey = false;
    script.receive(WELCOME);
    let Some(Action::Send(login)) = script.wishes.pop() else { panic!("it wants to log in") };
    assert!(login.is_login);
    for part in [
        r#""method":"Authenticate""#,
        r#""user_id":1"#,
        r#""cookie":"HGREqcILTz8blHa/jsUTVTNBJlg=""#,
        r#""nonce":"8IyYyvH9gujOqYJdv/BP0A==""#,
        r#""signature":["F4H/SZe0jTifUY33UAHEtlZAgpViKNdN0DIWVg==","R7Ac7rJqD0eM4MoV7UbLcM5Xg79Y+ijnLY39QA=="]"#,
    ] {
        assert!(login.text.expose().contains(part), "{part}");
    }
    let shown = format!("{login:?} {}", login.journal);
    for secret in ["HGREqcILTz8blHa", "F4H/SZe0", "R7Ac7rJq", "opensesame"] {
        assert!(!shown.contains(secret), "{shown}");
    }
    assert!(login.journal.contains(r#""user_id":1"#));
}

#[test]
fn after_the_login_come_the_account_and_then_everything_else() {
    let mut script = Script::connected(account_plan(&[("WatchTicker", &["*"])]), Some(account()));
    let lines = script.receive(WELCOME);
    assert_eq!(lines[..2], ["greeted", "s0 gap not_authenticated"]);
    assert_eq!(script.sent.len(), 1, "nothing is asked for before the login is settled");
    script.receive(r#"{"error_code":0,"tag":1}"#);
    let methods: Vec<_> = script.sent[1..].iter().map(|frame| frame.split('"').nth(5).unwrap()).collect();
    assert_eq!(methods, ["WatchTicker", "WatchTicker", "WatchTicker", "GetBalances", "GetOrders"]);
    let first =
        r#"{"error_code":0,"tag":5,"balances":[{"asset":63488,"balance":5,"reserved_balance":1,"total_balance":6}]}"#;
    assert_eq!(script.receive(first), ["reply GetBalances Some(0)", "balance XBT 5 reserved 1 snapshot true"]);
    let lines = script.receive(r#"{"error_code":0,"tag":6,"orders":[]}"#);
    assert_eq!(
        lines,
        ["reply GetOrders Some(0)", "own orders 0 cancelled false", "asked s0", "acknowledged s0", "s0 consistent"]
    );
}

#[test]
fn a_refused_login_stops_logins_and_public_streams_go_on() {
    for (reply, hint) in [
        (r#"{"error_code":1,"error_msg":"There is no such user.","tag":1}"#, "there is no such user: check user_id ("),
        (
            r#"{"error_code":7,"error_msg":"You sent an incorrect login cookie.","tag":1}"#,
            "the cookie is wrong: check cookie (",
        ),
        (
            r#"{"error_code":7,"error_msg":"You sent an incorrect signature. This probably means you used a wrong passphrase.","tag":1}"#,
            "the signature is wrong: check passphrase (and user_id) (",
        ),
        (
            r#"{"error_code":7,"error_msg":"No.","tag":1}"#,
            "the login was refused: check user_id, cookie and passphrase (",
        ),
    ] {
        let mut script = Script::connected(account_plan(&[("WatchOrders", &["XBT:USDT"])]), Some(account()));
        script.receive(WELCOME);
        let lines = script.receive(reply);
        assert!(lines[1].starts_with("login refused"), "{lines:?}");
        let [Action::StopLogins { reason }] = script.wishes.as_slice() else { panic!("{:?}", script.wishes) };
        assert!(reason.starts_with(hint), "{reason}");
        assert!(script.sent[1].contains("WatchOrders"));
        let lines = script.receive(r#"{"error_code":0,"tag":2,"orders":[]}"#);
        assert_eq!(lines.last().unwrap(), "s1 consistent");
        // Nor when another plan comes that says nothing else of it.
        script.give(&Input::Replanned(Arc::new(account_plan(&[("WatchOrders", &["XBT:USDT"])]))));
        assert_eq!(script.sent.len(), 2, "no second login");
    }
}

#[test]
fn logins_that_come_too_rapidly_are_tried_again_after_a_quarter_of_an_hour() {
    let mut script = Script::connected(account_plan(&[("WatchOrders", &["XBT:USDT"])]), Some(account()));
    script.receive(WELCOME);
    let asked_at = script.now;
    script.receive(r#"{"error_code":6,"error_msg":"You are making authentication attempts too rapidly.","tag":1}"#);
    assert!(matches!(script.wishes.as_slice(), [Action::DelayLogins { until }] if *until == asked_at + 900 * SECOND));
    script.receive(r#"{"error_code":0,"tag":2,"orders":[]}"#);
    script.wait();
    assert_eq!(script.now, asked_at + 900 * SECOND);
    assert!(script.sent[2].contains("Authenticate"), "{:?}", script.sent);
}

#[test]
fn a_withheld_login_is_made_once_nothing_withholds_it() {
    let plan = account_plan(&[("WatchOrders", &["XBT:USDT"])]);
    let withheld = Plan { login_withheld: Some("the budget is spent".to_owned()), ..plan.clone() };
    let mut script = Script::connected(withheld.clone(), Some(account()));
    script.receive(WELCOME);
    assert_eq!(script.sent.len(), 1, "the public subscription alone: {:?}", script.sent);
    script.receive(r#"{"error_code":0,"tag":1,"orders":[]}"#);
    script.give(&Input::Replanned(Arc::new(plan.clone())));
    assert!(script.sent[1].contains("Authenticate"), "{:?}", script.sent);

    // A login that is kept from going out holds up nothing, and is made later.
    let mut script = Script::connected(plan.clone(), Some(account()));
    script.obey = false;
    script.receive(WELCOME);
    script.obey = true;
    script.give(&Input::Replanned(Arc::new(withheld)));
    assert!(script.sent[0].contains("WatchOrders"), "{:?}", script.sent);
    script.give(&Input::Replanned(Arc::new(plan)));
    assert!(script.sent[1].contains("Authenticate"), "{:?}", script.sent);
}

#[test]
fn replies_are_matched_by_tag_in_any_order() {
    let mut script = Script::connected(plan(&[("WatchOrders", &["XBT:USDT", "ETH:USDT"])]), None);
    script.receive(WELCOME);
    let lines = script.receive_all(&[
        r#"{"error_code":0,"tag":2,"orders":[]}"#,
        r#"{"error_code":0,"tag":1,"orders":[{"id":1,"quantity":1,"price":1,"time":1}]}"#,
    ]);
    assert!(lines.contains(&"book m1 from Some(Seq(5)): 0 orders".to_owned()), "{lines:?}");
    assert!(lines.contains(&"book m0 from Some(Seq(4)): 1 orders".to_owned()), "{lines:?}");
}

#[test]
fn a_reply_that_nobody_asked_for_is_kept_and_changes_nothing() {
    let mut script = Script::connected(plan(&[("WatchOrders", &["XBT:USDT"])]), None);
    script.receive(WELCOME);
    let lines = script.receive(r#"{"error_code":0,"tag":99,"orders":[]}"#);
    assert_eq!(lines, ["reply ? Some(0)", "not understood unknown_tag [99]"]);
}

#[test]
fn a_scale_that_changes_ends_what_is_known_until_a_fresh_snapshot() {
    let mut script = Script::connected(plan(&[("WatchOrders", &["XBT:USDT", "ETH:USDT"])]), None);
    script.receive(WELCOME);
    script.receive_all(&[r#"{"error_code":0,"tag":1,"orders":[]}"#, r#"{"error_code":0,"tag":2,"orders":[]}"#]);
    script.receive_all(&[&opened(1, 100, 50)]);
    script.now += 100 * SECOND;
    let mut list = catalog();
    list.other_until = Some(Timestamp(1_000 * SECOND + script.now - 60 * SECOND));
    let market = list.markets.iter_mut().find(|market| market.name == "XBT:USDT").unwrap();
    market.price_places = market.price_places.map(|places| places + 1);
    let lines = script.give(&Input::Catalog(Arc::new(list.clone())));
    assert_eq!(lines, ["s0 unverifiable"], "the other market goes on");
    let doubt = script.last_transition.clone().unwrap();
    assert_eq!((Some(doubt.at), doubt.evidence.as_deref()), (list.other_until, Some("the scale changed")));
    assert!(script.sent[2].contains(r#""watch":false"#) && script.sent.len() == 3, "{:?}", script.sent);
    // What notices say of orders that were stated at the other scale contradicts nothing.
    assert_eq!(findings(&mut script, &[closed(1, 1_000, 500)]), NOTHING);
    script.receive(r#"{"error_code":0,"tag":3}"#);
    let lines = script.receive(r#"{"error_code":0,"tag":4,"orders":[]}"#);
    assert!(lines.contains(&"s0 consistent".to_owned()), "{lines:?}");
    // A list that says the same changes nothing.
    assert_eq!(script.give(&Input::Catalog(Arc::new(list))), NOTHING);
}

#[test]
fn a_subscription_refused_for_its_market_waits_until_it_is_listed_anew() {
    let mut script = Script::connected(plan(&[("WatchOrders", &["XBT:USDT", "ETH:USDT"])]), None);
    script.receive(WELCOME);
    let refusal = r#"{"error_code":1,"error_msg":"You specified an invalid asset pair.","tag":1}"#;
    assert_eq!(script.receive(refusal), ["reply WatchOrders Some(1)", "refused s0 1", "s0 gap refused"]);
    assert_eq!(script.receive(r#"{"error_code":0,"tag":2,"orders":[]}"#).last().unwrap(), "s1 consistent");
    let mut without = catalog();
    without.markets.remove(0);
    script.give(&Input::Catalog(Arc::new(without)));
    assert_eq!(script.sent.len(), 2);
    let lines = script.give(&Input::Catalog(Arc::new(catalog())));
    assert!(script.sent[2].contains("63488"), "{:?} {lines:?}", script.sent);
    assert_eq!(script.receive(r#"{"error_code":0,"tag":3,"orders":[]}"#).last().unwrap(), "s0 consistent");
}

#[test]
fn being_told_that_it_watches_already_is_covered_only_by_a_snapshot() {
    let mut script = Script::connected(plan(&[("WatchOrders", &["XBT:USDT"])]), None);
    script.receive(WELCOME);
    let told = r#"{"error_code":2,"error_msg":"You are already watching the order book for the specified asset pair.","tag":1}"#;
    script.receive(told);
    assert!(script.sent[1].contains(r#""watch":false"#), "{:?}", script.sent);
    script.receive(r#"{"error_code":0,"tag":2}"#);
    assert!(script.sent[2].contains(r#""watch":true"#));
    assert_eq!(script.receive(r#"{"error_code":0,"tag":3,"orders":[]}"#).last().unwrap(), "s0 consistent");
}

#[test]
fn wildcards_take_in_markets_that_are_listed_later_and_let_go_of_expired_ones() {
    let mut script = Script::connected(plan(&[("WatchOrders", &["ETH:*"])]), None);
    script.receive(WELCOME);
    assert_eq!(script.sent.len(), 2);
    script.receive_all(&[r#"{"error_code":0,"tag":1,"orders":[]}"#, r#"{"error_code":0,"tag":2,"orders":[]}"#]);
    let mut more = catalog();
    let mut market = more.markets[1].clone();
    (market.name, market.counter, market.counter_code) = ("ETH:FLEX".into(), "FLEX".into(), Some(AssetCode(65285)));
    more.markets.push(market);
    script.give(&Input::Catalog(Arc::new(more)));
    assert!(script.sent[2].contains("65285"), "{:?}", script.sent);
    script.receive(r#"{"error_code":0,"tag":3,"orders":[]}"#);
    let lines = script.wait();
    assert_eq!(script.now, 500 * SECOND, "when ETH:USDC expires");
    assert_eq!(lines, ["s1 gap expired"]);
    assert!(script.sent[3].contains(r#""watch":false"#));
    assert_eq!(script.receive(r#"{"error_code":0,"tag":4}"#), ["reply WatchOrders Some(0)", "ended s1 expired"]);
}

#[test]
fn a_market_that_is_not_listed_is_a_stream_that_says_so() {
    let mut script = Script::new(None);
    script.give(&Input::Connecting(Arc::new(plan(&[("WatchOrders", &["XBT:UDST", "XBT:USDT"])]))));
    let lines = script.give(&Input::Catalog(Arc::new(catalog())));
    assert_eq!(lines, ["s0 gap refused", "s1 gap not_connected"]);
}

#[test]
fn a_name_without_any_catalog_is_a_stream_that_waits_for_one() {
    let mut script = Script::new(None);
    let plan = plan(&[("WatchOrders", &["XBT:USDT", "*", "63488:65283"])]);
    assert_eq!(script.give(&Input::Connecting(Arc::new(plan))), ["s0 gap not_connected"]);
    let lines = script.give(&Input::Opened(Opened { peer: None }));
    assert_eq!(lines[lines.len() - 2..], ["s1 gap not_acknowledged", "s0 gap not_greeted"]);
    script.receive(WELCOME);
    assert_eq!(script.sent, [r#"{"tag":1,"method":"WatchOrders","base":63488,"counter":65283,"watch":true}"#]);
    let lines = script.give(&Input::Catalog(Arc::new(catalog())));
    assert!(!lines.contains(&"s1 gap refused".to_owned()), "{lines:?}");
}

#[test]
fn a_pair_of_codes_that_nobody_lists_is_asked_for_and_its_scale_is_unknown() {
    let mut script = Script::connected(plan(&[("WatchOrders", &["51200:51880"])]), None);
    script.receive(WELCOME);
    assert!(script.sent[0].contains(r#""base":51200,"counter":51880"#), "{:?}", script.sent);
    let lines = script.receive(r#"{"error_code":0,"tag":1,"orders":[]}"#);
    assert_eq!(lines.last().unwrap(), "s0 unverifiable");
}

#[test]
fn every_notice_becomes_its_event_with_absent_null_and_value_apart() {
    let mut script = Script::connected(plan(&[]), None);
    let frames = [
        r#"{"notice":"OrderOpened","id":11,"base":63488,"counter":65283,"quantity":-5,"price":32000,"time":1393861703539756}"#,
        r#"{"notice":"OrderOpened","id":12,"tonce":null,"base":63488,"counter":65283,"quantity":5,"price":1,"time":1}"#,
        r#"{"notice":"OrderModified","id":12,"tonce":77,"base":63488,"counter":65283,"quantity":4,"price":2,"time":1}"#,
        r#"{"notice":"OrdersMatched","bid":12,"base":63488,"counter":65283,"quantity":3,"price":2,"total":6,"bid_rem":1,"time":1}"#,
        r#"{"notice":"OrderClosed","id":12,"base":63488,"counter":65283,"quantity":0,"price":2}"#,
        r#"{"notice":"TickerChanged","base":63488,"counter":65283,"bid":null,"ask":31899}"#,
        r#"{"notice":"BalanceChanged","asset":65283,"balance":990000}"#,
        r#"{"notice":"TradeVolumeChanged","asset":63488,"volume":40070}"#,
    ];
    assert_eq!(
        script.receive_all(&frames),
        [
            "order Opened m0 11 -5@32000 tonce Absent",
            "order Opened m0 12 5@1 tonce Null",
            "order Modified m0 12 4@2 tonce Value(77)",
            "trade m0 3@2 total 6 bid 12(1) ask -(-)",
            "order Closed m0 12 0@2 tonce Absent",
            "ticker Partial m0 last absent bid null ask 31899 low absent high absent",
            "balance USDT 990000 reserved - snapshot false",
            "volume XBT 40070",
        ]
    );
}

#[test]
fn numbers_beyond_64_bits_stay_exact() {
    let mut script = Script::connected(plan(&[]), None);
    let frame = r#"{"notice":"OrderOpened","id":99999999999999999999,"base":63488,"counter":65283,"quantity":1e20,"price":9223372036854775808,"time":1}"#;
    assert_eq!(
        script.receive(frame),
        [r#"order Opened m0 99999999999999999999 "10000000000000000"@"922337203685477.5808" tonce Absent"#]
    );
    let frame = r#"{"notice":"OrderOpened","id":1,"base":63488,"counter":65283,"quantity":1.0,"price":-0,"time":9223372036854775807}"#;
    assert_eq!(
        script.receive(frame),
        ["order Opened m0 1 1@0 tonce Absent", "not understood number_out_of_range [time]"]
    );
}

#[test]
fn what_is_not_understood_is_told_and_nothing_is_lost_over_it() {
    let mut script = Script::connected(plan(&[]), None);
    for (frame, told) in [
        (r#"{"notice":"Liquidated","id":1}"#, "unknown_notice [Liquidated]"),
        (r#"{"notice":"OrderClosed","base":63488,"counter":65283,"quantity":0,"price":1}"#, "missing_field [id]"),
        (r#"{"notice":"BalanceChanged","asset":63488,"balance":"12"}"#, "wrong_type [balance]"),
        (r#"{"hello":1}"#, "unknown_shape []"),
        ("[1,2]", "unknown_shape []"),
        ("{\"a\":", "invalid_json [line 1 column 5]"),
        ("[1,", "invalid_json [line 1 column 0]"),
        ("nil", "invalid_json [line 1 column 2]"),
        (r#"{"notice":"BalanceChanged","asset":1,"asset":63488,"balance":1}"#, "duplicate_field [asset]"),
    ] {
        let lines = script.receive(frame);
        assert!(lines.contains(&format!("not understood {told}")), "{frame}: {lines:?}");
    }
    let lines = script.give(&Input::Received(b"{\"notice\":\"\xff\"}"));
    assert_eq!(lines, ["not understood invalid_utf8 []"]);
    assert_eq!(script.give(&Input::ReceivedBinary(&[0, 1])), ["not understood binary []"]);
}

#[test]
fn an_unknown_field_is_told_once_and_the_message_is_used() {
    let mut script = Script::connected(plan(&[]), None);
    let frame = r#"{"notice":"BalanceChanged","asset":63488,"balance":1,"cause":"liquidation"}"#;
    let lines = script.receive(frame);
    assert_eq!(
        lines,
        ["balance XBT 1 reserved - snapshot false", "not understood unknown_field [BalanceChanged.cause]"]
    );
    assert_eq!(script.receive(frame), ["balance XBT 1 reserved - snapshot false"]);
}

#[test]
fn whatever_a_peer_calls_things_rows_and_memory_are_bounded() {
    let mut script = Script::connected(plan(&[("WatchOrders", &["XBT:USDT"])]), None);
    script.receive_all(&[WELCOME, r#"{"error_code":0,"tag":1,"orders":[]}"#]);
    let mut lines = Vec::new();
    for n in 0..3_000 {
        let order = opened(n + 1, 5, 10_000);
        lines.extend(script.receive(&order.replace("63488", &format!("{}", 100_000 + n))));
        lines.extend(script.receive(&format!(r#"{{"notice":"Notice{n}","id":1}}"#)));
        lines.extend(script.receive(&order.replace(r#""time""#, &format!(r#""field{n}":1,"time""#))));
    }
    let count = |start: &str| lines.iter().filter(|line| line.starts_with(start)).count();
    assert_eq!(count("order Opened m0 "), 3_000);
    assert_eq!(count("order Opened m"), 4_000);
    assert_eq!(count("not understood unknown_market [more than 1000 that are not listed]"), 1);
    assert_eq!(count("not understood unknown_notice [Notice"), 50);
    assert_eq!(count("not understood unknown_notice [other]"), 3_000 - 50, "each is there, for it has no other row");
    assert_eq!(count("not understood unknown_field"), 50);
    assert_eq!(script.last_state("WatchOrders").as_deref(), Some("consistent"));
}

#[test]
fn an_asset_or_market_nobody_lists_is_recorded_by_its_number() {
    let mut script = Script::connected(plan(&[]), None);
    assert_eq!(
        script.receive(r#"{"notice":"BalanceChanged","asset":12345,"balance":1}"#),
        ["balance 12345 1 reserved - snapshot false"]
    );
    let frame = r#"{"notice":"OrderClosed","id":1,"base":12345,"counter":65283,"quantity":0,"price":1}"#;
    assert_eq!(script.receive(frame), ["order Closed m0 1 0@1 tonce Absent"]);
}

#[test]
fn a_damaged_frame_is_a_gap_until_a_fresh_snapshot() {
    let mut script = Script::connected(plan(&[("WatchOrders", &["XBT:USDT"])]), None);
    script.receive_all(&[WELCOME, r#"{"error_code":0,"tag":1,"orders":[]}"#]);
    let lines = script.receive("{\"notice\":\"OrderOp");
    assert_eq!(lines[0], "s0 gap not_understood");
    assert!(script.sent[1].contains(r#""watch":false"#));
    script.receive(r#"{"error_code":0,"tag":2}"#);
    let lines = script.receive(r#"{"error_code":0,"tag":3,"orders":[]}"#);
    assert_eq!(lines.last().unwrap(), "s0 consistent");
}

#[test]
fn an_answer_on_its_way_does_not_make_up_for_a_damaged_frame() {
    let mut script = Script::connected(plan(&[("WatchOrders", &["XBT:USDT"])]), None);
    script.receive_all(&[WELCOME, "{\"notice\":\"OrderOp"]);
    script.receive(r#"{"error_code":0,"tag":1,"orders":[]}"#);
    assert_eq!(script.last_state("WatchOrders").as_deref(), Some("gap not_understood"));
    assert!(script.sent[1].contains(r#""watch":false"#));
    script.receive_all(&[r#"{"error_code":0,"tag":2}"#, r#"{"error_code":0,"tag":3,"orders":[]}"#]);
    assert_eq!(script.last_state("WatchOrders").as_deref(), Some("consistent"));
}

#[test]
fn lists_on_their_way_do_not_make_up_for_a_damaged_frame_of_the_account() {
    let (balances, orders) = (r#""balances":[]"#, r#""orders":[]"#);
    let answer = |tag: i64, list: &str| format!(r#"{{"error_code":0,"tag":{tag},{list}}}"#);
    let mut script = Script::connected(account_plan(&[]), Some(account()));
    script.receive_all(&[WELCOME, r#"{"error_code":0,"tag":1}"#, &answer(2, balances), "{\"notice\":\"Balan"]);
    script.receive_all(&[&answer(3, orders), &answer(4, balances)]);
    assert_ne!(script.last_state("account").as_deref(), Some("consistent"));
    script.receive(&answer(5, orders));
    assert_eq!(script.last_state("account").as_deref(), Some("consistent"));
    // Nor does one of the two.
    script.give(&Input::Sent(br#"{"method":"GetBalances","tag":50}"#));
    script.receive("{\"notice\":\"Balan");
    script.give(&Input::Sent(br#"{"method":"GetBalances","tag":51}"#));
    script.receive_all(&[&answer(50, balances), &answer(51, balances)]);
    assert_eq!(script.last_state("account").as_deref(), Some("gap not_understood"));
    while script.sent.len() < 7 {
        script.wait();
    }
    assert_eq!(script.now, 11 * SECOND, "not sooner after the time before");
    script.receive_all(&[&answer(52, balances), &answer(53, orders)]);
    assert_eq!(script.last_state("account").as_deref(), Some("consistent"));
}

#[test]
fn silence_beyond_what_a_stream_expects_is_a_gap_from_its_last_frame() {
    let mut with = plan(&[("WatchOrders", &["XBT:USDT"])]);
    with.subscribe[0].stale_after = Some(Duration::from_secs(5));
    let mut script = Script::connected(with, None);
    script.receive_all(&[WELCOME, r#"{"error_code":0,"tag":1,"orders":[]}"#]);
    let heard = script.now;
    script.now = heard + 5 * SECOND;
    let at = Stamp { wall: Timestamp(1_000 * SECOND + script.now), mono: script.now };
    script.session.handle(Seq(90), at, &Input::Timer, &mut script.out);
    let Some(Event::Transition(transition)) = script.out.events.first() else { panic!("{:?}", script.out.events) };
    assert_eq!(transition.at, Timestamp(1_000 * SECOND + heard));
    assert_eq!(transition.state, Coverage::Gap(feedtape::model::GapCause::Stale));
}

#[test]
fn no_greeting_and_no_reply_end_the_connection() {
    let mut script = Script::connected(plan(&[("WatchOrders", &["XBT:USDT"])]), None);
    script.wait();
    assert!(
        matches!(script.wishes.as_slice(), [Action::Close { cause: CloseCause::TimedOut, .. }]),
        "{:?}",
        script.wishes
    );
    let mut script = Script::connected(plan(&[("WatchOrders", &["XBT:USDT"])]), None);
    script.receive(WELCOME);
    script.wait();
    assert!(
        matches!(script.wishes.as_slice(), [Action::Close { cause: CloseCause::TimedOut, .. }]),
        "{:?}",
        script.wishes
    );
}

#[test]
fn a_greeting_without_a_usable_nonce_is_never_signed() {
    let of = |nonce: &str| format!(r#"{{"notice":"Welcome","nonce":{nonce}}}"#);
    let huge = of(&format!("\"{}\"", "A".repeat(1 << 20)));
    let bad = [r#""""#, r#""AAAA""#, "5", "null", "[]", "{}", r#""azRzAi5rm1ry/l0drnz1vwAA""#, r#""!!!""#].map(of);
    for welcome in bad.into_iter().chain([huge, r#"{"notice":"Welcome"}"#.to_owned()]) {
        let mut script = Script::connected(account_plan(&[]), Some(account()));
        script.receive(&welcome);
        // A good one behind it makes no difference: the connection is over.
        script.receive(WELCOME);
        let shown = &welcome[..welcome.len().min(60)];
        assert!(script.sent.is_empty(), "{shown}: {:?}", script.sent);
        assert!(matches!(script.wishes.as_slice(), [Action::Close { cause: CloseCause::BadGreeting, .. }]), "{shown}");
    }
}

#[test]
fn a_second_greeting_is_answered_by_no_second_login_whenever_it_comes() {
    let other = WELCOME.replace("azRz", "bzRz");
    let mut script = Script::connected(account_plan(&[]), Some(account()));
    let logins = |script: &Script| script.sent.iter().filter(|sent| sent.contains("Authenticate")).count();
    for frame in [WELCOME, &other, r#"{"error_code":0,"tag":1}"#, WELCOME, &other] {
        script.receive(frame);
        assert_eq!(logins(&script), 1, "{frame}");
    }
    assert!(script.wishes.is_empty(), "{:?}", script.wishes);
}

#[test]
fn tags_of_nothing_and_of_a_connection_before_change_nothing() {
    let mut before = Script::connected(account_plan(&[]), Some(account()));
    before.receive_all(&[WELCOME, r#"{"error_code":0,"tag":1}"#]);
    let mut script = Script::connected(plan(&[("WatchOrders", &["XBT:USDT"])]), None);
    script.receive(WELCOME);
    // Those of the connection before (one command has gone out here), none, null, and what is no tag.
    for tag in ["2", "3", "0", "-1", "null", "\"1\"", "1.5", "18446744073709551617"] {
        script.receive(&format!(r#"{{"error_code":0,"tag":{tag},"orders":[]}}"#));
        assert_eq!(script.last_state("WatchOrders").as_deref(), Some("gap not_acknowledged"), "{tag}");
    }
    script.receive(r#"{"error_code":0,"orders":[]}"#);
    assert_eq!(script.last_state("WatchOrders").as_deref(), Some("gap not_acknowledged"));
    script.receive(r#"{"error_code":0,"tag":1,"orders":[]}"#);
    assert_eq!(script.last_state("WatchOrders").as_deref(), Some("consistent"));
    let lines = script.receive(r#"{"error_code":1,"error_msg":"again","tag":1}"#);
    assert!(lines.contains(&"not understood unknown_tag [1]".to_owned()), "{lines:?}");
    assert_eq!(script.last_state("WatchOrders").as_deref(), Some("consistent"));
}

#[test]
fn null_in_a_field_that_must_be_there_is_damage_and_a_fresh_snapshot() {
    let good = matched((1, 4), (2, 3), 1, 10_000);
    let frames = [opened(1, 5, 10_000), closed(1, 5, 10_000), good];
    for frame in frames {
        let fields: serde_json::Map<String, serde_json::Value> = serde_json::from_str(&frame).unwrap();
        for name in ["id", "quantity", "price"].iter().filter(|name| fields.contains_key(**name)) {
            let mut broken = fields.clone();
            broken[*name] = serde_json::Value::Null;
            let mut script = following();
            let lines = script.receive(&serde_json::to_string(&broken).unwrap());
            assert!(lines.iter().any(|line| line.starts_with("not understood ")), "{name} of {frame}: {lines:?}");
            assert_eq!(script.last_state("WatchOrders").as_deref(), Some("gap not_understood"), "{name} of {frame}");
        }
    }
}

/// The times of the information requests among what was sent, as it is answered: the first refused with that code, the
/// others agreed to. Ends when the session has waited so often.
fn information_times(script: &mut Script, first: i64, waits: usize) -> Vec<i64> {
    let (mut times, mut answered) = (Vec::new(), 1);
    for _ in 0..waits {
        while answered < script.sent.len() {
            let command: serde_json::Value = serde_json::from_str(&script.sent[answered]).unwrap();
            answered += 1;
            let is_information =
                matches!(command["method"].as_str(), Some("GetBalances" | "GetOrders" | "GetTradeVolume"));
            times.extend(is_information.then_some(script.now));
            let code = if is_information && times.len() == 1 { first } else { 0 };
            let tag = &command["tag"];
            script.receive(&format!(
                r#"{{"error_code":{code},"error_msg":"?","tag":{tag},"orders":[],"balances":[],"asset":63488,"volume":0}}"#
            ));
        }
        script.wait();
    }
    times
}

#[test]
fn information_requests_stay_within_ten_in_ten_seconds_and_a_refused_one_is_made_again() {
    for (code, polls) in [(0, 2), (6, 2), (6, 10), (99, 2), (7, 0)] {
        let mut with = account_plan(&[]);
        let volume = |n: i64| PollPlan { asset: Some((63_488 + n).to_string()), ..poll("GetTradeVolume", 1) };
        let all = [poll("GetBalances", 1), poll("GetOrders", 1)].into_iter().chain((0..8).map(volume));
        with.poll = all.take(polls).collect();
        let mut script = Script::connected(with, Some(account()));
        script.receive_all(&[WELCOME, r#"{"error_code":0,"tag":1}"#]);
        let times = information_times(&mut script, code, if polls == 0 { 2 } else { 120 });
        for window in times.windows(11) {
            assert!(window[10] - window[0] > 10 * SECOND, "{code}, {polls} polls: {times:?}");
        }
        // The state of the account is had, in the end, with what is asked for once more.
        script.receive(r#"{"notice":"BalanceChanged","asset":63488,"balance":5}"#);
        let state = script.last_state("account");
        assert_eq!(state.as_deref(), Some("consistent"), "{code}, {polls} polls");
        assert!(times.len() >= if polls == 0 { 3 } else { 30 }, "{}", times.len());
    }
}

#[test]
fn what_was_refused_for_a_reason_that_may_pass_is_asked_for_again_with_pace() {
    for (code, is_again) in [(6, true), (8, true), (99, true), (-1, true), (1, false)] {
        let mut script = Script::connected(plan(&[("WatchOrders", &["XBT:USDT"])]), None);
        script.receive(WELCOME);
        let before = script.now;
        for tag in 1..=3 {
            script.receive(&format!(r#"{{"error_code":{code},"error_msg":"?","tag":{tag}}}"#));
            if !is_again {
                break;
            }
            assert_eq!(script.last_state("WatchOrders").as_deref(), Some("gap refused"), "{code}");
            script.wait();
            assert_eq!(script.sent.len(), tag + 1, "{code}: {:?}", script.sent);
            assert!(script.now - before >= 60 * SECOND * tag as i64, "{code}");
        }
        if is_again {
            script.receive(r#"{"error_code":0,"tag":4,"orders":[]}"#);
            assert_eq!(script.last_state("WatchOrders").as_deref(), Some("consistent"), "{code}");
        }
        // Nothing more is asked for, of whom is refused for good or is content.
        let sent = script.sent.len();
        while script.session.deadline().is_some_and(|deadline| deadline < before + 1_000 * SECOND) {
            script.wait();
        }
        assert_eq!(script.sent.len(), sent, "{code}");
    }
}

#[test]
fn polls_repeat_and_are_covered_while_they_are_answered() {
    let mut with = plan(&[]);
    with.poll = vec![PollPlan {
        markets: vec![MarketPattern::parse("XBT:USDT").unwrap()],
        quantity: Some("-1.5".into()),
        ..poll("EstimateMarketOrder", 7)
    }];
    let mut script = Script::connected(with, None);
    let lines = script.receive(WELCOME);
    assert!(lines.contains(&"asked s0".to_owned()), "{lines:?}");
    assert!(script.sent[0].contains(r#""quantity":-15000"#), "{:?}", script.sent);
    let lines = script.receive(r#"{"error_code":0,"tag":1,"quantity":15000,"total":33000}"#);
    assert_eq!(lines[1..], ["estimate 15000 for 33000", "acknowledged s0", "s0 consistent"]);
    let before = script.now;
    script.wait();
    assert_eq!(script.now - before, 7 * SECOND);
    assert_eq!(script.sent.len(), 2);
}

#[test]
fn what_is_polled_by_rest_is_rows_and_coverage_too() {
    let mut with = plan(&[]);
    with.poll = vec![
        PollPlan { markets: vec![MarketPattern::parse("XBT:USDT").unwrap()], ..poll("depth", 7) },
        poll("tickers", 9),
        PollPlan { markets: vec![MarketPattern::parse("ETH:USDT").unwrap()], ..poll("tickers", 11) },
    ];
    let mut script = Script::connected(with, None);
    script.receive(WELCOME);
    let wishes = script.wishes.drain(..).map(|wish| match wish {
        Action::Rest(request) => request,
        other => panic!("{other:?}"),
    });
    let asked: Vec<_> = wishes.collect();
    assert_eq!(
        asked.iter().map(|request| request.path.as_str()).collect::<Vec<_>>(),
        ["tickers/", "depth/63488:65283", "tickers/63520:65283"]
    );
    let answer = |n: usize, status| RestAnswer {
        request: n as u64,
        path: format!("GET {}", asked[n].path),
        status,
        error: None,
    };
    let depth = Input::Rest(answer(1, Some(200)), br#"{"bids":[[5,6]],"asks":[[7,8],[9,1]]}"#.into());
    assert_eq!(script.give(&depth), ["asked s1", "depth m0: 6@5 -8@7 -1@9", "acknowledged s1", "s1 consistent"]);
    let ticker = r#"{"base":63520,"counter":65283,"name":"ETH:USDT","last":1,"bid":null,"ask":2,"low":1,"high":3,"volume":4,"time":5}"#;
    for (n, text) in [(0, format!("[{ticker}]")), (2, ticker.to_owned())] {
        let lines = script.give(&Input::Rest(answer(n, Some(200)), text.into_bytes().into()));
        assert_eq!(lines[1], "ticker Full m1 last 1 bid null ask 2 low 1 high 3");
        assert_eq!(lines[2..], [format!("acknowledged s{n}"), format!("s{n} consistent")]);
    }
    let lines = script.give(&Input::Rest(answer(0, Some(404)), b"".into()));
    assert_eq!(lines, ["s0 gap refused", "refused s0 404"]);
}

#[test]
fn what_is_polled_and_answered_late_goes_on_in_its_rhythm() {
    let mut with = plan(&[]);
    with.poll = vec![poll("tickers", 9), PollPlan { asset: None, ..poll("depth", 5) }];
    with.poll[1].markets = vec![MarketPattern::parse("XBT:USDT").unwrap()];
    let mut script = Script::connected(with, None);
    script.receive(WELCOME);
    let start = script.now;
    let paths = |script: &mut Script| -> Vec<String> {
        let path = |wish| match wish {
            Action::Rest(request) => request.path,
            other => panic!("{other:?}"),
        };
        script.wishes.drain(..).map(path).collect()
    };
    let answer = |script: &mut Script, request, path: &str, body: &[u8]| {
        let answer = RestAnswer { request, path: format!("GET {path}"), status: Some(200), error: None };
        script.give(&Input::Rest(answer, body.into()));
    };
    assert_eq!(paths(&mut script), ["tickers/", "depth/63488:65283"]);
    // What is on its way is not asked for again.
    answer(&mut script, 1, "depth/63488:65283", br#"{"bids":[],"asks":[]}"#);
    script.wait();
    assert_eq!((script.now - start, paths(&mut script)), (5 * SECOND, vec!["depth/63488:65283".to_owned()]));
    assert_eq!(script.session.deadline(), None, "both are on their way");
    script.now = start + 20 * SECOND;
    answer(&mut script, 0, "tickers/", b"[]");
    assert_eq!(paths(&mut script), ["tickers/"], "it has been due twice since");
    answer(&mut script, 3, "tickers/", b"[]");
    script.wait();
    assert_eq!((script.now - start, paths(&mut script)), (27 * SECOND, vec!["tickers/".to_owned()]));
}

#[test]
fn an_account_that_is_no_longer_wanted_ends_and_nothing_else_does() {
    let with = account_plan(&[("WatchOrders", &["XBT:USDT"])]);
    let mut script = Script::connected(with, Some(account()));
    script.receive_all(&[WELCOME, r#"{"error_code":0,"tag":1}"#, r#"{"error_code":0,"tag":2,"balances":[]}"#]);
    script.receive_all(&[r#"{"error_code":0,"tag":3,"orders":[]}"#, r#"{"error_code":0,"tag":4,"orders":[]}"#]);
    let lines = script.give(&Input::Replanned(Arc::new(plan(&[("WatchOrders", &["XBT:USDT"])]))));
    assert_eq!(lines.iter().filter(|line| line.contains("gap")).collect::<Vec<_>>(), ["s0 gap reconfigured"]);
}

#[test]
fn numbers_of_all_markets_are_in_doubt_when_one_has_another_scale() {
    let mut with = plan(&[]);
    with.poll = vec![poll("tickers", 9)];
    let mut script = Script::connected(with, None);
    script.receive(WELCOME);
    let answer = RestAnswer { request: 0, path: "GET tickers/".to_owned(), status: Some(200), error: None };
    let tickers = br#"[{"base":63520,"counter":65283,"last":1,"bid":null,"ask":2,"low":1,"high":3,"volume":4}]"#;
    let lines = script.give(&Input::Rest(answer, tickers.into()));
    assert_eq!(lines.last().unwrap(), "s0 consistent");
    let mut list = catalog();
    let places = &mut list.markets.iter_mut().find(|market| market.name == "ETH:USDT").unwrap().price_places;
    *places = places.map(|places| places + 1);
    assert_eq!(script.give(&Input::Catalog(Arc::new(list))), ["s0 unverifiable"]);
}

#[test]
fn an_answer_without_a_tag_is_of_the_only_command_without_one() {
    let mut script = Script::connected(plan(&[]), None);
    script.receive(WELCOME);
    let watch = |counter| format!(r#"{{"method":"WatchOrders","base":63488,"counter":{counter},"watch":true}}"#);
    let answer = r#"{"error_code":0,"orders":[]}"#;
    script.give(&Input::Sent(watch(65_283).as_bytes()));
    assert_eq!(script.receive(answer)[0], "reply WatchOrders Some(0)");
    script.give(&Input::Sent(watch(65_283).as_bytes()));
    script.give(&Input::Sent(watch(63_520).as_bytes()));
    assert_eq!(script.receive(answer)[0], "reply ? Some(0)", "of which of them nobody can tell");
}

#[test]
fn a_journal_replayed_without_an_account_gives_the_same_events() {
    let with = account_plan(&[("WatchOrders", &["XBT:USDT"]), ("WatchTicker", &["ETH:*"])]);
    let frames = [
        WELCOME,
        r#"{"error_code":0,"tag":1}"#,
        r#"{"notice":"OrderOpened","id":11,"base":63488,"counter":65283,"quantity":-5,"price":32000,"time":1}"#,
        r#"{"error_code":0,"tag":2,"orders":[]}"#,
        r#"{"error_code":0,"tag":4,"last":null,"bid":1,"ask":2,"low":null,"high":null,"volume":0}"#,
        "garbage",
        r#"{"error_code":0,"tag":7}"#,
    ];
    let mut live = Script::connected(with.clone(), Some(account()));
    let lines = live.receive_all(&frames);
    let sent = live.sent.clone();

    let mut replay = Script::connected(with, None);
    replay.obey = false;
    let mut again = Vec::new();
    let mut commands = sent.iter();
    for (frame, commands_after) in frames.iter().zip([1, 5, 0, 0, 0, 4, 1]) {
        again.extend(replay.receive(frame));
        for command in commands.by_ref().take(commands_after) {
            again.extend(replay.give(&Input::Sent(command.as_bytes())));
        }
    }
    assert_eq!(commands.next(), None, "{sent:?}");
    assert_eq!(again, lines);
}

/// How many frames each asking for a stream got, first and last arrival with them, by stream and number of the asking.
fn counted(summarise_after_every_input: bool) -> BTreeMap<(u32, usize), (u64, i64, i64)> {
    let mut script = Script::connected(account_plan(&[("WatchOrders", &["XBT:USDT"])]), Some(account()));
    let balance = r#"{"notice":"BalanceChanged","asset":63488,"balance":1}"#;
    let order = r#"{"notice":"OrderModified","id":1,"base":63488,"counter":65283,"quantity":5,"price":9,"time":1}"#;
    let frames = [
        WELCOME,
        order,
        balance,
        r#"{"error_code":0,"tag":1}"#,
        balance,
        order,
        r#"{"error_code":0,"tag":3,"balances":[]}"#,
        balance,
        r#"{"error_code":0,"tag":4,"orders":[]}"#,
        balance,
        r#"{"error_code":0,"tag":2,"orders":[{"id":1,"quantity":5,"price":9,"time":1}]}"#,
        order,
        r#"{"notice":"OrderModified","id":1,"base":63488,"counter":65283,"price":9}"#,
        order,
        r#"{"error_code":0,"tag":5}"#,
        order,
        r#"{"error_code":0,"tag":6,"orders":[]}"#,
        order,
    ];
    let mut asked = BTreeMap::new();
    let mut counted = BTreeMap::new();
    for (n, frame) in (1_000..).zip(frames) {
        let at = Stamp { wall: Timestamp(n), mono: script.now + n };
        script.session.handle(Seq(n as u64), at, &Input::Received(frame.as_bytes()), &mut script.out);
        while let Some(action) = script.out.actions.pop() {
            let Action::Send(frame) = action else { panic!("{action:?}") };
            script.session.handle(Seq(n as u64), at, &Input::Sent(frame.journal.as_bytes()), &mut script.out);
        }
        if summarise_after_every_input || n == 1_017 {
            script.session.summarise(&mut script.out);
        }
        for event in script.out.events.drain(..) {
            match event {
                Event::Subscription(SubscriptionChange::Asked(stream)) => *asked.entry(stream.0).or_default() += 1,
                Event::Subscription(SubscriptionChange::Data { stream, first, last, frames }) => {
                    let asking: usize = *asked.get(&stream.0).expect("only what was asked for is counted");
                    let sum = counted.entry((stream.0, asking)).or_insert((0, first.0, last.0));
                    *sum = (sum.0 + frames, sum.1, last.0);
                }
                _ => {}
            }
        }
    }
    counted
}

#[test]
fn what_is_counted_for_a_subscription_does_not_depend_on_where_batches_end() {
    let at_the_end = counted(false);
    assert_eq!(at_the_end, counted(true));
    // The account from its second part on; the book's first asking until it is given up, its second from then on.
    let expected = [((0, 1), (2, 1_008, 1_009)), ((1, 1), (5, 1_005, 1_013)), ((1, 2), (3, 1_015, 1_017))];
    assert_eq!(at_the_end, BTreeMap::from(expected));
}

#[test]
fn the_system_generator_never_repeats_a_nonce() {
    assert_ne!(OsRandomness.nonce(), OsRandomness.nonce());
}

#[test]
fn of_refused_logins_the_one_that_came_too_soon_is_known_by_its_code() {
    assert_eq!(feedtape::venue::by_name("coinflex").unwrap().login_rate_code(), Some(6));
}
