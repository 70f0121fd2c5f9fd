//! Simulated traders, so that the exchange looks alive and has load.
//!
//! On every market some makers quote around a price that walks at random, changing and cancelling what they have
//! quoted, and some takers trade with them. All of it follows from the seed and from the state of the engine: the same
//! seed, with nobody else trading, gives the same commands.

mod crowd;
#[cfg(test)]
mod tests;
mod walk;

use std::num::NonZeroU32;

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

use crate::model::UserId;

use super::engine::{AccountError, Amount, Command, Engine, Event, Micros, UserKind};
use super::listing::{Listing, MarketId};

use crowd::Crowd;

/// What each trader starts with, of either asset of its market: enough never to run out, little enough for 64 bits.
const FUNDS: Amount = Amount(1_000_000_000_000_000);

/// How the traders behave.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TradersConfig {
    /// Where they trade.
    pub markets: Vec<MarketId>,
    /// Commands per second, over all markets.
    pub rate: NonZeroU32,
    /// Orders that the book of a market tends to, over both sides.
    pub depth: NonZeroU32,
    /// The first trader's number; the others' follow, [`TradersConfig::users`] in all.
    pub first_user: UserId,
}

impl TradersConfig {
    /// How they behave where nothing else is said: 50 commands a second, 120 orders a market, users from 1,000,000,000.
    #[must_use]
    pub fn new(markets: Vec<MarketId>) -> Self {
        let number = |number| NonZeroU32::new(number).expect("it is not zero");
        Self { markets, rate: number(50), depth: number(120), first_user: UserId(1_000_000_000) }
    }

    /// How many traders there are.
    #[must_use]
    pub fn users(&self) -> u64 {
        self.markets.len() as u64 * crowd::USERS
    }
}

/// The traders of all markets.
#[derive(Debug)]
pub struct Traders {
    crowds: Vec<Crowd>,
    rng: ChaCha8Rng,
    rate: u64,
    /// When the first command was due, and how many have been since; nothing before the first call of `run`.
    begun: Option<(Micros, u64)>,
}

impl Traders {
    /// Traders on the markets of this listing.
    #[must_use]
    pub fn new(listing: &Listing, config: &TradersConfig, seed: u64) -> Self {
        let users = (config.first_user.0..).step_by(crowd::USERS as usize).map(UserId);
        let crowds = config.markets.iter().zip(users);
        Self {
            crowds: crowds.map(|(market, user)| Crowd::new(listing, *market, user, config.depth.get())).collect(),
            rng: ChaCha8Rng::seed_from_u64(seed),
            rate: u64::from(config.rate.get()),
            begun: None,
        }
    }

    /// Gives every trader an account.
    ///
    /// # Errors
    /// [`AccountError`] if a trader's number is taken, or the balances of others leave no room for theirs.
    pub fn enlist(&self, engine: &mut Engine) -> Result<(), AccountError> {
        for crowd in &self.crowds {
            let pair = engine.listing().market(crowd.market()).pair;
            for user in crowd.users() {
                engine.add_user(user, UserKind::Simulated, &[(pair.base, FUNDS), (pair.counter, FUNDS)])?;
            }
        }
        Ok(())
    }

    /// The next command, given the state of the market; `None` if no market is open.
    pub fn next(&mut self, engine: &Engine) -> Option<(UserId, Command)> {
        let open = |crowd: &Crowd| engine.listing().market(crowd.market()).is_open(engine.now());
        let count = self.crowds.iter().filter(|crowd| open(crowd)).count();
        if count == 0 {
            return None;
        }
        let chosen = self.rng.random_range(0..count);
        let crowd = self.crowds.iter_mut().filter(|crowd| open(crowd)).nth(chosen)?;
        Some(crowd.next(engine, &mut self.rng))
    }

    /// Carries out the commands that are due at `now` by the configured rate, the first at once, and returns how many
    /// they were. What more than a second's worth has been missed is not made up for.
    pub fn run(&mut self, engine: &mut Engine, now: Micros, events: &mut Vec<Event>) -> u64 {
        let (begun, done) = *self.begun.get_or_insert((now, 0));
        let elapsed = u64::try_from(now.0 - begun.0).unwrap_or(0);
        let due = 1 + elapsed.saturating_mul(self.rate) / 1_000_000;
        self.begun = Some((begun, due.max(done)));
        let missed = due.saturating_sub(done).min(self.rate);
        let mut carried_out = 0;
        while carried_out < missed
            && let Some((user, command)) = self.next(engine)
        {
            // A refusal (a post-only order that came too late) is part of a trader's life.
            let _ = engine.execute(now, user, &command, events);
            carried_out += 1;
        }
        carried_out
    }
}
