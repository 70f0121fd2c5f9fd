//! What somebody may have meant.

/// The candidate that `found` is most likely a slip of; `None` if nothing is close.
///
/// A slip is an inserted, lost, changed or swapped character, at most one for every three; case counts for nothing.
#[must_use]
pub fn near_match<'a>(found: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let lower = found.to_lowercase();
    let slips = (found.chars().count() / 3).max(1);
    candidates
        .into_iter()
        .map(|candidate| (strsim::damerau_levenshtein(&lower, &candidate.to_lowercase()), candidate))
        .filter(|(distance, _)| *distance <= slips)
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, candidate)| candidate)
}

/// The end of a message that something is not known: what may have been meant, or else all that there is.
#[must_use]
pub fn or_else_known<'a>(found: &str, known: impl IntoIterator<Item = &'a str> + Clone) -> String {
    match near_match(found, known.clone()) {
        Some(near) => format!(", did you mean `{near}`"),
        None => format!("; known are {}", listed(known)),
    }
}

/// Names as a list.
#[must_use]
pub fn listed<'a>(names: impl IntoIterator<Item = &'a str>) -> String {
    names.into_iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_closest_candidate_is_named_and_nothing_far() {
        let markets = ["XBT:USDC", "ETH:USDT", "XBT:USDT"];
        assert_eq!(near_match("XBT:UDST", markets), Some("XBT:USDT"));
        assert_eq!(near_match("xbt:usdc", markets), Some("XBT:USDC"));
        assert_eq!(near_match("XRP:JPY", markets), None);
        assert_eq!(near_match("", markets), None);
    }
}
