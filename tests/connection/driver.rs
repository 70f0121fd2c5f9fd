//! Sessions over real sockets: what is journalled, in which order, and what becomes of it.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use feedtape::config::Pace;
use feedtape::connection::Flow;
use feedtape::crypto::{OsRandomness, Secret, SigningKey};
use feedtape::journal::{Closed, Input, Plan, RecordKind, RestAnswer};
use feedtape::message::{CatalogChanged, Replan, Stop};
use feedtape::model::{Catalog, CatalogOrigin, CloseCause, Timestamp, UserId};
use feedtape::venue::{Account, Action, Outgoing, RestRequest, UserAccount};

use crate::harness::{FakeSink, FakeVenue, Setup, bodies, closings, plans};
use crate::peer::{BINARY, Conn, PING, PONG, Peer, TEXT, close, frame};

const SECOND: i64 = 1_000_000_000;

fn account() -> Arc<Account> {
    Arc::new(Account::User(UserAccount {
        user: UserId(1),
        cookie: Secret::new("canary-cookie".to_owned()),
        passphrase: Secret::new("canary-passphrase".to_owned()),
        key: SigningKey::derive(UserId(1), "canary-passphrase"),
        randomness: Arc::new(OsRandomness),
    }))
}

fn catalog(name: &str) -> Arc<Catalog> {
    let asset = feedtape::model::Asset { code: None, name: name.to_owned(), places: None, spot: None };
    Arc::new(Catalog {
        valid_from: Timestamp(1),
        other_until: None,
        origin: CatalogOrigin::Exchange,
        assets: vec![asset],
        markets: vec![],
    })
}

fn closed(cause: CloseCause) -> Closed {
    Closed::new(cause, "")
}

/// A venue that answers the first frame with a login, whose journal text says nothing secret.
fn logging_in() -> &'static FakeVenue {
    FakeVenue::new(|_, _, input, out| {
        if matches!(input, Input::Received(b"welcome")) {
            out.actions.push(Action::Send(Outgoing {
                text: Secret::new("login canary-signature".to_owned()),
                journal: "login [redacted]".to_owned(),
                is_login: true,
            }));
        }
    })
}

fn greeting(mut conn: Conn) {
    conn.write(&frame(TEXT, b"welcome"));
    conn.until_closed();
}

#[actix::test]
async fn a_session_is_journalled_from_dialling_to_close() {
    let (sender, received) = std::sync::mpsc::channel();
    let peer = Peer::upgraded(move |mut conn| {
        conn.write(&frame(TEXT, b"welcome"));
        sender.send(conn.read_frame().unwrap()).unwrap();
        conn.write(&[frame(TEXT, &[b'"', 0xff, b'"']), frame(BINARY, &[1, 2])].concat());
        conn.write(&close(1001, "enough"));
        conn.until_closed();
    });
    let mut setup = Setup::new(peer.url(), logging_in());
    setup.catalog = Some(catalog("XBT"));
    setup.account = Some(account());
    let bench = setup.start();
    bench.until_kept(1, RecordKind::Closed).await;
    let kept = bench.stop().await;
    let first: Vec<_> = kept.iter().filter(|record| record.session.0 == 1).collect();
    let kinds: Vec<_> = first.iter().map(|record| record.kind).collect();
    let expected = [
        RecordKind::Connecting,
        RecordKind::Catalog,
        RecordKind::Opened,
        RecordKind::Received,
        RecordKind::Sent,
        RecordKind::Received,
        RecordKind::ReceivedBinary,
        RecordKind::Closed,
    ];
    assert_eq!(kinds, expected);
    assert_eq!(first[2].body, format!("{{\"peer\":\"{}\"}}", peer.address).into_bytes());
    assert_eq!(first[4].body, b"login [redacted]");
    assert_eq!(first[5].body, [b'"', 0xff, b'"']);
    assert_eq!(first[6].body, [1, 2]);
    let expected = Closed { code: Some(1001), ..Closed::new(CloseCause::ClosedByPeer, "enough") };
    assert_eq!(closings(&kept)[0], expected);
    assert_eq!(received.recv().unwrap(), (TEXT, b"login canary-signature".to_vec()));
    let all: Vec<u8> = kept.iter().flat_map(|record| record.body.clone()).collect();
    assert!(!String::from_utf8_lossy(&all).contains("canary"), "nothing secret is journalled");
}

#[actix::test]
async fn every_attempt_at_a_connection_is_a_session_of_its_own() {
    let dropping = |mut conn: Conn| {
        conn.upgrade(&frame(TEXT, b"welcome"));
    };
    let staying = |mut conn: Conn| {
        conn.upgrade(&frame(TEXT, b"welcome"));
        conn.until_closed();
    };
    let peer = Peer::accepting([Box::new(dropping), Box::new(dropping), Box::new(staying)]);
    let mut setup = Setup::new(peer.url(), FakeVenue::silent());
    setup.catalog = Some(catalog("XBT"));
    let bench = setup.start();
    bench.until_kept(3, RecordKind::Received).await;
    assert_eq!((bench.progress.sessions(), bench.progress.is_connected()), (3, true));
    assert_eq!((bench.progress.frames(), bench.progress.bytes()), (3, 21));
    let progress = Arc::clone(&bench.progress);
    let kept = bench.stop().await;
    assert!(!progress.is_connected());
    assert_eq!(
        plans(&kept, RecordKind::Connecting).iter().map(|plan| plan.first).collect::<Vec<_>>(),
        [true, false, false]
    );
    assert_eq!(bodies(&kept, RecordKind::Catalog).len(), 3);
    let lost = closed(CloseCause::EndOfStream);
    assert_eq!(closings(&kept), [lost.clone(), lost, closed(CloseCause::Stopped)]);
}

#[actix::test]
async fn a_refused_upgrade_is_journalled_with_its_status() {
    let peer = Peer::raw(|mut conn| {
        conn.request();
        conn.write(b"HTTP/1.1 401 Unauthorized\r\nContent-Length: 0\r\n\r\n");
        conn.drain();
    });
    let bench = Setup::new(peer.url(), FakeVenue::silent()).start();
    bench.until_kept(1, RecordKind::Closed).await;
    let kept = bench.stop().await;
    let refused = &closings(&kept)[0];
    assert_eq!((refused.cause, refused.code), (CloseCause::UpgradeRefused, Some(401)));
    assert_eq!(kept.len(), 2, "connecting, closed, and no second attempt at once");
}

#[actix::test]
async fn stopping_loses_nothing_that_was_received_and_says_goodbye() {
    const FRAMES: usize = 20_000;
    let (sender, code) = std::sync::mpsc::channel();
    let peer = Peer::upgraded(move |mut conn| {
        for index in 0..FRAMES {
            conn.write(&frame(TEXT, index.to_string().as_bytes()));
        }
        sender.send(conn.read_close()).unwrap();
    });
    let sink = FakeSink::shut();
    let mut setup = Setup::new(peer.url(), FakeVenue::silent());
    setup.sink = sink.clone();
    let bench = setup.start();
    let all_read = async {
        while bench.progress.frames() < FRAMES as u64 {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    };
    tokio::time::timeout(crate::peer::PATIENCE, all_read).await.unwrap();

    // Nothing is durable before the sink says so, and the answer to the stop waits for that.
    let mut stopping = Box::pin(bench.stop());
    assert!(tokio::time::timeout(Duration::from_millis(50), &mut stopping).await.is_err());
    sink.open();
    let kept = stopping.await;
    assert_eq!(bodies(&kept, RecordKind::Received), (0..FRAMES).map(|index| index.to_string()).collect::<Vec<_>>());
    assert_eq!(kept.last().unwrap().kind, RecordKind::Closed);
    assert_eq!(closings(&kept), [closed(CloseCause::Stopped)]);
    assert_eq!(code.recv().unwrap(), Some(1001));
}

#[actix::test]
async fn a_sink_that_takes_nothing_stops_the_reading_of_the_socket_and_loses_nothing() {
    const FRAMES: usize = 60_000;
    let written = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&written);
    let peer = Peer::upgraded(move |mut conn| {
        for index in 0..FRAMES {
            conn.write(&frame(TEXT, format!("{index:0>500}").as_bytes()));
            count.store(index + 1, Ordering::SeqCst);
        }
        conn.until_closed();
    });
    let mut setup = Setup::new(peer.url(), FakeVenue::silent());
    setup.sink = FakeSink::shut();
    setup.flow = Flow { batch_bytes_max: 100_000, window_bytes: 1_000_000, ..Flow::default() };
    // While the socket is not read nobody answers for its silence.
    setup.pace =
        Pace { ping_after: Duration::from_millis(20), dead_after: Duration::from_millis(20), ..Pace::default() };
    let bench = setup.start();
    let stalled = async {
        while !bench.progress.is_stalled() {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    };
    tokio::time::timeout(crate::peer::PATIENCE, stalled).await.unwrap();
    // The window, one batch and one chunk at most; the peer waits with most of its frames.
    assert!(bench.progress.unacknowledged_bytes() < 1_300_000, "{}", bench.progress.unacknowledged_bytes());
    assert!(written.load(Ordering::SeqCst) < FRAMES);
    bench.sink.open();
    bench.until_kept(FRAMES, RecordKind::Received).await;
    assert!(!bench.progress.is_stalled());
    let kept = bench.stop().await;
    let numbers: Vec<usize> = bodies(&kept, RecordKind::Received).iter().map(|body| body.parse().unwrap()).collect();
    assert!(numbers.into_iter().eq(0..FRAMES));
    assert_eq!(closings(&kept).len(), 1, "one session throughout");
    let stalls = bodies(&kept, RecordKind::Stalled);
    assert_eq!(stalls.len(), 1);
    let (from, to): (i64, i64) = serde_json::from_str(&stalls[0]).unwrap();
    assert!(to - from >= SECOND, "{stalls:?}");
}

#[actix::test]
async fn a_link_that_was_not_read_is_not_called_silent_for_it() {
    let peer = Peer::upgraded(|mut conn| {
        while let Some((first, _)) = conn.read_frame()
            && first == PING
        {
            conn.write(&[frame(PONG, b""), frame(TEXT, b"alive")].concat());
        }
    });
    let mut setup = Setup::new(peer.url(), FakeVenue::silent());
    setup.sink = FakeSink::shut();
    setup.flow = Flow { window_bytes: 1, ..Flow::default() };
    setup.pace = Pace { ping_after: Duration::from_millis(20), dead_after: Duration::from_secs(1), ..setup.pace };
    let bench = setup.start();
    // Longer than a silent link lives.
    tokio::time::sleep(Duration::from_millis(1_200)).await;
    assert!(bench.progress.is_connected());
    bench.sink.open();
    bench.until_kept(1, RecordKind::Received).await;
    assert_eq!(closings(&bench.stop().await), [closed(CloseCause::Stopped)]);
}

#[actix::test]
async fn nobody_is_dialled_while_the_sink_takes_nothing() {
    let hanging_up = |mut conn: Conn| drop(conn.request());
    let peer = Peer::accepting([Box::new(hanging_up), Box::new(hanging_up)]);
    let mut setup = Setup::new(peer.url(), FakeVenue::silent());
    setup.sink = FakeSink::shut();
    // The journal of the first session fills it.
    setup.flow = Flow { window_bytes: 1, ..Flow::default() };
    let bench = setup.start();
    bench.until_kept(1, RecordKind::Closed).await;
    tokio::time::sleep(Duration::from_millis(50)).await;
    assert_eq!(bench.progress.sessions(), 1);
    bench.sink.open();
    bench.until_kept(2, RecordKind::Closed).await;
    bench.stop().await;
}

#[actix::test]
async fn a_batch_is_shipped_by_its_age_when_little_comes() {
    let peer = Peer::upgraded(greeting);
    let bench = Setup::new(peer.url(), FakeVenue::silent()).start();
    // Nothing else comes that could push it out.
    bench.until_kept(1, RecordKind::Received).await;
    bench.stop().await;
}

#[actix::test]
async fn a_deadline_of_the_session_is_told_when_it_has_passed() {
    let peer = Peer::upgraded(greeting);
    let venue = FakeVenue::silent();
    let bench = Setup::new(peer.url(), venue).start();
    bench.until_kept(1, RecordKind::Received).await;
    for _ in 0..3 {
        let deadline = bench.clock.now().mono + 5_000_000;
        let timers = bodies(&bench.sink.kept.lock().unwrap(), RecordKind::Timer).len();
        venue.deadline.store(deadline, Ordering::SeqCst);
        // Something must happen for the driver to look at the new deadline, as an input does in a real session.
        bench.connection.send(CatalogChanged(catalog("XBT"))).await.unwrap();
        bench.until_kept(timers + 1, RecordKind::Timer).await;
        let kept = bench.sink.kept.lock().unwrap();
        let timer = kept.iter().rfind(|record| record.kind == RecordKind::Timer).unwrap();
        assert!(timer.at.mono >= deadline);
    }
    let kept = bench.stop().await;
    assert_eq!(bodies(&kept, RecordKind::Timer).len(), 3, "each deadline once");
}

#[actix::test]
async fn pings_are_answered_while_a_session_runs() {
    let (sender, answer) = std::sync::mpsc::channel();
    let peer = Peer::upgraded(move |mut conn| {
        conn.write(&frame(PING, b"are you there"));
        sender.send(conn.read_frame().unwrap()).unwrap();
        conn.write(&frame(TEXT, b"welcome"));
        conn.until_closed();
    });
    let bench = Setup::new(peer.url(), FakeVenue::silent()).start();
    bench.until_kept(1, RecordKind::Received).await;
    bench.stop().await;
    assert_eq!(answer.recv().unwrap(), (PONG, b"are you there".to_vec()));
}

#[actix::test]
async fn a_silent_link_is_closed_as_of_its_last_pong_and_dialled_again() {
    let mute = |mut conn: Conn| {
        conn.upgrade(b"");
        conn.write(&frame(TEXT, b"welcome"));
        for _ in 0..3 {
            assert_eq!(conn.read_frame(), Some((PING, vec![])));
            conn.write(&frame(PONG, b""));
        }
        conn.until_closed();
    };
    let patient = |mut conn: Conn| {
        conn.upgrade(b"");
        conn.until_closed();
    };
    let peer = Peer::accepting([Box::new(mute), Box::new(patient)]);
    let mut setup = Setup::new(peer.url(), FakeVenue::silent());
    setup.pace = Pace { ping_after: Duration::from_millis(20), dead_after: Duration::from_millis(400), ..setup.pace };
    let bench = setup.start();
    bench.until_kept(2, RecordKind::Opened).await;
    let kept = bench.stop().await;
    let end = closings(&kept).swap_remove(0);
    assert_eq!(end.cause, CloseCause::Silent);
    let [received_at, closed_at] = [RecordKind::Received, RecordKind::Closed]
        .map(|kind| kept.iter().find(|record| record.kind == kind).unwrap().at.wall.0);
    let heard_at = end.heard_at.unwrap().0;
    let millis = |ms: i64| ms * 1_000_000;
    assert!(heard_at >= received_at + 3 * millis(20), "three pongs came after it");
    assert!(heard_at <= closed_at - millis(420), "and none in the time that a silent link is given");
}

#[actix::test]
async fn a_session_that_wants_to_close_is_closed_and_followed_by_another() {
    let (sender, codes) = std::sync::mpsc::channel();
    let second = sender.clone();
    let peer = Peer::accepting([
        Box::new(move |mut conn: Conn| {
            conn.upgrade(&[frame(TEXT, b"welcome"), frame(TEXT, b"in the same chunk")].concat());
            sender.send(conn.read_close()).unwrap();
        }),
        Box::new(move |mut conn: Conn| {
            conn.upgrade(b"");
            second.send(conn.read_close()).unwrap();
        }),
    ]);
    let venue = FakeVenue::new(|_, _, input, out| {
        if matches!(input, Input::Received(b"welcome")) {
            out.actions.push(Action::Send(Outgoing::plain("before".to_owned())));
            out.actions.push(Action::Close { cause: CloseCause::Session, detail: "resynchronise".to_owned() });
            out.actions.push(Action::Send(Outgoing::plain("after".to_owned())));
        }
    });
    let bench = Setup::new(peer.url(), venue).start();
    bench.until_kept(2, RecordKind::Opened).await;
    let kept = bench.stop().await;
    assert_eq!(bodies(&kept, RecordKind::Received), ["welcome", "in the same chunk"]);
    assert_eq!(bodies(&kept, RecordKind::Sent), ["before"]);
    let asked = Closed::new(CloseCause::Session, "resynchronise");
    assert_eq!(closings(&kept), [asked, closed(CloseCause::Stopped)]);
    assert_eq!(codes.iter().collect::<Vec<_>>(), [Some(1000), Some(1001)]);
}

#[actix::test]
async fn a_changed_catalog_reaches_this_session_and_the_next() {
    let (sender, hang_up) = std::sync::mpsc::channel::<()>();
    let peer = Peer::accepting([
        Box::new(move |mut conn: Conn| {
            conn.upgrade(b"");
            let _ = hang_up.recv();
        }),
        Box::new(|mut conn: Conn| {
            conn.upgrade(b"");
            conn.until_closed();
        }),
    ]);
    let bench = Setup::new(peer.url(), FakeVenue::silent()).start();
    bench.until_kept(1, RecordKind::Opened).await;
    bench.connection.send(CatalogChanged(catalog("ETH"))).await.unwrap();
    bench.until_kept(1, RecordKind::Catalog).await;
    drop(sender);
    bench.until_kept(2, RecordKind::Opened).await;
    let kept = bench.stop().await;
    let names: Vec<_> = bodies(&kept, RecordKind::Catalog)
        .iter()
        .map(|body| serde_json::from_str::<Catalog>(body).unwrap().assets[0].name.clone())
        .collect();
    assert_eq!(names, ["ETH", "ETH"]);
}

#[actix::test]
async fn another_plan_is_told_to_the_session_and_another_url_is_dialled_at_once() {
    let peer = Peer::upgraded(|conn| conn.until_closed());
    let other = Peer::upgraded(|conn| conn.until_closed());
    let setup = Setup::new(peer.url(), FakeVenue::silent());
    let plan = setup.plan();
    let bench = setup.start();
    bench.until_kept(1, RecordKind::Opened).await;
    let same_url = Plan { source: "renamed".to_owned(), ..plan.clone() };
    bench.connection.send(Replan(same_url.clone())).await.unwrap();
    bench.until_kept(1, RecordKind::Replanned).await;
    bench.connection.send(Replan(Plan { url: other.url(), ..plan })).await.unwrap();
    bench.until_kept(2, RecordKind::Opened).await;
    let kept = bench.stop().await;
    assert_eq!(plans(&kept, RecordKind::Replanned), [same_url]);
    assert_eq!(closings(&kept)[0].cause, CloseCause::Reconfigured);
    let second = &plans(&kept, RecordKind::Connecting)[1];
    assert_eq!((second.url.clone(), second.first), (other.url(), false));
}

#[actix::test]
async fn a_login_goes_out_when_its_record_is_durable_and_not_before() {
    let (sender, sent) = std::sync::mpsc::channel();
    let peer = Peer::upgraded(move |mut conn| {
        conn.write(&frame(TEXT, b"welcome"));
        sender.send(conn.read_frame().unwrap()).unwrap();
        conn.until_closed();
    });
    let mut setup = Setup::new(peer.url(), logging_in());
    setup.account = Some(account());
    setup.sink = FakeSink::shut();
    let bench = setup.start();
    bench.until_kept(1, RecordKind::Sent).await;
    // What was sent would have come by then.
    tokio::time::sleep(Duration::from_millis(100)).await;
    assert!(sent.try_recv().is_err());
    bench.sink.open();
    let (kind, body) = tokio::task::spawn_blocking(move || sent.recv()).await.unwrap().unwrap();
    assert_eq!((kind, body), (TEXT, b"login canary-signature".to_vec()));
    bench.stop().await;
}

#[actix::test]
async fn a_refused_account_is_not_tried_again() {
    let staying = |mut conn: Conn| {
        conn.upgrade(&frame(TEXT, b"welcome"));
        conn.until_closed();
    };
    let peer =
        Peer::accepting([Box::new(|mut conn: Conn| drop(conn.upgrade(&frame(TEXT, b"refused")))), Box::new(staying)]);
    let venue = FakeVenue::new(|_, _, input, out| match input {
        Input::Received(b"refused") => out.actions.push(Action::StopLogins { reason: "look at the cookie".to_owned() }),
        // A session that would try all the same is kept from it.
        Input::Received(b"welcome") => {
            out.actions.push(Action::Send(Outgoing { is_login: true, ..Outgoing::plain("login".to_owned()) }))
        }
        _ => {}
    });
    let mut setup = Setup::new(peer.url(), venue);
    setup.account = Some(account());
    let bench = setup.start();
    bench.until_kept(1, RecordKind::Replanned).await;
    assert!(bench.progress.are_logins_stopped());
    let kept = bench.stop().await;
    let withheld: Vec<_> = plans(&kept, RecordKind::Connecting).into_iter().map(|plan| plan.login_withheld).collect();
    assert_eq!(withheld, [None, Some("look at the cookie".to_owned())]);
    assert_eq!(bodies(&kept, RecordKind::Sent), Vec::<String>::new());
}

#[actix::test]
async fn a_delayed_login_is_withheld_from_the_next_session_until_its_time() {
    let staying = |mut conn: Conn| {
        conn.upgrade(b"");
        conn.until_closed();
    };
    let peer = Peer::accepting([
        Box::new(|mut conn: Conn| drop(conn.upgrade(&frame(TEXT, b"too rapidly")))),
        Box::new(staying),
    ]);
    let venue = FakeVenue::new(|_, at, input, out| {
        if matches!(input, Input::Received(_)) {
            out.actions.push(Action::DelayLogins { until: at.mono + SECOND / 2 });
        }
    });
    let mut setup = Setup::new(peer.url(), venue);
    setup.account = Some(account());
    let bench = setup.start();
    bench.until_kept(1, RecordKind::Replanned).await;
    let kept = bench.stop().await;
    let withheld = |kind| plans(&kept, kind).into_iter().map(|plan| plan.login_withheld.is_some()).collect::<Vec<_>>();
    assert_eq!(withheld(RecordKind::Connecting), [false, true]);
    assert_eq!(withheld(RecordKind::Replanned), [false]);
    let at = |kind| kept.iter().rfind(|record| record.kind == kind).unwrap().at.mono;
    let asked = kept.iter().find(|record| record.kind == RecordKind::Received).unwrap().at.mono;
    assert!(at(RecordKind::Replanned) >= asked + SECOND / 2);
}

#[actix::test]
async fn logins_of_an_earlier_process_count_against_the_budget() {
    let peer = Peer::upgraded(|mut conn| {
        conn.write(&frame(TEXT, b"welcome"));
        conn.read_frame().unwrap();
        conn.write(&frame(TEXT, b"welcome"));
        conn.until_closed();
    });
    let mut setup = Setup::new(peer.url(), logging_in());
    setup.account = Some(account());
    let now = feedtape::clock::Clock::start().now().wall;
    setup.recent_logins = vec![now; 59];
    let bench = setup.start();
    // The sixtieth is the last.
    bench.until_kept(1, RecordKind::Replanned).await;
    let kept = bench.stop().await;
    assert_eq!(plans(&kept, RecordKind::Connecting)[0].login_withheld, None);
    assert_eq!(bodies(&kept, RecordKind::Sent), ["login [redacted]"]);
    assert_eq!(bodies(&kept, RecordKind::Received), ["welcome", "welcome"]);

    let peer = Peer::upgraded(greeting);
    let mut setup = Setup::new(peer.url(), logging_in());
    setup.account = Some(account());
    setup.recent_logins = vec![now; 60];
    let bench = setup.start();
    bench.until_kept(1, RecordKind::Replanned).await;
    let kept = bench.stop().await;
    let withheld = plans(&kept, RecordKind::Connecting)[0].login_withheld.clone();
    assert_eq!(withheld.as_deref(), Some("60 logins in an hour are spent"));
    assert_eq!(bodies(&kept, RecordKind::Sent), Vec::<String>::new());
}

fn asking(authenticated: bool) -> &'static FakeVenue {
    FakeVenue::new(move |_, _, input, out| {
        if matches!(input, Input::Opened(_)) {
            out.actions
                .push(Action::Rest(RestRequest { authenticated, ..RestRequest::get(0, "tickers/?a=b".to_owned()) }));
        }
    })
}

#[actix::test]
async fn a_rest_answer_is_journalled_whatever_its_status() {
    let (sender, requests) = std::sync::mpsc::channel();
    let rest = Peer::raw(move |mut conn| {
        sender.send(conn.request()).unwrap();
        conn.write(b"HTTP/1.1 404 Not Found\r\nContent-Length: 2\r\n\r\n[]");
        conn.drain();
    });
    let peer = Peer::upgraded(|conn| conn.until_closed());
    let mut setup = Setup::new(peer.url(), asking(true));
    setup.rest_url = Some(format!("http://{}/base/", rest.address));
    setup.account = Some(account());
    let bench = setup.start();
    bench.until_kept(1, RecordKind::Rest).await;
    let kept = bench.stop().await;
    let body = bodies(&kept, RecordKind::Rest).remove(0);
    let (answer, body) = body.split_once('\n').unwrap();
    let answer: RestAnswer = serde_json::from_str(answer).unwrap();
    let expected = RestAnswer { request: 0, path: "GET tickers/?a=b".to_owned(), status: Some(404), error: None };
    assert_eq!((answer, body), (expected, "[]"));

    let request = requests.recv().unwrap();
    assert!(request.starts_with("GET /base/tickers/?a=b HTTP/1.1\r\n"), "{request}");
    // base64 of 1/canary-cookie:canary-passphrase
    let authorization = "authorization: Basic MS9jYW5hcnktY29va2llOmNhbmFyeS1wYXNzcGhyYXNl";
    assert!(request.lines().any(|line| line.eq_ignore_ascii_case(authorization)), "{request}");
}

#[actix::test]
async fn a_rest_request_that_fails_is_journalled_with_the_reason() {
    let refusing = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    // An address for documentation (RFC 5737): nothing secret may go there in the clear, so nothing goes at all.
    let cases = [
        (false, Some(format!("http://{refusing}/")), "refused"),
        (false, None, "there is no `rest_url`"),
        (true, Some("http://192.0.2.1/".to_owned()), "use https://"),
    ];
    for (authenticated, rest_url, expected) in cases {
        let peer = Peer::upgraded(|conn| conn.until_closed());
        let mut setup = Setup::new(peer.url(), asking(authenticated));
        setup.account = authenticated.then(account);
        setup.rest_url = rest_url;
        let bench = setup.start();
        bench.until_kept(1, RecordKind::Rest).await;
        let kept = bench.stop().await;
        let body = bodies(&kept, RecordKind::Rest).remove(0);
        let answer: RestAnswer = serde_json::from_str(body.trim_end()).unwrap();
        assert_eq!(answer.status, None);
        assert!(answer.error.as_ref().unwrap().contains(expected), "{answer:?}");
    }
}

#[actix::test]
async fn a_stop_is_heard_in_every_state() {
    // While dialling, while open, and while waiting for the next attempt.
    let mute = Peer::raw(|mut conn| conn.drain());
    let bench = Setup::new(mute.url(), FakeVenue::silent()).start();
    tokio::task::yield_now().await;
    assert_eq!(closings(&bench.stop().await), [closed(CloseCause::Stopped)]);

    let refusing = Peer::raw(|mut conn| {
        conn.request();
        conn.write(b"HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\n\r\n");
    });
    let bench = Setup::new(refusing.url(), FakeVenue::silent()).start();
    bench.until_kept(1, RecordKind::Closed).await;
    assert_eq!(closings(&bench.stop().await)[0].cause, CloseCause::UpgradeRefused);
}

#[actix::test]
async fn a_sink_that_fails_for_good_ends_the_connection_and_the_stop_says_so() {
    let peer = Peer::upgraded(|conn| conn.until_closed());
    let bench = Setup::new(peer.url(), FakeVenue::silent()).start();
    bench.until_kept(1, RecordKind::Opened).await;
    bench.sink.fail();
    bench.connection.send(CatalogChanged(catalog("XBT"))).await.unwrap();
    // The peer sees the end of the connection.
    actix_rt::task::spawn_blocking(|| peer.join()).await.unwrap();
    let stopped = bench.connection.send(Stop).await.unwrap();
    assert_eq!(stopped.unwrap_err().to_string(), "the disk is gone");
}
