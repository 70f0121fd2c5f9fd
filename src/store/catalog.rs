//! What a recording knows of the assets and markets that a source lists.

use std::collections::HashSet;

use rusqlite::{Connection, Row};

use crate::model::{Asset, AssetCode, Catalog, CatalogOrigin, Listings, Market, Timestamp};

use super::{Reader, StoreError};

impl Reader {
    /// What the recording knows of a source's lists. Left out is what no list ever had, and is known by its number
    /// only.
    ///
    /// # Errors
    /// If the file cannot be read.
    pub fn listings(&self, source: &str) -> Result<Listings, StoreError> {
        listings(&self.connection, source).map_err(|error| self.fault(error))
    }
}

fn listings(connection: &Connection, source: &str) -> rusqlite::Result<Listings> {
    let names = |sql: &str| -> rusqlite::Result<HashSet<String>> {
        connection.prepare(sql)?.query_map([source], |row| row.get(0))?.collect()
    };
    let markets_ever = names(
        "SELECT DISTINCT m.name FROM instrument i JOIN market m ON m.id = i.market JOIN source s ON s.id = i.source \
         WHERE s.name = ? AND (price_places IS NOT NULL OR tick IS NOT NULL)",
    )?;
    let assets_ever = names(
        "SELECT DISTINCT a.name FROM asset a JOIN source s ON s.id = a.source \
         WHERE s.name = ? AND (places IS NOT NULL OR code IS NULL OR a.name <> CAST(code AS TEXT))",
    )?;
    Ok(Listings { last: last(connection, source)?, markets_ever, assets_ever })
}

fn last(connection: &Connection, source: &str) -> rusqlite::Result<Option<Catalog>> {
    let assets = "SELECT valid_from, code, a.name, places, spot FROM asset a JOIN source s ON s.id = a.source \
         WHERE s.name = ? AND valid_to IS NULL \
         AND (places IS NOT NULL OR code IS NULL OR a.name <> CAST(code AS TEXT)) ORDER BY a.id";
    let markets = "SELECT valid_from, m.name, i.base, i.counter, base_code, counter_code, price_places, \
         quantity_places, tick, starts_at, expires_at \
         FROM instrument i JOIN market m ON m.id = i.market JOIN source s ON s.id = i.source \
         WHERE s.name = ? AND valid_to IS NULL AND (price_places IS NOT NULL OR tick IS NOT NULL) \
         ORDER BY i.id";
    let assets = versions(connection, assets, source, asset)?;
    let markets = versions(connection, markets, source, market)?;
    let since = assets.iter().map(|(from, _)| *from).chain(markets.iter().map(|(from, _)| *from)).max();
    Ok(since.map(|valid_from| Catalog {
        valid_from,
        other_until: None,
        origin: CatalogOrigin::Stored,
        assets: assets.into_iter().map(|(_, asset)| asset).collect(),
        markets: markets.into_iter().map(|(_, market)| market).collect(),
    }))
}

/// The versions that a statement finds for a source, each with the time from which it holds.
fn versions<T>(
    connection: &Connection,
    sql: &str,
    source: &str,
    read: impl Fn(&Row<'_>) -> rusqlite::Result<T>,
) -> rusqlite::Result<Vec<(Timestamp, T)>> {
    let mut statement = connection.prepare(sql)?;
    let versions = statement.query_map([source], |row| Ok((Timestamp(row.get(0)?), read(row)?)))?;
    versions.collect()
}

fn code(row: &Row<'_>, column: usize) -> rusqlite::Result<Option<AssetCode>> {
    Ok(row.get::<_, Option<i64>>(column)?.map(AssetCode))
}

fn time(row: &Row<'_>, column: usize) -> rusqlite::Result<Option<Timestamp>> {
    Ok(row.get::<_, Option<i64>>(column)?.map(Timestamp))
}

fn asset(row: &Row<'_>) -> rusqlite::Result<Asset> {
    Ok(Asset { code: code(row, 1)?, name: row.get(2)?, places: row.get(3)?, spot: row.get(4)? })
}

fn market(row: &Row<'_>) -> rusqlite::Result<Market> {
    Ok(Market {
        name: row.get(1)?,
        base: row.get(2)?,
        counter: row.get(3)?,
        base_code: code(row, 4)?,
        counter_code: code(row, 5)?,
        price_places: row.get(6)?,
        quantity_places: row.get(7)?,
        tick: row.get(8)?,
        starts: time(row, 9)?,
        expires: time(row, 10)?,
    })
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use tempfile::TempDir;

    use super::super::script::{Script, T0, asset, catalog, connecting, listed, recording};
    use super::*;
    use crate::journal::RecordKind;
    use crate::model::{Event, MarketRef};
    use crate::sink::Sink as _;

    #[test]
    fn the_last_list_is_what_is_in_force_without_what_nobody_listed() {
        let folder = TempDir::new().unwrap();
        let mut store = recording(&folder);
        let path = store.settings().path.clone();
        assert_eq!(Reader::open(&path).unwrap().listings("coinflex").unwrap(), Listings::default());

        let xbt = asset(63488, "XBT", 4);
        let usd = Asset { places: None, ..asset(64136, "USD", 0) };
        let old = vec![xbt.clone(), asset(9, "OLD", 4), usd.clone()];
        let expiring =
            Market { expires: Some(Timestamp(T0 + 5)), ..Arc::unwrap_or_clone(listed("XBT:USD", 63488, 64136)) };
        let gone = listed("OLD:USD", 9, 64136);
        let unlisted = Market {
            name: "7:8".to_owned(),
            base: "7".to_owned(),
            counter: "8".to_owned(),
            base_code: Some(AssetCode(7)),
            counter_code: Some(AssetCode(8)),
            price_places: None,
            quantity_places: None,
            tick: None,
            starts: None,
            expires: None,
        };
        let unnamed = Asset { places: None, ..asset(7, "7", 0) };
        let mut script = Script::new(1);
        script.record(RecordKind::Connecting, "{}", [connecting()]);
        script.record(RecordKind::Catalog, "{}", [catalog(1, old, vec![listed("XBT:USD", 63488, 64136), gone])]);
        let now = catalog(50, vec![xbt.clone(), usd.clone()], vec![Arc::new(expiring.clone())]);
        script.record(RecordKind::Catalog, "{}", [now]);
        script.frame([
            Event::Market(MarketRef(0), Arc::new(unlisted)),
            Event::Balance(crate::model::Balance {
                asset: unnamed.code,
                asset_name: None,
                places: None,
                available: None,
                reserved: None,
                total: None,
                is_snapshot: false,
            }),
        ]);
        store.append(&script.ship()).unwrap();
        store.commit().unwrap();

        let known = Listings {
            last: Some(Catalog {
                valid_from: Timestamp(T0 + 50),
                other_until: None,
                origin: CatalogOrigin::Stored,
                assets: vec![xbt, usd],
                markets: vec![expiring],
            }),
            markets_ever: HashSet::from(["XBT:USD", "OLD:USD"].map(str::to_owned)),
            assets_ever: HashSet::from(["XBT", "USD", "OLD"].map(str::to_owned)),
        };
        let reader = Reader::open(&path).unwrap();
        assert_eq!(reader.listings("coinflex").unwrap(), known);
        assert_eq!(reader.listings("another").unwrap(), Listings::default());
    }
}
