//! `[[source.asset]]` and `[[source.market]]`: codes and scales for when the venue's own list was never had.

use crate::model::{Asset, AssetCode, Market};

use super::document::{Field, Section};
use crate::near::or_else_known;

/// Assets and markets as the configuration lists them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Listing {
    pub(super) assets: Vec<Asset>,
    pub(super) markets: Vec<Market>,
}

pub(super) fn read_listing(section: &mut Section<'_>) -> Listing {
    let assets: Vec<_> = section.sections("asset").into_iter().filter_map(read_asset).collect();
    let markets = section.sections("market").into_iter().filter_map(|section| read_market(section, &assets)).collect();
    Listing { assets, markets }
}

fn read_asset(mut section: Section<'_>) -> Option<Asset> {
    let name = section.required("name", "give the asset's name, such as \"XBT\"", |field| field.text("a name"));
    let code = section.required("code", "give the venue's number for it", |field| {
        field.integer(0..=i64::MAX as u64).map(|code| AssetCode(code as i64))
    });
    let places = section.required("scale", "give the units that make a whole one, such as 10000", read_scale);
    section.finish();
    Some(Asset { code: Some(code?), name: name?.to_owned(), places: Some(places?), spot: None })
}

/// A scale (10000) as decimal places (4).
fn read_scale(field: &Field<'_>) -> Option<u8> {
    let scale = field.integer(1..=1_000_000_000_000_000_000)?;
    if 10u64.pow(scale.ilog10()) == scale {
        u8::try_from(scale.ilog10()).ok()
    } else {
        field.fail("a scale is a power of ten, such as 10000 for four decimal places")
    }
}

fn read_market(mut section: Section<'_>, assets: &[Asset]) -> Option<Market> {
    let mut side = |key| {
        section.required(key, "name an asset listed in [[source.asset]]", |field| {
            let text = field.text("an asset's name")?;
            let found = assets.iter().find(|asset| asset.name == text);
            found.or_else(|| {
                let known = or_else_known(text, assets.iter().map(|asset| asset.name.as_str()));
                field.fail(format!("no [[source.asset]] is {}{known}", field.quote(text)))
            })
        })
    };
    let base = side("base");
    let counter = side("counter");
    section.finish();
    let (base, counter) = (base?, counter?);
    Some(Market {
        name: format!("{}:{}", base.name, counter.name),
        base: base.name.clone(),
        counter: counter.name.clone(),
        base_code: base.code,
        counter_code: counter.code,
        price_places: counter.places,
        quantity_places: base.places,
        tick: None,
        starts: None,
        expires: None,
    })
}
