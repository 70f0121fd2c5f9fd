//! What is refused, what an order reserves, and how it rests.

use super::*;

#[test]
fn prices_snap_to_the_tick_as_published() {
    let mut floor = Floor::new();
    assert_eq!(floor.limit(ALICE, order(-1, 40_000_001)).unwrap().price, Price(40_010_000));
    assert_eq!(floor.limit(ALICE, order(11_234, 39_999_999)).unwrap().price, Price(39_990_000));
    assert_eq!(floor.limit(ALICE, order(1, 39_990_000)).unwrap().price, Price(39_990_000));
}

#[test]
fn a_bid_reserves_its_total_rounded_up_and_an_ask_its_quantity() {
    let mut floor = Floor::new();
    floor.place(ALICE, 3, USD);
    assert_eq!(floor.story(), [format!("balance 1 65283 {}", USDT_START - 3), "opened 1 3".into(), "ticker".into()]);
    assert_eq!(floor.balance(ALICE, USDT), (USDT_START - 3, 3));
    floor.place(ALICE, -500, 9_000 * USD);
    assert_eq!(floor.balance(ALICE, XBT), (XBT_START - 500, 500));
}

#[test]
fn malformed_orders_are_refused_with_the_documented_text() {
    let mut floor = Floor::new();
    let good = || order(1, USD);
    let cases = [
        (LimitOrder { tonce: Some(Tonce(0)), ..good() }, 8, "Tonce must not be zero."),
        (order(0, USD), 8, "Quantity must not be zero."),
        (order(1, 0), 8, "Price must not be zero."),
        (order(1, USD - 1), 8, "Price must not be zero."),
        (order(i64::MAX, i64::MAX), 8, "Order total would overflow."),
        (order(i64::MIN, USD), 8, "Order total would overflow."),
        (order(-1, i64::MAX), 8, "Order total would overflow."),
        (LimitOrder { pair: Pair { base: USDT, counter: XBT }, ..good() }, 1, "You specified an invalid asset pair."),
        (order(XBT_START, 10_001 * USD), 4, "You have insufficient funds."),
        (order(-XBT_START - 1, USD), 4, "You have insufficient funds."),
    ];
    for (order, code, text) in cases {
        let refusal = floor.limit(ALICE, order.clone()).unwrap_err();
        assert_eq!((refusal.code(), refusal.to_string().as_str()), (code, text), "{order:?}");
        assert_eq!(floor.events, []);
    }
    assert!(floor.limit(ALICE, order(1, -1)).is_err());
    assert_eq!(floor.limit(UserId(99), good()), Err(Refusal::NoSuchUser));
    assert_eq!(floor.balance(ALICE, USDT), (USDT_START, 0));
}

#[test]
fn everything_one_has_can_be_reserved() {
    let mut floor = Floor::new();
    floor.place(ALICE, XBT_START, 10_000 * USD);
    assert_eq!(floor.balance(ALICE, USDT), (0, USDT_START));
}

#[test]
fn a_tonce_is_free_again_once_its_order_is_gone() {
    let mut floor = Floor::new();
    let with_tonce = || LimitOrder { tonce: Some(Tonce(5)), ..order(1, USD) };
    floor.limit(ALICE, with_tonce()).unwrap();
    assert_eq!(floor.limit(ALICE, with_tonce()).map_err(Refusal::code), Err(3));
    floor.limit(BOB, with_tonce()).expect("another user's tonces are its own");
    floor.execute(ALICE, Command::Cancel(OrderRef::Tonce(Tonce(5)))).unwrap();
    floor.limit(ALICE, with_tonce()).unwrap();
    floor.execute(ALICE, Command::CancelAll).unwrap();
    floor.limit(ALICE, with_tonce()).unwrap();
}

#[test]
fn where_tonces_must_increase_they_do_until_all_orders_are_cancelled() {
    let mut floor = Floor::with_tonces(TonceRule::Increasing);
    let place = |floor: &mut Floor, user, tonce| {
        let order = LimitOrder { tonce: Some(Tonce(tonce)), ..order(1, USD) };
        floor.limit(user, order).map(|order| order.id).map_err(Refusal::code)
    };
    place(&mut floor, ALICE, 5).unwrap();
    assert_eq!(place(&mut floor, ALICE, 5), Err(3), "that of an open order");
    assert_eq!(place(&mut floor, ALICE, 4), Err(3), "less");
    assert_eq!(place(&mut floor, ALICE, 0), Err(8));
    place(&mut floor, BOB, 1).expect("another user's tonces are its own");
    floor.execute(ALICE, Command::Cancel(OrderRef::Tonce(Tonce(5)))).unwrap();
    assert_eq!(place(&mut floor, ALICE, 5), Err(3), "its order is gone, and it stays used");
    let refused = LimitOrder { tonce: Some(Tonce(9)), ..order(1, 0) };
    floor.limit(ALICE, refused).unwrap_err();
    let market = MarketOrder { pair: PAIR, tonce: Some(Tonce(6)), size: MarketSize::Quantity(Quantity(1)) };
    floor.execute(ALICE, Command::PlaceMarket(market)).expect("a refused order has not used its tonce");
    assert_eq!(place(&mut floor, ALICE, 6), Err(3), "a market order has");
    floor.limit(ALICE, order(1, USD)).expect("an order needs no tonce");
    floor.execute(ALICE, Command::CancelAll).unwrap();
    assert_eq!(place(&mut floor, ALICE, -1), Err(3), "the counter begins at zero");
    place(&mut floor, ALICE, 1).unwrap();
}

#[test]
fn a_customer_has_at_most_a_thousand_open_orders_and_a_simulated_trader_any_number() {
    let mut floor = Floor::new();
    for _ in 0..OPEN_ORDERS_MAX {
        floor.place(ALICE, 1, USD);
    }
    assert_eq!(floor.limit(ALICE, order(1, USD)).map_err(Refusal::code), Err(5));
    floor.place(BOB, 1, USD);
    let robot = UserId(1_000);
    floor.engine.add_user(robot, UserKind::Simulated, &[(USDT, Amount(USDT_START))]).unwrap();
    for _ in 0..=OPEN_ORDERS_MAX {
        floor.place(robot, 1, USD);
    }
}

#[test]
fn a_post_only_order_that_would_match_is_refused_and_another_is_not() {
    let mut floor = Floor::new();
    floor.place(ALICE, -10, 100 * USD);
    let post_only = |price| LimitOrder { post_only: true, ..order(10, price) };
    assert_eq!(floor.limit(BOB, post_only(100 * USD)).map_err(Refusal::code), Err(9));
    assert_eq!(floor.limit(BOB, post_only(101 * USD)).map_err(Refusal::code), Err(9));
    floor.limit(BOB, post_only(101 * USD - 10_001)).expect("it snaps below the ask");
}

#[test]
fn orders_of_a_connection_end_with_it_and_others_stay() {
    let mut floor = Floor::new();
    let until = |connection| LimitOrder { lifetime: Lifetime::Connection(ConnectionId(connection)), ..order(1, USD) };
    floor.place(ALICE, 1, USD);
    floor.limit(ALICE, until(1)).unwrap();
    floor.limit(ALICE, until(2)).unwrap();
    floor.limit(BOB, until(1)).unwrap();
    floor.events.clear();
    floor.engine.disconnect(Micros(floor.now), ConnectionId(1), &mut floor.events);
    let usdt = USDT_START;
    let balances = [format!("balance 1 65283 {}", usdt - 2), format!("balance 2 65283 {usdt}")];
    assert_eq!(floor.story(), ["closed 2 1", &balances[0], "closed 4 1", &balances[1]]);
    assert_eq!(floor.engine.orders(ALICE).map(|order| order.id.0).collect::<Vec<_>>(), [1, 3]);
}

#[test]
fn users_are_added_once_with_listed_assets_and_countable_amounts() {
    let mut floor = Floor::new();
    let mut add = |user, balances: &[_]| floor.engine.add_user(UserId(user), UserKind::Customer, balances);
    assert_eq!(add(1, &[]), Err(AccountError::Exists(ALICE)));
    assert_eq!(add(4, &[(AssetCode(1), Amount(1))]), Err(AccountError::UnknownAsset(AssetCode(1))));
    assert_eq!(add(4, &[(XBT, Amount(-1))]), Err(AccountError::NegativeBalance(XBT)));
    assert_eq!(add(4, &[(XBT, Amount(i64::MAX))]), Err(AccountError::SupplyOverflow(XBT)));
    assert_eq!(add(4, &[(XBT, Amount(1)), (XBT, Amount(2))]), Ok(()));
    assert_eq!(floor.balance(UserId(4), XBT), (3, 0));
}

#[test]
fn futures_take_orders_within_their_term_and_close_them_at_its_end() {
    let mut floor = Floor::new();
    let listing = floor.engine.listing().clone();
    let march = listing.market_named("XBTMAR:USDTMAR").unwrap();
    let term = listing.market(march).term.unwrap();
    let pair = listing.market(march).pair;
    let trader = UserId(5);
    floor.engine.add_user(trader, UserKind::Customer, &[(pair.counter, Amount(1_000_000))]).unwrap();
    let bid = || LimitOrder { pair, ..order(10, 9_000 * USD) };
    let june = listing.market(listing.market_named("XBTJUN:USDTJUN").unwrap()).pair;
    let early = floor.limit(trader, LimitOrder { pair: june, ..bid() });
    assert_eq!(early, Err(Refusal::InvalidAssetPair), "it has not begun");
    floor.limit(trader, bid()).unwrap();
    floor.events.clear();
    floor.engine.advance(Micros(term.expires.0 - 1), &mut floor.events);
    assert_eq!(floor.events, []);
    floor.engine.advance(term.expires, &mut floor.events);
    assert_eq!(floor.story(), ["closed 1 10", "balance 5 51882 1000000", "ticker"]);
    floor.now = term.expires.0;
    assert_eq!(floor.limit(trader, bid()), Err(Refusal::InvalidAssetPair), "it has ended");
}
