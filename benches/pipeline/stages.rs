//! What the parts of the path cost, each by itself.

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use feedtape::config::{Durability, Limits, Pace};
use feedtape::connection::{Dialer, Flow, Message, Socket, client_config};
use feedtape::journal::{Batch, Input, Opened, Plan, SubscribePlan, Tape};
use feedtape::model::{MarketPattern, SessionId, Stamp, Timestamp};
use feedtape::store::{RunInfo, RunKind, Settings, Store};
use feedtape::venue::{self, Action};

use super::feed::{self, Feed};
use super::floor::next_text;
use super::machine;
use super::pool::{self, Cursor, MARKETS, Pool};

/// When simulated arrivals begin, in µs since 1970.
const START: i64 = 1_700_000_000_000_000;

/// What came of it.
#[derive(Clone, Copy)]
pub struct Stage {
    pub messages: u64,
    pub seconds: f64,
    /// Of one thread, which is all there is.
    pub cpu_s: f64,
}

/// Takes messages from a socket and drops them.
pub fn socket(lap: usize, messages: u64) -> Stage {
    let feed = Feed::start(&feed::Args { lap, messages, rate: 0, commands: 0 });
    actix_rt::System::new().block_on(async {
        let mut socket = dial(&feed.url).await;
        // The greeting comes first.
        let wanted = messages + 1;
        let (mut taken, start, cpu) = (0, Instant::now(), machine::thread_cpu());
        while taken < wanted {
            match socket.receive().expect("the feed goes on") {
                Some(_) => taken += 1,
                None => socket.ready().await.expect("the feed goes on"),
            }
        }
        Stage { messages, seconds: start.elapsed().as_secs_f64(), cpu_s: (machine::thread_cpu() - cpu).as_secs_f64() }
    })
}

async fn dial(url: &str) -> Socket {
    let tls = client_config(None).expect("there are authorities");
    let dialer = Dialer::new(tls, Limits::default(), Pace::default());
    dialer.dial(url, false).await.expect("the feed listens").0
}

/// Takes messages from a socket, decodes and checks them in a session, and drops what it concludes.
pub fn session(lap: usize, messages: u64) -> Stage {
    let feed = Feed::start(&feed::Args { lap, messages, rate: 0, commands: 2 * MARKETS.len() });
    actix_rt::System::new().block_on(async {
        let mut socket = dial(&feed.url).await;
        let mut tape = tape(&feed.url);
        let mut spare = Batch::default();
        let clock = feedtape::clock::Clock::start();
        // A greeting, and an answer to each command.
        let wanted = messages + 1 + 2 * MARKETS.len() as u64;
        let (mut taken, start, cpu) = (0, Instant::now(), machine::thread_cpu());
        while taken < wanted {
            let at = clock.now();
            while let Some(Message::Text(text)) = socket.receive().expect("the feed goes on") {
                tape.feed(at, &Input::Received(&text));
                taken += 1;
            }
            let actions: Vec<_> = tape.actions().collect();
            for action in actions {
                let Action::Send(outgoing) = action else { continue };
                let text = Bytes::copy_from_slice(outgoing.text.expose().as_bytes());
                socket.send(Message::Text(text)).expect("the feed goes on");
                tape.feed(at, &Input::Sent(outgoing.journal.as_bytes()));
            }
            if tape.batch().len() >= Flow::default().batch_records_max {
                spare = tape.ship(spare);
            }
            if taken < wanted {
                socket.ready().await.expect("the feed goes on");
            }
        }
        Stage { messages, seconds: start.elapsed().as_secs_f64(), cpu_s: (machine::thread_cpu() - cpu).as_secs_f64() }
    })
}

/// A session that has dialled, with what it is to subscribe to.
fn tape(url: &str) -> Tape {
    let markets: Vec<_> = MARKETS.iter().map(|name| MarketPattern::parse(name).expect("a name")).collect();
    let subscribe = ["WatchOrders", "WatchTicker"].map(|method| SubscribePlan {
        method: method.to_owned(),
        markets: markets.clone(),
        stale_after: None,
        options: Default::default(),
    });
    let (source, venue) = ("feed".to_owned(), "coinflex".to_owned());
    let plan = Plan { source, venue, url: url.to_owned(), first: true, subscribe: subscribe.into(), ..Plan::default() };
    let session = venue::by_name("coinflex").expect("it is known").session(None);
    let mut tape = Tape::new(SessionId(1), session);
    let at = Stamp { wall: Timestamp(START * 1_000), mono: 0 };
    tape.feed(at, &Input::Connecting(Arc::new(plan)));
    let mut catalog = pool::listing().catalog(at.wall);
    // The futures of that year have expired since.
    catalog.markets.iter_mut().for_each(|market| market.expires = None);
    tape.feed(at, &Input::Catalog(Arc::new(catalog)));
    tape.feed(at, &Input::Opened(Opened { peer: None }));
    tape
}

/// Greets the session, and answers what it asks for.
fn subscribe(tape: &mut Tape, at: Stamp) {
    let welcome = feed::welcome().to_string();
    tape.feed(at, &Input::Received(welcome.as_bytes()));
    for _ in 0..2 * MARKETS.len() {
        let actions: Vec<_> = tape.actions().collect();
        for action in actions {
            let Action::Send(outgoing) = action else { continue };
            tape.feed(at, &Input::Sent(outgoing.journal.as_bytes()));
            let answer = feed::answer(outgoing.text.expose().as_bytes()).expect("it asks for what there is");
            tape.feed(at, &Input::Received(answer.to_string().as_bytes()));
        }
    }
}

/// How messages come to the sink.
pub struct Arrivals {
    /// Messages to a batch, and batches to a commit.
    pub batch: u64,
    pub group: u64,
    /// µs from message to message.
    pub step: i64,
}

/// Writes what a session concludes into a database, derives books and merges blocks. Times only the writing.
pub fn sink(path: &Path, pool: &Arc<Pool>, messages: u64, arrivals: &Arrivals) -> Stage {
    let settings = Settings { path: path.to_owned(), durability: Durability::PowerLoss, min_free_space: 0 };
    let mut store = Store::open(settings).expect("the store opens");
    let info = RunInfo { kind: RunKind::Live, config: "bench".to_owned(), commit_interval: Duration::from_millis(50) };
    let mut at = Stamp { wall: Timestamp(START * 1_000), mono: 0 };
    store.begin_run(at, &info).expect("the run begins");
    let mut tape = tape("ws://localhost/v1");
    subscribe(&mut tape, at);
    let mut cursor = Cursor::new(pool.clone());
    let mut spare = Batch::default();
    let (mut elapsed, mut cpu) = (Duration::ZERO, Duration::ZERO);
    let mut chunk = Vec::new();
    let (mut done, mut batches) = (0, 0);
    while done < messages {
        chunk.clear();
        done += cursor.fill(&mut chunk, arrivals.batch, usize::MAX, at.wall.0 / 1_000);
        let mut rest = chunk.as_slice();
        while let Some(text) = next_text(&mut rest) {
            at.wall.0 += arrivals.step * 1_000;
            at.mono += arrivals.step * 1_000;
            tape.feed(at, &Input::Received(text.as_bytes()));
        }
        let batch = tape.ship(spare);
        batches += 1;
        let (start, start_cpu) = (Instant::now(), machine::thread_cpu());
        store.write(&batch).expect("the batch is written");
        if batches % arrivals.group == 0 {
            store.commit_group().expect("the group is committed");
        }
        elapsed += start.elapsed();
        cpu += machine::thread_cpu() - start_cpu;
        // What a recorder does between commits.
        while store.books_step().expect("books are derived") || store.merge_step().expect("blocks merge") {}
        spare = batch;
    }
    store.commit_group().expect("the group is committed");
    store.close_file().expect("the store closes");
    Stage { messages: done, seconds: elapsed.as_secs_f64(), cpu_s: cpu.as_secs_f64() }
}
