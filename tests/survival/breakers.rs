//! Peers that break whatever connection they are given.

use std::fs;
use std::sync::mpsc::channel;
use std::thread;
use std::time::{Duration, Instant};

use feedtape::exchange::{Action, Faults};

use crate::disk::memory;
use crate::peer::{Conn, Peer, frame};
use crate::scene::{PATIENCE, Recorder, Recording, Scene, record, until};

/// Unfinished, with more to come.
const TEXT_BEGINS: u8 = 0x01;
const GOES_ON: u8 = 0x00;

/// The longest message that is received, as shipped.
const MESSAGE_BYTES_MAX: u64 = 16 << 20;

/// Whatever is said on so many connections, it breaks them.
fn breaking(connections: u64) -> Faults {
    let ways = [
        Action::Bytes { bytes: vec![0xf1, 0x02, b'{', b'}'] },
        Action::Bytes { bytes: vec![0x81, 0x82, 1, 2, 3, 4, b'{', b'}'] },
        Action::DropMidFrame,
    ];
    (1..=connections).zip(ways.iter().cycle()).fold(Faults::new(), |faults, (n, way)| faults.on(n, 0, way.clone()))
}

/// What a process has had of the processors, in hundredths of a second.
fn ticks(pid: u32) -> u64 {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap();
    let fields = stat.rsplit_once(") ").unwrap().1.split(' ');
    fields.skip(11).take(2).map(|ticks| ticks.parse::<u64>().unwrap()).sum()
}

#[test]
fn a_peer_that_breaks_every_connection_is_told_of_once_each_and_costs_next_to_nothing() {
    const OBSERVED: Duration = Duration::from_secs(8);
    let scene = Scene::with(breaking(20_000), 100);
    let config = scene.config(&scene.path("test.db"), "");
    let recorder = Recorder::start(record(&config));
    until("the first is broken", || recorder.said(" disconnected ") > 0);
    let (begun, before) = (Instant::now(), ticks(recorder.pid()));
    thread::sleep(OBSERVED);
    until("others are", || recorder.said(" disconnected ") > 2);
    let (took, spent) = (begun.elapsed(), ticks(recorder.pid()) - before);
    assert!(u128::from(spent) * 10 * 20 < took.as_millis(), "{spent} ticks in {took:?}");
    recorder.signal("TERM");
    let (_, status, told) = recorder.end();
    assert_eq!(status.code(), Some(0), "{told}");
    let recording = Recording::open(&scene.path("test.db"));
    let broken = recording.number("SELECT count(*) FROM session WHERE cause IN ('protocol', 'end_of_stream')");
    // What a busy machine may add is no word about a connection.
    let is_of_machine = |line: &&str| line.contains("stood still") || line.contains("the sink took nothing");
    let troubles = told.lines().filter(|line| line.contains(" WARN ") || line.contains(" ERROR "));
    let troubles = troubles.filter(|line| !is_of_machine(line)).count();
    println!("{broken} connections, {spent} hundredths of a second in {took:?}");
    assert!(broken > 2, "{told}");
    assert_eq!(troubles as i64, broken, "{told}");
    let gaps = "SELECT count(*) FROM gaps WHERE channel = 'WatchOrders' AND cause = 'not_connected'";
    assert!(recording.number(gaps) > 0);
}

#[test]
fn whatever_length_a_peer_declares_or_never_ends_memory_is_bounded_and_it_connects_again() {
    const CHUNK: usize = 1 << 20;
    const CHUNKS: usize = 300;
    let (go, wait) = channel();
    let huge = move |mut conn: Conn| {
        wait.recv_timeout(PATIENCE).unwrap();
        let head = [&[0x81, 127][..], &(1_u64 << 40).to_be_bytes()].concat();
        conn.upgrade(&head);
        conn.write_repeatedly(&[b'x'; CHUNK], CHUNKS);
    };
    let endless = |mut conn: Conn| {
        conn.upgrade(&frame(TEXT_BEGINS, b"x"));
        conn.write_repeatedly(&frame(GOES_ON, &[b'x'; CHUNK]), CHUNKS);
    };
    let patient = |mut conn: Conn| {
        conn.upgrade(b"");
        conn.drain();
    };
    let peer = Peer::accepting([Box::new(huge), Box::new(endless), Box::new(patient)]);
    let scene = Scene::with(Faults::new(), 100);
    let config = scene.config(&scene.path("test.db"), "");
    let text = fs::read_to_string(&config).unwrap().replace(&scene.exchange.ws_url(), &peer.url());
    fs::write(&config, text).unwrap();
    let recorder = Recorder::start(record(&config));
    // Of assets and markets, which take some memory too.
    until("it has both lists", || scene.exchange.counts().requests > 1);
    let before = memory(&recorder);
    go.send(()).unwrap();
    until("it connects again, and again", || recorder.said(" connected source") == 3);
    let grown = memory(&recorder).saturating_sub(before);
    assert!(grown < 2 * MESSAGE_BYTES_MAX, "{grown} bytes");
    assert_eq!(recorder.said(" disconnected "), 2);
    let recording = scene.stopped(recorder, "huge and endless");
    assert_eq!(recording.rows("SELECT cause FROM session"), ["too_large", "too_large", "stopped"]);
}
