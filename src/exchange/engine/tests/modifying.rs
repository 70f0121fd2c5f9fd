//! Changing and cancelling orders.

use super::*;

fn modification(id: OrderId, quantity_delta: Option<i64>, price: Option<i64>) -> Modification {
    Modification {
        order: OrderRef::Id(id),
        quantity_delta: quantity_delta.map(Quantity),
        price: price.map(Price),
        post_only: false,
    }
}

impl Floor {
    fn modify(&mut self, user: UserId, modification: Modification) -> Result<OpenOrder, Refusal> {
        self.execute(user, Command::Modify(modification)).map(|reply| match reply {
            Reply::Modified(order) => order,
            other => panic!("a modification was answered with {other:?}"),
        })
    }

    /// The order in which the bids would match.
    fn queue(&self) -> Vec<i64> {
        self.engine.book(self.market_id(), Side::Bid).map(|order| order.id.0).collect()
    }
}

#[test]
fn shrinking_keeps_the_place_and_enlarging_or_another_price_loses_it() {
    let mut floor = Floor::new();
    let [first, second] = [(); 2].map(|()| floor.place(ALICE, 10, 100 * USD));
    floor.modify(ALICE, modification(first, Some(-3), None)).unwrap();
    assert_eq!(floor.queue(), [first.0, second.0]);
    floor.modify(ALICE, modification(first, None, Some(100 * USD + 1))).unwrap();
    assert_eq!(floor.queue(), [first.0, second.0], "it snaps to the price it has");
    floor.modify(ALICE, modification(first, Some(1), None)).unwrap();
    assert_eq!(floor.queue(), [second.0, first.0]);
    floor.modify(ALICE, modification(second, None, Some(99 * USD))).unwrap();
    floor.modify(ALICE, modification(second, None, Some(100 * USD))).unwrap();
    assert_eq!(floor.queue(), [first.0, second.0]);
    let ask = floor.place(ALICE, -10, 200 * USD);
    assert_eq!(floor.modify(ALICE, modification(ask, Some(4), None)).unwrap().quantity, Quantity(-6));
}

#[test]
fn a_modification_moves_the_reservation_and_is_told_around_it() {
    let mut floor = Floor::new();
    let id = floor.place(ALICE, 10, 100 * USD);
    let opened = floor.now;
    let balance = |less: i64| format!("balance 1 65283 {}", USDT_START - less);
    let reply = floor.modify(ALICE, modification(id, Some(10), Some(101 * USD))).unwrap();
    assert_eq!((reply.quantity, reply.price, reply.time), (Quantity(20), Price(101 * USD), Micros(floor.now)));
    assert_eq!(floor.story(), [balance(2_020), format!("modified 1 20 {}", 101 * USD), "ticker".into()]);
    floor.modify(ALICE, modification(id, Some(-15), None)).unwrap();
    assert_eq!(floor.story(), [format!("modified 1 5 {}", 101 * USD), balance(505)]);
    assert_eq!(floor.balance(ALICE, USDT), (USDT_START - 505, 505));
    assert_eq!(floor.engine.order(ALICE, OrderRef::Id(id)).unwrap().time, Micros(opened), "when it was opened");
}

#[test]
fn a_modification_to_nothing_or_past_it_cancels() {
    let mut floor = Floor::new();
    for delta in [-10, -11, i64::MIN + 11] {
        let id = floor.place(ALICE, 10, 100 * USD);
        let reply = floor.modify(ALICE, modification(id, Some(delta), None)).unwrap();
        assert_eq!((reply.id, reply.quantity), (id, Quantity(0)));
        assert_eq!(floor.story()[0], format!("closed {id} 10"));
        assert_eq!(floor.balance(ALICE, USDT), (USDT_START, 0));
        assert_eq!(floor.book(), []);
    }
}

#[test]
fn a_modification_that_crosses_matches_at_once_unless_it_is_post_only() {
    let mut floor = Floor::new();
    floor.place(BOB, -10, 105 * USD);
    let id = floor.place(ALICE, 15, 100 * USD);
    let post_only = Modification { post_only: true, ..modification(id, None, Some(105 * USD)) };
    assert_eq!(floor.modify(ALICE, post_only), Err(Refusal::WouldMatch));
    assert_eq!(floor.events, []);
    assert_eq!(floor.queue(), [id.0]);
    floor.modify(ALICE, modification(id, None, Some(106 * USD))).unwrap();
    assert_eq!(floor.matches().iter().map(|m| (m.price.0, m.taker)).collect::<Vec<_>>(), [(105 * USD, Side::Bid)]);
    assert_eq!(floor.book(), [(id.0, 5, 106 * USD)]);
    assert_eq!(floor.balance(ALICE, USDT), (USDT_START - 1_050 - 530, 530));
}

#[test]
fn malformed_modifications_are_refused_and_change_nothing() {
    let mut floor = Floor::new();
    let id = floor.place(ALICE, 10, 100 * USD);
    let ask = floor.place(ALICE, -10, 200 * USD);
    let cases = [
        (modification(id, None, None), "You must specify quantity delta and/or price."),
        (modification(id, Some(0), None), "Quantity delta must not be zero."),
        (modification(id, None, Some(0)), "Price must not be zero."),
        (modification(id, Some(i64::MAX), None), "Order total would overflow."),
        (modification(id, Some(i64::MAX - 10), None), "Order total would overflow."),
        (modification(ask, Some(i64::MIN), None), "Order total would overflow."),
        (modification(id, Some(USDT_START), None), "You have insufficient funds."),
        (modification(OrderId(99), Some(1), None), "The specified order was not found."),
    ];
    for (modification, text) in cases {
        let refusal = floor.modify(ALICE, modification).map_err(|refusal| refusal.to_string());
        assert_eq!(refusal, Err(text.to_owned()));
        assert_eq!(floor.events, []);
    }
}

#[test]
fn only_its_owner_can_change_or_cancel_an_order() {
    let mut floor = Floor::new();
    let id = floor.place(ALICE, 10, 100 * USD);
    assert_eq!(floor.modify(BOB, modification(id, Some(1), None)), Err(Refusal::OrderNotFound));
    let cancel = Command::Cancel(OrderRef::Id(id));
    assert_eq!(floor.execute(BOB, cancel.clone()), Err(Refusal::OrderNotFound));
    assert_eq!(floor.execute(ALICE, Command::Cancel(OrderRef::Tonce(Tonce(0)))), Err(Refusal::TonceZero));
    floor.execute(ALICE, cancel.clone()).unwrap();
    assert_eq!(floor.execute(ALICE, cancel), Err(Refusal::OrderNotFound));
}

#[test]
fn cancelling_tells_the_close_before_the_balance_and_answers_with_the_order() {
    let mut floor = Floor::new();
    let placed = floor.limit(ALICE, LimitOrder { tonce: Some(Tonce(7)), ..order(-10, 100 * USD) }).unwrap();
    let reply = floor.execute(ALICE, Command::Cancel(OrderRef::Tonce(Tonce(7)))).unwrap();
    assert_eq!(reply, Reply::Cancelled(placed));
    assert_eq!(floor.story(), ["closed 1 -10".into(), format!("balance 1 63488 {XBT_START}"), "ticker".into()]);
}

#[test]
fn cancelling_all_takes_every_order_of_the_user_and_no_others() {
    let mut floor = Floor::new();
    let bobs = floor.place(BOB, 1, USD);
    let mine = [floor.place(ALICE, 1, USD), floor.place(ALICE, -1, 100 * USD)];
    let Reply::AllCancelled(orders) = floor.execute(ALICE, Command::CancelAll).unwrap() else { panic!("wrong reply") };
    assert_eq!(orders.iter().map(|order| order.id).collect::<Vec<_>>(), mine);
    assert_eq!(floor.book(), [(bobs.0, 1, USD)]);
    assert_eq!(floor.story().iter().filter(|word| *word == "ticker").count(), 1, "told once, at the end");
}
