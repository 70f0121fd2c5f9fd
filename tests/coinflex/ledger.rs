//! Contradiction checks of the account: each has a history in which it alone fires, and a sound history fires none.

use feedtape::journal::Input;

use super::script::*;

/// Logged in, with 1,000 XBT and 2,000 USDT (of 10,000 units), and one order: a bid for 100 units at 5.
fn account_of_ours() -> Script {
    let mut script = Script::connected(account_plan(&[]), Some(account()));
    script.receive_all(&[WELCOME, r#"{"error_code":0,"tag":1}"#, &balances(2, 500), &orders(3)]);
    script
}

/// The answer to `GetBalances`, with so much of USDT reserved.
fn balances(tag: i64, reserved: i64) -> String {
    format!(
        r#"{{"error_code":0,"tag":{tag},"balances":[{},{}]}}"#,
        r#"{"asset":63488,"balance":10000000,"reserved_balance":0,"total_balance":10000000}"#,
        format_args!(
            r#"{{"asset":65283,"balance":{},"reserved_balance":{reserved},"total_balance":20000000}}"#,
            20_000_000 - reserved
        )
    )
}

fn orders(tag: i64) -> String {
    let order = r#"{"id":1,"tonce":null,"base":63488,"counter":65283,"quantity":100,"price":50000,"time":1}"#;
    format!(r#"{{"error_code":0,"tag":{tag},"orders":[{order}]}}"#)
}

fn order(name: &str, id: i64, quantity: i64, price: i64) -> String {
    let rest = format!(r#""quantity":{quantity},"price":{price},"time":1"#);
    format!(r#"{{"notice":"{name}","id":{id},"tonce":null,"base":63488,"counter":65283,{rest}}}"#)
}

/// Our bid is matched: so much at 5, for this total and fee.
fn matched(quantity: i64, left: i64, total: i64, fee: i64) -> String {
    let ours = format!(r#""bid":1,"bid_tonce":null,"bid_rem":{left},"bid_base_fee":0,"bid_counter_fee":{fee}"#);
    let rest = format!(r#""ask":9,"ask_rem":0,"quantity":{quantity},"price":50000,"total":{total},"time":1"#);
    format!(r#"{{"notice":"OrdersMatched","base":63488,"counter":65283,{ours},{rest},"taker":false}}"#)
}

fn balance(asset: i64, available: i64) -> String {
    format!(r#"{{"notice":"BalanceChanged","asset":{asset},"balance":{available}}}"#)
}

const COUNTER: i64 = 20_000_000 - 500;

#[test]
fn a_sound_history_fires_no_check() {
    let frames = [
        // An order is placed and reserves 0.03 × 4; told before it.
        balance(65_283, COUNTER - 1_200),
        order("OrderOpened", 2, 300, 40_000),
        // The old one is matched in part, and pays a fee of 1.
        matched(40, 60, 200, 1),
        balance(63_488, 10_000_040),
        balance(65_283, COUNTER - 1_201),
        // The new one is made smaller, then cancelled; each frees something.
        order("OrderModified", 2, 100, 40_000),
        balance(65_283, COUNTER - 401),
        order("OrderClosed", 2, 100, 40_000),
        balance(65_283, COUNTER - 1),
        // An ask sets aside the base asset.
        balance(63_488, 9_999_000),
        order("OrderOpened", 3, -1_040, 90_000),
    ];
    assert_eq!(findings(&mut account_of_ours(), &frames), NOTHING);
}

#[test]
fn deposits_and_withdrawals_explain_themselves() {
    let frames = [
        balance(65_283, COUNTER + 7_000),
        balance(65_283, COUNTER + 7_000 - 1_200),
        order("OrderOpened", 2, 300, 40_000),
        balance(63_488, 5),
        matched(100, 0, 500, 0),
        balance(63_488, 105),
        order("OrderClosed", 1, 0, 50_000),
    ];
    assert_eq!(findings(&mut account_of_ours(), &frames), NOTHING);
}

#[test]
fn changes_of_two_events_may_be_told_as_one() {
    let frames = [
        matched(40, 60, 200, 1),
        matched(60, 0, 300, 2),
        balance(63_488, 10_000_100),
        balance(65_283, COUNTER - 3),
        order("OrderClosed", 1, 0, 50_000),
    ];
    assert_eq!(findings(&mut account_of_ours(), &frames), NOTHING);
}

#[test]
fn a_match_that_no_balance_tells_is_found() {
    // The fee is not taken.
    let frames = [matched(40, 60, 200, 30), balance(63_488, 10_000_040), balance(65_283, COUNTER - 5)];
    let lines = findings(&mut account_of_ours(), &frames);
    let what = "fill_balance in s0: a match changes asset 65283 by -30, which no balance tells";
    assert_eq!(lines, ["s0 unverifiable", what]);
    // The quantity does not arrive.
    let frames = [matched(40, 60, 200, 0), balance(63_488, 10_000_030)];
    let lines = findings(&mut account_of_ours(), &frames);
    assert_eq!(lines[1], "fill_balance in s0: a match changes asset 63488 by 40, which no balance tells");
}

#[test]
fn a_match_of_an_ask_gives_what_it_set_aside_for_the_total_less_the_fee() {
    let opened = [balance(63_488, 9_999_000), order("OrderOpened", 3, -1_000, 90_000)];
    let ours = r#""ask":3,"ask_tonce":null,"ask_rem":600,"ask_base_fee":7,"ask_counter_fee":2"#;
    let rest = r#""bid":9,"bid_rem":0,"quantity":400,"price":90000,"total":3600,"time":1"#;
    let matched = format!(r#"{{"notice":"OrdersMatched","base":63488,"counter":65283,{ours},{rest},"taker":false}}"#);
    let told = |base: i64, counter: i64| [balance(63_488, 9_999_000 - base), balance(65_283, COUNTER + counter)];
    for (base, counter, expected) in [
        (7, 3_598, None),
        (6, 3_598, Some("a match changes asset 63488 by -7, which no balance tells")),
        (7, 3_600, Some("a match changes asset 65283 by 3598, which no balance tells")),
        (407, 3_598, Some("a match changes asset 63488 by -7, which no balance tells")),
    ] {
        let mut frames = opened.to_vec();
        frames.push(matched.clone());
        frames.extend(told(base, counter));
        let lines = findings(&mut account_of_ours(), &frames);
        let found = lines.iter().find_map(|line| line.strip_prefix("fill_balance in s0: "));
        assert_eq!(found, expected, "{base} {counter}: {lines:?}");
    }
}

#[test]
fn a_reservation_that_no_balance_tells_is_found() {
    let frames = [balance(65_283, COUNTER - 1_000), order("OrderOpened", 2, 300, 40_000)];
    let lines = findings(&mut account_of_ours(), &frames);
    let what = "reservation_balance in s0: an order changes asset 65283 by -1200, which no balance tells";
    assert_eq!(lines, ["s0 unverifiable", what]);
    let lines = findings(&mut account_of_ours(), &[order("OrderClosed", 1, 100, 50_000)]);
    assert_eq!(lines[1], "reservation_balance in s0: an order changes asset 65283 by 500, which no balance tells");
}

#[test]
fn what_orders_need_must_be_reserved() {
    let mut script = account_of_ours();
    assert_eq!(findings(&mut script, &[]), NOTHING);
    script.give(&Input::Sent(br#"{"method":"GetBalances","tag":50}"#));
    // More may be, for other ends; the available balance goes down with it, as by a withdrawal.
    assert_eq!(findings(&mut script, &[balances(50, 700)]), NOTHING);
    script.give(&Input::Sent(br#"{"method":"GetBalances","tag":51}"#));
    let lines = findings(&mut script, &[balances(51, 400)]);
    let what = "reserved_balance in s0: open orders need 500 of asset 65283, and 400 is reserved";
    assert_eq!(lines, ["s0 unverifiable", what]);
    // An order that is told meanwhile may be in it or not.
    let mut script = account_of_ours();
    script.give(&Input::Sent(br#"{"method":"GetBalances","tag":50}"#));
    let told = [balances(50, 0), order("OrderClosed", 1, 100, 50_000)];
    assert_eq!(findings(&mut script, &told), NOTHING);
}

#[test]
fn of_each_bid_one_unit_less_may_be_reserved_and_of_an_ask_none() {
    let asking = br#"{"method":"GetBalances","tag":50}"#;
    // Two bids need 500 and 200.
    let told = [balance(65_283, COUNTER - 200), order("OrderOpened", 2, 40, 50_000)];
    for (reserved, is_found) in [(700, false), (698, false), (697, true)] {
        let mut script = account_of_ours();
        assert_eq!(findings(&mut script, &told), NOTHING);
        script.give(&Input::Sent(asking));
        let lines = findings(&mut script, &[balances(50, reserved)]);
        let what = format!("reserved_balance in s0: open orders need 700 of asset 65283, and {reserved} is reserved");
        assert_eq!(lines.contains(&what), is_found, "{reserved}: {lines:?}");
    }
    // An ask sets aside the base asset, of which nothing is said to be reserved.
    let mut script = account_of_ours();
    let ask = [balance(63_488, 9_999_999), order("OrderOpened", 3, -1, 90_000)];
    assert_eq!(findings(&mut script, &ask), NOTHING);
    script.give(&Input::Sent(asking));
    let lines = findings(&mut script, &[balances(50, 500)]);
    assert!(
        lines.iter().any(|line| line.ends_with("open orders need 1 of asset 63488, and 0 is reserved")),
        "{lines:?}"
    );
}

#[test]
fn a_list_of_orders_is_as_old_as_its_question() {
    let asking = [br#"{"method":"GetOrders","tag":50}"#.as_slice(), br#"{"method":"GetBalances","tag":51}"#];
    let mut script = account_of_ours();
    script.give(&Input::Sent(asking[0]));
    // Meanwhile one is cancelled and another one opened, of which the list says nothing yet.
    let meanwhile = [
        order("OrderClosed", 1, 100, 50_000),
        balance(65_283, COUNTER + 500),
        balance(65_283, COUNTER + 100),
        order("OrderOpened", 2, 80, 50_000),
        orders(50),
    ];
    assert_eq!(findings(&mut script, &meanwhile), NOTHING);
    for (reserved, is_found) in [(400, false), (300, true)] {
        let mut lines = script.give(&Input::Sent(asking[1]));
        lines.extend(findings(&mut script, &[balances(51, reserved)]));
        let what = format!("reserved_balance in s0: open orders need 400 of asset 65283, and {reserved} is reserved");
        assert_eq!(lines.contains(&what), is_found, "{lines:?}");
    }
}

#[test]
fn available_and_reserved_must_be_the_total() {
    let mut script = account_of_ours();
    script.give(&Input::Sent(br#"{"method":"GetBalances","tag":50}"#));
    let wrong =
        r#"{"error_code":0,"tag":50,"balances":[{"asset":4,"balance":5,"reserved_balance":2,"total_balance":8}]}"#;
    let lines = findings(&mut script, &[wrong.to_owned()]);
    assert_eq!(lines, ["s0 unverifiable", "balance_sum in s0: 5 available and 2 reserved of asset 4 are not 8"]);
}

#[test]
fn a_contradiction_is_followed_by_fresh_lists() {
    let mut script = account_of_ours();
    let before = script.sent.len();
    findings(&mut script, &[order("OrderClosed", 1, 100, 50_000)]);
    let asked: Vec<_> = script.sent[before..].iter().map(String::as_str).collect();
    assert!(asked.len() == 2 && asked[0].contains("GetBalances") && asked[1].contains("GetOrders"), "{asked:?}");
    let mut lines = script.receive(&balances(4, 500));
    lines.extend(script.receive(&orders(5)));
    assert!(lines.contains(&"s0 consistent".to_owned()), "{lines:?}");
}
