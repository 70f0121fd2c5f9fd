//! What crosses the wire in CoinFLEX v1: commands, replies, notices and REST bodies, as the API documents them.
//!
//! The client encodes commands with these types, the built-in exchange encodes everything else with them, and
//! [`Request::decode`] is the exchange's reader of commands. Amounts and prices are the scaled integers of the wire
//! (see the asset's scale); a sell's quantity is negative; times are µs since the Unix epoch, except where said.

mod command;
mod decode;
mod notice;
mod refusal;
mod reply;
mod rest;

#[cfg(test)]
mod golden;

pub use command::{
    Authenticate, CancelOrder, Command, EstimateMarketOrder, GetTradeVolume, ModifyOrder, Persist, PlaceOrder, Request,
    Watch,
};
pub use decode::Undecodable;
pub use notice::{
    BalanceChanged, Notice, OrderChange, OrderClosed, OrdersMatched, Side, TickerChanged, TradeVolumeChanged, Welcome,
};
pub use refusal::Refusal;
pub use reply::{
    Balance, Balances, Book, BookOrder, Done, Estimate, Failure, Opened, Orders, OwnOrder, Remaining, Reply, Ticker,
    Volume,
};
pub use rest::{
    AccountValue, RestAsset, RestBalance, RestDepth, RestMarket, RestOrder, RestPosition, RestTicker, RestTrade,
};

/// Tags the reply carries: those given and not 0.
fn echoed(tag: Option<i64>) -> Option<i64> {
    tag.filter(|tag| *tag != 0)
}
