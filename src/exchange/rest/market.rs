//! Public market data.

use actix_web::{HttpResponse, web};
use serde::Deserialize;

use super::body;
use crate::exchange::engine::{Level, Micros, Price, Side};
use crate::exchange::floor::Floor;
use crate::exchange::listing::{Listing, MarketId, Pair};
use crate::exchange::shared::Shared;
use crate::model::AssetCode;
use crate::venue::coinflex::wire::{RestAsset, RestDepth, RestMarket, RestTicker};

/// Levels of each side in a depth.
const DEPTH_LEVELS: usize = 20;

/// Query of the two lists.
#[derive(Deserialize)]
pub(super) struct Listed {
    /// Whether to leave out what has expired.
    #[serde(rename = "activeOnly", default = "yes")]
    active_only: bool,
}

fn yes() -> bool {
    true
}

/// `GET /assets/`
pub(super) async fn assets(shared: web::Data<Shared>, query: web::Query<Listed>) -> HttpResponse {
    let (listing, now) = (&shared.listing, Micros::from(shared.clock.now()));
    let assets = listing.assets().iter().filter(|asset| {
        let traded = |market: &&crate::exchange::listing::Market| {
            [market.pair.base, market.pair.counter].contains(&asset.code) && !market.has_expired(now)
        };
        !query.active_only || asset.spot.is_none() || listing.markets().iter().any(|market| traded(&market))
    });
    let assets: Vec<_> = assets
        .map(|asset| RestAsset {
            id: asset.code,
            spot_id: asset.spot,
            spot_name: asset.spot.and_then(|spot| listing.asset(spot)).map(|spot| spot.name.clone()),
            name: asset.name.clone(),
            scale: asset.scale,
        })
        .collect();
    body::ok(&assets)
}

/// `GET /markets/`
pub(super) async fn markets(shared: web::Data<Shared>, query: web::Query<Listed>) -> HttpResponse {
    let now = Micros::from(shared.clock.now());
    let markets = shared.listing.markets().iter().filter(|market| !query.active_only || !market.has_expired(now));
    let millis = |time: Micros| time.0 / 1_000;
    let markets: Vec<_> = markets
        .map(|market| RestMarket {
            base: market.pair.base,
            counter: market.pair.counter,
            name: market.name.clone(),
            spot_name: market.spot_name.clone(),
            start: market.term.map(|term| millis(term.start)),
            expires: market.term.map(|term| millis(term.expires)),
            tenor: market.term.map(|term| term.tenor.to_string()),
            tick: market.tick.0,
        })
        .collect();
    body::ok(&markets)
}

/// `GET /tickers/`
pub(super) async fn tickers(shared: web::Data<Shared>) -> HttpResponse {
    let now = Micros::from(shared.clock.now());
    let floor = shared.floor();
    let current = shared.listing.market_ids().filter(|id| !shared.listing.market(*id).has_expired(now));
    let tickers: Vec<_> = current.map(|id| rest_ticker(&floor, &shared.listing, id, now)).collect();
    drop(floor);
    body::ok(&tickers)
}

/// `GET /tickers/<base>:<counter>`
pub(super) async fn ticker(shared: web::Data<Shared>, market: web::Path<String>) -> HttpResponse {
    let now = Micros::from(shared.clock.now());
    let Some(id) = market_id(&shared.listing, &market) else { return body::not_found() };
    let ticker = rest_ticker(&shared.floor(), &shared.listing, id, now);
    body::ok(&ticker)
}

/// `GET /depth/<base>:<counter>`
pub(super) async fn depth(shared: web::Data<Shared>, market: web::Path<String>) -> HttpResponse {
    let Some(id) = market_id(&shared.listing, &market) else { return body::not_found() };
    let floor = shared.floor();
    let side = |side| {
        let levels = floor.engine.depth(id, side).take(DEPTH_LEVELS);
        levels.map(|Level { price, quantity }| (price.0, quantity.0)).collect()
    };
    let depth = RestDepth { bids: side(Side::Bid), asks: side(Side::Ask) };
    drop(floor);
    body::ok(&depth)
}

fn rest_ticker(floor: &Floor, listing: &Listing, id: MarketId, now: Micros) -> RestTicker {
    let (market, ticker) = (listing.market(id), floor.engine.ticker(id));
    let price = |price: Option<Price>| price.map(|price| price.0);
    RestTicker {
        base: market.pair.base,
        counter: market.pair.counter,
        name: market.name.clone(),
        spot_name: market.spot_name.clone(),
        last: price(ticker.last),
        bid: price(ticker.bid),
        ask: price(ticker.ask),
        low: price(ticker.low),
        high: price(ticker.high),
        volume: ticker.volume.0,
        time: now.0,
    }
}

/// The market of a path such as `63488:65283`.
fn market_id(listing: &Listing, path: &str) -> Option<MarketId> {
    let (base, counter) = path.split_once(':')?;
    let code = |text: &str| text.parse().ok().map(AssetCode);
    listing.market_id(Pair { base: code(base)?, counter: code(counter)? })
}
