//! CoinFLEX v1 (and Coinfloor, whose protocol it is).

use std::sync::Arc;

use crate::journal::Input;
use crate::model::{Catalog, Seq, Stamp, Timestamp};
use crate::venue::{Account, CatalogError, Output, Session, Venue};

/// The venue.
pub struct CoinFlex;

struct CoinFlexSession;

impl Session for CoinFlexSession {
    fn handle(&mut self, _seq: Seq, _at: Stamp, _input: &Input<'_>, _out: &mut Output) {}
    fn deadline(&self) -> Option<i64> {
        None
    }
    fn summarise(&mut self, _out: &mut Output) {}
}

impl Venue for CoinFlex {
    fn name(&self) -> &'static str {
        "coinflex"
    }
    fn session(&self, _account: Option<Arc<Account>>) -> Box<dyn Session> {
        Box::new(CoinFlexSession)
    }
    fn catalog_paths(&self) -> &'static [&'static str] {
        &["assets/", "markets/"]
    }
    fn catalog(&self, _answers: &[&[u8]], fetched_at: Timestamp) -> Result<Catalog, CatalogError> {
        Ok(Catalog {
            valid_from: fetched_at,
            origin: crate::model::CatalogOrigin::Exchange,
            assets: vec![],
            markets: vec![],
        })
    }
}
