//! Assets and markets by version: what a source lists, since when and until when.

use std::sync::Arc;

use rusqlite::{OptionalExtension, Row, params};

use crate::model::{Asset, AssetCode, Catalog, Market, MarketRef, Timestamp};

use super::memory::{self, Map};
use super::{Fault, Group, Written, skipped};

/// What a source lists at present.
#[derive(Clone, Default)]
pub(super) struct Listing {
    assets: Map<String, Version<Asset>>,
    instruments: Map<String, Version<Instrument>>,
}

/// A version that is in force.
#[derive(Clone)]
struct Version<T> {
    id: i64,
    valid_from: Timestamp,
    content: T,
}

/// What an instrument's version states.
#[derive(Clone, PartialEq)]
struct Instrument {
    listed: Market,
    /// Decimal places of the counter asset.
    counter_places: Option<u8>,
}

/// What tells assets of a source apart: the code where there is one, so that naming a code keeps it the same asset.
fn asset_key(code: Option<AssetCode>, name: &str) -> String {
    code.map_or_else(|| name.to_owned(), |code| code.to_string())
}

/// What tells markets of a source apart, likewise.
fn market_key(market: &Market) -> String {
    match (market.base_code, market.counter_code) {
        (Some(base), Some(counter)) => format!("{base}:{counter}"),
        _ => market.name.clone(),
    }
}

/// One name for an asset that venues spell differently.
fn normalised(asset: &str) -> &str {
    if asset == "BTC" { "XBT" } else { asset }
}

impl Listing {
    fn counter_places(&self, market: &Market) -> Option<u8> {
        let key = asset_key(market.counter_code, &market.counter);
        self.assets.get(&key).and_then(|asset| asset.content.places)
    }
}

impl Group<'_> {
    /// Makes rows of what changed since the versions in force.
    pub(super) fn catalog(&mut self, catalog: &Catalog) -> Written {
        let from = catalog.valid_from;
        for asset in &catalog.assets {
            self.asset_version(asset, from)?;
        }
        for market in &catalog.markets {
            self.instrument_version(market, from)?;
        }
        self.close_unlisted(catalog)
    }

    pub(super) fn declare_market(&mut self, market: MarketRef, listed: &Market) -> Written {
        let id = self.instrument_version(listed, self.at)?;
        let declared = memory::Market { market: self.market_id(listed)?, instrument: id };
        let markets = Arc::make_mut(&mut self.session.markets);
        let place = market.0 as usize;
        if place == markets.len() {
            markets.push(declared);
        } else {
            *markets.get_mut(place).ok_or_else(|| skipped("market", market.0))? = declared;
        }
        Ok(())
    }

    /// The version of an asset in force, or a new one if it states otherwise.
    pub(super) fn asset_version(&mut self, asset: &Asset, from: Timestamp) -> Result<i64, Fault> {
        let source = self.source()?;
        let listing = self.listing(source)?;
        let key = asset_key(asset.code, &asset.name);
        let in_force = listing.assets.get(&key);
        if let Some(version) = in_force.filter(|version| version.content == *asset) {
            return Ok(version.id);
        }
        let until = in_force.map(|version| version.valid_from).filter(|start| from < *start);
        let Asset { code, name, places, spot } = asset;
        let row = params![source, code.map(|code| code.0), name, places, spot, from.0, until.map(|until| until.0)];
        if until.is_some() {
            let same = "SELECT id FROM asset WHERE source = ?1 AND code IS ?2 AND name = ?3 AND places IS ?4 \
                 AND spot IS ?5 AND valid_from <= ?6 AND valid_to > ?6 AND valid_to <= ?7 ORDER BY valid_from DESC LIMIT 1";
            let stored = self.connection.prepare_cached(same)?.query_row(row, |row| row.get(0)).optional()?;
            if let Some(id) = stored {
                return Ok(id);
            }
        } else if let Some(version) = in_force {
            let close = "UPDATE asset SET valid_to = ? WHERE id = ?";
            self.connection.prepare_cached(close)?.execute([from.0, version.id])?;
        }
        let insert = "INSERT INTO asset (source, code, name, places, spot, valid_from, valid_to) \
             VALUES (?, ?, ?, ?, ?, ?, ?)";
        let id = self.connection.prepare_cached(insert)?.insert(row)?;
        if until.is_none() {
            let version = Version { id, valid_from: from, content: asset.clone() };
            drop(listing);
            self.listing_mut(source).assets.insert(key, version);
        }
        Ok(id)
    }

    /// The version in force of an asset that an event names, if it has those places; else one of its own.
    pub(super) fn asset_in_force(&mut self, named: &Asset) -> Result<i64, Fault> {
        let source = self.source()?;
        let listing = self.listing(source)?;
        match listing.assets.get(&asset_key(named.code, &named.name)) {
            Some(version) if version.content.places == named.places => Ok(version.id),
            _ => self.asset_version(named, self.at),
        }
    }

    /// The version of an instrument in force, or a new one if it states otherwise.
    fn instrument_version(&mut self, listed: &Market, from: Timestamp) -> Result<i64, Fault> {
        let source = self.source()?;
        let listing = self.listing(source)?;
        let key = market_key(listed);
        let counter_places = listing.counter_places(listed);
        let in_force = listing.instruments.get(&key);
        let is_same = |stated: &Instrument| stated.listed == *listed && stated.counter_places == counter_places;
        if let Some(version) = in_force.filter(|version| is_same(&version.content)) {
            return Ok(version.id);
        }
        let (closing, until) = match in_force {
            Some(version) if from < version.valid_from => (None, Some(version.valid_from.0)),
            Some(version) => (Some(version.id), None),
            None => (None, None),
        };
        let market = self.market_id(listed)?;
        let row = params![
            source,
            market,
            listed.base,
            listed.counter,
            listed.base_code.map(|code| code.0),
            listed.counter_code.map(|code| code.0),
            listed.price_places,
            listed.quantity_places,
            counter_places,
            listed.tick,
            listed.starts.map(|at| at.0),
            listed.expires.map(|at| at.0),
            from.0,
            until,
        ];
        if until.is_some() {
            let same = "SELECT id FROM instrument WHERE source = ?1 AND market = ?2 AND base = ?3 AND counter = ?4 \
                 AND base_code IS ?5 AND counter_code IS ?6 AND price_places IS ?7 AND quantity_places IS ?8 \
                 AND counter_places IS ?9 AND tick IS ?10 AND starts_at IS ?11 AND expires_at IS ?12 \
                 AND valid_from <= ?13 AND valid_to > ?13 AND valid_to <= ?14 ORDER BY valid_from DESC LIMIT 1";
            let stored = self.connection.prepare_cached(same)?.query_row(row, |row| row.get(0)).optional()?;
            if let Some(id) = stored {
                return Ok(id);
            }
        }
        if let Some(id) = closing {
            self.connection.prepare_cached(CLOSE_INSTRUMENT)?.execute([from.0, id])?;
        }
        let insert = "INSERT INTO instrument (source, market, base, counter, base_code, counter_code, price_places, \
             quantity_places, counter_places, tick, starts_at, expires_at, valid_from, valid_to) \
             VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)";
        let id = self.connection.prepare_cached(insert)?.insert(row)?;
        if until.is_none() {
            let content = Instrument { listed: listed.clone(), counter_places };
            let version = Version { id, valid_from: from, content };
            drop(listing);
            self.listing_mut(source).instruments.insert(key, version);
        }
        Ok(id)
    }

    /// Ends the validity of what a catalog no longer lists.
    fn close_unlisted(&mut self, catalog: &Catalog) -> Written {
        let source = self.source()?;
        let from = catalog.valid_from;
        let listing = self.listing(source)?;
        let mut assets = listed_before(&listing.assets, from, |asset| asset.places.is_none());
        let mut instruments = listed_before(&listing.instruments, from, |instrument| {
            instrument.listed.price_places.is_none() && instrument.listed.quantity_places.is_none()
        });
        for asset in &catalog.assets {
            assets.remove(&asset_key(asset.code, &asset.name));
        }
        for market in &catalog.markets {
            instruments.remove(&market_key(market));
        }
        if assets.is_empty() && instruments.is_empty() {
            return Ok(());
        }
        let mut close = self.connection.prepare_cached("UPDATE asset SET valid_to = ? WHERE id = ?")?;
        for id in assets.values() {
            close.execute([from.0, *id])?;
        }
        let mut close = self.connection.prepare_cached(CLOSE_INSTRUMENT)?;
        for id in instruments.values() {
            close.execute([from.0, *id])?;
        }
        drop(listing);
        let listing = self.listing_mut(source);
        listing.assets.retain(|key, _| !assets.contains_key(key));
        listing.instruments.retain(|key, _| !instruments.contains_key(key));
        Ok(())
    }

    /// The row of a market's name.
    fn market_id(&self, listed: &Market) -> rusqlite::Result<i64> {
        let (base, counter) = (normalised(&listed.base), normalised(&listed.counter));
        let find = "SELECT id, counter = '' FROM market WHERE name = ?";
        let row = |row: &Row<'_>| Ok((row.get::<_, i64>(0)?, row.get::<_, bool>(1)?));
        let Some((id, is_vague)) = self.connection.prepare_cached(find)?.query_row([&listed.name], row).optional()?
        else {
            let insert = "INSERT INTO market (name, base, counter) VALUES (?, ?, ?)";
            return self.connection.prepare_cached(insert)?.insert([&listed.name, base, counter]);
        };
        // Met before anybody listed it.
        if is_vague && !counter.is_empty() {
            let learn = "UPDATE market SET base = ?, counter = ? WHERE id = ?";
            self.connection.prepare_cached(learn)?.execute(params![base, counter, id])?;
        }
        Ok(id)
    }

    /// What a source lists at present, read from the file the first time.
    fn listing(&mut self, source: i64) -> rusqlite::Result<Arc<Listing>> {
        if let Some(listing) = self.listings.get(&source) {
            return Ok(Arc::clone(listing));
        }
        let listing = Arc::new(self.read_listing(source)?);
        self.listings.insert(source, Arc::clone(&listing));
        Ok(listing)
    }

    /// The same to change it; whoever holds what [`Group::listing`] gave lets go of it first, or it is copied.
    fn listing_mut(&mut self, source: i64) -> &mut Listing {
        Arc::make_mut(self.listings.entry(source).or_default())
    }

    fn read_listing(&self, source: i64) -> rusqlite::Result<Listing> {
        let assets = "SELECT id, valid_from, code, name, places, spot FROM asset WHERE source = ? AND valid_to IS NULL";
        let mut assets = self.connection.prepare(assets)?;
        let assets = assets.query_map([source], |row| {
            let code = row.get::<_, Option<i64>>(2)?.map(AssetCode);
            let content = Asset { code, name: row.get(3)?, places: row.get(4)?, spot: row.get(5)? };
            Ok((asset_key(content.code, &content.name), version(row, content)?))
        })?;
        let instruments = "SELECT i.id, valid_from, name, i.base, i.counter, base_code, counter_code, price_places, \
             quantity_places, counter_places, tick, starts_at, expires_at \
             FROM instrument i JOIN market m ON m.id = i.market WHERE source = ? AND valid_to IS NULL";
        let mut instruments = self.connection.prepare(instruments)?;
        let instruments = instruments.query_map([source], |row| {
            let listed = Market {
                name: row.get(2)?,
                base: row.get(3)?,
                counter: row.get(4)?,
                base_code: row.get::<_, Option<i64>>(5)?.map(AssetCode),
                counter_code: row.get::<_, Option<i64>>(6)?.map(AssetCode),
                price_places: row.get(7)?,
                quantity_places: row.get(8)?,
                tick: row.get(10)?,
                starts: row.get::<_, Option<i64>>(11)?.map(Timestamp),
                expires: row.get::<_, Option<i64>>(12)?.map(Timestamp),
            };
            let key = market_key(&listed);
            Ok((key, version(row, Instrument { listed, counter_places: row.get(9)? })?))
        })?;
        Ok(Listing { assets: assets.collect::<Result<_, _>>()?, instruments: instruments.collect::<Result<_, _>>()? })
    }
}

const CLOSE_INSTRUMENT: &str = "UPDATE instrument SET valid_to = ? WHERE id = ?";

fn version<T>(row: &Row<'_>, content: T) -> rusqlite::Result<Version<T>> {
    Ok(Version { id: row.get(0)?, valid_from: Timestamp(row.get(1)?), content })
}

/// Keys and rows of the versions that began before `from`; without placeholders, which no catalog ever listed.
fn listed_before<T>(
    versions: &Map<String, Version<T>>,
    from: Timestamp,
    is_placeholder: impl Fn(&T) -> bool,
) -> Map<String, i64> {
    let listed = versions.iter().filter(|(_, version)| version.valid_from < from && !is_placeholder(&version.content));
    listed.map(|(key, version)| (key.clone(), version.id)).collect()
}
