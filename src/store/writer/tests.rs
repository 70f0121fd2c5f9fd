use std::sync::Arc;
use std::time::Duration;

use tempfile::TempDir;

use super::*;
use crate::model::{
    AccountEvent, AssetCode, Balance, BookOrder, BookSnapshot, Check, CloseCause, CommandSent, Coverage, Estimate,
    Finding, GapCause, Market, NotUnderstood, OrderEvent, OrderKind, OwnOrders, Price, Quantity, ReplyReceived, Seq,
    SessionChange, SubscriptionChange, Ticker, TickerKind, Trade, TradeSide, TradeVolume, UnknownReason, UserId,
    Verdict,
};
use crate::store::script::*;

#[test]
fn every_market_event_has_its_row() {
    let folder = TempDir::new().unwrap();
    let mut store = recording(&folder);
    let mut script = Script::opened(1);
    let long = Number::Text(Box::new("123456789012345678901.5".to_owned()));
    let side = |order| TradeSide { order, remaining: Some(Quantity::scaled(7)), ..TradeSide::default() };
    let trade = Trade {
        market: MARKET,
        id: None,
        quantity: Some(Quantity::scaled(5)),
        price: Some(Price::scaled(41)),
        total: Some(Quantity(long.clone())),
        time: Some(Timestamp(T0)),
        bid: side(Some(Id::Int(3))),
        ask: side(None),
        taker_is_bid: Some(true),
        own_is_taker: None,
        own: false,
    };
    let own_trade = Trade {
        id: Some(Id::Text(Box::new("t-1".to_owned()))),
        own: true,
        own_is_taker: Some(false),
        ask: TradeSide { tonce: Patch::Null, base_fee: Some(Quantity::scaled(2)), ..side(Some(Id::Int(9))) },
        ..trade.clone()
    };
    let ticker = Ticker {
        market: MARKET,
        kind: TickerKind::Partial,
        last: Patch::Value(Price::scaled(41)),
        bid: Patch::Null,
        ask: Patch::Absent,
        low: Patch::Absent,
        high: Patch::Absent,
        volume: Patch::Value(Quantity::scaled(12)),
        bid_quantity: Patch::Null,
        ask_quantity: Patch::Value(Quantity::scaled(3)),
        time: None,
    };
    let entry = |id| BookOrder {
        id: Some(id),
        quantity: Some(Quantity::scaled(-3)),
        price: Some(Price(long.clone())),
        time: Some(Timestamp(T0 - 1)),
        tonce: Patch::Absent,
    };
    let snapshot = BookSnapshot {
        market: MARKET,
        events_from: Some(Seq(2)),
        has_orders: true,
        side_orders_max: None,
        orders: vec![entry(Id::Int(1)), entry(Id::Text(Box::new("u-2".to_owned())))],
    };
    let estimate = Estimate {
        market: MARKET,
        asked_quantity: Some(Quantity::scaled(-4)),
        asked_total: None,
        quantity: Some(Quantity::scaled(4)),
        total: Some(Quantity::scaled(164)),
    };
    script
        .frame([Event::Order(order(1)), Event::Order(OrderEvent { kind: OrderKind::Closed, ..order(2) })])
        .frame([Event::Order(OrderEvent {
            kind: OrderKind::Modified,
            id: Id::Text(Box::new("a-b".to_owned())),
            own: true,
            tonce: Patch::Null,
            time: None,
            ..order(0)
        })])
        .frame([Event::Trade(Box::new(trade)), Event::Trade(Box::new(own_trade))])
        .frame([Event::Ticker(Box::new(ticker))])
        .frame([Event::BookSnapshot(Box::new(snapshot)), Event::Estimate(Box::new(estimate))]);
    store.append(&script.ship()).unwrap();
    store.commit().unwrap();

    // Record 1 is the start of the run; the session's records are 2, 3 and so on.
    let orders = "SELECT id >> 22, id & 4194303, kind, order_id, price, quantity, received_at, received_at - age, own, has_tonce, tonce, \
         order_ref FROM order_event LEFT JOIN order_detail USING (id) ORDER BY id";
    assert_eq!(
        ask(&store, orders),
        format!(
            "4|0|0|1|40|-10000|{a}|{t}|-|-|-|-\n4|1|1|2|40|-10000|{a}|{t}|-|-|-|-\n5|0|2|-|40|-10000|{b}|-|1|1|-|a-b",
            a = T0 + 300,
            b = T0 + 400,
            t = T0 - 5_000
        )
    );
    let trades = "SELECT id >> 22, id & 4194303, trade_id, price, quantity, total, time - 1580000000000000000, taker_is_bid, \
         bid_order, ask_order, bid_remaining, ask_remaining, own, own_is_taker, has_bid_tonce, has_ask_tonce, ask_tonce, \
         bid_base_fee, ask_base_fee, trade_ref FROM trade LEFT JOIN trade_detail USING (id) ORDER BY id";
    assert_eq!(
        ask(&store, trades),
        "6|0|-|41|5|-|0|1|3|-|7|7|-|-|-|-|-|-|-|-\n6|1|-|41|5|-|0|1|3|9|7|7|1|0|0|1|-|-|2|t-1"
    );
    let tickers = "SELECT kind, present, last, bid, ask, volume, age FROM ticker";
    assert_eq!(ask(&store, tickers), "0|35|41|-|-|12|-");
    assert_eq!(ask(&store, "SELECT id >> 22, events_from >> 22, has_orders, orders FROM book_snapshot"), "8|4|1|2");
    let entries = "SELECT snapshot >> 22, n, order_id, order_ref, price, quantity FROM book_order ORDER BY n";
    assert_eq!(ask(&store, entries), "8|0|1|-|-|-3\n8|1|-|u-2|-|-3");
    assert_eq!(
        ask(&store, "SELECT id & 4194303, asked_quantity, asked_total, quantity, total FROM estimate"),
        "1|-4|-|4|164"
    );
    let exact = "SELECT id >> 22, n, field, value FROM exact ORDER BY id, n";
    let value = "123456789012345678901.5";
    assert_eq!(
        ask(&store, exact),
        format!("6|0|total|{value}\n6|0|total|{value}\n8|0|price|{value}\n8|1|price|{value}")
    );
    assert_eq!(ask(&store, "PRAGMA foreign_key_check"), "");
    assert_eq!(ask(&store, "PRAGMA integrity_check"), "ok");
}

#[test]
fn whatever_is_said_of_a_trade_beyond_its_numbers_has_its_row() {
    let plain = Trade {
        market: MARKET,
        id: Some(Id::Int(1)),
        quantity: Some(Quantity::scaled(5)),
        price: Some(Price::scaled(41)),
        total: None,
        time: None,
        bid: TradeSide { order: Some(Id::Int(3)), ..TradeSide::default() },
        ask: TradeSide::default(),
        taker_is_bid: None,
        own_is_taker: None,
        own: false,
    };
    let text = || Some(Id::Text(Box::new("t-1".to_owned())));
    let side = TradeSide::default;
    let said = [
        Trade { own: true, ..plain.clone() },
        Trade { own_is_taker: Some(true), ..plain.clone() },
        Trade { id: text(), ..plain.clone() },
        Trade { bid: TradeSide { order: text(), ..side() }, ..plain.clone() },
        Trade { ask: TradeSide { order: text(), ..side() }, ..plain.clone() },
        Trade { bid: TradeSide { tonce: Patch::Null, ..side() }, ..plain.clone() },
        Trade { ask: TradeSide { base_fee: Some(Quantity::scaled(1)), ..side() }, ..plain.clone() },
        Trade { bid: TradeSide { counter_fee: Some(Quantity::scaled(1)), ..side() }, ..plain.clone() },
    ];
    let folder = TempDir::new().unwrap();
    let mut store = recording(&folder);
    let mut script = Script::opened(1);
    script.frame([Event::Trade(Box::new(plain))]);
    for trade in said {
        script.frame([Event::Trade(Box::new(trade))]);
    }
    store.append(&script.ship()).unwrap();
    store.commit().unwrap();
    let has_row =
        "SELECT group_concat(id IN (SELECT id FROM trade_detail), '') FROM (SELECT id FROM trade ORDER BY id)";
    assert_eq!(ask(&store, has_row), "011111111");
}

#[test]
fn what_is_listed_otherwise_at_the_same_time_is_in_force_from_then_on() {
    let folder = TempDir::new().unwrap();
    let mut store = recording(&folder);
    let mut script = Script::new(1);
    let usd = listed("XBT:USD", 63488, 64136);
    let other = Arc::new(Market { tick: Some(9), ..Market::clone(&usd) });
    script
        .record(RecordKind::Connecting, "{}", [connecting()])
        .record(RecordKind::Catalog, "{}", [catalog(10, vec![asset(63488, "XBT", 4)], vec![usd])])
        .record(RecordKind::Catalog, "{}", [catalog(10, vec![asset(63488, "XBT", 7)], vec![other])]);
    store.append(&script.ship()).unwrap();
    store.commit().unwrap();
    let versions = "SELECT places, valid_from - 1580000000000000000, valid_to - 1580000000000000000 FROM asset \
         ORDER BY id";
    assert_eq!(ask(&store, versions), "4|10|10\n7|10|-");
    let versions = "SELECT tick, valid_from - 1580000000000000000, valid_to - 1580000000000000000 FROM instrument \
         ORDER BY id";
    assert_eq!(ask(&store, versions), "1|10|10\n9|10|-");
}

#[test]
fn every_account_event_has_its_row() {
    let folder = TempDir::new().unwrap();
    let mut store = recording(&folder);
    let mut script = Script::new(1);
    let balance = Balance {
        asset: Some(AssetCode(63488)),
        asset_name: Some("XBT".into()),
        places: Some(4),
        available: Some(Quantity::scaled(100)),
        reserved: None,
        total: None,
        is_snapshot: true,
    };
    let unknown = Balance { asset: Some(AssetCode(7)), asset_name: None, places: None, ..balance.clone() };
    let volume = TradeVolume {
        asset: Some(AssetCode(63488)),
        asset_name: None,
        places: Some(4),
        volume: Some(Quantity::scaled(9)),
    };
    let own = BookOrder {
        id: Some(Id::Int(5)),
        quantity: Some(Quantity::scaled(1)),
        price: Some(Price::scaled(2)),
        time: Some(Timestamp(3)),
        tonce: Patch::Value(77),
    };
    let placed = AccountEvent {
        method: "PlaceOrder".to_owned(),
        market: Some(MARKET),
        order: Some(own.clone()),
        remaining: None,
    };
    let market_order =
        AccountEvent { order: None, market: None, remaining: Some(Quantity::scaled(6)), ..placed.clone() };
    script
        .record(RecordKind::Connecting, "{}", [connecting()])
        .record(
            RecordKind::Catalog,
            "{}",
            [catalog(0, vec![asset(63488, "XBT", 4)], vec![]), Event::Market(MARKET, listed("XBT:USD", 63488, 64136))],
        )
        .frame([Event::Balance(balance), Event::Balance(unknown), Event::TradeVolume(volume)])
        .frame([Event::OwnOrders(Box::new(OwnOrders { orders: vec![(MARKET, own)], cancelled: false }))])
        .frame([Event::Account(Box::new(placed)), Event::Account(Box::new(market_order))]);
    store.append(&script.ship()).unwrap();
    store.commit().unwrap();

    let balances = "SELECT code, name, places, available, reserved, is_snapshot FROM balance JOIN asset ON asset.id = asset \
         ORDER BY balance.id";
    assert_eq!(ask(&store, balances), "63488|XBT|4|100|-|1\n7|7|-|100|-|1");
    assert_eq!(ask(&store, "SELECT name, volume FROM trade_volume JOIN asset ON asset.id = asset"), "XBT|9");
    let own = "SELECT orders, cancelled, order_id, has_tonce, tonce, price, quantity, time \
         FROM own_order JOIN own_order_list list ON list.id = list";
    assert_eq!(ask(&store, own), "1|0|5|1|77|2|1|3");
    let replies =
        "SELECT method, instrument, order_id, has_tonce, tonce, price, quantity, time, remaining FROM order_reply";
    assert_eq!(ask(&store, replies), "PlaceOrder|1|5|1|77|2|1|3|-\nPlaceOrder|-|-|0|-|-|-|-|6");
    assert_eq!(ask(&store, "PRAGMA foreign_key_check"), "");
}

#[test]
fn a_session_and_its_subscriptions_are_followed_from_dialling_to_close() {
    let folder = TempDir::new().unwrap();
    let mut store = recording(&folder);
    let mut script = Script::opened(1);
    let data = |first, last, frames| {
        let (first, last) = (Timestamp(T0 + first), Timestamp(T0 + last));
        Event::Subscription(SubscriptionChange::Data { stream: STREAM, first, last, frames })
    };
    let reply = ReplyReceived {
        tag: Some(1),
        command: Some(Seq(4)),
        method: Some("WatchOrders".to_owned()),
        error_code: Some(0),
        error_message: None,
    };
    let finding = Finding {
        check: Check::ChangedWhileBlind,
        stream: STREAM,
        since: Timestamp(T0 + 620),
        evidence: "2 orders".to_owned(),
    };
    let command = CommandSent { method: "WatchOrders".to_owned(), tag: Some(1), stream: Some(STREAM) };
    script
        .record(
            RecordKind::Opened,
            "{}",
            [Event::Session(SessionChange::Opened { peer: Some("127.0.0.1:1".to_owned()) })],
        )
        .frame([Event::Session(SessionChange::Greeted), transition(400, Coverage::Gap(GapCause::NotAuthenticated))])
        .record(
            RecordKind::Sent,
            "{}",
            [Event::Command(Box::new(command)), Event::Subscription(SubscriptionChange::Asked(STREAM))],
        )
        .frame([Event::Session(SessionChange::Authenticated { user: Some(UserId(u64::MAX)) })])
        .frame([
            Event::Reply(Box::new(reply)),
            Event::Subscription(SubscriptionChange::Acknowledged(STREAM)),
            transition(700, Coverage::Covered(Verdict::Consistent)),
            Event::Finding(Box::new(finding)),
            data(650, 700, 2),
        ]);
    store.append(&script.ship()).unwrap();
    let closed =
        SessionChange::Closed { cause: CloseCause::ClosedByPeer, code: Some(1001), detail: "going away".to_owned() };
    let what = |body: &[u8], what: &str| NotUnderstood {
        reason: UnknownReason::UnknownNotice,
        what: what.to_owned(),
        body: body.to_vec(),
    };
    script
        .frame([data(750, 800, 5), Event::NotUnderstood(Box::new(what(b"{}", "Odd")))])
        .frame([Event::NotUnderstood(Box::new(what(&[0xff], "")))])
        .record(
            RecordKind::Closed,
            "{}",
            [
                Event::Subscription(SubscriptionChange::Ended { stream: STREAM, cause: GapCause::NotConnected }),
                transition(1000, Coverage::Gap(GapCause::NotConnected)),
                Event::Session(closed),
            ],
        );
    store.append(&script.ship()).unwrap();
    store.commit().unwrap();

    let session = "SELECT session.id, run, name, venue, url, peer, connecting_at - 1580000000000000000, \
         opened_at - 1580000000000000000, greeted_at - 1580000000000000000, authenticated_at - 1580000000000000000, user, \
         closed_at - 1580000000000000000, cause, code, detail FROM session JOIN source ON source.id = source";
    assert_eq!(
        ask(&store, session),
        "1|1|coinflex|coinflex|wss://localhost/v1|127.0.0.1:1|100|300|400|600|18446744073709551615|1000|closed_by_peer|1001|going away"
    );
    let subscription = "SELECT id >> 22, session, stream, asked_at - 1580000000000000000, \
         acknowledged_at - 1580000000000000000, first_data_at - 1580000000000000000, \
         last_data_at - 1580000000000000000, frames, ended_at - 1580000000000000000, cause FROM subscription";
    assert_eq!(ask(&store, subscription), "6|1|1|500|700|650|800|7|1000|not_connected");
    let transitions = "SELECT at - 1580000000000000000, state, reason, session, frame FROM transition ORDER BY at";
    assert_eq!(
        ask(&store, transitions),
        "400|gap|not_authenticated|1|5\n700|covered|consistent|1|8\n1000|gap|not_connected|1|11"
    );
    assert_eq!(
        ask(&store, "SELECT method, tag, stream, sent_at - 1580000000000000000 FROM command"),
        "WatchOrders|1|1|500"
    );
    assert_eq!(
        ask(
            &store,
            "SELECT id >> 22, stream, check_name, is_contradiction, since - 1580000000000000000, evidence FROM finding"
        ),
        "8|1|changed_while_blind|0|620|2 orders"
    );
    assert_eq!(ask(&store, "SELECT tag, command_seq, method, error_code FROM reply"), "1|4|WatchOrders|0");
    assert_eq!(
        ask(&store, "SELECT reason, what, text, bytes FROM not_understood"),
        "unknown_notice|Odd|{}|-\nunknown_notice||-|[255]"
    );
    assert_eq!(ask(&store, "SELECT session, first_seq, frames, first_frame FROM frame_span"), "0|0|1|1\n1|0|10|2");
}

#[test]
fn refused_logins_and_subscriptions_keep_code_and_message() {
    let folder = TempDir::new().unwrap();
    let mut store = recording(&folder);
    let mut script = Script::opened(1);
    let refused = SubscriptionChange::Refused { stream: STREAM, code: 1, message: "no such market".to_owned() };
    let login = SessionChange::LoginRefused { code: 7, message: "bad signature".to_owned() };
    script
        .frame([Event::Session(login)])
        .frame([Event::Subscription(SubscriptionChange::Asked(STREAM)), Event::Subscription(refused)]);
    store.append(&script.ship()).unwrap();
    store.commit().unwrap();
    let session = "SELECT login_refused_at - 1580000000000000000, login_error_code, login_error_message FROM session";
    assert_eq!(ask(&store, session), "300|7|bad signature");
    let refused = "SELECT refused_at - 1580000000000000000, error_code, error_message FROM subscription";
    assert_eq!(ask(&store, refused), "400|1|no such market");
}

#[test]
fn versions_begin_and_end_where_a_catalog_changes_and_nowhere_else() {
    let folder = TempDir::new().unwrap();
    let mut store = recording(&folder);
    let assets = || vec![asset(63488, "XBT", 4), asset(64136, "USD", 2)];
    let (usd, gbp) = (listed("XBT:USD", 63488, 64136), listed("XBT:GBP", 63488, 64032));
    let finer = Arc::new(Market { price_places: Some(2), ..Market::clone(&usd) });
    let mut script = Script::new(1);
    script
        .record(RecordKind::Connecting, "{}", [connecting()])
        .record(
            RecordKind::Catalog,
            "{}",
            [catalog(10, assets(), vec![usd.clone(), gbp.clone()]), Event::Market(MARKET, usd.clone())],
        )
        .frame([Event::Order(order(1))])
        .record(RecordKind::Catalog, "{}", [catalog(20, assets(), vec![usd.clone(), gbp.clone()])])
        .record(
            RecordKind::Catalog,
            "{}",
            [catalog(30, assets(), vec![finer.clone()]), Event::Market(MARKET, finer.clone())],
        )
        .frame([Event::Order(order(1))]);
    store.append(&script.ship()).unwrap();
    store.commit().unwrap();
    let versions = "SELECT instrument.id, name, price_places, quantity_places, counter_places, \
         valid_from - 1580000000000000000, valid_to - 1580000000000000000 \
         FROM instrument JOIN market ON market.id = market ORDER BY instrument.id";
    let expected = "1|XBT:USD|0|4|2|10|30\n2|XBT:GBP|0|4|-|10|30\n3|XBT:USD|2|4|2|30|-";
    assert_eq!(ask(&store, versions), expected);
    assert_eq!(ask(&store, "SELECT instrument FROM order_event ORDER BY id"), "1\n3");
    assert_eq!(ask(&store, "SELECT name, valid_to FROM asset"), "XBT|-\nUSD|-");

    // The next process reads what is in force and makes nothing new of the same.
    drop(store);
    let mut store = Store::open(settings(&folder)).unwrap();
    let begun = begin_at(&mut store, 5_000);
    let mut script = Script::new(begun.first_session.0);
    script.record(RecordKind::Connecting, "{}", [connecting()]).record(
        RecordKind::Catalog,
        "{}",
        [catalog(40, assets(), vec![finer.clone()]), Event::Market(MARKET, finer)],
    );
    store.append(&script.ship()).unwrap();
    store.commit().unwrap();
    assert_eq!(ask(&store, versions), expected);
}

#[test]
fn a_market_nobody_lists_has_a_placeholder_until_a_catalog_does() {
    let folder = TempDir::new().unwrap();
    let mut store = recording(&folder);
    let unknown = Arc::new(Market {
        name: "7:8".to_owned(),
        base: "7".to_owned(),
        counter: "8".to_owned(),
        price_places: None,
        quantity_places: None,
        tick: None,
        ..Market::clone(&listed("7:8", 7, 8))
    });
    let mut script = Script::new(1);
    script
        .record(RecordKind::Connecting, "{}", [connecting()])
        .record(RecordKind::Catalog, "{}", [catalog(10, vec![], vec![])])
        .frame([Event::Market(MARKET, unknown), Event::Order(order(1))])
        .record(RecordKind::Catalog, "{}", [catalog(350, vec![], vec![])])
        .record(RecordKind::Catalog, "{}", [catalog(400, vec![], vec![listed("BTC:USD", 7, 8)])]);
    store.append(&script.ship()).unwrap();
    store.commit().unwrap();
    let versions = "SELECT name, market.base, price_places, valid_from - 1580000000000000000, \
         valid_to - 1580000000000000000 FROM instrument JOIN market ON market.id = market ORDER BY instrument.id";
    assert_eq!(ask(&store, versions), "7:8|7|-|300|400\nBTC:USD|XBT|0|400|-");
}

#[test]
fn a_batch_that_is_stored_is_skipped_and_one_stored_in_part_is_completed() {
    let folder = TempDir::new().unwrap();
    let mut store = recording(&folder);
    let mut script = Script::opened(1);
    script.frame([Event::Subscription(SubscriptionChange::Asked(STREAM)), Event::Order(order(1))]);
    let whole = {
        let mut copy = Script { batch: script.batch.clone(), step: script.step };
        copy.frame([Event::Order(order(2))]).frame([Event::Order(order(3))]);
        copy.ship()
    };
    let part = script.ship();
    store.append(&part).unwrap();
    store.commit().unwrap();
    // Another session comes between, so that the second part lies elsewhere.
    store.append(&Script::opened(2).ship()).unwrap();
    store.commit().unwrap();
    let before = records(&store.settings().path);
    store.append(&part).unwrap();
    store.commit().unwrap();
    assert_eq!(records(&store.settings().path), before);

    store.append(&whole).unwrap();
    let mut more = Script { batch: Batch::new(SessionId(1), whole.next()), step: 900 };
    let (first, last) = (Timestamp(T0 + 1), Timestamp(T0 + 2));
    more.frame([
        Event::Order(order(4)),
        Event::Subscription(SubscriptionChange::Data { stream: STREAM, first, last, frames: 3 }),
    ]);
    store.append(&more.ship()).unwrap();
    store.commit().unwrap();
    assert_eq!(ask(&store, "SELECT id >> 22, order_id FROM order_event"), "4|1\n7|2\n8|3\n9|4");
    assert_eq!(ask(&store, "SELECT id >> 22, frames FROM subscription"), "4|3");
    let spans = "SELECT session, first_seq, frames, first_frame FROM frame_span ORDER BY first_frame";
    assert_eq!(ask(&store, spans), "0|0|1|1\n1|0|3|2\n2|0|2|5\n1|3|3|7");
    assert_eq!(ask(&store, "SELECT count(*) FROM instrument"), "1");
}

#[test]
fn a_session_that_goes_on_after_a_hole_is_refused() {
    let folder = TempDir::new().unwrap();
    let mut store = recording(&folder);
    store.append(&Script::opened(1).ship()).unwrap();
    let mut late = Script { batch: Batch::new(SessionId(1), Seq(3)), step: 500 };
    late.frame([Event::Order(order(1))]);
    assert!(
        matches!(store.append(&late.ship()), Err(SinkError::Fatal(text)) if text.contains("goes on at 3 instead of 2"))
    );
    assert_eq!(ask(&store, "SELECT count(*) FROM session"), "0");
}

#[test]
fn a_group_that_could_not_be_written_can_be_written_again() {
    let folder = TempDir::new().unwrap();
    let mut store = recording(&folder);
    let blocker = Connection::open(&store.settings().path).unwrap();
    store.connection.busy_timeout(Duration::ZERO).unwrap();
    let mut script = Script::opened(1);
    script.frame([Event::Order(order(1))]);
    let batch = script.ship();

    blocker.execute_batch("BEGIN IMMEDIATE").unwrap();
    assert!(matches!(store.append(&batch), Err(SinkError::Later(text)) if text.contains("another program")));
    blocker.execute_batch("COMMIT").unwrap();
    store.append(&batch).unwrap();
    // An error in the middle of a group takes back all of it, in memory as well.
    let mut broken = Script { batch: Batch::new(SessionId(1), batch.next()), step: 900 };
    broken.frame([Event::Order(OrderEvent { market: MarketRef(9), ..order(2) })]);
    assert!(matches!(store.append(&broken.ship()), Err(SinkError::Fatal(text)) if text.contains("market 9")));
    assert_eq!(ask(&store, "SELECT count(*) FROM order_event"), "0");
    store.append(&batch).unwrap();
    script.frame([Event::Order(order(2))]);
    store.append(&script.ship()).unwrap();
    store.commit().unwrap();
    assert_eq!(ask(&store, "SELECT id >> 22, order_id FROM order_event"), "4|1\n5|2");
    assert_eq!(ask(&store, "SELECT session, first_seq, frames, first_frame FROM frame_span"), "0|0|1|1\n1|0|4|2");
}

#[test]
fn a_full_disk_takes_back_the_group_and_space_lets_it_through() {
    let folder = TempDir::new().unwrap();
    let mut store = recording(&folder);
    let pages: i64 = store.connection.pragma_query_value(None, "page_count", |row| row.get(0)).unwrap();
    store.connection.pragma_update(None, "max_page_count", pages).unwrap();
    let mut script = Script::opened(1);
    for id in 0..2_000 {
        script.frame([Event::Order(order(id))]);
    }
    let batch = script.ship();
    let full = store.append(&batch).and_then(|()| store.commit());
    assert!(matches!(full, Err(SinkError::Later(text)) if text.contains("no space is left")));
    store.connection.pragma_update(None, "max_page_count", 1_000_000).unwrap();
    store.append(&batch).unwrap();
    store.commit().unwrap();
    assert_eq!(ask(&store, "SELECT count(*), max(id >> 22) FROM order_event"), "2000|2003");
    assert_eq!(records(&store.settings().path).len(), 2_003);
}

#[test]
fn after_a_reopen_sessions_go_on_as_before() {
    let folder = TempDir::new().unwrap();
    let mut store = recording(&folder);
    let mut script = Script::opened(1);
    script.frame([Event::Subscription(SubscriptionChange::Asked(STREAM))]);
    store.append(&script.ship()).unwrap();
    store.commit().unwrap();
    script.frame([Event::Order(order(1))]);
    let batch = script.ship();
    store.append(&batch).unwrap();
    store.reopen().unwrap();
    store.append(&batch).unwrap();
    store.commit().unwrap();
    // As if the answer to that commit had not been seen.
    store.reopen().unwrap();
    store.append(&batch).unwrap();
    script.frame([Event::Order(order(2))]);
    store.append(&script.ship()).unwrap();
    store.commit().unwrap();
    assert_eq!(ask(&store, "SELECT id >> 22, order_id, instrument FROM order_event"), "5|1|1\n6|2|1");
}

#[test]
fn a_commit_that_failed_is_told_by_the_reopened_file_whether_it_held() {
    // In one group: a market of unknown scale, and the list that has it, which is in force from then on.
    let script = || {
        let mut script = Script::new(1);
        let unlisted = Market { price_places: None, quantity_places: None, ..Market::clone(&listed("XBT:USD", 1, 2)) };
        let events = [connecting(), Event::Market(MARKET, unlisted.into()), stream()];
        script.record(RecordKind::Connecting, "{}", events);
        script.frame([Event::Subscription(SubscriptionChange::Asked(STREAM)), Event::Order(order(1))]);
        let market = listed("XBT:USD", 1, 2);
        let list = catalog(10, vec![asset(1, "XBT", 4), asset(2, "USD", 2)], vec![market.clone()]);
        script.record(RecordKind::Catalog, "{}", [list, Event::Market(MARKET, market)]);
        script
    };
    let mut ends = Vec::new();
    for held in [true, false] {
        let folder = TempDir::new().unwrap();
        let mut store = recording(&folder);
        let mut script = script();
        let batch = script.ship();
        store.append(&batch).unwrap();
        if held {
            store.finish_group().unwrap();
        }
        let error = store.commit_failed(Fault::Contradiction("no answer".to_owned()));
        assert!(error.to_string().contains("no answer"));
        store.reopen().unwrap();
        store.append(&batch).unwrap();
        let data = SubscriptionChange::Data { stream: STREAM, first: Timestamp(1), last: Timestamp(2), frames: 3 };
        script.frame([Event::Order(order(2)), Event::Subscription(data)]);
        store.append(&script.ship()).unwrap();
        store.commit().unwrap();
        let orders = ask(&store, "SELECT id >> 22, order_id, instrument FROM order_event");
        let subscriptions = ask(&store, "SELECT id >> 22, frames FROM subscription");
        ends.push((orders, ask(&store, "SELECT * FROM instrument"), subscriptions));
    }
    assert_eq!(ends[0], ends[1]);
    assert_eq!(ends[0].0, "3|1|1\n5|2|3", "before the list, and from it on");
    assert_eq!(ends[0].2, "3|3");
}

#[test]
fn a_file_that_somebody_else_wrote_to_is_not_written_to() {
    let folder = TempDir::new().unwrap();
    let mut store = recording(&folder);
    let other = Connection::open(&store.settings().path).unwrap();
    other.execute_batch("INSERT INTO frame_block VALUES (2, 5, 0, 0, 0, 1, x'')").unwrap();
    assert!(matches!(store.reopen(), Err(SinkError::Fatal(text)) if text.contains("record 2 would be the next")));
}

#[test]
fn large_groups_are_cut_into_blocks_and_keep_their_numbers() {
    let folder = TempDir::new().unwrap();
    let mut store = recording(&folder);
    let mut script = Script::opened(1);
    let body = "x".repeat(100_000);
    for id in 0..40 {
        script.record(RecordKind::Received, &body, [Event::Order(order(id))]);
    }
    store.append(&script.ship()).unwrap();
    store.commit().unwrap();
    assert_eq!(ask(&store, "SELECT count(*), sum(frames), max(raw_bytes) < 1200000 FROM frame_block"), "5|43|1");
    let stored = records(&store.settings().path);
    assert_eq!(stored.len(), 43);
    assert!(stored.iter().zip(1..).all(|(record, number)| record.0 == number));
    assert!(stored[3..].iter().all(|record| record.5 == body.as_bytes()));
    assert_eq!(ask(&store, "SELECT session, first_seq, frames, first_frame FROM frame_span"), "0|0|1|1\n1|0|42|2");
}
