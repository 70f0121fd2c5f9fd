//! REST answers that list markets, as a catalog.

use std::collections::BTreeSet;

use crate::model::{Catalog, CatalogOrigin, Market, Timestamp};
use crate::venue::CatalogError;

use super::{Fields, Raw, asset};

/// The catalog that answers state, one to each path, each with its markets in the field `list`. Entries that `read`
/// makes nothing of are left out. The assets are those of the markets; their places are not said.
///
/// # Errors
/// If an answer is missing, or has no such list.
pub(in crate::venue) fn listing(
    paths: &[&'static str],
    answers: &[&[u8]],
    list: &str,
    fetched_at: Timestamp,
    read: impl Fn(&Fields<'_>) -> Option<Market>,
) -> Result<Catalog, CatalogError> {
    let mut markets: Vec<Market> = Vec::new();
    for (n, path) in paths.iter().copied().enumerate() {
        let failed = |reason: String| CatalogError { path, reason };
        let answer = answers.get(n).ok_or_else(|| failed("no answer".to_owned()))?;
        let text = std::str::from_utf8(answer).map_err(|error| failed(error.to_string()))?;
        let answer = Raw::parse(text).map_err(|error| failed(format!("not JSON: {error}")))?;
        let entries = answer.object().and_then(|fields| fields.get(list)).and_then(Raw::array);
        let entries = entries.ok_or_else(|| failed(format!("no list `{list}`")))?;
        let (before, of) = (markets.len(), entries.len());
        markets.extend(entries.into_iter().filter_map(Raw::object).filter_map(|fields| read(&fields)));
        let unread = of - (markets.len() - before);
        if unread > 0 {
            tracing::debug!(path, unread, of, "entries are no markets");
        }
    }
    let names: BTreeSet<_> = markets.iter().flat_map(|market| [&market.base, &market.counter]).collect();
    let assets = names.into_iter().filter(|name| !name.is_empty()).map(|name| asset(name, None)).collect();
    Ok(Catalog { valid_from: fetched_at, other_until: None, origin: CatalogOrigin::Exchange, assets, markets })
}
