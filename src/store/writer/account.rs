//! The account: balances, trade volumes, own orders, and the replies to order commands.

use std::sync::Arc;

use rusqlite::params;

use crate::model::{AccountEvent, Asset, AssetCode, Balance, BookOrder, OwnOrders, TradeVolume};

use super::{Fault, Group, Written, int, text, tonce};

impl Group<'_> {
    pub(super) fn balance(&mut self, balance: &Balance) -> Written {
        let asset = self.asset(balance.asset, balance.asset_name.as_ref(), balance.places)?;
        let insert = "INSERT INTO balance (id, asset, available, reserved, total, is_snapshot, received_at) \
             VALUES (?, ?, ?, ?, ?, ?, ?)";
        self.connection.prepare_cached(insert)?.execute(params![
            self.id,
            asset,
            self.number("available", balance.available.as_ref())?,
            self.number("reserved", balance.reserved.as_ref())?,
            self.number("total", balance.total.as_ref())?,
            balance.is_snapshot,
            self.at.0,
        ])?;
        Ok(())
    }

    pub(super) fn trade_volume(&mut self, volume: &TradeVolume) -> Written {
        let asset = self.asset(volume.asset, volume.asset_name.as_ref(), volume.places)?;
        let amount = self.number("volume", volume.volume.as_ref())?;
        let insert = "INSERT INTO trade_volume (id, asset, volume, received_at) VALUES (?, ?, ?, ?)";
        self.connection.prepare_cached(insert)?.execute(params![self.id, asset, amount, self.at.0])?;
        Ok(())
    }

    /// The version of an asset that has these places; one that no catalog listed gets a row of its own.
    pub(super) fn asset(
        &mut self,
        code: Option<AssetCode>,
        name: Option<&Arc<str>>,
        places: Option<u8>,
    ) -> Result<i64, Fault> {
        let name = match (name, code) {
            (Some(name), _) => name.to_string(),
            (None, Some(code)) => code.to_string(),
            (None, None) => String::new(),
        };
        self.asset_in_force(&Asset { code, name, places, spot: None })
    }

    pub(super) fn own_orders(&self, list: &OwnOrders) -> Written {
        let source = self.source()?;
        let insert = "INSERT INTO own_order_list (id, source, cancelled, orders, received_at) VALUES (?, ?, ?, ?, ?)";
        let row = params![self.id, source, list.cancelled, list.orders.len() as i64, self.at.0];
        self.connection.prepare_cached(insert)?.execute(row)?;
        let insert = "INSERT INTO own_order (list, n, instrument, order_id, order_ref, has_tonce, tonce, price, \
             quantity, time) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)";
        let mut insert = self.connection.prepare_cached(insert)?;
        for (n, (market, order)) in list.orders.iter().enumerate() {
            let (has_tonce, tonce) = tonce(&order.tonce);
            insert.execute(params![
                self.id,
                n as i64,
                self.market(*market)?.instrument,
                int(order.id.as_ref()),
                text(order.id.as_ref()),
                has_tonce,
                tonce,
                self.number_at(n, "price", order.price.as_ref())?,
                self.number_at(n, "quantity", order.quantity.as_ref())?,
                order.time.map(|time| time.0),
            ])?;
        }
        Ok(())
    }

    pub(super) fn order_reply(&self, reply: &AccountEvent) -> Written {
        let instrument = reply.market.map(|market| self.market(market)).transpose()?.map(|market| market.instrument);
        let order = reply.order.as_ref();
        let id = order.and_then(|order| order.id.as_ref());
        let (has_tonce, tonce) = order.map_or((false, None), |order| tonce(&order.tonce));
        let price = order.and_then(|order| order.price.as_ref());
        let quantity = order.and_then(|order| order.quantity.as_ref());
        let insert = "INSERT INTO order_reply (id, session, method, instrument, order_id, order_ref, has_tonce, tonce, \
             price, quantity, time, remaining, received_at) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)";
        self.connection.prepare_cached(insert)?.execute(params![
            self.id,
            self.session_id.0,
            reply.method,
            instrument,
            int(id),
            text(id),
            has_tonce,
            tonce,
            self.number("price", price)?,
            self.number("quantity", quantity)?,
            order.and_then(|order: &BookOrder| order.time).map(|time| time.0),
            self.number("remaining", reply.remaining.as_ref())?,
            self.at.0,
        ])?;
        Ok(())
    }
}
