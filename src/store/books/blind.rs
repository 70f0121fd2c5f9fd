//! What changed while nobody was looking: a book before a hole, and the snapshot after it. Within a session the session
//! tells; a session that begins knows nothing of what was before.

use rusqlite::{Connection, OptionalExtension, params};

use crate::model::{Check, Id};
use crate::store::writer::EVENT_BITS;

use super::event::BookEvent;
use super::kept::{Kept, Order};

/// Notes what differs between the book before a snapshot and after it, if the snapshot ended a hole.
pub(super) fn compare(
    connection: &Connection,
    snapshot: &BookEvent,
    before: &Kept,
    after: &Kept,
    side_orders_max: Option<i64>,
) -> rusqlite::Result<()> {
    let Some(stream) = after.stream else { return Ok(()) };
    let frame = snapshot.id >> EVENT_BITS;
    let (first, last) = (frame << EVENT_BITS, ((frame + 1) << EVENT_BITS) - 1);
    let ended = "SELECT id FROM transition WHERE id BETWEEN ? AND ? AND stream = ? AND state = 'covered'";
    let ended = connection.prepare_cached(ended)?.query_row(params![first, last, stream], |row| row.get::<_, i64>(0));
    let Some(ended) = ended.optional()? else { return Ok(()) };
    let check = Check::ChangedWhileBlind;
    let told = "SELECT 1 FROM finding WHERE id BETWEEN ? AND ? AND stream = ? AND check_name = ?";
    let told = connection.prepare_cached(told)?.query_row(params![first, last, stream, check.as_str()], |_| Ok(()));
    if told.optional()?.is_some() {
        return Ok(());
    }
    let Difference { appeared, vanished, changed } = Difference::between(before, after, side_orders_max);
    if (appeared, vanished, changed) == (0, 0, 0) {
        return Ok(());
    }
    // The hole began with the first gap after the stream was covered before.
    let since = "SELECT min(at) FROM transition WHERE stream = ?1 AND id < ?2 AND state = 'gap' AND id > coalesce( \
         (SELECT max(id) FROM transition WHERE stream = ?1 AND id < ?2 AND state = 'covered'), 0)";
    let since: Option<i64> =
        connection.prepare_cached(since)?.query_row([stream, ended], |row| row.get(0)).optional()?.flatten();
    let insert = "INSERT INTO finding (id, stream, received_at, check_name, is_contradiction, since, evidence) \
         VALUES (?, ?, ?, ?, ?, ?, ?)";
    let evidence = format!("{appeared} orders appeared, {vanished} vanished, {changed} changed");
    connection.prepare_cached(insert)?.execute(params![
        snapshot.id,
        stream,
        snapshot.at,
        check.as_str(),
        check.is_contradiction(),
        since.unwrap_or(before.at),
        evidence,
    ])?;
    Ok(())
}

/// Orders that differ between two books.
#[derive(Debug, PartialEq, Eq)]
struct Difference {
    appeared: usize,
    vanished: usize,
    changed: usize,
}

impl Difference {
    fn between(before: &Kept, after: &Kept, side_orders_max: Option<i64>) -> Self {
        let [bids, asks] = [true, false].map(|is_bid| Side::of(after, is_bid, side_orders_max));
        let is_open = |order: &&Order| order.quantity != Some(0);
        let before_of = |id: &Id| before.orders.get(id).filter(is_open);
        let after_of = |id: &Id| after.orders.get(id).filter(is_open);
        let mut difference = Self { appeared: 0, vanished: 0, changed: 0 };
        for (id, order) in after.orders.iter().filter(|(_, order)| is_open(order)) {
            match before_of(id) {
                None => difference.appeared += 1,
                Some(known) if (known.price, known.quantity) != (order.price, order.quantity) => {
                    difference.changed += 1;
                }
                Some(_) => {}
            }
        }
        let gone = before.orders.iter().filter(|(id, order)| is_open(order) && after_of(id).is_none());
        difference.vanished = gone
            .filter(|(_, order)| if order.quantity >= Some(0) { bids.shows(order) } else { asks.shows(order) })
            .count();
        difference
    }
}

/// How far a snapshot shows a side.
struct Side {
    is_bid: bool,
    /// The price of its last order, if there may be more beyond.
    worst: Option<i64>,
}

impl Side {
    fn of(book: &Kept, is_bid: bool, side_orders_max: Option<i64>) -> Self {
        let orders = book.orders.values().filter(|order| order.quantity.is_some_and(|left| (left >= 0) == is_bid));
        let prices: Vec<i64> = orders.filter_map(|order| order.price).collect();
        let is_full = side_orders_max.is_some_and(|max| prices.len() as i64 >= max);
        let worst = if is_bid { prices.iter().min() } else { prices.iter().max() };
        Self { is_bid, worst: worst.copied().filter(|_| is_full) }
    }

    /// Whether an order would be shown, if it were there.
    fn shows(&self, order: &Order) -> bool {
        match (self.worst, order.price) {
            (Some(worst), Some(price)) if self.is_bid => price > worst,
            (Some(worst), Some(price)) => price < worst,
            (Some(_), None) => false,
            (None, _) => true,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::books::Map;
    use crate::store::books::event::Change;

    /// A book of orders: id, price, quantity.
    fn book(orders: &[(i64, Option<i64>, i64)]) -> Kept {
        let mut kept = Kept { orders: Map::default(), stream: None, at: 0, since: 0 };
        for (order, price, quantity) in orders {
            let change = Change::Stated { order: Id::Int(*order), price: *price, quantity: Some(*quantity) };
            kept.apply(&BookEvent { id: 1, instrument: 1, at: 1, change });
        }
        kept
    }

    fn difference(before: &Kept, after: &Kept, side_orders_max: Option<i64>) -> [usize; 3] {
        let Difference { appeared, vanished, changed } = Difference::between(before, after, side_orders_max);
        [appeared, vanished, changed]
    }

    #[test]
    fn orders_that_came_went_and_changed_are_counted() {
        let before = book(&[(1, Some(10), 5), (2, Some(9), 5), (3, Some(20), -5), (4, Some(21), -5), (5, Some(8), 0)]);
        let after = book(&[(1, Some(10), 4), (2, Some(9), 5), (4, Some(22), -5), (6, Some(19), -1), (7, Some(7), 0)]);
        // What has nothing left is on its way out: neither 5, which goes, nor 7, which comes, is an order.
        assert_eq!(difference(&before, &after, None), [1, 1, 2]);
        assert_eq!(difference(&before, &before, None), [0, 0, 0]);
    }

    #[test]
    fn an_order_beyond_the_last_that_a_full_side_shows_may_still_be_there() {
        let before = book(&[(1, Some(10), 5), (2, Some(8), 5), (3, Some(7), 5), (4, Some(20), -5), (5, Some(23), -5)]);
        let after = book(&[(1, Some(10), 5), (6, Some(8), 1), (4, Some(20), -5), (7, Some(23), -1)]);
        // Two of a side are all that is shown: what is at the last price or beyond may be behind it.
        assert_eq!(difference(&before, &after, Some(2)), [2, 0, 0]);
        // Where a side has room, or shows beyond it, what is missing is gone.
        assert_eq!(difference(&before, &after, Some(3)), [2, 3, 0]);
        let further = book(&[(1, Some(10), 5), (6, Some(6), 1), (4, Some(20), -5), (7, Some(24), -1)]);
        assert_eq!(difference(&before, &further, Some(2)), [2, 3, 0]);
        // Of a price that no integer holds, nobody knows where it is.
        let odd = book(&[(1, Some(10), 5), (8, None, 5), (9, None, -5)]);
        assert_eq!(difference(&odd, &after, Some(2)), [3, 0, 0]);
        assert_eq!(difference(&odd, &after, None), [3, 2, 0]);
    }
}
