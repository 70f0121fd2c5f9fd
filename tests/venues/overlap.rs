//! Binance ends a connection after a time: another one takes over before.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::Duration;

use crate::recording::Recording;
use crate::server::{Server, Voice};

/// How old a connection gets.
const LIFETIME: &str = "9600ms";

/// A market in which a trade is done and the book changes every few milliseconds, which all are told who have asked.
#[derive(Clone, Default)]
struct Market(Arc<Mutex<Told>>);

#[derive(Default)]
struct Told {
    number: u64,
    trades: Vec<(usize, Voice)>,
    books: Vec<(usize, Voice)>,
    /// The sockets that the client has left.
    left: Vec<usize>,
}

/// Moves a market on, until it is dropped.
struct Trading {
    is_over: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Market {
    fn trading(&self) -> Trading {
        let (market, is_over) = (self.clone(), Arc::new(AtomicBool::new(false)));
        let has_ended = is_over.clone();
        let thread = std::thread::spawn(move || {
            while !has_ended.load(Ordering::SeqCst) {
                market.step();
                std::thread::sleep(Duration::from_millis(3));
            }
        });
        Trading { is_over, thread: Some(thread) }
    }

    fn step(&self) {
        let mut told = self.0.lock().unwrap();
        told.number += 1;
        let n = told.number;
        let trade = format!(
            r#"{{"stream":"btcusdt@trade","data":{{"e":"trade","E":{n},"s":"BTCUSDT","t":{n},"p":"2.5","q":"1.{n}","T":{n},"m":true,"M":true}}}}"#
        );
        let update = format!(
            r#"{{"stream":"btcusdt@depth@100ms","data":{{"e":"depthUpdate","E":{n},"s":"BTCUSDT","U":{n},"u":{n},"b":[["2.5","{n}"]],"a":[]}}}}"#
        );
        told.trades.retain_mut(|(_, voice)| voice.say(&trade));
        told.books.retain_mut(|(_, voice)| voice.say(&update));
    }

    /// Agrees to a request, and tells what it asks for from then on.
    fn agree(&self, request: &serde_json::Value, number: usize, mut voice: Voice) {
        let mut told = self.0.lock().unwrap();
        voice.say(&format!(r#"{{"result":null,"id":{}}}"#, request["id"]));
        match request["params"][0].as_str().unwrap() {
            "btcusdt@trade" => told.trades.push((number, voice)),
            _ => told.books.push((number, voice)),
        }
    }

    /// Hangs up on a socket, between one change and the next.
    fn hang_up(&self, number: usize) {
        let mut told = self.0.lock().unwrap();
        let Told { trades, books, .. } = &mut *told;
        for (_, voice) in [trades, books].into_iter().flat_map(|told| told.extract_if(.., |told| told.0 == number)) {
            voice.hang_up();
        }
    }

    /// Waits until the client has left a socket.
    fn until_left(&self, number: usize) {
        while !self.0.lock().unwrap().left.contains(&number) {
            std::thread::sleep(Duration::from_millis(1));
        }
    }

    fn snapshot(&self) -> String {
        let number = self.0.lock().unwrap().number;
        format!(r#"{{"lastUpdateId":{number},"bids":[["2.5","{number}"]],"asks":[["2.6","1"]]}}"#)
    }
}

impl Drop for Trading {
    fn drop(&mut self) {
        self.is_over.store(true, Ordering::SeqCst);
        self.thread.take().unwrap().join().unwrap();
    }
}

/// A venue of that market. `refuse` is given the number of a socket and what it asks for, and says whether to hang up.
fn venue(market: &Market, refuse: impl Fn(usize, &str) -> bool + Send + Sync + 'static) -> Server {
    const LISTED: &str = r#"{"symbols":[{"symbol":"BTCUSDT","baseAsset":"BTC","quoteAsset":"USDT","baseAssetPrecision":8,
        "quoteAssetPrecision":8,"filters":[]}]}"#;
    let (talking, asked) = (market.clone(), market.clone());
    Server::start(
        move |talk| {
            while let Some(request) = talk.hear_json() {
                if refuse(talk.number, request["params"][0].as_str().unwrap()) {
                    return;
                }
                talking.agree(&request, talk.number, talk.voice());
            }
            talking.0.lock().unwrap().left.push(talk.number);
        },
        move |request| match request.line.split('?').next() {
            Some("GET /api/v3/exchangeInfo") => (200, LISTED.to_owned()),
            Some("GET /api/v3/depth") => (200, asked.snapshot()),
            _ => (404, String::new()),
        },
    )
}

fn sources(server: &Server) -> String {
    format!(
        "[[source]]\nname = \"us\"\nvenue = \"binance_us\"\nurl = \"{}\"\nrest_url = \"{}\"\n\
         timing = {{ lifetime = \"{LIFETIME}\" }}\n\
         [[source.subscribe]]\nmethod = \"depth\"\nmarkets = [\"BTCUSDT\"]\n\
         [[source.subscribe]]\nmethod = \"trade\"\nmarkets = [\"BTCUSDT\"]\n",
        server.url(),
        server.rest_url()
    )
}

/// Whether a session that followed another one for its age has trades of its own.
fn taken_over(by: usize) -> String {
    format!(
        "SELECT count(*) > 0 FROM trade t JOIN frame_span f ON t.id >> 22 BETWEEN f.first_frame AND f.first_frame + f.frames - 1 \
         WHERE f.session = (SELECT id FROM session WHERE closed_at IS NULL AND (SELECT count(*) FROM session) > {by}) \
         AND (SELECT count(*) FROM session WHERE closed_at IS NOT NULL) = {by}"
    )
}

/// What is said of a stream between its first and its last proved time.
fn said(recording: &Recording, channel: &str) -> Vec<String> {
    recording.rows(&format!(
        "SELECT verdict, coalesce(cause, '') FROM coverage c WHERE channel = '{channel}' \
         AND from_at >= (SELECT min(from_at) FROM coverage WHERE channel = c.channel AND verdict = 'proved') \
         AND to_at <= (SELECT max(to_at) FROM coverage WHERE channel = c.channel AND verdict = 'proved') ORDER BY from_at"
    ))
}

/// Every number is told, and each once.
fn holds_every_trade_once(recording: &Recording) {
    let trades =
        "SELECT count(*) = max(trade_id) - min(trade_id) + 1 AND count(*) = count(DISTINCT trade_id) FROM trades";
    assert_eq!(recording.rows(trades), ["1"]);
    let doubled = "SELECT count(*) > (SELECT count(*) FROM trades) FROM trade";
    assert_eq!(recording.rows(doubled), ["1"], "there was no time with two connections");
    assert_eq!(recording.verify(), "");
}

#[test]
fn another_connection_takes_over_before_the_venue_ends_this_one_and_nothing_is_missing_or_doubled() {
    let market = Market::default();
    let server = venue(&market, |_, _| false);
    let _trading = market.trading();
    let recording = Recording::new(&[]);
    recording.until(&sources(&server), &taken_over(1));
    assert_eq!(said(&recording, "trade"), ["proved "]);
    assert_eq!(said(&recording, "depth"), ["proved "]);
    let ended = "SELECT cause, detail FROM session ORDER BY id";
    let expected = "session another connection took over, before the venue ends this one for its age";
    assert_eq!(recording.rows(ended), [expected, "stopped "]);
    holds_every_trade_once(&recording);
}

#[test]
fn a_newcomer_that_fails_leaves_no_trace_but_its_session_and_another_one_is_tried() {
    let market = Market::default();
    // It says yes to the book, and hangs up at the trades.
    let ended = market.clone();
    let server = venue(&market, move |socket, stream| {
        let fails = socket == 1 && stream.contains("trade");
        if fails {
            ended.hang_up(1);
        }
        fails
    });
    let _trading = market.trading();
    let recording = Recording::new(&[]);
    recording.until(&sources(&server), &taken_over(2));
    assert_eq!(said(&recording, "trade"), ["proved "]);
    assert_eq!(said(&recording, "depth"), ["proved "]);
    let causes = "SELECT cause IN ('end_of_stream', 'transport'), cause FROM session ORDER BY id";
    let causes = recording.rows(causes);
    assert_eq!([&causes[0], &causes[2]], ["0 session", "0 stopped"]);
    assert!(causes.len() == 3 && causes[1].starts_with('1'), "{causes:?}");
    holds_every_trade_once(&recording);
}

#[test]
fn where_this_connection_is_lost_first_the_newcomer_goes_on_with_what_it_has_and_the_rest_is_a_gap() {
    let market = Market::default();
    let lost = market.clone();
    let server = venue(&market, move |socket, stream| {
        // The newcomer has the book, or soon will, and asks for the trades.
        if socket == 1 && stream.contains("trade") {
            lost.hang_up(0);
            lost.until_left(0);
        }
        false
    });
    let _trading = market.trading();
    let recording = Recording::new(&[]);
    recording.until(&sources(&server), &taken_over(1));
    let mut trades = said(&recording, "trade");
    // Behind its last message nothing shows that no other came, and before its first one neither.
    trades.retain(|said| said != "unverifiable ");
    assert_eq!(trades, ["proved ", "gap not_acknowledged", "proved "]);
    assert_eq!(said(&recording, "depth").last().unwrap(), "proved ");
    let lost = "SELECT cause IN ('end_of_stream', 'transport') FROM session WHERE id = 1";
    assert_eq!(recording.rows(lost), ["1"]);
    assert_eq!(recording.verify(), "");
}
