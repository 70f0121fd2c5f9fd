//! `feedtape assets`.

use super::listing::{self, Cell};
use crate::exit::{Exit, Failure};
use crate::model::{Asset, Catalog};

/// Print the assets that the sources of a file list: names, codes, decimal places of amounts
#[derive(clap::Args)]
#[command(after_help = "\
Examples:
  feedtape assets examples/demo.toml
  feedtape assets coinflex.toml --format csv")]
pub(super) struct Args {
    #[command(flatten)]
    listing: listing::Options,
}

pub(super) fn run(args: &Args) -> Result<Exit, Failure> {
    listing::run(&args.listing, &["asset", "code", "places", "spot"], rows)
}

fn rows(catalog: &Catalog) -> Vec<Vec<Cell>> {
    let row = |asset: &Asset| {
        vec![
            Cell::Text(Some(asset.name.clone())),
            Cell::Integer(asset.code.map(|code| code.0)),
            Cell::Integer(asset.places.map(i64::from)),
            Cell::Text(asset.spot.clone()),
        ]
    };
    catalog.assets.iter().map(row).collect()
}
