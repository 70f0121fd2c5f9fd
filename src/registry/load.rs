//! Loading what a venue lists.

use thiserror::Error;

use crate::clock::Clock;
use crate::connection::rest::{Rest, RestError};
use crate::model::Catalog;
use crate::venue::{CatalogError, Venue};

/// Why a catalog could not be loaded.
#[derive(Debug, Error)]
pub enum LoadError {
    /// No answer.
    #[error("{path}: {reason}")]
    Rest {
        /// What was asked for.
        path: &'static str,
        /// Why there is none.
        reason: RestError,
    },
    /// An answer with another status than 200.
    #[error("{path}: answered with status {status}")]
    Status {
        /// What was asked for.
        path: &'static str,
        /// The answer's status.
        status: u16,
    },
    /// An answer that is not what the venue documents.
    #[error(transparent)]
    Catalog(#[from] CatalogError),
    /// A venue without markets is a venue in trouble: nothing ends because of such an answer.
    #[error("the answer lists no markets")]
    Empty,
}

/// Asks the venue for its assets and markets.
///
/// # Errors
/// If an answer is missing or cannot be used.
pub async fn load(venue: &dyn Venue, rest: &Rest, clock: Clock) -> Result<Catalog, LoadError> {
    let mut answers = Vec::new();
    for path in venue.catalog_paths() {
        let answer = rest.get(path, None).await.map_err(|reason| LoadError::Rest { path, reason })?;
        if answer.status != 200 {
            return Err(LoadError::Status { path, status: answer.status });
        }
        answers.push(answer.body);
    }
    let bodies: Vec<&[u8]> = answers.iter().map(AsRef::as_ref).collect();
    let catalog = venue.catalog(&bodies, clock.now().wall)?;
    if catalog.markets.is_empty() { Err(LoadError::Empty) } else { Ok(catalog) }
}
