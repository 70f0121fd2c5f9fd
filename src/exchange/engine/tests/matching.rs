//! Who trades with whom, at what price, and what it costs.

use super::*;

#[test]
fn the_best_price_trades_first_and_of_one_price_the_oldest() {
    let mut floor = Floor::new();
    let worse = floor.place(ALICE, -10, 102 * USD);
    let older = floor.place(ALICE, -10, 101 * USD);
    let younger = floor.place(BOB, -10, 101 * USD);
    let taker = floor.place(CAROL, 25, 102 * USD);
    let trades: Vec<_> = floor.matches().iter().map(|m| (m.ask.order.unwrap().id, m.quantity.0, m.price.0)).collect();
    assert_eq!(trades, [(older, 10, 101 * USD), (younger, 10, 101 * USD), (worse, 5, 102 * USD)]);
    assert_eq!(floor.book(), [(worse.0, -5, 102 * USD)]);
    assert!(floor.matches().iter().all(|m| m.taker == Side::Bid && m.bid.order.unwrap().id == taker));
    assert_eq!(floor.matches()[2].bid.order.unwrap().remaining, Quantity(0));
}

#[test]
fn what_happens_is_told_in_the_documented_order() {
    let mut floor = Floor::new();
    floor.place(ALICE, -10, 100 * USD);
    floor.place(BOB, 20, 101 * USD);
    let usdt = USDT_START;
    let expected = [
        format!("balance 2 65283 {}", usdt - 2_020),
        "opened 2 20".into(),
        format!("matched 10 {}", 100 * USD),
        format!("balance 2 63488 {}", XBT_START + 10),
        format!("balance 2 65283 {}", usdt - 2_010),
        "reserved 1 63488 0".into(),
        format!("balance 1 65283 {}", usdt + 1_000),
        "volume 2 10".into(),
        "volume 1 10".into(),
        "closed 1 0".into(),
        "ticker".into(),
    ];
    assert_eq!(floor.story(), expected);
    floor.execute(BOB, Command::CancelAll).unwrap();
    assert_eq!(floor.story(), ["closed 2 10".into(), format!("balance 2 65283 {}", usdt - 1_000), "ticker".into()]);
}

#[test]
fn a_fee_that_the_balance_cannot_pay_eats_the_bid_as_in_the_published_example() {
    let mut floor = Floor::with_fees(300, 0);
    let usdc = AssetCode(65282);
    let pair = Pair { base: usdc, counter: USDT };
    let buyer = UserId(4);
    let seller = UserId(5);
    floor.engine.add_user(buyer, UserKind::Customer, &[(USDT, Amount(1_523_991))]).unwrap();
    floor.engine.add_user(seller, UserKind::Customer, &[(usdc, Amount(1_234))]).unwrap();
    floor.limit(buyer, LimitOrder { pair, ..order(12_345, 1_234_500) }).unwrap();
    assert_eq!(floor.balance(buyer, USDT), (0, 1_523_991));
    floor.limit(seller, LimitOrder { pair, ..order(-1_234, 1_234_500) }).unwrap();
    let [matched] = floor.matches()[..] else { panic!("one trade, not {:?}", floor.matches()) };
    let (total, fee) = (matched.total.0, matched.bid.counter_fee.0);
    assert!([152_337, 152_338].contains(&total) && [45, 46].contains(&fee), "{matched:?}");
    assert_eq!(matched.bid.order.unwrap().remaining, Quantity(11_110), "one unit less than 12345 - 1234");
    assert_eq!(floor.balance(buyer, USDT), (1_523_991 - total - fee - 1_371_530, 1_371_530));
    assert_eq!(floor.balance(seller, USDT), (total, 0));
    assert_eq!(floor.engine.fees(USDT), Some(Amount(fee)));
}

#[test]
fn a_fee_is_taken_from_the_balance_while_that_can_pay() {
    let mut floor = Floor::with_fees(1_000, 2_000);
    floor.place(ALICE, 10_000, 1_000 * USD);
    floor.place(BOB, -4_000, 1_000 * USD);
    let [matched] = floor.matches()[..] else { panic!("one trade") };
    assert_eq!((matched.total.0, matched.bid.counter_fee.0, matched.ask.counter_fee.0), (4_000_000, 4_000, 8_000));
    assert_eq!(matched.bid.order.unwrap().remaining, Quantity(6_000));
    assert_eq!(floor.balance(ALICE, USDT), (USDT_START - 10_000_000 - 4_000, 6_000_000));
    assert_eq!(floor.balance(BOB, USDT), (USDT_START + 4_000_000 - 8_000, 0));
    assert_eq!(floor.engine.fees(USDT), Some(Amount(12_000)));
}

#[test]
fn a_bid_of_everything_one_has_buys_as_much_as_its_fee_leaves() {
    let mut floor = Floor::with_fees(0, 1_000);
    let buyer = UserId(4);
    floor.engine.add_user(buyer, UserKind::Customer, &[(USDT, Amount(10_000_000))]).unwrap();
    floor.place(ALICE, -10_000, 1_000 * USD);
    floor.place(buyer, 10_000, 1_000 * USD);
    let [matched] = floor.matches()[..] else { panic!("one trade") };
    assert_eq!((matched.quantity.0, matched.total.0, matched.bid.counter_fee.0), (9_990, 9_990_000, 9_990));
    assert_eq!(
        matched.bid.order.unwrap().remaining,
        Quantity(0),
        "10 USDT cents are left, and no unit costs so little"
    );
    assert_eq!(floor.balance(buyer, USDT), (10, 0));
    assert_eq!(floor.book(), [(1, -10, 1_000 * USD)]);
}

#[test]
fn a_bid_that_cannot_pay_for_one_unit_and_its_fee_is_closed_unfilled() {
    let mut floor = Floor::with_fees(1_000_000, 0);
    let buyer = UserId(4);
    floor.engine.add_user(buyer, UserKind::Customer, &[(USDT, Amount(1_000))]).unwrap();
    let short = floor.place(buyer, 1, 1_000 * USD);
    floor.place(ALICE, -5, 1_000 * USD);
    assert_eq!(floor.matches(), []);
    assert!(floor.story().contains(&format!("closed {short} 1")), "{:?}", floor.story());
    assert_eq!(floor.balance(buyer, USDT), (1_000, 0));
    assert_eq!(floor.book(), [(2, -5, 1_000 * USD)]);
}

#[test]
fn a_trade_with_oneself_pays_no_fee_and_adds_no_volume() {
    let mut floor = Floor::with_fees(1_000, 2_000);
    floor.place(ALICE, -10_000, 1_000 * USD);
    floor.place(ALICE, 10_000, 1_000 * USD);
    let [matched] = floor.matches()[..] else { panic!("one trade") };
    assert_eq!((matched.bid.counter_fee, matched.ask.counter_fee), (Amount(0), Amount(0)));
    assert_eq!(floor.balance(ALICE, USDT), (USDT_START, 0));
    assert_eq!(floor.balance(ALICE, XBT), (XBT_START, 0));
    assert_eq!(floor.engine.trade_volume(ALICE, XBT), Some(Amount(0)));
    let ticker = floor.engine.ticker(floor.market_id());
    assert_eq!((ticker.last, ticker.volume), (Some(Price(1_000 * USD)), Quantity(0)));
    assert_eq!(Event::OrdersMatched(matched).recipients().owners, [Some(ALICE), None]);
}

#[test]
fn fill_or_kill_takes_what_there_is_and_is_closed() {
    let mut floor = Floor::new();
    floor.place(ALICE, -10, 100 * USD);
    let killed = LimitOrder { lifetime: Lifetime::FillOrKill, ..order(30, 100 * USD) };
    let killed = floor.limit(BOB, killed).unwrap();
    assert!(floor.story().contains(&format!("closed {} 20", killed.id)));
    assert_eq!(floor.book(), []);
    assert_eq!(floor.balance(BOB, USDT), (USDT_START - 1_000, 0));
}

#[test]
fn a_market_order_by_quantity_takes_the_book_and_says_what_remains() {
    let mut floor = Floor::new();
    floor.place(ALICE, -10, 100 * USD);
    floor.place(ALICE, -10, 101 * USD);
    let remaining = floor.market(BOB, MarketSize::Quantity(Quantity(25)));
    assert_eq!(remaining, MarketSize::Quantity(Quantity(5)));
    assert!(floor.matches().iter().all(|matched| matched.bid.order.is_none() && matched.ask.order.is_some()));
    assert_eq!(floor.balance(BOB, USDT), (USDT_START - 1_000 - 1_010, 0));
    assert!(matches!(floor.events.last(), Some(Event::TickerChanged { change, .. }) if change.ask == Patch::Null));
}

#[test]
fn a_market_order_by_total_spends_or_earns_at_most_that() {
    let mut floor = Floor::new();
    floor.place(ALICE, -10, 100 * USD);
    floor.place(ALICE, -10, 200 * USD);
    assert_eq!(floor.market(BOB, MarketSize::Total(Amount(1_500))), MarketSize::Total(Amount(100)));
    assert_eq!(floor.balance(BOB, XBT), (XBT_START + 12, 0));
    floor.place(ALICE, 10, 50 * USD);
    assert_eq!(floor.market(BOB, MarketSize::Total(Amount(-250))), MarketSize::Total(Amount(0)));
    assert_eq!(floor.balance(BOB, XBT), (XBT_START + 7, 0));
}

#[test]
fn a_market_order_stops_where_the_balance_ends() {
    let mut floor = Floor::with_fees(0, 1_000);
    let poor = UserId(4);
    floor.engine.add_user(poor, UserKind::Customer, &[(USDT, Amount(1_001)), (XBT, Amount(3))]).unwrap();
    floor.place(ALICE, -10, 1_000 * USD);
    assert_eq!(floor.market(poor, MarketSize::Quantity(Quantity(5))), MarketSize::Quantity(Quantity(4)));
    floor.place(ALICE, 10, 500 * USD);
    assert_eq!(floor.market(poor, MarketSize::Quantity(Quantity(-9))), MarketSize::Quantity(Quantity(5)));
    assert_eq!(floor.balance(poor, XBT), (0, 0));
    assert_eq!(floor.market(poor, MarketSize::Quantity(Quantity(-9))), MarketSize::Quantity(Quantity(9)));
}

#[test]
fn a_market_order_of_nothing_is_refused() {
    let mut floor = Floor::new();
    let mut refusal = |size, tonce, pair| {
        let order = MarketOrder { pair, tonce, size };
        floor.execute(ALICE, Command::PlaceMarket(order)).unwrap_err().to_string()
    };
    assert_eq!(refusal(MarketSize::Quantity(Quantity(0)), None, PAIR), "Quantity must not be zero.");
    assert_eq!(refusal(MarketSize::Total(Amount(0)), None, PAIR), "Total must not be zero.");
    assert_eq!(refusal(MarketSize::Total(Amount(i64::MIN)), None, PAIR), "Order total would overflow.");
    assert_eq!(refusal(MarketSize::Total(Amount(1)), Some(Tonce(0)), PAIR), "Tonce must not be zero.");
    let nowhere = Pair { base: USDT, counter: USDT };
    assert_eq!(refusal(MarketSize::Total(Amount(1)), None, nowhere), "You specified an invalid asset pair.");
}
