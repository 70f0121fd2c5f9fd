//! What an exchange is started with.

use std::net::{Ipv4Addr, SocketAddr};
use std::num::NonZeroU32;
use std::path::PathBuf;
use std::time::Duration;

use super::account::Account;
use super::engine::FeeSchedule;
use super::faults::Faults;
use super::rate::Rate;
use super::traders::TradersConfig;
use crate::model::MarketPattern;

/// Everything that can be chosen about an exchange.
#[derive(Clone, Debug)]
pub struct ExchangeConfig {
    /// Where to listen; port 0 takes a free one.
    pub listen: SocketAddr,
    /// What is listed.
    pub listing: ListingChoice,
    /// Who can log in; if nobody, demo accounts are made.
    pub accounts: Vec<Account>,
    /// Whether accounts without balances start with those of demo accounts.
    pub demo_balances: bool,
    /// Fees.
    pub fees: FeeSchedule,
    /// Decides how the engine rounds and what the traders do.
    pub seed: u64,
    /// Who trades by itself; nobody without.
    pub traders: Option<Simulation>,
    /// How `https` and `wss` are spoken; plain text without.
    pub tls: Option<Tls>,
    /// What goes wrong on purpose.
    pub faults: Faults,
    /// Limits.
    pub limits: Limits,
}

impl Default for ExchangeConfig {
    /// CoinFLEX's list of today on a free port of the loopback, with demo accounts.
    fn default() -> Self {
        Self {
            listen: SocketAddr::from((Ipv4Addr::LOCALHOST, 0)),
            listing: ListingChoice::CoinFlex { year: None },
            accounts: Vec::new(),
            demo_balances: false,
            fees: FeeSchedule::default(),
            seed: 0,
            traders: None,
            tls: None,
            faults: Faults::default(),
            limits: Limits::default(),
        }
    }
}

/// Which exchange's assets and markets are listed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ListingChoice {
    /// CoinFLEX's.
    CoinFlex {
        /// The year of the month contracts; without, those that expire next.
        year: Option<i16>,
    },
    /// Coinfloor's. The WebSocket also answers on `/` then.
    Coinfloor,
}

/// Simulated traders.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Simulation {
    /// The markets they trade on; if none are given, all that are no futures.
    pub markets: Vec<MarketPattern>,
    /// Their commands per second, over all markets.
    pub rate: NonZeroU32,
    /// Orders that the book of a market tends to, over both sides.
    pub depth: NonZeroU32,
}

impl Default for Simulation {
    fn default() -> Self {
        let TradersConfig { rate, depth, .. } = TradersConfig::new(Vec::new());
        Self { markets: Vec::new(), rate, depth }
    }
}

/// Where certificate and key come from.
#[derive(Clone, Debug)]
pub enum Tls {
    /// From PEM files.
    Files {
        /// The certificate chain.
        certificate: PathBuf,
        /// Its private key.
        key: PathBuf,
    },
    /// Made at start, for `localhost`, the address listened on, and the hosts that published clients have written in.
    SelfSigned {
        /// Where to write the certificate, so that clients can be told to trust it.
        certificate: PathBuf,
    },
}

/// What clients may do, and how much of it.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// A WebSocket is closed when nothing came or went for so long.
    pub idle: Duration,
    /// Longest message from a client, in bytes.
    pub message_bytes_max: usize,
    /// A client that leaves more than so many bytes unread is cut off.
    pub unread_bytes_max: usize,
    /// Order commands of a user by WebSocket, estimates and cancellations included.
    pub orders: Rate,
    /// Order commands of a user by REST.
    pub rest_orders: Rate,
    /// Information requests of a session.
    pub information: Rate,
    /// Logins of a user.
    pub logins: Rate,
    /// Requests of a user for past trades by REST.
    pub records: Rate,
}

impl Default for Limits {
    /// CoinFLEX's published limits, and ours where it published none.
    fn default() -> Self {
        Self {
            idle: Duration::from_secs(60),
            message_bytes_max: 64 * 1024,
            unread_bytes_max: 16 * 1024 * 1024,
            orders: Rate::per_seconds(200, 1),
            rest_orders: Rate::per_seconds(300, 10),
            information: Rate::per_seconds(10, 10),
            logins: Rate::per_seconds(1_000, 3_600),
            records: Rate::per_seconds(30, 60),
        }
    }
}
