//! Accounts: what every user has, and what has come of its trading.

use std::collections::{BTreeMap, VecDeque};

use foldhash::HashMap;
use thiserror::Error;

use crate::model::{AssetCode, UserId};

use super::trailing::{Span, Trailing, Volume};
use super::{Amount, Micros, Tonce, UserTrade};

/// Most past trades kept of one user; older ones are forgotten.
pub const USER_TRADES_KEPT_MAX: usize = 10_000;

/// The span of a user's trade volume: 30 days, in steps of an hour.
const VOLUME_SPAN: Span = Span { step: Micros(3_600_000_000), steps: 30 * 24 };

/// An account's place.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct AccountId(u32);

/// An asset's place in the listing.
pub(super) type AssetPlace = usize;

/// What sort of user an account belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UserKind {
    /// Somebody who can log in.
    Customer,
    /// A simulated trader: no limit to its open orders, no record of its trades.
    Simulated,
}

/// Why a user could not be added.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum AccountError {
    /// There is one with that number.
    #[error("user {0} exists already: give each user a number of its own")]
    Exists(UserId),
    /// A balance in an asset that is not listed.
    #[error("asset {0} is not listed: use a code of the exchange's asset list")]
    UnknownAsset(AssetCode),
    /// A balance below zero.
    #[error("the balance of asset {0} is negative: start with zero or more")]
    NegativeBalance(AssetCode),
    /// All users together would have more of the asset than 64 bits can count.
    #[error("all balances of asset {0} together exceed {max} units: start with less", max = i64::MAX)]
    SupplyOverflow(AssetCode),
}

/// What an account has of one asset. Never below zero, and of all accounts and fees together never above `i64::MAX`.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Holding {
    pub available: i64,
    pub reserved: i64,
    /// Bought less sold.
    pub position: i64,
    /// When the position last changed.
    pub traded: Option<Micros>,
    /// Available when the account was opened.
    pub opening: i64,
}

impl Holding {
    /// Sets more aside (or, below zero, frees it). The caller has checked that there is enough.
    pub(super) fn reserve(&mut self, amount: i64) {
        self.available -= amount;
        self.reserved += amount;
    }

    pub(super) fn total(&self) -> i64 {
        self.available + self.reserved
    }

    fn trade(&mut self, change: i64, time: Micros) {
        self.position = self.position.saturating_add(change);
        self.traded = Some(time);
    }
}

/// An account.
#[derive(Debug)]
pub(super) struct Account {
    pub user: UserId,
    pub kind: UserKind,
    pub holdings: Box<[Holding]>,
    /// Trailing volume by asset.
    volumes: BTreeMap<AssetPlace, Trailing<Volume>>,
    pub trades: VecDeque<UserTrade>,
    /// The greatest tonce since the last `CancelAllOrders`, or zero.
    pub last_tonce: Tonce,
}

impl Account {
    /// Notes a trade in the positions, and in the history if one is kept.
    pub(super) fn note_trade(&mut self, base: AssetPlace, counter: AssetPlace, trade: UserTrade) {
        self.holdings[base].trade(trade.quantity.0, trade.time);
        self.holdings[counter].trade(-trade.total.0, trade.time);
        if self.kind == UserKind::Customer {
            if self.trades.len() == USER_TRADES_KEPT_MAX {
                self.trades.pop_front();
            }
            self.trades.push_back(trade);
        }
    }

    /// Adds to the trailing volume of an asset, and returns what it comes to.
    pub(super) fn add_volume(&mut self, asset: AssetPlace, now: Micros, quantity: i64) -> Amount {
        let volume = self.volumes.entry(asset).or_insert_with(|| Trailing::new(VOLUME_SPAN));
        volume.add(now, Volume(quantity));
        Amount(volume.sum().0)
    }

    /// The trailing volume of an asset.
    pub(super) fn volume(&self, asset: AssetPlace) -> Amount {
        Amount(self.volumes.get(&asset).map_or(0, |volume| volume.sum().0))
    }

    /// Drops what is older than the span; the volumes that changed by it.
    pub(super) fn roll_volumes(&mut self, now: Micros) -> impl Iterator<Item = (AssetPlace, Amount)> {
        let rolled =
            self.volumes.iter_mut().filter_map(move |(asset, volume)| volume.roll(now).then_some((asset, volume)));
        rolled.map(|(asset, volume)| (*asset, Amount(volume.sum().0)))
    }
}

/// All accounts, and the exchange's own of fees.
#[derive(Debug)]
pub(super) struct Accounts {
    accounts: Vec<Account>,
    by_user: HashMap<UserId, AccountId>,
    /// By asset: what all users started with.
    supply: Vec<i64>,
    /// By asset: what was taken as fees.
    pub fees: Vec<i64>,
}

impl Accounts {
    pub(super) fn new(assets: usize) -> Self {
        let zero = vec![0; assets];
        Self { accounts: Vec::new(), by_user: HashMap::default(), supply: zero.clone(), fees: zero }
    }

    /// Adds an account; of balances in one asset given twice, both count.
    pub(super) fn add(
        &mut self,
        user: UserId,
        kind: UserKind,
        balances: &[(AssetCode, Amount)],
        place: impl Fn(AssetCode) -> Option<AssetPlace>,
    ) -> Result<(), AccountError> {
        if self.by_user.contains_key(&user) {
            return Err(AccountError::Exists(user));
        }
        let mut supply = self.supply.clone();
        let mut holdings = vec![Holding::default(); supply.len()];
        for (code, amount) in balances {
            let asset = place(*code).ok_or(AccountError::UnknownAsset(*code))?;
            if amount.0 < 0 {
                return Err(AccountError::NegativeBalance(*code));
            }
            supply[asset] = supply[asset].checked_add(amount.0).ok_or(AccountError::SupplyOverflow(*code))?;
            holdings[asset].available += amount.0;
            holdings[asset].opening += amount.0;
        }
        self.supply = supply;
        let id = AccountId(u32::try_from(self.accounts.len()).expect("fewer than 2^32 accounts fit in memory"));
        self.by_user.insert(user, id);
        self.accounts.push(Account {
            user,
            kind,
            holdings: holdings.into(),
            volumes: BTreeMap::new(),
            trades: VecDeque::new(),
            last_tonce: Tonce(0),
        });
        Ok(())
    }

    pub(super) fn id(&self, user: UserId) -> Option<AccountId> {
        self.by_user.get(&user).copied()
    }

    pub(super) fn of_user(&self, user: UserId) -> Option<&Account> {
        self.id(user).map(|id| &self[id])
    }

    pub(super) fn iter_mut(&mut self) -> impl Iterator<Item = &mut Account> {
        self.accounts.iter_mut()
    }
}

impl std::ops::Index<AccountId> for Accounts {
    type Output = Account;

    fn index(&self, id: AccountId) -> &Account {
        &self.accounts[id.0 as usize]
    }
}

impl std::ops::IndexMut<AccountId> for Accounts {
    fn index_mut(&mut self, id: AccountId) -> &mut Account {
        &mut self.accounts[id.0 as usize]
    }
}
