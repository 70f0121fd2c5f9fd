//! Questions about the engine's state. None of them changes it.

use std::sync::Arc;

use crate::exchange::listing::{Listing, MarketId, Pair};
use crate::model::{AssetCode, UserId};

use super::account::Holding;
use super::{
    AccountValue, Amount, Balance, Engine, Estimate, Level, MarketSize, Micros, OpenOrder, OrderRef, Position,
    Quantity, Refusal, Side, Ticker, UserTrade,
};

impl Engine {
    /// What is listed.
    #[must_use]
    pub fn listing(&self) -> &Arc<Listing> {
        &self.listing
    }

    /// The latest time the engine has been given; a few µs ahead of it after trades, which have a time of their own each.
    #[must_use]
    pub fn now(&self) -> Micros {
        self.now
    }

    /// Whether there is such a user. Of others, all that follows is empty.
    #[must_use]
    pub fn has_user(&self, user: UserId) -> bool {
        self.accounts.id(user).is_some()
    }

    /// The user's balances, of every listed asset.
    pub fn balances(&self, user: UserId) -> impl Iterator<Item = Balance> {
        self.holdings(user).map(|(asset, holding)| balance(asset, holding))
    }

    /// The user's balance of an asset; `None` if the asset is not listed.
    #[must_use]
    pub fn balance(&self, user: UserId, asset: AssetCode) -> Option<Balance> {
        let place = self.listing.asset_place(asset)?;
        self.accounts.of_user(user).map(|account| balance(asset, &account.holdings[place]))
    }

    /// The user's open orders, oldest first.
    pub fn orders(&self, user: UserId) -> impl Iterator<Item = OpenOrder> {
        let account = self.accounts.id(user).into_iter();
        account.flat_map(|account| self.orders.of_account(account)).map(|(_, order)| order.view())
    }

    /// How many orders the user has open.
    #[must_use]
    pub fn order_count(&self, user: UserId) -> usize {
        self.accounts.id(user).map_or(0, |account| self.orders.count(account))
    }

    /// One of the user's open orders.
    #[must_use]
    pub fn order(&self, user: UserId, order: OrderRef) -> Option<OpenOrder> {
        self.orders.find(self.accounts.id(user)?, order).map(|slot| self.orders[slot].view())
    }

    /// The resting orders of a side, in the order in which they would match.
    pub fn book(&self, market: MarketId, side: Side) -> impl Iterator<Item = OpenOrder> {
        let levels = self.market(market).book.levels(side);
        levels.flat_map(|(_, level)| self.orders.of_level(level)).map(|(_, order)| order.view())
    }

    /// The levels of a side, best first.
    pub fn depth(&self, market: MarketId, side: Side) -> impl Iterator<Item = Level> {
        self.market(market).book.levels(side).map(|(price, level)| {
            let orders = self.orders.of_level(level);
            let quantity = orders.fold(0_i64, |sum, (_, order)| sum.saturating_add(order.remaining));
            Level { price, quantity: Quantity(quantity) }
        })
    }

    /// A market's ticker.
    #[must_use]
    pub fn ticker(&self, market: MarketId) -> Ticker {
        self.market(market).ticker.told()
    }

    /// What a market order of this size would trade, fees and balances left out of account.
    ///
    /// # Errors
    /// [`Refusal::InvalidAssetPair`], [`Refusal::QuantityZero`], [`Refusal::TotalZero`], [`Refusal::TotalOverflow`].
    pub fn estimate(&self, pair: Pair, size: MarketSize) -> Result<Estimate, Refusal> {
        let (side, size) = size.magnitude()?;
        let market = self.open_market(pair)?;
        let lot = i128::from(self.market(market).lot);
        let (mut quantity, mut cost) = (0, 0);
        for order in self.book(market, side.opposite()) {
            let price = i128::from(order.price.0);
            let left = match size {
                MarketSize::Quantity(limit) => i128::from(limit.0) - quantity,
                MarketSize::Total(limit) => (i128::from(limit.0) * lot - cost) / price,
            };
            let taken = left.min(i128::from(order.quantity.0.abs()));
            if taken == 0 {
                break;
            }
            quantity += taken;
            cost += taken * price;
        }
        let total = match side {
            Side::Bid => (cost + lot - 1) / lot,
            Side::Ask => cost / lot,
        };
        let [quantity, total] = [quantity, total].map(|value| i64::try_from(value).map_err(|_| Refusal::TotalOverflow));
        Ok(Estimate { quantity: Quantity(quantity?), total: Amount(total?) })
    }

    /// What the user has traded of an asset, as base, in the last 30 days, trades with itself left out; `None` if the
    /// asset is not listed.
    #[must_use]
    pub fn trade_volume(&self, user: UserId, asset: AssetCode) -> Option<Amount> {
        let place = self.listing.asset_place(asset)?;
        self.accounts.of_user(user).map(|account| account.volume(place))
    }

    /// The user's last trades, oldest first: at most [`super::USER_TRADES_KEPT_MAX`], and none of simulated users.
    pub fn trades(&self, user: UserId) -> impl DoubleEndedIterator<Item = &UserTrade> {
        self.accounts.of_user(user).into_iter().flat_map(|account| &account.trades)
    }

    /// The user's net positions, of the assets it has traded.
    pub fn positions(&self, user: UserId) -> impl Iterator<Item = Position> {
        self.holdings(user).filter_map(|(asset, holding)| {
            Some(Position { asset, position: Amount(holding.position), through: holding.traded? })
        })
    }

    /// What the user has, of every spot asset.
    pub fn account_values(&self, user: UserId) -> impl Iterator<Item = AccountValue> {
        let spots = self.listing.assets().iter().filter(|asset| asset.spot.is_none()).map(|asset| asset.code);
        let spots = spots.filter(move |_| self.has_user(user));
        spots.map(move |spot| {
            let zero = Amount::default();
            let mut value =
                AccountValue { asset: spot, spot: zero, spot_change: zero, futures: zero, futures_change: zero };
            for (asset, (_, holding)) in self.listing.assets().iter().zip(self.holdings(user)) {
                let (now, opening) = (holding.total(), holding.opening);
                if asset.code == spot {
                    value.spot = Amount(now);
                    value.spot_change = Amount(now - opening);
                } else if asset.spot == Some(spot) {
                    value.futures.0 = value.futures.0.saturating_add(now);
                    value.futures_change.0 = value.futures_change.0.saturating_add(now - opening);
                }
            }
            value
        })
    }

    /// What was taken of an asset as fees; `None` if the asset is not listed.
    #[must_use]
    pub fn fees(&self, asset: AssetCode) -> Option<Amount> {
        self.listing.asset_place(asset).map(|place| Amount(self.accounts.fees[place]))
    }

    fn holdings(&self, user: UserId) -> impl Iterator<Item = (AssetCode, &Holding)> {
        let holdings = self.accounts.of_user(user).into_iter().flat_map(|account| &account.holdings);
        self.listing.assets().iter().map(|asset| asset.code).zip(holdings)
    }
}

fn balance(asset: AssetCode, holding: &Holding) -> Balance {
    Balance { asset, available: Amount(holding.available), reserved: Amount(holding.reserved) }
}
