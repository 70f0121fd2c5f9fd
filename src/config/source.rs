//! `[[source]]`: one connection, its account, and what it is to record.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use url::{Host, Url};

use crate::journal::{Plan, PollPlan, SubscribePlan, Timing};
use crate::model::{Catalog, CatalogOrigin, MarketPattern, Timestamp, UserId};
use crate::venue::generic::{self, Spec};
use crate::venue::{Account, AccountKind, VENUES, Venue};

use super::document::{Field, Section};
use super::error::{ConfigErrors, Place};
use super::listing::{Listing, read_listing};
use super::secret::Login;
use super::wishes::{Named, Wishes, read_patterns};

/// A source's name is at most this long.
const NAME_BYTES_MAX: usize = 64;
/// Largest frame or message that can be asked for.
const MESSAGE_BYTES_MAX: u64 = 1 << 30;
/// Longest duration that can be asked for.
pub(super) const DURATION_MAX: Duration = Duration::from_secs(366 * 24 * 60 * 60);
/// Shortest time-out.
pub(super) const TIMEOUT_MIN: Duration = Duration::from_millis(10);
/// Shortest time between second looks.
const SECOND_LOOK_MIN: Duration = Duration::from_secs(1);
/// Most events a second of the built-in exchange's traders.
const EVENTS_PER_SECOND_MAX: u64 = 1_000_000;

/// One connection, its account, and what it is to record.
#[derive(Clone)]
pub struct Source {
    /// Its name, unique in a database: `[a-z0-9_-]{1,64}`.
    pub name: String,
    /// The protocol.
    pub venue: &'static dyn Venue,
    /// Where it goes.
    pub link: Link,
    /// Who logs in; `None` to record public data only, or for the built-in exchange's own account.
    pub login: Option<Login>,
    /// Sizes beyond which a frame or message ends the connection.
    pub limits: Limits,
    /// Time-outs of the connection and the registry.
    pub pace: Pace,
    /// Time-outs of sessions.
    pub timing: Timing,
    /// What to subscribe to.
    pub subscribe: Vec<SubscribePlan>,
    /// What to ask for again and again.
    pub poll: Vec<PollPlan>,
    /// How often another connection takes a second look at what is recorded.
    pub second_look: Option<Duration>,
    /// The protocol, where the configuration describes it.
    pub protocol: Option<Arc<Spec>>,
    pub(super) place: Place,
    pub(super) listing: Listing,
    pub(super) named: Named,
}

/// Where a source goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Link {
    /// Over the network.
    Remote {
        /// The WebSocket.
        url: Url,
        /// Where REST paths begin, with a slash at its end; `None`: the markets are those of the configuration.
        rest_url: Option<Url>,
        /// Certificate authorities to trust beside the public ones, as PEM.
        ca_file: Option<PathBuf>,
    },
    /// To an exchange that is started for it in this process.
    BuiltIn(BuiltInExchange),
}

/// The exchange that is started for a source.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BuiltInExchange {
    /// Which assets and markets it lists.
    pub listing: BuiltInListing,
    /// Events a second of its traders; `None` for its own default.
    pub rate: Option<u32>,
    /// What its traders' chance begins with; `None` for its own default.
    pub seed: Option<u64>,
    /// The markets its traders trade on; empty for its own default.
    pub markets: Vec<MarketPattern>,
    /// Whether there are traders at all.
    pub traders: bool,
}

/// A list of assets and markets that the built-in exchange knows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum BuiltInListing {
    /// CoinFLEX's.
    #[default]
    CoinFlex,
    /// Coinfloor's.
    Coinfloor,
}

/// Sizes beyond which the peer's data ends the connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Largest frame, in bytes.
    pub frame_bytes_max: usize,
    /// Largest message after reassembly, in bytes.
    pub message_bytes_max: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self { frame_bytes_max: 16 << 20, message_bytes_max: 16 << 20 }
    }
}

/// Time-outs of the connection and the registry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pace {
    /// Resolving a name, and connecting to each of its addresses.
    pub connect: Duration,
    /// TLS and the upgrade to a WebSocket.
    pub handshake: Duration,
    /// A ping goes out after this long without anything received.
    pub ping_after: Duration,
    /// The connection is dead this long after a ping without anything received.
    pub dead_after: Duration,
    /// How often the list of assets and markets is loaded anew.
    pub catalog_refresh: Duration,
    /// Before a connection is this old, another one takes over from it; `None`: it lasts as long as it can.
    pub lifetime: Option<Duration>,
}

impl Default for Pace {
    fn default() -> Self {
        Self {
            connect: Duration::from_secs(10),
            handshake: Duration::from_secs(10),
            ping_after: Duration::from_secs(20),
            dead_after: Duration::from_secs(20),
            catalog_refresh: Duration::from_secs(5 * 60),
            lifetime: None,
        }
    }
}

impl Source {
    /// Whether it logs in.
    #[must_use]
    pub fn logs_in(&self) -> bool {
        self.login.is_some() || matches!(self.link, Link::BuiltIn(_))
    }

    /// Whether it goes the same way to the same place as another: then only what is recorded, when and for how long can
    /// differ. Whose account it is must be asked of the secrets.
    #[must_use]
    pub fn goes_as(&self, other: &Self) -> bool {
        self.venue.name() == other.venue.name()
            && self.link == other.link
            && self.limits == other.limits
            && self.pace == other.pace
            && self.listing == other.listing
            && self.second_look == other.second_look
    }

    /// What its sessions must know. `url` and `account` are the source's own, or what the built-in exchange says.
    #[must_use]
    pub fn plan(&self, url: &str, account: Option<&Account>, first: bool) -> Plan {
        Plan {
            source: self.name.clone(),
            venue: self.venue.name().to_owned(),
            url: url.to_owned(),
            user: account.and_then(Account::user),
            logs_in: account.is_some_and(|account| account.user().is_none()),
            login_withheld: None,
            first,
            subscribe: self.subscribe.clone(),
            poll: self.poll.clone(),
            protocol: self.protocol.clone(),
            is_look: false,
            timing: self.timing.clone(),
            overlap: None,
        }
    }

    /// The codes and scales written in the configuration, for when the venue never gave any; `None` if there are none.
    #[must_use]
    pub fn listed(&self, valid_from: Timestamp) -> Option<Catalog> {
        let Listing { assets, markets } = self.listing.clone();
        (!assets.is_empty()).then_some(Catalog {
            valid_from,
            other_until: None,
            origin: CatalogOrigin::Config,
            assets,
            markets,
        })
    }

    /// A source that is given by its URLs alone, with nothing to record, for single requests. Its secrets, if there is
    /// a user, are in the environment: see [`Login::of_environment`].
    ///
    /// # Errors
    /// If a URL is none of its kind, or has a password in it.
    pub fn at(
        venue: &'static dyn Venue,
        url: &str,
        rest_url: Option<&str>,
        user: Option<UserId>,
    ) -> Result<Self, ConfigErrors> {
        let place = |key: &str| Place { key: key.to_owned(), ..Place::file(Path::new("command line")) };
        let parse =
            |key: &str, text: &str, schemes| parse_url(text, schemes).map_err(|reason| place(key).error(reason));
        let url = parse("--url", url, SOCKET_SCHEMES)?;
        let rest_url = rest_url.map(|text| parse("--rest-url", text, REST_SCHEMES)).transpose()?.map(as_folder);
        let link = Link::Remote { url, rest_url, ca_file: None };
        let login = user.map(|user| Login::of_environment(user, &place("--user")));
        Ok(Self {
            name: "url".to_owned(),
            venue,
            link,
            login,
            limits: Limits::default(),
            pace: Pace::default(),
            timing: Timing::default(),
            subscribe: Vec::new(),
            poll: Vec::new(),
            place: place(""),
            listing: Listing::default(),
            named: Named::default(),
            second_look: None,
            protocol: None,
        })
    }

    /// Reads a `[[source]]`.
    pub(super) fn read(mut section: Section<'_>) -> Option<Self> {
        let place = section.place();
        let name = section.required("name", "give the source a name, such as `coinflex`", read_name);
        let venue = section.required("venue", "name the protocol, such as `coinflex`", read_venue);
        let link = read_link(&mut section, venue);
        let built_in = section.has("exchange");
        let has_account = section.has("account");
        let kind = venue.map_or(AccountKind::User, |venue| venue.profile().account);
        let login = section.optional("account", |field| Login::read(field, kind, built_in));
        if has_account && let Some(link) = &link {
            refuse_plaintext(&section, link);
        }
        let mut limits = Limits::default();
        let mut timing = Timing::default();
        let lifetime = venue.and_then(|venue| venue.profile().lifetime);
        let mut pace = Pace { lifetime, ..Pace::default() };
        if let Some(section) = section.optional("limits", Field::section) {
            read_limits(section, &mut limits);
        }
        if let Some(section) = section.optional("timing", Field::section) {
            read_timing(section, venue, &mut timing, &mut pace);
        }
        let is_generic = venue.is_some_and(|venue| venue.name() == generic::Generic.name());
        let protocol: Option<Arc<Spec>> =
            section.get("protocol").filter(|_| is_generic).and_then(|field| field.described()).map(Arc::new);
        match (is_generic, section.has("protocol")) {
            (true, false) => section.fail("protocol", "missing; describe the protocol in [source.protocol]"),
            (false, true) => section.fail("protocol", "only a source of the venue `generic` has one; leave it out"),
            _ => {}
        }
        let mut reader = Wishes {
            venue,
            can_log_in: has_account || built_in,
            has_rest: !section.has("url") || section.has("rest_url"),
            channels: match &protocol {
                Some(spec) => generic::channels(spec),
                None => venue.map(|venue| venue.profile().channels.to_vec()).unwrap_or_default(),
            },
            endpoint: section.get("endpoint").and_then(|field| field.literal().map(str::to_owned)),
            named: Named::default(),
        };
        let asks = ["subscribe", "poll", "account"].iter().any(|key| section.has(key)) || built_in;
        let subscribe: Vec<_> =
            section.sections("subscribe").into_iter().map(|section| reader.subscribe(section)).collect();
        refuse_too_many(&section, venue, &subscribe);
        let poll: Vec<_> = section.sections("poll").into_iter().map(|section| reader.poll(section)).collect();
        let second_look = section.optional("second_look", |field| match venue {
            Some(venue) if venue.look().is_none() => {
                field.fail(format!("`{}` has nothing to look at a second time; leave this out", venue.name()))
            }
            _ => field.duration(SECOND_LOOK_MIN..=DURATION_MAX),
        });
        let listing = read_listing(&mut section);
        if !asks {
            section
                .fail("subscribe", "nothing to record; add [[source.subscribe]], [[source.poll]] or [source.account]");
        }
        if let Some(Link::Remote { rest_url: None, .. }) = link
            && !section.has("market")
            && venue.is_some_and(|venue| !venue.catalog_paths().is_empty())
        {
            section.fail("rest_url", "missing; give it, or list [[source.asset]] and [[source.market]]");
        }
        section.finish();
        Some(Self {
            name: name?,
            venue: venue?,
            link: link?,
            login,
            limits,
            pace,
            timing,
            subscribe: subscribe.into_iter().collect::<Option<_>>()?,
            poll: poll.into_iter().collect::<Option<_>>()?,
            place,
            listing,
            named: reader.named,
            second_look,
            protocol,
        })
    }
}

fn read_name(field: &Field<'_>) -> Option<String> {
    let name = field.text("a name")?;
    let allowed = |byte| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'_' | b'-');
    if name.len() <= NAME_BYTES_MAX && name.bytes().all(allowed) {
        Some(name.to_owned())
    } else {
        field.fail(format!("a source's name has 1 to {NAME_BYTES_MAX} of `a-z`, `0-9`, `_` and `-`, and nothing else"))
    }
}

fn read_venue(field: &Field<'_>) -> Option<&'static dyn Venue> {
    let choices: Vec<_> = VENUES.iter().map(|venue| (venue.name(), *venue)).collect();
    field.choice(&choices)
}

/// One of `url` (with `rest_url`), `endpoint` and `exchange`.
fn read_link(section: &mut Section<'_>, venue: Option<&'static dyn Venue>) -> Option<Link> {
    let given: Vec<_> = ["url", "endpoint", "exchange"].into_iter().filter(|key| section.has(key)).collect();
    let url = section.optional("url", |field| read_url(field, SOCKET_SCHEMES));
    let rest_url = section.optional("rest_url", |field| read_url(field, REST_SCHEMES).map(as_folder));
    let endpoint = section.optional("endpoint", |field| {
        let endpoints = venue?.profile().endpoints;
        let choices: Vec<_> = endpoints.iter().map(|endpoint| (endpoint.name, endpoint)).collect();
        field.choice(&choices)
    });
    let ca_file = section.optional("ca_file", |field| {
        let path = field.path()?;
        match File::open(&path) {
            Ok(_) => Some(path),
            Err(error) => field.fail(format!("{} cannot be read: {error}", path.display())),
        }
    });
    let exchange = section.optional("exchange", read_exchange);
    match given[..] {
        ["url"] => Some(Link::Remote { url: url?, rest_url, ca_file }),
        ["endpoint"] => {
            if section.has("rest_url") {
                section.fail("rest_url", "`endpoint` stands for both URLs; leave one of the two out");
            }
            let endpoint = endpoint?;
            let url = Url::parse(endpoint.url).ok()?;
            let rest_url = Url::parse(endpoint.rest_url).ok()?;
            Some(Link::Remote { url, rest_url: Some(rest_url), ca_file })
        }
        ["exchange"] => {
            for key in ["rest_url", "ca_file"].into_iter().filter(|key| section.has(key)) {
                section.fail(key, "the built-in exchange has its own; leave this out");
            }
            exchange.map(Link::BuiltIn)
        }
        [] => {
            section.fail("url", "missing; give `url` and `rest_url`, or `endpoint`, or `exchange = \"built-in\"`");
            None
        }
        [_, second, ..] => {
            section.fail(second, "give only one of `url`, `endpoint` and `exchange`");
            None
        }
        [_] => None,
    }
}

/// `exchange = "built-in"`, or `[source.exchange]` with its settings.
fn read_exchange(field: &Field<'_>) -> Option<BuiltInExchange> {
    let mut exchange = BuiltInExchange {
        listing: BuiltInListing::default(),
        rate: None,
        seed: None,
        markets: Vec::new(),
        traders: true,
    };
    if field.literal().is_some() {
        return field.choice(&[("built-in", ())]).map(|()| exchange);
    }
    let mut section = field.section()?;
    let listings = [("coinflex", BuiltInListing::CoinFlex), ("coinfloor", BuiltInListing::Coinfloor)];
    let listing = section.or("listing", exchange.listing, |field| field.choice(&listings));
    exchange.rate = section
        .optional("rate", |field| field.integer(1..=EVENTS_PER_SECOND_MAX).and_then(|rate| u32::try_from(rate).ok()));
    exchange.seed = section.optional("seed", |field| field.integer(0..=u64::MAX));
    let markets = section.or("markets", Vec::new(), read_patterns);
    let traders = section.or("traders", true, Field::boolean);
    section.finish();
    exchange.markets = markets?.into_iter().map(|(_, pattern)| pattern).collect();
    Some(BuiltInExchange { listing: listing?, traders: traders?, ..exchange })
}

/// Schemes of the socket's URL, without TLS and with.
const SOCKET_SCHEMES: [&str; 2] = ["ws", "wss"];
/// Schemes of the REST URL, likewise.
const REST_SCHEMES: [&str; 2] = ["http", "https"];

fn read_url(field: &Field<'_>, schemes: [&str; 2]) -> Option<Url> {
    match parse_url(field.text("a URL")?, schemes) {
        Ok(url) => Some(url),
        Err(reason) => field.fail(reason),
    }
}

/// Reads a URL. A URL may have a secret in it, whether it may or not: no error quotes it.
fn parse_url(text: &str, schemes @ [plain, tls]: [&str; 2]) -> Result<Url, String> {
    let Ok(url) = Url::parse(text) else { return Err(format!("not a URL; write `{tls}://HOST/PATH`")) };
    if !schemes.contains(&url.scheme()) {
        return Err(format!("a URL of another kind; write `{tls}://HOST/PATH` (or `{plain}://` to loopback)"));
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err("a URL must not have a user or password in it; use [source.account]".to_owned());
    }
    if url.fragment().is_some() || url.host().is_none() {
        return Err(format!("a URL with a host and without a `#`; write `{tls}://HOST/PATH`"));
    }
    Ok(url)
}

/// The URL as the folder that paths are below.
fn as_folder(mut url: Url) -> Url {
    if !url.path().ends_with('/') {
        let path = format!("{}/", url.path());
        url.set_path(&path);
    }
    url
}

/// Whether a URL leads no further than this machine.
fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(Host::Domain(name)) => name == "localhost",
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        None => false,
    }
}

fn refuse_plaintext(section: &Section<'_>, link: &Link) {
    let Link::Remote { url, rest_url, .. } = link else { return };
    for (key, url, tls) in [("url", Some(url), "wss"), ("rest_url", rest_url.as_ref(), "https")] {
        if url.is_some_and(|url| matches!(url.scheme(), "ws" | "http") && !is_loopback(url)) {
            section.fail(key, format!("credentials would go over the network in the clear; use `{tls}://`"));
        }
    }
}

/// A connection has room for so many streams. What a wildcard means is seen only when the markets are known.
fn refuse_too_many(section: &Section<'_>, venue: Option<&'static dyn Venue>, subscribe: &[Option<SubscribePlan>]) {
    let named =
        subscribe.iter().flatten().flat_map(|plan| &plan.markets).filter(|market| !market.is_wildcard()).count();
    if let Some(venue) = venue
        && let Some(most) = venue.profile().streams_max
        && named > most
    {
        let name = venue.name();
        section.fail(
            "subscribe",
            format!("`{name}` allows {most} streams on a connection, these are {named}; put more into a second source"),
        );
    }
}

fn read_limits(mut section: Section<'_>, limits: &mut Limits) {
    for (key, limit) in [("frame", &mut limits.frame_bytes_max), ("message", &mut limits.message_bytes_max)] {
        if let Some(bytes) = section.optional(key, |field| field.bytes(1024..=MESSAGE_BYTES_MAX)) {
            *limit = usize::try_from(bytes).unwrap_or(usize::MAX);
        }
    }
    section.finish();
}

fn read_timing(mut section: Section<'_>, venue: Option<&'static dyn Venue>, timing: &mut Timing, pace: &mut Pace) {
    if let Some(lifetime) = section.optional("lifetime", |field| read_lifetime(field, venue)) {
        pace.lifetime = Some(lifetime);
    }
    for (key, duration) in [
        ("connect", &mut pace.connect),
        ("handshake", &mut pace.handshake),
        ("greeting", &mut timing.greeting),
        ("reply", &mut timing.reply),
        ("login_retry", &mut timing.login_retry),
        ("ping_after", &mut pace.ping_after),
        ("dead_after", &mut pace.dead_after),
        ("catalog_refresh", &mut pace.catalog_refresh),
    ] {
        if let Some(value) = section.optional(key, |field| field.duration(TIMEOUT_MIN..=DURATION_MAX)) {
            *duration = value;
        }
    }
    timing.silence = pace.ping_after + pace.dead_after;
    section.finish();
}

/// How old a connection may get, where venues end connections for their age. Not longer than the venue lets it.
fn read_lifetime(field: &Field<'_>, venue: Option<&'static dyn Venue>) -> Option<Duration> {
    let venue = venue?;
    match venue.profile().lifetime {
        Some(venues) if field.duration(TIMEOUT_MIN..=DURATION_MAX)? > venues => {
            let most = humantime::format_duration(venues);
            field
                .fail(format!("`{}` ends a connection after {most}; write at most that, or leave it out", venue.name()))
        }
        None if venue.name() != generic::Generic.name() => {
            field.fail(format!("`{}` ends no connection for its age; leave it out", venue.name()))
        }
        _ => field.duration(TIMEOUT_MIN..=DURATION_MAX),
    }
}
