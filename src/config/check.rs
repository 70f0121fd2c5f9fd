//! The names in a configuration against what a venue lists.

use crate::model::{AssetCode, Catalog, Listings};

use super::error::{ConfigError, ConfigErrors};
use super::source::Source;
use crate::near::near_match;

impl Source {
    /// Checks that the markets and assets named are listed, or once were: a market that expired is no slip of the pen. Wildcards and codes always pass: what they mean may be listed later, and a code
    /// that nobody lists is recorded by its number.
    ///
    /// # Errors
    /// If one is not, with what may have been meant.
    pub fn check_names(&self, catalog: &Catalog, known: &Listings) -> Result<(), ConfigErrors> {
        let mut errors = Vec::new();
        for (place, pattern) in &self.named.markets {
            let is_open = pattern.is_wildcard() || pattern.codes().is_some();
            if !is_open
                && !known.markets_ever.contains(pattern.as_str())
                && !catalog.markets.iter().any(|market| pattern.matches(market))
            {
                let known = catalog.markets.iter().map(|market| market.name.as_str());
                errors.push(unknown(place, "market", pattern.as_str(), known));
            }
        }
        for (place, name) in &self.named.assets {
            let is_code = name.parse().is_ok_and(|code| AssetCode(code).0 >= 0);
            if !is_code && !known.assets_ever.contains(name) && catalog.asset(name).is_none() {
                errors.push(unknown(place, "asset", name, catalog.assets.iter().map(|asset| asset.name.as_str())));
            }
        }
        ConfigErrors::check(errors)
    }
}

fn unknown<'a>(place: &super::Place, noun: &str, found: &str, known: impl Iterator<Item = &'a str>) -> ConfigError {
    place.error(match near_match(found, known) {
        Some(near) => format!("unknown {noun} `{found}`, did you mean `{near}`"),
        None => format!("unknown {noun} `{found}`; `feedtape {noun}s FILE` lists those there are"),
    })
}
