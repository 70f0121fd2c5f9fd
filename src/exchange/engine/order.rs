//! The open orders, each in a slot that never moves, chained into queues without allocation.

use std::num::NonZeroU32;

use foldhash::HashMap;
use slab::Slab;

use crate::exchange::listing::MarketId;
use crate::model::UserId;

use super::account::AccountId;
use super::{ConnectionId, Micros, OpenOrder, OrderId, OrderRef, Price, Quantity, Side, Tonce};

/// The slot of an open order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Slot(NonZeroU32);

impl Slot {
    fn new(index: usize) -> Self {
        let number = u32::try_from(index + 1).ok().and_then(NonZeroU32::new);
        Self(number.expect("fewer than 2^32 orders fit in memory"))
    }

    fn index(self) -> usize {
        self.0.get() as usize - 1
    }
}

/// An open order.
#[derive(Clone, Debug)]
pub(super) struct Order {
    pub id: OrderId,
    pub account: AccountId,
    pub owner: UserId,
    pub market: MarketId,
    pub side: Side,
    pub price: Price,
    /// What is left, positive while the order is in the book.
    pub remaining: i64,
    pub tonce: Option<Tonce>,
    /// When it was opened.
    pub time: Micros,
    /// The connection whose end cancels it.
    pub connection: Option<ConnectionId>,
    /// Whether it is in the book.
    pub resting: bool,
    links: [Links; 3],
}

/// What is needed to open an order; the rest is its history.
pub(super) struct NewOrder {
    pub account: AccountId,
    pub owner: UserId,
    pub market: MarketId,
    pub side: Side,
    pub price: Price,
    pub quantity: i64,
    pub tonce: Option<Tonce>,
    pub time: Micros,
    pub connection: Option<ConnectionId>,
}

impl Order {
    /// The order as others are told of it.
    pub(super) fn view(&self) -> OpenOrder {
        OpenOrder {
            id: self.id,
            owner: self.owner,
            tonce: self.tonce,
            market: self.market,
            quantity: Quantity(self.side.sign(self.remaining)),
            price: self.price,
            time: self.time,
        }
    }
}

/// The queues an order can be in at the same time.
#[derive(Clone, Copy)]
enum Chain {
    /// Orders of one side and price, oldest first.
    Level = 0,
    /// Open orders of one account, oldest first.
    Account = 1,
    /// Open orders that end with one connection, oldest first.
    Connection = 2,
}

#[derive(Clone, Copy, Debug, Default)]
struct Links {
    previous: Option<Slot>,
    next: Option<Slot>,
}

/// The ends of a queue of orders.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Queue {
    first: Option<Slot>,
    last: Option<Slot>,
    length: usize,
}

impl Queue {
    pub(super) fn first(&self) -> Option<Slot> {
        self.first
    }

    pub(super) fn is_empty(&self) -> bool {
        self.first.is_none()
    }
}

/// All open orders, found by number, by tonce, by account and by connection. Books chain them by price.
#[derive(Debug, Default)]
pub(super) struct Orders {
    slots: Slab<Order>,
    by_id: HashMap<OrderId, Slot>,
    by_tonce: HashMap<(AccountId, Tonce), Slot>,
    by_account: HashMap<AccountId, Queue>,
    by_connection: HashMap<ConnectionId, Queue>,
    last_id: OrderId,
}

impl Orders {
    /// Opens an order; it is in no book yet.
    pub(super) fn open(&mut self, new: NewOrder) -> Slot {
        self.last_id.0 += 1;
        let NewOrder { account, owner, market, side, price, quantity, tonce, time, connection } = new;
        let order = Order {
            id: self.last_id,
            account,
            owner,
            market,
            side,
            price,
            remaining: quantity,
            tonce,
            time,
            connection,
            resting: false,
            links: Default::default(),
        };
        let slot = Slot::new(self.slots.insert(order));
        self.by_id.insert(self.last_id, slot);
        if let Some(tonce) = tonce {
            self.by_tonce.insert((account, tonce), slot);
        }
        push(&mut self.slots, self.by_account.entry(account).or_default(), Chain::Account, slot);
        if let Some(connection) = connection {
            push(&mut self.slots, self.by_connection.entry(connection).or_default(), Chain::Connection, slot);
        }
        slot
    }

    /// Forgets an order, which is in no book any more.
    pub(super) fn close(&mut self, slot: Slot) -> Order {
        let Order { id, account, tonce, connection, .. } = self[slot];
        self.by_id.remove(&id);
        if let Some(tonce) = tonce {
            self.by_tonce.remove(&(account, tonce));
        }
        if let Some(queue) = self.by_account.get_mut(&account) {
            unlink(&mut self.slots, queue, Chain::Account, slot);
        }
        if let Some(connection) = connection
            && let Some(queue) = self.by_connection.get_mut(&connection)
        {
            unlink(&mut self.slots, queue, Chain::Connection, slot);
            if queue.is_empty() {
                self.by_connection.remove(&connection);
            }
        }
        self.slots.remove(slot.index())
    }

    /// Appends the order to a level.
    pub(super) fn push_to_level(&mut self, level: &mut Queue, slot: Slot) {
        self[slot].resting = true;
        push(&mut self.slots, level, Chain::Level, slot);
    }

    /// Takes the order out of its level.
    pub(super) fn remove_from_level(&mut self, level: &mut Queue, slot: Slot) {
        self[slot].resting = false;
        unlink(&mut self.slots, level, Chain::Level, slot);
    }

    /// The account's open order of that number or tonce.
    pub(super) fn find(&self, account: AccountId, order: OrderRef) -> Option<Slot> {
        match order {
            OrderRef::Id(id) => self.by_id.get(&id).copied().filter(|slot| self[*slot].account == account),
            OrderRef::Tonce(tonce) => self.by_tonce.get(&(account, tonce)).copied(),
        }
    }

    /// How many orders the account has open.
    pub(super) fn count(&self, account: AccountId) -> usize {
        self.by_account.get(&account).map_or(0, |queue| queue.length)
    }

    /// The account's open orders, oldest first.
    pub(super) fn of_account(&self, account: AccountId) -> impl Iterator<Item = (Slot, &Order)> {
        self.chain(self.by_account.get(&account).copied().unwrap_or_default(), Chain::Account)
    }

    /// The open orders that end with the connection, oldest first.
    pub(super) fn of_connection(&self, connection: ConnectionId) -> impl Iterator<Item = (Slot, &Order)> {
        self.chain(self.by_connection.get(&connection).copied().unwrap_or_default(), Chain::Connection)
    }

    /// The orders of a level, oldest first.
    pub(super) fn of_level(&self, level: Queue) -> impl Iterator<Item = (Slot, &Order)> {
        self.chain(level, Chain::Level)
    }

    fn chain(&self, queue: Queue, chain: Chain) -> impl Iterator<Item = (Slot, &Order)> {
        std::iter::successors(queue.first, move |slot| self[*slot].links[chain as usize].next)
            .map(|slot| (slot, &self[slot]))
    }
}

impl std::ops::Index<Slot> for Orders {
    type Output = Order;

    fn index(&self, slot: Slot) -> &Order {
        &self.slots[slot.index()]
    }
}

impl std::ops::IndexMut<Slot> for Orders {
    fn index_mut(&mut self, slot: Slot) -> &mut Order {
        &mut self.slots[slot.index()]
    }
}

fn push(slots: &mut Slab<Order>, queue: &mut Queue, chain: Chain, slot: Slot) {
    slots[slot.index()].links[chain as usize] = Links { previous: queue.last, next: None };
    match queue.last {
        Some(last) => slots[last.index()].links[chain as usize].next = Some(slot),
        None => queue.first = Some(slot),
    }
    queue.last = Some(slot);
    queue.length += 1;
}

fn unlink(slots: &mut Slab<Order>, queue: &mut Queue, chain: Chain, slot: Slot) {
    let Links { previous, next } = slots[slot.index()].links[chain as usize];
    match previous {
        Some(previous) => slots[previous.index()].links[chain as usize].next = next,
        None => queue.first = next,
    }
    match next {
        Some(next) => slots[next.index()].links[chain as usize].previous = previous,
        None => queue.last = previous,
    }
    queue.length -= 1;
}
