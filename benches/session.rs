//! What understanding a message costs: decoding it into an event, and keeping the book that it must not contradict.
//!
//! `cargo bench --bench session`; elements are messages, in the proportions of `pipeline`. What the book costs is the
//! difference between the two.

use std::hint::black_box;
use std::sync::Arc;

use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};
use feedtape::journal::{Input, Opened, Plan, SubscribePlan};
use feedtape::model::{MarketPattern, Seq, Stamp, Timestamp};
use feedtape::venue::{self, Action, Output, Session};

#[allow(dead_code, reason = "the pipeline needs more of it")]
#[path = "pipeline/pool.rs"]
mod pool;

use pool::{Cursor, MARKETS, Pool};

/// Messages of a round: all books are empty at its end.
const MESSAGES: usize = 20_000;

/// When everything happens: before the futures expire. Time stands still, so nothing is overdue.
const AT: Stamp = Stamp { wall: Timestamp(1_583_150_400_000_000_000), mono: 0 };

/// A session that is greeted; it follows the books if it is to record them.
fn session(subscribes: bool) -> Box<dyn Session> {
    let mut session = venue::by_name("coinflex").expect("it is known").session(None);
    let markets: Vec<_> = MARKETS.iter().map(|name| MarketPattern::parse(name).expect("a name")).collect();
    let watch = |method: &str| SubscribePlan {
        method: method.to_owned(),
        markets: markets.clone(),
        stale_after: None,
        options: Default::default(),
    };
    let subscribe = if subscribes { ["WatchOrders", "WatchTicker"].map(watch).into() } else { Vec::new() };
    let (source, venue) = ("bench".to_owned(), "coinflex".to_owned());
    let plan = Plan { source, venue, url: "ws://localhost/v1".to_owned(), subscribe, ..Plan::default() };
    let (mut out, mut seq) = (Output::default(), Seq(0));
    let mut give = |input: &Input<'_>, out: &mut Output| {
        session.handle(seq, AT, input, out);
        seq = seq.next();
    };
    give(&Input::Connecting(Arc::new(plan)), &mut out);
    give(&Input::Catalog(Arc::new(pool::listing().catalog(AT.wall))), &mut out);
    give(&Input::Opened(Opened { peer: None }), &mut out);
    give(&Input::Received(br#"{"notice":"Welcome","nonce":"AAAAAAAAAAAAAAAAAAAAAA=="}"#), &mut out);
    let mut tag = 0;
    while !out.actions.is_empty() {
        for action in std::mem::take(&mut out.actions) {
            let Action::Send(command) = action else { continue };
            give(&Input::Sent(command.journal.as_bytes()), &mut out);
            tag += 1;
            let answer = if command.journal.contains("WatchOrders") {
                format!(r#"{{"tag":{tag},"error_code":0,"orders":[]}}"#)
            } else {
                format!(
                    r#"{{"tag":{tag},"error_code":0,"last":null,"bid":null,"ask":null,"low":null,"high":null,"volume":0}}"#
                )
            };
            give(&Input::Received(answer.as_bytes()), &mut out);
        }
    }
    session
}

fn bench(c: &mut Criterion) {
    let pool = Arc::new(Pool::new(MESSAGES));
    let mut bytes = Vec::new();
    let messages = Cursor::new(pool.clone()).fill(&mut bytes, pool.messages() as u64, usize::MAX, AT.wall.0 / 1_000);
    // Heads of two or four bytes, then the text.
    let mut texts = Vec::new();
    let mut rest = bytes.as_slice();
    while let [_, length, after @ ..] = rest {
        let (length, after) = match (*length, after) {
            (126, [a, b, after @ ..]) => (u16::from_be_bytes([*a, *b]), after),
            (short, after) => (u16::from(short), after),
        };
        let (text, after) = after.split_at(usize::from(length));
        texts.push(text);
        rest = after;
    }
    let mut group = c.benchmark_group("session");
    group.throughput(Throughput::Elements(messages));
    for (name, subscribes) in [("decode", false), ("decode and book", true)] {
        group.bench_function(name, |bencher| {
            let mut out = Output::default();
            let routine = |session: &mut Box<dyn Session>| {
                for (text, seq) in texts.iter().zip(1_000..) {
                    session.handle(Seq(seq), AT, &Input::Received(text), &mut out);
                    black_box(&out.events);
                    out.events.clear();
                }
            };
            bencher.iter_batched_ref(|| session(subscribes), routine, BatchSize::LargeInput);
        });
    }
    group.finish();
}

criterion_group!(benches, bench);
criterion_main!(benches);
