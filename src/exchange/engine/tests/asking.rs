//! What the engine answers about its state.

use super::*;

#[test]
fn an_estimate_is_what_the_book_would_give() {
    let mut floor = Floor::new();
    floor.place(ALICE, -10, 100 * USD);
    floor.place(ALICE, -10, 200 * USD);
    floor.place(ALICE, 3, 50 * USD);
    let estimate = |size| floor.engine.estimate(PAIR, size).map(|estimate| (estimate.quantity.0, estimate.total.0));
    let quantity = |quantity| estimate(MarketSize::Quantity(Quantity(quantity)));
    let total = |total| estimate(MarketSize::Total(Amount(total)));
    assert_eq!(quantity(15), Ok((15, 2_000)));
    assert_eq!(quantity(99), Ok((20, 3_000)));
    assert_eq!(quantity(-2), Ok((2, 100)));
    assert_eq!(total(1_500), Ok((12, 1_400)));
    assert_eq!(total(-99), Ok((1, 50)));
    assert_eq!(total(i64::MAX), Ok((20, 3_000)));
    assert_eq!(quantity(0), Err(Refusal::QuantityZero));
    assert_eq!(total(0), Err(Refusal::TotalZero));
    let nowhere = Pair { base: USDT, counter: XBT };
    let size = MarketSize::Total(Amount(1));
    assert_eq!(floor.engine.estimate(nowhere, size), Err(Refusal::InvalidAssetPair));
}

#[test]
fn depth_adds_up_the_orders_of_a_price() {
    let mut floor = Floor::new();
    for (quantity, price) in [(5, 100), (6, 100), (7, 99), (-1, 101)] {
        floor.place(ALICE, quantity, price * USD);
    }
    let market = floor.market_id();
    let depth = |side| floor.engine.depth(market, side).map(|level| (level.price.0, level.quantity.0));
    assert_eq!(depth(Side::Bid).collect::<Vec<_>>(), [(100 * USD, 11), (99 * USD, 7)]);
    assert_eq!(depth(Side::Ask).collect::<Vec<_>>(), [(101 * USD, 1)]);
}

#[test]
fn trades_positions_and_volumes_follow_from_what_was_traded() {
    let mut floor = Floor::with_fees(0, 1_000);
    let ask = floor.place(ALICE, -10_000, 1_000 * USD);
    floor.market(BOB, MarketSize::Quantity(Quantity(4_000)));
    floor.market(BOB, MarketSize::Quantity(Quantity(1_000)));
    let trades: Vec<_> = floor.engine.trades(ALICE).copied().collect();
    assert_eq!(
        trades.iter().map(|trade| (trade.quantity.0, trade.total.0)).collect::<Vec<_>>(),
        [(-4_000, -4_000_000), (-1_000, -1_000_000)]
    );
    assert!(trades.iter().all(|trade| trade.order == Some(ask) && trade.counter_fee == Amount(0)));
    let bought = floor.engine.trades(BOB).next().unwrap();
    assert_eq!((bought.quantity.0, bought.counter_fee.0, bought.order), (4_000, 4_000, None));
    assert_eq!(bought.time, trades[0].time);

    let positions: Vec<_> = floor.engine.positions(BOB).map(|p| (p.asset, p.position.0, p.through)).collect();
    assert_eq!(positions, [(XBT, 5_000, trades[1].time), (USDT, -5_000_000, trades[1].time)]);
    assert_eq!(floor.engine.positions(CAROL).count(), 0);
    let value = floor.engine.account_values(BOB).find(|value| value.asset == USDT).unwrap();
    assert_eq!((value.spot.0, value.spot_change.0), (USDT_START - 5_005_000, -5_005_000));

    assert_eq!(floor.engine.trade_volume(BOB, XBT), Some(Amount(5_000)));
    assert_eq!(floor.engine.trade_volume(BOB, AssetCode(1)), None);
    let month = 30 * 86_400 * 1_000_000;
    floor.events.clear();
    floor.engine.advance(Micros(floor.now + month), &mut floor.events);
    assert!(floor.story().contains(&"volume 2 0".to_owned()));
    assert_eq!(floor.engine.trade_volume(BOB, XBT), Some(Amount(0)));
}

#[test]
fn futures_count_towards_the_value_of_their_spot_asset() {
    let mut floor = Floor::new();
    let listing = floor.engine.listing().clone();
    let march = listing.asset_named("XBTMAR").unwrap().code;
    let holder = UserId(4);
    floor.engine.add_user(holder, UserKind::Customer, &[(XBT, Amount(5)), (march, Amount(7))]).unwrap();
    let value = floor.engine.account_values(holder).find(|value| value.asset == XBT).unwrap();
    assert_eq!((value.spot.0, value.futures.0, value.futures_change.0), (5, 7, 0));
    assert!(floor.engine.account_values(holder).all(|value| value.asset != march));
    assert_eq!(floor.engine.account_values(UserId(99)).count(), 0);
}

#[test]
fn trades_have_times_of_their_own_even_within_one_command() {
    let mut floor = Floor::new();
    for _ in 0..5 {
        floor.place(ALICE, -1, 100 * USD);
    }
    floor.now -= 10_000_000;
    floor.place(BOB, 5, 100 * USD);
    let times: Vec<_> = floor.engine.trades(BOB).map(|trade| trade.time).collect();
    assert_eq!(times.len(), 5);
    assert!(times.is_sorted_by(|one, next| one < next), "{times:?}");
}

#[test]
fn a_ticker_has_nulls_where_there_is_nothing_and_follows_the_trades() {
    let mut floor = Floor::new();
    let market = floor.market_id();
    assert_eq!(floor.engine.ticker(market), Ticker::default());
    floor.place(ALICE, -10, 100 * USD);
    floor.place(ALICE, -10, 110 * USD);
    floor.place(BOB, 15, 110 * USD);
    let price = |price: i64| Some(Price(price * USD));
    let ticker = Ticker {
        last: price(110),
        bid: None,
        ask: price(110),
        low: price(100),
        high: price(110),
        volume: Quantity(15),
    };
    assert_eq!(floor.engine.ticker(market), ticker);
}
