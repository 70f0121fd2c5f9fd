//! Binance and Binance.US.

use feedtape::model::{BookLevels, Event, Id, Level, Patch, Price, Quantity, Side, Ticker, Timestamp, Trade};
use feedtape::venue::{Venue, by_name};

use crate::captures;
use crate::recording::Recording;
use crate::script::{Script, mutations, plan};
use crate::server::Server;

const PATH: &str = "GET api/v3/depth?symbol=BTCUSDT&limit=1000";
/// The captured snapshot contains the first so many of the captured updates, and no more.
const CONTAINED: usize = 9;

fn levels(events: &[Event]) -> Vec<&BookLevels> {
    fn of(event: &Event) -> Option<&BookLevels> {
        match event {
            Event::Levels(levels) => Some(levels),
            _ => None,
        }
    }
    events.iter().filter_map(of).collect()
}

fn level(side: Side, price: i64, quantity: i64) -> Level {
    Level { side, price: Some(Price::scaled(price)), quantity: Some(Quantity::scaled(quantity)) }
}

fn captured() -> Option<(Vec<String>, String)> {
    Some((captures::lines("binance_us_depth.jsonl")?, captures::text("binance_us_snapshot.json")?))
}

fn replay<'f>(frames: impl IntoIterator<Item = &'f str>, behind: usize, snapshot: &str) -> Script {
    Script::replay_with("binance_us", frames, behind, PATH, snapshot)
}

fn timeline(list: &[(i64, &str)]) -> Vec<(i64, String)> {
    list.iter().map(|(at, state)| (*at, (*state).to_owned())).collect()
}

#[test]
fn the_captured_book_is_proved_from_its_snapshot_to_its_last_update() {
    let Some((frames, snapshot)) = captured() else { return };
    let script = replay(frames.iter().map(String::as_str), CONTAINED, &snapshot);
    assert_eq!(script.odd(), Vec::<String>::new());
    let expected = timeline(&[(9, "proved"), (25, "unverifiable"), (26, "not_running")]);
    assert_eq!(script.timeline("depth BTCUSDT"), expected);
    let levels = levels(&script.events);
    assert_eq!(levels.len(), 26);
    let (first, last) = (levels[0], levels[25]);
    assert_eq!((first.first, first.last), (Some(3_297_892_529), Some(3_297_892_530)));
    assert_eq!(first.time, Some(Timestamp(1_787_612_486_435_000_000)));
    assert_eq!(
        first.levels,
        [level(Side::Bid, 7_870_188_000_000, 1_260_000), level(Side::Ask, 7_872_592_000_000, 1_261_000)]
    );
    assert_eq!((last.first, last.last), (Some(3_297_892_630), Some(3_297_892_634)));
    assert_eq!(last.levels.len(), 5);
    assert_eq!(last.levels[4], level(Side::Ask, 7_874_075_000_000, 0));
    let book = levels[CONTAINED];
    assert!(book.is_snapshot && book.last == Some(3_297_892_542));
    assert_eq!(book.levels[0], level(Side::Bid, 7_871_988_000_000, 261_000));
    // Everything it has came before it; what comes next is to be applied.
    assert_eq!(book.events_from, None);
    assert_eq!(
        levels.iter().filter(|levels| !levels.is_snapshot).map(|levels| levels.levels.len()).sum::<usize>(),
        123
    );
}

#[test]
fn a_snapshot_that_is_late_says_from_where_on_updates_are_to_be_applied() {
    let Some((frames, snapshot)) = captured() else { return };
    let script = replay(frames.iter().map(String::as_str), 20, &snapshot);
    let book = levels(&script.events).into_iter().find(|levels| levels.is_snapshot).unwrap();
    // Connecting and opened come first, then the frames.
    assert_eq!(book.events_from.map(|seq| seq.0), Some(2 + CONTAINED as u64));
    assert_eq!(script.timeline("depth BTCUSDT")[0], (20, "proved".to_owned()));
}

#[test]
fn a_snapshot_older_than_the_first_update_joins_nothing() {
    let Some((frames, snapshot)) = captured() else { return };
    for (skipped, is_joined) in [(CONTAINED, true), (CONTAINED + 1, false)] {
        let script = replay(frames.iter().skip(skipped).map(String::as_str), 3, &snapshot);
        let is_proved = script.changes().iter().any(|change| change.state == "proved");
        assert_eq!(is_proved, is_joined, "without the first {skipped}");
    }
}

#[test]
fn a_captured_frame_that_is_missing_doubled_or_out_of_place_is_never_called_proved() {
    let Some((frames, snapshot)) = captured() else { return };
    let last = frames.len() - 1;
    for (what, frames) in mutations(&frames) {
        let (kind, n) = what.split_once(' ').unwrap();
        let (n, end) = (n.parse::<usize>().unwrap(), frames.len() as i64);
        let found = |script: &Script| script.count(|event| matches!(event, Event::Finding(_)));
        // The last frame that is in place, after which nothing shows that nothing is missing.
        let tail = if kind == "twice" && n == last { end - 1 } else { end };
        let joined = if kind == "twice" && n + 1 < CONTAINED { 10 } else { 9 };
        let is_whole = timeline(&[(joined, "proved"), (tail, "unverifiable"), (end + 1, "not_running")]);
        // The snapshot comes where it came, so it has all that came before it, in whatever order.
        let is_seen = match kind {
            "without" => n >= CONTAINED && n < last,
            "swapped" => n >= CONTAINED,
            _ => false,
        };
        let script = replay(frames.iter().copied(), CONTAINED, &snapshot);
        let expected = match is_seen {
            true => timeline(&[(n as i64, "sequence_broken"), (end + 1, "not_running")]),
            false => is_whole,
        };
        let expected = match is_seen && n > CONTAINED {
            true => [timeline(&[(9, "proved")]), expected].concat(),
            false => expected,
        };
        assert_eq!(script.timeline("depth BTCUSDT"), expected, "{what}");
        assert_eq!(found(&script), usize::from(kind != "without"), "{what}");
        // A snapshot that comes behind a hole it does not contain proves nothing either.
        let script = replay(frames.iter().copied(), frames.len(), &snapshot);
        let is_proved = script.changes().iter().any(|change| change.state == "proved");
        assert_eq!(is_proved, !is_seen, "{what}, the snapshot last");
    }
}

#[test]
fn a_book_that_breaks_is_joined_to_a_fresh_snapshot_and_loses_no_row_meanwhile() {
    let Some((frames, snapshot)) = captured() else { return };
    let mut script = Script::open(plan("binance_us", &[("depth", &["BTCUSDT"], &[("speed", "100ms")])]), None);
    assert_eq!(script.take_sent(), [r#"{"id":1,"method":"SUBSCRIBE","params":["btcusdt@depth@100ms"]}"#]);
    script.receive(r#"{"result":null,"id":1}"#);
    assert_eq!(script.state("depth BTCUSDT"), "not_acknowledged");
    assert!(script.requests.is_empty(), "a snapshot taken before the first update could not be joined");
    for frame in &frames[..5] {
        script.receive(frame);
    }
    let request = script.requests.pop().unwrap();
    assert_eq!((request.path.as_str(), script.requests.len()), ("api/v3/depth?symbol=BTCUSDT&limit=1000", 0));
    // It has changes that have not come yet: whether it joins is seen when they do.
    script.answer(request.request, PATH, &snapshot);
    assert_eq!(script.state("depth BTCUSDT"), "not_acknowledged");
    for frame in &frames[5..15] {
        script.receive(frame);
    }
    assert_eq!(script.state("depth BTCUSDT"), "proved");
    for frame in &frames[16..] {
        script.receive(frame);
    }
    assert_eq!(script.state("depth BTCUSDT"), "sequence_broken");
    let request = script.requests.pop().unwrap();
    let fresh = snapshot.replacen("3297892542", "3297892634", 1);
    script.answer(request.request, PATH, &fresh);
    assert_eq!(script.state("depth BTCUSDT"), "proved");
    assert_eq!(levels(&script.events).len(), 24 + 2);
    assert_eq!(script.odd(), Vec::<String>::new());
}

/// Frames as the venue documents them (`web-socket-streams.md` of binance/binance-spot-api-docs, comments left out), in
/// the wrapper that the same page documents for `/stream`.
const TRADE: &str = r#"{"stream":"bnbbtc@trade","data":{"e":"trade","E":1672515782136,"s":"BNBBTC","t":12345,"p":"0.001","q":"100","b":88,"a":50,"T":1672515782136,"m":true,"M":true}}"#;
const AGGREGATE: &str = r#"{"stream":"bnbbtc@aggTrade","data":{"e":"aggTrade","E":1672515782136,"s":"BNBBTC","a":12345,"p":"0.001","q":"100","f":100,"l":105,"T":1672515782136,"m":true,"M":true}}"#;
const BEST: &str = r#"{"stream":"bnbusdt@bookTicker","data":{"u":400900217,"s":"BNBUSDT","b":"25.35190000","B":"31.21000000","a":"25.36520000","A":"40.66000000"}}"#;
const SHUTDOWN: &str = r#"{"stream":"!serverShutdown","data":{"e":"serverShutdown","E":1770123456789}}"#;

fn trades(script: &Script) -> Vec<&Trade> {
    fn of(event: &Event) -> Option<&Trade> {
        match event {
            Event::Trade(trade) => Some(trade),
            _ => None,
        }
    }
    script.events.iter().filter_map(of).collect()
}

#[test]
fn documented_trades_become_rows_and_their_numbers_are_followed() {
    let next = TRADE.replace(r#""t":12345"#, r#""t":12346"#).replace(r#""b":88,"a":50,"#, "");
    let hole = TRADE.replace(r#""t":12345"#, r#""t":12348"#);
    let script = Script::replay("binance", [TRADE, &next, &hole, &hole]);
    assert_eq!(script.odd(), Vec::<String>::new());
    let trades = trades(&script);
    assert_eq!(trades.len(), 4);
    assert_eq!(
        (trades[0].price.clone(), trades[0].quantity.clone(), trades[0].time),
        (Some(Price::scaled(1)), Some(Quantity::scaled(100)), Some(Timestamp(1_672_515_782_136_000_000)))
    );
    assert_eq!((trades[0].id.clone(), trades[0].taker_is_bid), (Some(Id::Int(12345)), Some(false)));
    assert_eq!((trades[0].bid.order.clone(), trades[0].ask.order.clone()), (Some(Id::Int(88)), Some(Id::Int(50))));
    assert_eq!((trades[1].bid.order.clone(), trades[1].ask.order.clone()), (None, None));
    // Between the second and the third two are missing; the stream then goes on. The last came twice.
    assert_eq!(
        script.timeline("trade BNBBTC"),
        timeline(&[(1, "proved"), (2, "sequence_broken"), (3, "unverifiable"), (5, "not_running")])
    );
    assert_eq!(script.count(|event| matches!(event, Event::Finding(_))), 1);
}

#[test]
fn an_aggregate_is_told_from_single_trades_by_the_trades_it_sums_up() {
    let single = AGGREGATE.replace(r#""l":105"#, r#""l":100"#).replace(r#""a":12345"#, r#""a":12346"#);
    let script = Script::replay("binance", [AGGREGATE, &single]);
    assert_eq!(script.odd(), Vec::<String>::new());
    let ids: Vec<_> = trades(&script).into_iter().map(|trade| trade.id.clone().unwrap()).collect();
    assert_eq!(ids, [Id::Text(Box::new("100-105".to_owned())), Id::Int(100)]);
    assert!(trades(&script).iter().all(|trade| trade.ask == Default::default()));
    assert_eq!(script.timeline("aggTrade BNBBTC")[0], (1, "proved".to_owned()));
}

#[test]
fn a_documented_best_bid_and_ask_is_a_ticker_that_leaves_the_rest_open() {
    let script = Script::replay("binance", [BEST]);
    assert_eq!(script.odd(), Vec::<String>::new());
    let of = |event: &Event| match event {
        Event::Ticker(ticker) => Some(Ticker::clone(ticker)),
        _ => None,
    };
    let ticker = script.events.iter().find_map(of).unwrap();
    assert_eq!(ticker.bid, Patch::Value(Price::scaled(2_535_190_000)));
    assert_eq!(ticker.ask_quantity, Patch::Value(Quantity::scaled(4_066_000_000)));
    assert_eq!((ticker.last, ticker.volume), (Patch::Absent, Patch::Absent));
    assert_eq!(script.state("bookTicker BNBUSDT"), "not_running");
    assert!(script.timeline("bookTicker BNBUSDT").contains(&(1, "consistent".to_owned())));
}

#[test]
fn a_server_that_is_to_be_shut_down_is_left_for_another() {
    let mut script = Script::open(plan("binance", &[("trade", &["BNBBTC"], &[])]), None);
    script.receive(SHUTDOWN);
    assert!(format!("{:?}", script.wishes).contains("about to shut the server down"), "{:?}", script.wishes);
    assert_eq!(script.count(|event| matches!(event, Event::Control(_))), 1);
    assert_eq!(script.odd(), Vec::<String>::new());
}

#[test]
fn a_request_is_answered_by_its_number_whole_or_not_at_all() {
    let wanted = plan("binance", &[("aggTrade", &["BNBBTC"], &[]), ("trade", &["BNBBTC", "ETHBTC"], &[])]);
    let mut script = Script::open(wanted, None);
    assert_eq!(
        script.take_sent(),
        [
            r#"{"id":1,"method":"SUBSCRIBE","params":["bnbbtc@aggTrade"]}"#,
            r#"{"id":2,"method":"SUBSCRIBE","params":["bnbbtc@trade","ethbtc@trade"]}"#,
        ]
    );
    script.receive(r#"{"result":null,"id":2}"#);
    script.receive(r#"{"error":{"code":2,"msg":"Invalid request: too many parameters"},"id":1}"#);
    let states = ["trade BNBBTC", "trade ETHBTC", "aggTrade BNBBTC"].map(|stream| script.state(stream));
    assert_eq!(states, ["unverifiable", "unverifiable", "refused"]);
    script.receive(TRADE);
    assert_eq!([script.state("trade BNBBTC"), script.state("trade ETHBTC")], ["proved", "unverifiable"]);
    assert_eq!(script.odd(), Vec::<String>::new());
}

#[test]
fn what_is_asked_for_at_once_keeps_to_five_messages_a_second() {
    let names: Vec<_> = (0..1000).map(|n| format!("M{n}USDT")).collect();
    let names: Vec<_> = names.iter().map(String::as_str).collect();
    let mut script = Script::open(plan("binance", &[("trade", &names, &[])]), None);
    let mut sent: Vec<i64> = script.take_sent().iter().map(|_| script.now).collect();
    while sent.len() < 10 {
        script.wait();
        sent.extend(script.take_sent().iter().map(|_| script.now));
    }
    for n in 4..sent.len() {
        assert!(sent[n] - sent[n - 4] >= crate::script::SECOND, "{sent:?}");
    }
}

#[test]
fn what_a_connection_has_no_room_for_is_refused_and_says_so() {
    let names: Vec<_> = (0..1030).map(|n| format!("M{n}USDT")).collect();
    let names: Vec<_> = names.iter().map(String::as_str).collect();
    let mut script = Script::open(plan("binance", &[("trade", &names, &[])]), None);
    let asked = |sent: Vec<String>| sent.iter().map(|frame| frame.matches("@trade").count()).sum::<usize>();
    let mut count = asked(script.take_sent());
    while count < 1024 {
        script.wait();
        count += asked(script.take_sent());
    }
    for id in 1..=script.count(|event| matches!(event, Event::Command(_))) {
        script.receive(&format!(r#"{{"result":null,"id":{id}}}"#));
    }
    assert_eq!(asked(script.take_sent()), 0);
    assert_eq!([script.state("trade M1023USDT"), script.state("trade M1024USDT")], ["unverifiable", "refused"]);
    let refused = script.changes().into_iter().filter(|change| change.state == "refused").collect::<Vec<_>>();
    assert_eq!(refused.len(), 6);
    assert_eq!(refused[0].evidence, "the venue allows 1024 streams on a connection; put more into a second source");
}

/// The example answer of `GET /api/v3/exchangeInfo` (`rest-api.md` of binance/binance-spot-api-docs), of its one symbol
/// the fields that name and scale it, with the filters that `filters.md` documents.
const LISTED: &str = r#"{"timezone":"UTC","serverTime":1565246363776,"rateLimits":[],"exchangeFilters":[],"symbols":[
    {"symbol":"ETHBTC","status":"TRADING","baseAsset":"ETH","baseAssetPrecision":8,"quoteAsset":"BTC","quotePrecision":8,
     "quoteAssetPrecision":8,"baseCommissionPrecision":8,"quoteCommissionPrecision":8,"filters":[
        {"filterType":"PRICE_FILTER","minPrice":"0.00000100","maxPrice":"100000.00000000","tickSize":"0.00000100"},
        {"filterType":"LOT_SIZE","minQty":"0.00100000","maxQty":"100000.00000000","stepSize":"0.00100000"}]},
    {"symbol":"NOSTEPS","baseAsset":"NO","baseAssetPrecision":5,"quoteAsset":"BTC","quoteAssetPrecision":8,"filters":[
        {"filterType":"PRICE_FILTER","minPrice":"0.00000000","maxPrice":"0.00000000","tickSize":"0.00000000"}]},
    {"status":"TRADING"}]}"#;

fn venue(name: &str) -> &'static dyn Venue {
    by_name(name).unwrap()
}

#[test]
fn the_documented_list_of_symbols_is_a_catalog_with_scales_and_ticks() {
    let catalog = venue("binance").catalog(&[LISTED.as_bytes()], Timestamp(7)).unwrap();
    let of = |name| {
        let market = catalog.market(name).unwrap();
        (market.base.as_str(), market.counter.as_str(), market.price_places, market.quantity_places, market.tick)
    };
    assert_eq!(of("ETHBTC"), ("ETH", "BTC", Some(6), Some(3), Some(1)));
    assert_eq!(of("NOSTEPS"), ("NO", "BTC", Some(8), Some(5), None));
    assert_eq!(catalog.markets.len(), 2);
    assert_eq!(catalog.asset("BTC").unwrap().places, Some(8));
    for bad in ["", "[]", r#"{"symbols":1}"#] {
        let error = venue("binance_us").catalog(&[bad.as_bytes()], Timestamp(7)).unwrap_err().to_string();
        assert!(error.starts_with("api/v3/exchangeInfo: "), "{error}");
    }
}

#[test]
fn on_the_wire_books_are_joined_refusals_are_kept_and_a_server_that_shuts_down_is_left() {
    let Some((frames, snapshot)) = captured() else { return };
    let listed = LISTED.replace("ETHBTC", "BTCUSDT");
    let server = Server::start(
        move |talk| {
            talk.ping(b"1787612486435");
            let is_first = talk.number == 0;
            let mut asked = 0;
            while let Some(request) = talk.hear_json() {
                let (id, stream) = (&request["id"], request["params"][0].as_str().unwrap());
                asked += 1;
                match stream {
                    "btcusdt@depth@100ms" => {
                        talk.say(&format!(r#"{{"result":null,"id":{id}}}"#));
                        let frames = if is_first { &frames[..] } else { &frames[5..] };
                        for frame in frames {
                            talk.say(&format!(r#"{{"stream":"{stream}","data":{frame}}}"#));
                        }
                    }
                    _ => talk.say(&format!(r#"{{"error":{{"code":2,"msg":"Invalid request"}},"id":{id}}}"#)),
                }
                if is_first && asked == 2 {
                    talk.say(SHUTDOWN);
                }
            }
        },
        move |request| match request.line.as_str() {
            "GET /api/v3/exchangeInfo" => (200, listed.clone()),
            "GET /api/v3/depth?symbol=BTCUSDT&limit=1000" => (200, snapshot.clone()),
            _ => (404, String::new()),
        },
    );
    let recording = Recording::new(&[]);
    let sources = format!(
        "[[source]]\nname = \"us\"\nvenue = \"binance_us\"\nurl = \"{}\"\nrest_url = \"{}\"\n\
         [[source.subscribe]]\nmethod = \"depth\"\nmarkets = [\"BTC*\"]\n\
         [[source.subscribe]]\nmethod = \"trade\"\nmarkets = [\"BTCUSDT\"]\n",
        server.url(),
        server.rest_url()
    );
    // The shutdown may be quicker than the first snapshot, but not than the second.
    let done = "SELECT count(*) = 1 FROM transition t JOIN stream s ON s.id = t.stream \
         WHERE channel = 'depth' AND reason = 'proved' AND (SELECT count(*) FROM session WHERE id < t.session) = 1";
    recording.until(&sources, done);
    let refused = "SELECT DISTINCT reason, evidence FROM transition t JOIN stream s ON s.id = t.stream \
         WHERE channel = 'trade' AND reason = 'refused'";
    assert_eq!(recording.rows(refused), ["refused Invalid request"]);
    // Prices at the scale of the listed tick; a quantity finer than the listed step is what was sent.
    assert_eq!(
        recording.rows("SELECT price, quantity FROM book_levels WHERE is_snapshot = 0 ORDER BY id LIMIT 1"),
        ["78701.880000 0.0126"]
    );
    assert_eq!(recording.rows("SELECT DISTINCT kind FROM control"), ["serverShutdown"]);
    assert_eq!(
        recording.rows("SELECT channel, time_unit_ns, integrity FROM streams WHERE channel = 'depth'"),
        ["depth 1000000 range by subscription"]
    );
    assert_eq!(recording.rows("SELECT count(*) FROM frames_not_understood"), ["0"]);
}
