//! What happens without a command: time passes, futures expire, connections end.

use super::order::Slot;
use super::{ConnectionId, Engine, Event, Micros, Side};

impl Engine {
    /// Lets time pass to `now`: closes the orders of expired futures, and tells the tickers and trade volumes that time
    /// has changed. To be called about once a second; expiry is also seen by the next command.
    pub fn advance(&mut self, now: Micros, events: &mut Vec<Event>) {
        self.begin(now, events);
        for market in self.listing.market_ids() {
            self.stir(market);
        }
        self.tell_tickers(events);
        for account in self.accounts.iter_mut() {
            let user = account.user;
            for (asset, volume) in account.roll_volumes(self.now) {
                let asset = self.listing.assets()[asset].code;
                events.push(Event::TradeVolumeChanged { user, asset, volume });
            }
        }
    }

    /// Ends a connection: cancels the orders that live with it, whoever's they are.
    pub fn disconnect(&mut self, now: Micros, connection: ConnectionId, events: &mut Vec<Event>) {
        self.begin(now, events);
        let slots: Vec<_> = self.orders.of_connection(connection).map(|(slot, _)| slot).collect();
        self.close_all(slots, events);
        self.tell_tickers(events);
    }

    /// Takes the time, and closes what has expired by it.
    pub(super) fn begin(&mut self, now: Micros, events: &mut Vec<Event>) {
        self.now = self.now.max(now);
        if self.next_expiry.is_none_or(|expires| self.now < expires) {
            return;
        }
        for market in self.listing.market_ids() {
            if self.listing.market(market).is_open(self.now) {
                continue;
            }
            for side in [Side::Bid, Side::Ask] {
                let levels = self.market(market).book.levels(side);
                let slots = levels.flat_map(|(_, level)| self.orders.of_level(level)).map(|(slot, _)| slot);
                let slots: Vec<_> = slots.collect();
                self.close_all(slots, events);
            }
        }
        self.next_expiry = self.listing.next_expiry(self.now);
    }

    fn close_all(&mut self, slots: Vec<Slot>, events: &mut Vec<Event>) {
        for slot in slots {
            self.close(slot, events);
        }
    }
}
