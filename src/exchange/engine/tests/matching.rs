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
