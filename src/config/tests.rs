use std::collections::HashSet;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::*;
use crate::model::{Asset, AssetCode, Catalog, CatalogOrigin, Listings, Market, Timestamp, UserId};

/// A file that is right, for tests to break.
const GOOD: &str = r#"database = "x.db"

[[source]]
name = "coinflex"
venue = "coinflex"
url = "wss://api.example/v1"
rest_url = "https://rest.example"

[source.account]
user_id = 1
cookie = { env = "FEEDTAPE_TEST_COOKIE" }
passphrase = { file = "passphrase.txt" }

[[source.subscribe]]
method = "WatchOrders"
markets = ["XBT:USDT", "ETH:*"]
stale_after = "10m"

[[source.poll]]
method = "GetBalances"
every = "10s"
"#;

fn parse(text: &str) -> Result<Config, ConfigErrors> {
    Config::parse(Path::new("conf/f.toml"), text)
}

#[track_caller]
fn errors(text: &str) -> String {
    match parse(text) {
        Ok(_) => panic!("nothing is found wrong with\n{text}"),
        Err(errors) => errors.to_string(),
    }
}

/// What is found wrong when one text in the right file is replaced.
#[track_caller]
fn broken(from: &str, to: &str) -> String {
    assert_eq!(GOOD.matches(from).count(), 1, "{from}");
    errors(&GOOD.replace(from, to))
}

#[test]
fn a_right_file_says_what_to_record() {
    let config = parse(GOOD).unwrap();
    assert_eq!(config.database, Path::new("conf/x.db"));
    assert_eq!(config.durability, Durability::PowerLoss);
    assert_eq!(config.commit_interval, Duration::from_millis(50));
    let [source] = &config.sources[..] else { panic!("one source") };
    assert!(source.logs_in());
    let plan = source.plan("wss://api.example/v1", None, true);
    assert_eq!((plan.source.as_str(), plan.venue.as_str()), ("coinflex", "coinflex"));
    let patterns: Vec<_> = plan.subscribe[0].markets.iter().map(ToString::to_string).collect();
    assert_eq!(patterns, ["XBT:USDT", "ETH:*"]);
    assert_eq!(plan.subscribe[0].stale_after, Some(Duration::from_secs(600)));
    assert_eq!(plan.poll[0].every, Duration::from_secs(10));
    let Link::Remote { url, rest_url, ca_file } = &source.link else { panic!("a remote link") };
    assert_eq!(url.as_str(), "wss://api.example/v1");
    assert_eq!(rest_url.as_ref().unwrap().as_str(), "https://rest.example/");
    assert!(ca_file.is_none());
    assert_eq!(source.limits, Limits { frame_bytes_max: 16 << 20, message_bytes_max: 16 << 20 });
    assert!(source.listed(Timestamp(0)).is_none());
}

#[test]
fn an_unknown_venue_is_told_which_there_are() {
    let known: Vec<_> = crate::venue::VENUES.iter().map(|venue| format!("`{}`", venue.name())).collect();
    let expected = format!("conf/f.toml:5:9: source[0].venue: expected one of {}, found `mtgox`", known.join(", "));
    assert_eq!(broken("venue = \"coinflex\"", "venue = \"mtgox\""), expected);
}

#[test]
fn every_mistake_names_its_place_what_was_found_and_what_would_be_right() {
    let table: &[(&str, &str, &str)] = &[
        ("database = \"x.db\"", "", "conf/f.toml:1:1: database: missing; name the SQLite file to record into"),
        (
            "database = \"x.db\"",
            "database = 1",
            "conf/f.toml:1:12: database: expected the path of a file, found an integer",
        ),
        (
            "database = \"x.db\"",
            "database = \"\"",
            "conf/f.toml:1:12: database: expected the path of a file, found an empty text",
        ),
        (
            "database = \"x.db\"",
            "database = \"x.db\"\ndurabilty = \"power-loss\"",
            "conf/f.toml:2:1: durabilty: unknown key, did you mean `durability`",
        ),
        (
            "database = \"x.db\"",
            "database = \"x.db\"\nfoo = 1",
            "conf/f.toml:2:1: foo: unknown key; known are `database`, `durability`, `commit_interval`, `min_free_space`, `max_wal_size`, \
             `source`",
        ),
        (
            "database = \"x.db\"",
            "database = \"x.db\"\ndurability = \"powerloss\"",
            "conf/f.toml:2:14: durability: unknown `powerloss`, did you mean `power-loss`",
        ),
        (
            "database = \"x.db\"",
            "database = \"x.db\"\ncommit_interval = 50",
            "conf/f.toml:2:19: commit_interval: expected a duration such as `10s`, found an integer",
        ),
        (
            "database = \"x.db\"",
            "database = \"x.db\"\ncommit_interval = \"50 parsecs\"",
            "conf/f.toml:2:19: commit_interval: expected a duration such as `10s` or `250ms`, found `50 parsecs`",
        ),
        (
            "database = \"x.db\"",
            "database = \"x.db\"\ncommit_interval = \"1h\"",
            "conf/f.toml:2:19: commit_interval: expected a duration from 1ms to 10s, found `1h`",
        ),
        (
            "database = \"x.db\"",
            "database = \"x.db\"\nmin_free_space = \"1 furlong\"",
            "conf/f.toml:2:18: min_free_space: expected a size such as `16MiB` or `500kB`, found `1 furlong`",
        ),
        (
            "database = \"x.db\"",
            "database = \"x.db\"\ndatabase = \"y.db\"",
            "conf/f.toml:2:1: not valid TOML: duplicate key",
        ),
        (
            "name = \"coinflex\"",
            "name = \"../Coin Flex\"",
            "conf/f.toml:4:8: source[0].name: a source's name has 1 to 64 of `a-z`, `0-9`, `_` and `-`, and nothing else",
        ),
        (
            "name = \"coinflex\"",
            "name = \"/etc/coinflex\"",
            "conf/f.toml:4:8: source[0].name: a source's name has 1 to 64 of `a-z`, `0-9`, `_` and `-`, and nothing else",
        ),
        (
            "name = \"coinflex\"",
            "name = \"coin\\u0000flex\"",
            "conf/f.toml:4:8: source[0].name: a source's name has 1 to 64 of `a-z`, `0-9`, `_` and `-`, and nothing else",
        ),
        (
            "name = \"coinflex\"",
            concat!("name = \"a123456789b123456789c123456789", "d123456789e123456789f123456789g1234\""),
            "conf/f.toml:4:8: source[0].name: a source's name has 1 to 64 of `a-z`, `0-9`, `_` and `-`, and nothing else",
        ),
        (
            "venue = \"coinflex\"",
            "venue = \"coinflx\"",
            "conf/f.toml:5:9: source[0].venue: unknown `coinflx`, did you mean `coinflex`",
        ),
        (
            "url = \"wss://api.example/v1\"\n",
            "",
            "conf/f.toml:3:1: source[0].url: missing; give `url` and `rest_url`, or `endpoint`, or `exchange = \"built-in\"`",
        ),
        (
            "url = \"wss://api.example/v1\"\n",
            "url = \"wss://api.example/v1\"\nendpoint = \"live\"\n",
            "conf/f.toml:7:1: source[0].endpoint: give only one of `url`, `endpoint` and `exchange`",
        ),
        (
            "\nurl = \"wss://api.example/v1\"\nrest_url = \"https://rest.example\"",
            "\nendpoint = \"lvie\"",
            "conf/f.toml:6:12: source[0].endpoint: unknown `lvie`, did you mean `live`",
        ),
        (
            "\nurl = \"wss://api.example/v1\"",
            "\nendpoint = \"live\"",
            "conf/f.toml:7:1: source[0].rest_url: `endpoint` stands for both URLs; leave one of the two out",
        ),
        (
            "rest_url = \"https://rest.example\"\n",
            "",
            "conf/f.toml:3:1: source[0].rest_url: missing; give it, or list [[source.asset]] and [[source.market]]",
        ),
        (
            "\"wss://api.example/v1\"",
            "\"https://api.example/v1\"",
            "conf/f.toml:6:7: source[0].url: a URL of another kind; write `wss://HOST/PATH` (or `ws://` to loopback)",
        ),
        (
            "\"wss://api.example/v1\"",
            "\"api.example\"",
            "conf/f.toml:6:7: source[0].url: not a URL; write `wss://HOST/PATH`",
        ),
        (
            "\"wss://api.example/v1\"",
            "\"ws://api.example/v1\"",
            "conf/f.toml:6:1: source[0].url: credentials would go over the network in the clear; use `wss://`",
        ),
        (
            "\"https://rest.example\"",
            "\"http://rest.example\"",
            "conf/f.toml:7:1: source[0].rest_url: credentials would go over the network in the clear; use `https://`",
        ),
        (
            "rest_url = \"https://rest.example\"",
            "rest_url = \"https://rest.example\"\nca_file = \"ca.pem\"",
            "conf/f.toml:8:11: source[0].ca_file: conf/ca.pem cannot be read: No such file or directory (os error 2)",
        ),
        (
            "user_id = 1",
            "user_id = \"1\"",
            "conf/f.toml:10:11: source[0].account.user_id: expected an integer, found a text",
        ),
        (
            "user_id = 1\n",
            "",
            "conf/f.toml:9:1: source[0].account.user_id: missing; give the number of the account's user",
        ),
        (
            "{ env = \"FEEDTAPE_TEST_COOKIE\" }",
            "\"literal\"",
            "conf/f.toml:11:10: source[0].account.cookie: a secret must not be written here; write { env = \"NAME\" }, \
             { file = \"PATH\" } or { credential = \"NAME\" } instead",
        ),
        (
            "{ env = \"FEEDTAPE_TEST_COOKIE\" }",
            "{ env = \"A\", file = \"B\" }",
            "conf/f.toml:11:10: source[0].account.cookie: give one of { env = \"NAME\" }, { file = \"PATH\" }, \
             { credential = \"NAME\" }",
        ),
        (
            "{ file = \"passphrase.txt\" }",
            "{ credential = \"../passphrase\" }",
            "conf/f.toml:12:29: source[0].account.passphrase.credential: a credential's name has no `/` in it, and is no path",
        ),
        (
            "user_id = 1",
            "user_id = 1\npassprase = 7",
            "conf/f.toml:11:1: source[0].account: unknown key here; known are `user_id`, `cookie`, `passphrase`",
        ),
        (
            "method = \"WatchOrders\"",
            "method = \"WatchOrder\"",
            "conf/f.toml:15:10: source[0].subscribe[0].method: unknown method `WatchOrder`, did you mean `WatchOrders`",
        ),
        (
            "method = \"WatchOrders\"",
            "method = \"Trades\"",
            "conf/f.toml:15:10: source[0].subscribe[0].method: unknown method `Trades`; known are `WatchOrders`, `WatchTicker`",
        ),
        (
            "[\"XBT:USDT\", \"ETH:*\"]",
            "[]",
            "conf/f.toml:16:11: source[0].subscribe[0].markets: no markets; name some, such as \"XBT:USDT\", \"ETH:*\", \
             or \"*\" for all",
        ),
        (
            "[\"XBT:USDT\", \"ETH:*\"]",
            "[\"XBT:\", 5]",
            "conf/f.toml:16:12: source[0].subscribe[0].markets[0]: an empty name; write `BASE:COUNTER`, with `*` for any\n\
             conf/f.toml:16:20: source[0].subscribe[0].markets[1]: expected a market, such as \"XBT:USDT\", found an integer",
        ),
        ("every = \"10s\"", "", "conf/f.toml:19:1: source[0].poll[0].every: missing; say how often, such as \"10s\""),
        (
            "every = \"10s\"",
            "every = \"10s\"\nasset = \"XBT\"",
            "conf/f.toml:22:1: source[0].poll[0].asset: `GetBalances` takes no `asset`; leave it out",
        ),
        (
            "method = \"GetBalances\"",
            "method = \"GetTradeVolume\"",
            "conf/f.toml:19:1: source[0].poll[0].asset: missing; `GetTradeVolume` needs it",
        ),
        (
            "method = \"GetBalances\"",
            "method = \"EstimateMarketOrder\"\nmarkets = [\"XBT:USDT\"]\nquantity = 1\ntotal = 2",
            "conf/f.toml:22:1: source[0].poll[0].quantity: `EstimateMarketOrder` takes either `quantity` or `total`; \
             negative to sell",
        ),
        (
            "method = \"GetBalances\"",
            "method = \"EstimateMarketOrder\"\nmarkets = [\"XBT:USDT\"]\nquantity = 1e3",
            "conf/f.toml:22:12: source[0].poll[0].quantity: expected a decimal number such as `-0.5`, found `1e3`",
        ),
    ];
    for (from, to, message) in table {
        assert_eq!(broken(from, to), *message);
    }
}

#[test]
fn an_empty_file_and_one_with_nothing_to_record_say_what_is_missing() {
    assert_eq!(
        errors(""),
        "conf/f.toml:1:1: database: missing; name the SQLite file to record into\n\
         conf/f.toml:1:1: source: missing; add a [[source]] to record from"
    );
    assert_eq!(
        errors("database = \"x\"\n[[source]]\nname = \"a\"\nvenue = \"coinflex\"\nendpoint = \"live\"\n"),
        "conf/f.toml:2:1: source[0].subscribe: nothing to record; add [[source.subscribe]], [[source.poll]] or \
         [source.account]"
    );
}

#[test]
fn all_mistakes_are_told_at_once_and_in_order() {
    let text = GOOD
        .replace("\"x.db\"", "5")
        .replace("venue = \"coinflex\"", "venue = \"coinflex\"\nvenu = 1")
        .replace("WatchOrders", "WatchOders")
        .replace("\"10s\"", "\"soon\"")
        + "[[source]]\n";
    let errors = errors(&text);
    let keys: Vec<_> = errors.lines().map(|line| line.split(": ").nth(1).unwrap()).collect();
    assert_eq!(
        keys,
        [
            "database",
            "source[0].venu",
            "source[0].subscribe[0].method",
            "source[0].poll[0].every",
            "source[1].name",
            "source[1].venue",
            "source[1].url",
            "source[1].subscribe",
        ]
    );
}

#[test]
fn a_second_look_is_taken_where_the_venue_has_something_to_look_at() {
    let with = |every: &str| GOOD.replace("rest_url", &format!("second_look = \"{every}\"\nrest_url"));
    assert_eq!(parse(GOOD).unwrap().sources[0].second_look, None);
    assert_eq!(parse(&with("15m")).unwrap().sources[0].second_look, Some(Duration::from_secs(900)));
    assert!(errors(&with("10ms")).contains("source[0].second_look: expected a duration from 1s to"));
    let kraken = "database = \"x.db\"\n[[source]]\nname = \"k\"\nvenue = \"kraken\"\nendpoint = \"public\"\n\
         second_look = \"15m\"\n[[source.subscribe]]\nmethod = \"trade\"\nmarkets = [\"*\"]\n";
    assert!(errors(kraken).contains("second_look: `kraken` has nothing to look at a second time; leave this out"));
}

#[test]
fn what_needs_a_login_is_refused_without_an_account() {
    let start = GOOD.find("[source.account]").unwrap();
    let end = GOOD.find("[[source.subscribe]]").unwrap();
    assert_eq!(
        errors(&(GOOD[..start].to_owned() + &GOOD[end..])),
        "conf/f.toml:15:10: source[0].poll[0].method: `GetBalances` needs a login; add [source.account], or leave this out"
    );
    let public = GOOD[..start].to_owned() + &GOOD[end..GOOD.find("[[source.poll]]").unwrap()];
    let plaintext = public.replace("wss:", "ws:").replace("https:", "http:");
    assert!(!parse(&plaintext).unwrap().sources[0].logs_in());
}

#[test]
fn what_goes_by_rest_is_refused_without_a_rest_url() {
    let listing =
        "[[source.asset]]\nname = \"A\"\ncode = 1\nscale = 1\n[[source.market]]\nbase = \"A\"\ncounter = \"A\"\n";
    let text = GOOD.replace("rest_url = \"https://rest.example\"\n", "") + listing;
    assert!(parse(&text).is_ok());
    assert_eq!(
        errors(&text.replace("\"GetBalances\"", "\"tickers\"")),
        "conf/f.toml:19:10: source[0].poll[0].method: `tickers` goes by REST; add rest_url to the source, or leave this out"
    );
}

#[test]
fn plaintext_with_an_account_goes_no_further_than_loopback() {
    for host in ["localhost:1", "127.0.0.1:8080", "127.8.8.8", "[::1]:8080"] {
        let text = GOOD
            .replace("wss://api.example", &format!("ws://{host}"))
            .replace("https://rest.example", "http://localhost");
        assert!(parse(&text).is_ok(), "{host}");
    }
    for host in ["localhost.example", "128.0.0.1", "[::2]", "0.0.0.0"] {
        let text = GOOD.replace("wss://api.example", &format!("ws://{host}"));
        assert!(errors(&text).contains("in the clear"), "{host}");
    }
}

#[test]
fn the_built_in_exchange_brings_an_account_and_takes_a_literal_one() {
    let text = "database = \"x\"\n[[source]]\nname = \"demo\"\nvenue = \"coinflex\"\nexchange = \"built-in\"\n";
    let config = parse(text).unwrap();
    assert!(config.sources[0].logs_in() && config.sources[0].login.is_none());
    assert_eq!(
        errors(&text.replace("built-in", "bulit-in")),
        "conf/f.toml:5:12: source[0].exchange: unknown `bulit-in`, did you mean `built-in`"
    );

    let text = text.replace(
        "exchange = \"built-in\"\n",
        "[source.exchange]\nlisting = \"coinfloor\"\nrate = 500\nseed = 7\nmarkets = [\"XBT:*\"]\ntraders = false\n\
         [source.account]\nuser_id = 3\ncookie = \"c\"\npassphrase = \"p\"\n",
    );
    let config = parse(&text).unwrap();
    let Link::BuiltIn(exchange) = &config.sources[0].link else { panic!("the built-in exchange") };
    assert_eq!((exchange.listing, exchange.rate, exchange.seed), (BuiltInListing::Coinfloor, Some(500), Some(7)));
    assert_eq!((exchange.markets.len(), exchange.traders), (1, false));
    let account = config.sources[0].login.as_ref().unwrap().account().unwrap();
    let credentials = account.as_user().unwrap();
    assert_eq!((credentials.user, credentials.cookie.expose(), credentials.passphrase.expose()), (UserId(3), "c", "p"));
}

#[test]
fn numbers_of_an_estimate_are_taken_as_they_are_written() {
    for (written, text) in
        [("1", "1"), ("-0.10", "-0.10"), ("\"-1_0\"", ""), ("1_000.5", "1000.5"), ("\"2.50\"", "2.50"), ("0x10", "")]
    {
        let estimate = format!("method = \"EstimateMarketOrder\"\nmarkets = [\"XBT:USDT\"]\ntotal = {written}");
        let config = parse(&GOOD.replace("method = \"GetBalances\"", &estimate));
        match config {
            Ok(config) => assert_eq!(config.sources[0].poll[0].total.as_deref(), Some(text), "{written}"),
            Err(errors) => assert!(text.is_empty(), "{written}: {errors}"),
        }
    }
}

fn catalog() -> Catalog {
    let market = |base: &str, base_code, counter: &str, counter_code| Market {
        name: format!("{base}:{counter}"),
        base: base.to_owned(),
        counter: counter.to_owned(),
        base_code: Some(AssetCode(base_code)),
        counter_code: Some(AssetCode(counter_code)),
        price_places: Some(4),
        quantity_places: Some(4),
        tick: None,
        starts: None,
        expires: None,
    };
    let asset =
        |name: &str, code| Asset { code: Some(AssetCode(code)), name: name.to_owned(), places: Some(4), spot: None };
    Catalog {
        valid_from: Timestamp(0),
        other_until: None,
        origin: CatalogOrigin::Exchange,
        assets: vec![asset("XBT", 63488), asset("ETH", 63520), asset("USDT", 65283)],
        markets: vec![market("XBT", 63488, "USDT", 65283), market("ETH", 63520, "USDT", 65283)],
    }
}

#[test]
fn names_that_the_venue_does_not_list_are_refused_with_what_may_be_meant() {
    let known = Listings {
        markets_ever: HashSet::from(["OLD:USDT".to_owned()]),
        assets_ever: HashSet::from(["OLD".to_owned()]),
        ..Listings::default()
    };
    let check = |from: &str, to: &str| {
        let config = parse(&GOOD.replace(from, to)).unwrap();
        config.sources[0].check_names(&catalog(), &known).err().map(|errors| errors.to_string()).unwrap_or_default()
    };
    assert_eq!(check("", ""), "");
    assert_eq!(
        check("XBT:USDT", "XBT:UDST"),
        "conf/f.toml:16:12: source[0].subscribe[0].markets[0]: unknown market `XBT:UDST`, did you mean `XBT:USDT`"
    );
    assert_eq!(
        check("XBT:USDT", "DOGE:EUR"),
        "conf/f.toml:16:12: source[0].subscribe[0].markets[0]: unknown market `DOGE:EUR`; `feedtape markets FILE` lists \
         those there are"
    );
    assert_eq!(check("XBT:USDT", "XBT:65283"), "");
    assert_eq!(check("XBT:USDT", "OLD:USDT"), "", "a market that was listed once");
    assert_eq!(check("XBT:USDT", "1:2"), "", "codes that nobody lists are recorded by their numbers");
    assert_eq!(check("XBT:USDT", "DOGE:*"), "", "a wildcard waits for what will be listed");
    let volume = |asset: &str| check("\"GetBalances\"", &format!("\"GetTradeVolume\"\nasset = \"{asset}\""));
    assert_eq!(volume("XBT") + &volume("99") + &volume("OLD"), "");
    assert_eq!(volume("XTB"), "conf/f.toml:21:9: source[0].poll[0].asset: unknown asset `XTB`, did you mean `XBT`");
}

#[test]
fn codes_and_scales_of_the_file_make_a_catalog() {
    let listing = "
[[source.asset]]
name = \"XBT\"
code = 63488
scale = 100_000_000
[[source.asset]]
name = \"GBP\"
code = 64032
scale = 100
[[source.market]]
base = \"XBT\"
counter = \"GBP\"
";
    let text = GOOD.replace("rest_url = \"https://rest.example\"", "") + listing;
    let catalog = parse(&text).unwrap().sources[0].listed(Timestamp(5)).unwrap();
    assert_eq!((catalog.valid_from, catalog.origin), (Timestamp(5), CatalogOrigin::Config));
    let market = catalog.market("XBT:GBP").unwrap();
    assert_eq!((market.base_code, market.counter_code), (Some(AssetCode(63488)), Some(AssetCode(64032))));
    assert_eq!((market.quantity_places, market.price_places), (Some(8), Some(2)));
    assert_eq!(
        errors(&text.replace("scale = 100\n", "scale = 4\n")),
        "conf/f.toml:30:9: source[0].asset[1].scale: a scale is a power of ten, such as 10000 for four decimal places\n\
         conf/f.toml:33:11: source[0].market[0].counter: no [[source.asset]] is `GBP`; known are `XBT`"
    );
}

struct Folder(tempfile::TempDir);

impl Folder {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn file(&self, name: &str, text: &[u8], mode: u32) -> PathBuf {
        let path = self.0.path().join(name);
        fs::write(&path, text).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
        path
    }

    fn passphrase(&self, text: &[u8], mode: u32) -> Result<String, String> {
        let good = GOOD.replace("{ env = \"FEEDTAPE_TEST_COOKIE\" }", "{ file = \"cookie.txt\" }");
        let config = self.file("f.toml", good.as_bytes(), 0o644);
        self.file("cookie.txt", b"cookie", 0o600);
        self.file("passphrase.txt", text, mode);
        let login = Config::load(&[config]).unwrap().sources[0].login.clone().unwrap();
        let account = login.account().map_err(|errors| errors.to_string())?;
        Ok(account.as_user().unwrap().passphrase.expose().to_owned())
    }
}

#[test]
fn a_secret_file_loses_one_newline_and_nothing_else() {
    let folder = Folder::new();
    for (bytes, text) in
        [("plain", "plain"), ("line\n", "line"), ("two\n\n", "two\n"), (" \tspace \r\n", " \tspace \r"), ("ü\n", "ü")]
    {
        assert_eq!(folder.passphrase(bytes.as_bytes(), 0o600).unwrap(), text);
    }
}

#[test]
fn a_secret_file_that_others_can_read_is_refused() {
    let folder = Folder::new();
    for mode in [0o640, 0o604, 0o660, 0o666] {
        let error = folder.passphrase(b"canary", mode).unwrap_err();
        assert!(
            error.ends_with(&format!(
                "f.toml:12:14: source[0].account.passphrase: the file named here is open to group or others \
             (mode {mode:04o}); chmod 600 it"
            )),
            "{error}"
        );
    }
    assert!(folder.passphrase(b"canary", 0o400).is_ok());
}

#[test]
fn secrets_that_are_not_there_are_all_told_at_once() {
    let login = parse(GOOD).unwrap().sources[0].login.clone().unwrap();
    assert_eq!(
        login.account().unwrap_err().to_string(),
        "conf/f.toml:11:10: source[0].account.cookie: the environment variable named here is not set\n\
         conf/f.toml:12:14: source[0].account.passphrase: the file named here cannot be read: \
         No such file or directory (os error 2)"
    );
    let folder = Folder::new();
    assert!(folder.passphrase(b"", 0o600).unwrap_err().ends_with("the secret is empty"));
    assert!(folder.passphrase(b"\xff", 0o600).unwrap_err().ends_with("the file named here is not UTF-8"));
}

#[test]
fn files_recorded_together_name_one_database_and_unique_sources() {
    let folder = Folder::new();
    let a = folder.file("a.toml", GOOD.as_bytes(), 0o644);
    let other = GOOD.replace("name = \"coinflex\"", "name = \"second\"");
    let b = folder.file("b.toml", other.as_bytes(), 0o644);
    let config = Config::load(&[a.clone(), b.clone()]).unwrap();
    assert_eq!(config.sources.iter().map(|source| source.name.as_str()).collect::<Vec<_>>(), ["coinflex", "second"]);

    let c = folder.file("c.toml", other.replace("x.db", "y.db").as_bytes(), 0o644);
    let error = Config::load(&[a.clone(), c]).err().unwrap().to_string();
    assert!(error.contains("c.toml: database: not what ") && error.contains("a.toml says"), "{error}");

    let d = folder.file("d.toml", GOOD.as_bytes(), 0o644);
    let error = Config::load(&[a.clone(), d]).err().unwrap().to_string();
    assert!(error.contains("d.toml:3:1: source[0]: the name `coinflex` is taken by "), "{error}");

    let missing = Config::load(&[a, folder.0.path().join("none.toml")]).err().unwrap();
    assert_eq!(missing.exit(), Exit::NoInput);
    assert!(missing.to_string().ends_with("none.toml: cannot be read: No such file or directory (os error 2)"));
}

/// Whatever is wrong with a file, and wherever a secret was put by mistake, no message and no debug text shows it.
#[test]
fn no_error_shows_a_secret() {
    const CANARY: &str = "hunter2canary";
    let literal = format!("\"{CANARY}\"");
    let mut files = Vec::new();
    for (from, to) in [
        ("user_id = 1", format!("user_id = {CANARY}")),
        ("user_id = 1", format!("user_id = {literal}")),
        ("user_id = 1", format!("user_id = 1\n{CANARY} = 1")),
        ("user_id = 1", format!("user_id = 1\npassprase = {literal}")),
        ("user_id = 1", format!("user_id = 1\npassphrase = {literal}")),
        ("user_id = 1", format!("user_id = 1\n{literal}")),
        ("{ env = \"FEEDTAPE_TEST_COOKIE\" }", literal.clone()),
        ("{ env = \"FEEDTAPE_TEST_COOKIE\" }", format!("'{CANARY}")),
        ("{ env = \"FEEDTAPE_TEST_COOKIE\" }", format!("\"\"\"{CANARY}")),
        ("{ env = \"FEEDTAPE_TEST_COOKIE\" }", CANARY.to_owned()),
        ("{ env = \"FEEDTAPE_TEST_COOKIE\" }", format!("[{literal}]")),
        ("{ env = \"FEEDTAPE_TEST_COOKIE\" }", format!("{{ value = {literal} }}")),
        ("{ env = \"FEEDTAPE_TEST_COOKIE\" }", format!("{{ {CANARY} = 1 }}")),
        ("{ env = \"FEEDTAPE_TEST_COOKIE\" }", format!("{{ env = {literal} }}")),
        ("{ env = \"FEEDTAPE_TEST_COOKIE\" }", format!("{{ file = {literal} }}")),
        ("{ env = \"FEEDTAPE_TEST_COOKIE\" }", format!("{{ credential = {literal} }}")),
        ("{ env = \"FEEDTAPE_TEST_COOKIE\" }", format!("{{ credential = \"/{CANARY}\" }}")),
        ("{ env = \"FEEDTAPE_TEST_COOKIE\" }", format!("{{ env = \"A\", file = {literal} }}")),
        ("passphrase = {", format!("passphrase.{CANARY} = {{")),
        ("passphrase = { file = \"passphrase.txt\" }", format!("passphrase={CANARY}")),
        ("[source.account]", format!("[source.account]\npassphrase = {literal} trailing")),
        ("[source.account]", format!("[source.account {literal}")),
        ("[source.account]", format!("passphrase = {literal}\n[source.account]")),
        ("[source.account]", format!("account = {literal}\n[source.accunt]")),
        ("wss://api.example", format!("wss://user:{CANARY}@api.example")),
        ("wss://api.example", format!("nonsense {CANARY}")),
        ("https://rest.example", format!("https://{CANARY}@rest.example")),
    ] {
        assert_eq!(GOOD.matches(from).count(), 1, "{from}");
        files.push(GOOD.replace(from, &to));
    }
    for text in files {
        let errors = match parse(&text) {
            Err(errors) => errors,
            Ok(config) => config.sources[0].login.as_ref().unwrap().account().expect_err(&text),
        };
        assert!(!errors.to_string().contains(CANARY), "{errors}\n{text}");
        assert!(!format!("{errors:?}").contains(CANARY), "{errors:?}\n{text}");
    }
}

#[test]
fn no_debug_text_shows_a_secret() {
    let text = "database = \"x\"\n[[source]]\nname = \"demo\"\nvenue = \"coinflex\"\nexchange = \"built-in\"\n\
                [source.account]\nuser_id = 1\ncookie = \"canary\"\npassphrase = \"canary\"\n";
    let login = parse(text).unwrap().sources[0].login.clone().unwrap();
    assert!(!format!("{login:?} {:?}", login.account()).contains("canary"));
}

#[test]
fn every_file_of_settings_among_the_examples_loads() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples");
    let mut files: Vec<_> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.retain(|path| path.extension().is_some_and(|extension| extension == "toml"));
    assert!(files.len() >= 2, "{files:?}");
    for file in files {
        let told = match file.file_stem().and_then(|stem| stem.to_str()) {
            Some("accounts") => crate::exchange::read_accounts(&file).err().map(|error| error.to_string()),
            Some("faults") => crate::exchange::Faults::read(&file).err().map(|error| error.to_string()),
            _ => Config::load(&[file]).err().map(|errors| errors.to_string()),
        };
        assert_eq!(told, None);
    }
}

proptest::proptest! {
    /// A slip of the pen anywhere, also in a header that then no longer says what the table is.
    #[test]
    fn no_slip_makes_an_error_show_a_secret(
        edits in proptest::collection::vec((0usize..2000, "[\"'=\\[\\]{}#\n. ,a]{0,2}", 0usize..3), 1..4),
    ) {
        let mut text: Vec<char> =
            GOOD.replace("{ file = \"passphrase.txt\" }", "\"hunter2canary\"").chars().collect();
        for (at, inserted, deleted) in edits {
            let at = at % text.len();
            let end = (at + deleted).min(text.len());
            text.splice(at..end, inserted.chars());
        }
        let text: String = text.into_iter().collect();
        if let Err(errors) = parse(&text) {
            proptest::prop_assert!(!errors.to_string().contains("hunter2canary"), "{}\n{}", errors, text);
        }
    }
}
