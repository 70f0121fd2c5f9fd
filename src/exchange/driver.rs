//! The driver: has the simulated traders act at their rate.

use std::sync::Arc;
use std::time::Duration;

use super::config::Simulation;
use super::engine::{Engine, Micros};
use super::shared::Shared;
use super::start::StartError;
use super::traders::{Traders, TradersConfig};
use crate::model::MarketPattern;

/// How often it looks what is due.
const STEP: Duration = Duration::from_millis(5);

/// Most commands in one hold of the floor's lock.
const SLICE_COMMANDS: i64 = 250;

/// What has been missed for longer is not made up for.
const LAG_MAX: Micros = Micros(1_000_000);

/// The traders and their pace.
pub(super) struct Driver {
    traders: Traders,
    /// How much time a slice of commands is worth.
    slice: Micros,
}

impl Driver {
    /// Gives the traders their accounts.
    pub(super) fn new(simulation: &Simulation, engine: &mut Engine, seed: u64) -> Result<Self, StartError> {
        let listing = engine.listing().clone();
        let spot = || listing.market_ids().filter(|id| listing.market(*id).term.is_none()).collect();
        let meant = |pattern: &MarketPattern| match listing
            .market_ids()
            .filter(|id| pattern.matches_name(&listing.market(*id).name))
            .collect::<Vec<_>>()
        {
            none if none.is_empty() => Err(StartError::UnknownMarket(pattern.to_string())),
            some => Ok(some),
        };
        let markets = match simulation.markets.as_slice() {
            [] => spot(),
            patterns => {
                let mut markets = patterns.iter().map(meant).collect::<Result<Vec<_>, _>>()?.concat();
                markets.sort_unstable();
                markets.dedup();
                markets
            }
        };
        let config = TradersConfig { rate: simulation.rate, depth: simulation.depth, ..TradersConfig::new(markets) };
        let traders = Traders::new(&listing, &config, seed);
        traders.enlist(engine)?;
        let slice = Micros((SLICE_COMMANDS * 1_000_000 / i64::from(simulation.rate.get())).max(1));
        Ok(Self { traders, slice })
    }

    /// Acts for ever.
    pub(super) async fn run(mut self, shared: Arc<Shared>) {
        let mut steps = actix_rt::time::interval(STEP);
        let mut done = Micros::from(shared.clock.now());
        loop {
            steps.tick().await;
            let now = Micros::from(shared.clock.now());
            done = done.max(Micros(now.0 - LAG_MAX.0));
            while done < now {
                done = now.min(Micros(done.0 + self.slice.0));
                shared.floor().simulate(|engine, events| {
                    self.traders.run(engine, done, events);
                });
                // Also lets this thread's other tasks run.
                actix_rt::task::yield_now().await;
                while shared.is_floor_wanted() {
                    actix_rt::time::sleep(Duration::from_millis(1)).await;
                }
            }
        }
    }
}
