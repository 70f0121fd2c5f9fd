//! `feedtape markets`.

use super::listing::{self, Cell};
use crate::exit::{Exit, Failure};
use crate::model::{Catalog, Market, decimal_text};

/// Print the markets that the sources of a file list: names, codes, decimal places, ticks, times of trading
#[derive(clap::Args)]
#[command(after_help = "\
Examples:
  feedtape markets examples/demo.toml
  feedtape markets coinflex.toml --format jsonl | grep USDT")]
pub(super) struct Args {
    #[command(flatten)]
    listing: listing::Options,
}

const COLUMNS: [&str; 8] =
    ["market", "base_code", "counter_code", "price_places", "quantity_places", "tick", "starts", "expires"];

pub(super) fn run(args: &Args) -> Result<Exit, Failure> {
    listing::run(&args.listing, &COLUMNS, rows)
}

fn rows(catalog: &Catalog) -> Vec<Vec<Cell>> {
    catalog.markets.iter().map(row).collect()
}

fn row(market: &Market) -> Vec<Cell> {
    // Without a scale the tick means nothing.
    let tick = market.tick.zip(market.price_places).map(|(tick, places)| decimal_text(tick, places));
    vec![
        Cell::Text(Some(market.name.clone())),
        Cell::Integer(market.base_code.map(|code| code.0)),
        Cell::Integer(market.counter_code.map(|code| code.0)),
        Cell::Integer(market.price_places.map(i64::from)),
        Cell::Integer(market.quantity_places.map(i64::from)),
        Cell::Text(tick),
        Cell::Text(market.starts.map(|time| time.to_string())),
        Cell::Text(market.expires.map(|time| time.to_string())),
    ]
}
