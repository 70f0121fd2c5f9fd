//! What an earlier run left that a new one begins with.

use rusqlite::params;

use crate::model::{Asset, AssetCode, Catalog, CatalogOrigin, Market, Timestamp};

use super::{Store, StoreError};

impl Store {
    /// The catalog that was in force for a source when it was last recorded; `None` if there never was one.
    ///
    /// # Errors
    /// If the file cannot be read.
    pub fn last_catalog(&self, source: &str) -> Result<Option<Catalog>, StoreError> {
        let read = || -> rusqlite::Result<Option<Catalog>> {
            let sql = "SELECT code, asset.name, places, spot, valid_from FROM asset \
                 JOIN source ON source.id = asset.source WHERE source.name = ? AND valid_to IS NULL ORDER BY asset.id";
            let mut statement = self.connection.prepare(sql)?;
            let rows = statement.query_map([source], |row| {
                let asset = Asset {
                    code: row.get::<_, Option<i64>>(0)?.map(AssetCode),
                    name: row.get(1)?,
                    places: row.get(2)?,
                    spot: row.get(3)?,
                };
                Ok((asset, Timestamp(row.get(4)?)))
            })?;
            let dated = rows.collect::<rusqlite::Result<Vec<_>>>()?;
            let sql = "SELECT market.name, instrument.base, instrument.counter, base_code, counter_code, price_places, \
                 quantity_places, tick, starts_at, expires_at FROM instrument \
                 JOIN source ON source.id = instrument.source JOIN market ON market.id = instrument.market \
                 WHERE source.name = ? AND valid_to IS NULL ORDER BY instrument.id";
            let mut statement = self.connection.prepare(sql)?;
            let rows = statement.query_map([source], |row| {
                Ok(Market {
                    name: row.get(0)?,
                    base: row.get(1)?,
                    counter: row.get(2)?,
                    base_code: row.get::<_, Option<i64>>(3)?.map(AssetCode),
                    counter_code: row.get::<_, Option<i64>>(4)?.map(AssetCode),
                    price_places: row.get(5)?,
                    quantity_places: row.get(6)?,
                    tick: row.get(7)?,
                    starts: row.get::<_, Option<i64>>(8)?.map(Timestamp),
                    expires: row.get::<_, Option<i64>>(9)?.map(Timestamp),
                })
            })?;
            let markets = rows.collect::<rusqlite::Result<Vec<_>>>()?;
            let Some(valid_from) = dated.iter().map(|(_, valid_from)| *valid_from).max() else { return Ok(None) };
            let assets = dated.into_iter().map(|(asset, _)| asset).collect();
            Ok(Some(Catalog { valid_from, origin: CatalogOrigin::Stored, assets, markets }))
        };
        read().map_err(|error| StoreError::of(&self.settings.path, error))
    }

    /// When a source sent logins, from `since` on.
    ///
    /// # Errors
    /// If the file cannot be read.
    pub fn recent_logins(&self, source: &str, since: Timestamp) -> Result<Vec<Timestamp>, StoreError> {
        let read = || -> rusqlite::Result<Vec<Timestamp>> {
            // Only the commands since the first of the sessions in question are looked at, however long the file is.
            let sql = "WITH recent AS (SELECT session.id FROM session JOIN source ON source.id = session.source \
                 WHERE source.name = ?1 AND connecting_at >= ?2 - 86400000000000) \
                 SELECT sent_at FROM command WHERE session IN recent AND method = 'Authenticate' AND sent_at >= ?2 \
                 AND id >= (SELECT min(first_frame) << 22 FROM frame_span WHERE session IN recent)";
            let mut statement = self.connection.prepare(sql)?;
            let rows = statement.query_map(params![source, since.0], |row| row.get(0).map(Timestamp))?;
            rows.collect()
        };
        read().map_err(|error| StoreError::of(&self.settings.path, error))
    }
}
