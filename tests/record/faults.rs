//! Every fault that the exchange can script: none stops the recording for good, and each leaves its trace.

use feedtape::exchange::{Action, Faults};

use crate::scene::{ACCOUNT, Scene};

/// Messages of the first connection after which a fault happens: the streams are recorded by then.
const AFTER: u64 = 100;

/// Commands of the traders a second: many exchanges run at once.
const TRADING_RATE: u32 = 300;

/// Frames after which the recording has gone on for long enough.
const FRAMES: u64 = 600;

/// Records through each of these faults at the same time, and hands the recordings to `check` with the fault's number.
fn record_through<const N: usize>(faults: [(u64, Action, &str); N], check: impl Fn(usize, &Scene) + Sync) {
    std::thread::scope(|scope| {
        for (number, (after, action, config)) in faults.into_iter().enumerate() {
            let check = &check;
            scope.spawn(move || {
                let scene = Scene::with_rate(TRADING_RATE, Faults::new().on(1, after, action));
                let config = scene.config(config);
                scene.record(&config, |view| view.sink.frames() > FRAMES);
                assert_eq!(scene.rows("PRAGMA integrity_check"), ["ok"]);
                check(number, &scene);
            });
        }
    });
}

#[test]
fn a_fault_that_ends_the_connection_is_a_gap_with_its_cause_and_recording_resumes() {
    // One of them at a time, for a busy machine is late with everything.
    let [pings, replies, greetings] =
        ["ping_after = \"1s\"\ndead_after = \"1s\"", "reply = \"1s\"", "greeting = \"1s\""]
            .map(|timing| format!("[source.timing]\n{timing}"));
    let small = "[source.limits]\nframe = \"512KiB\"\nmessage = \"1MiB\"";
    let faults = [
        (AFTER, Action::Drop, ""),
        (AFTER, Action::DropMidFrame, ""),
        (AFTER, Action::GoSilent, pings.as_str()),
        (0, Action::StopReading, replies.as_str()),
        (0, Action::NeverGreet, greetings.as_str()),
        (0, Action::Nonce { bytes: 15 }, ACCOUNT),
        (0, Action::Nonce { bytes: 17 }, ACCOUNT),
        (AFTER, Action::Oversized { bytes: 600 * 1024 }, small),
        (AFTER, Action::Close { code: 1001 }, ""),
        (AFTER, Action::Bytes { bytes: vec![0xc1, 0] }, ""),
    ];
    let expected = [
        "end_of_stream -",
        "end_of_stream -",
        "silent -",
        "timed_out -",
        "timed_out -",
        "bad_greeting -",
        "bad_greeting -",
        "too_large -",
        "closed_by_peer 1001",
        "protocol -",
    ];
    record_through(faults, |number, scene| {
        let sessions = scene.rows("SELECT cause, code FROM session ORDER BY id");
        assert_eq!(sessions[0], expected[number], "fault {number}");
        assert_eq!(sessions.last().map(String::as_str), Some("stopped -"), "fault {number}");
        if expected[number].starts_with("bad_greeting") {
            // What cannot be signed for is not: the one login is of the connection after it.
            let logins = "SELECT session FROM command WHERE method = 'Authenticate'";
            assert_eq!((scene.exchange.counts().logins, scene.rows(logins)), (1, vec!["2".to_owned()]));
        }
        for channel in ["WatchOrders", "WatchTicker"] {
            let spans = "SELECT session > 1, verdict FROM coverage WHERE market = 'XBT:USDT' AND verdict <> 'gap'";
            let last = scene.rows(&format!("{spans} AND channel = '{channel}' ORDER BY from_at DESC LIMIT 1"));
            assert_eq!(last, ["1 consistent"], "fault {number}");
            let gap = "SELECT count(*) FROM gaps WHERE cause IN ('not_connected', 'not_greeted') AND session = 1";
            assert!(scene.number(&format!("{gap} AND channel = '{channel}'")) > 0, "fault {number}");
        }
    });
}

#[test]
fn a_fault_that_only_disturbs_is_survived_on_the_same_connection() {
    let faults = [
        (1, Action::SwapReplies, ""),
        (1, Action::DuplicateReply, ""),
        (1, Action::DelaySnapshot { notices: 30 }, ""),
        (AFTER, Action::Fragment { frames: 50 }, ""),
        (AFTER, Action::UnknownField, ""),
        (AFTER, Action::UnknownNotice, ""),
        (AFTER, Action::UnknownAssets, ""),
        (AFTER, Action::InvalidUtf8, ""),
        (AFTER, Action::InvalidJson, ""),
        (AFTER, Action::HugeInteger, ""),
        (AFTER, Action::Oversized { bytes: 600 * 1024 }, ""),
        (AFTER, Action::Pings { count: 1_000 }, ""),
        (AFTER, Action::Text { text: "[]".to_owned() }, ""),
    ];
    record_through(faults, |number, scene| {
        assert_eq!(scene.rows("SELECT cause FROM session"), ["stopped"], "fault {number}");
        for channel in ["WatchOrders", "WatchTicker"] {
            let spans = "SELECT verdict FROM coverage WHERE market = 'XBT:USDT' AND verdict <> 'gap'";
            let last = scene.rows(&format!("{spans} AND channel = '{channel}' ORDER BY from_at DESC LIMIT 1"));
            let findings = scene.rows("SELECT check_name, evidence FROM finding");
            assert_eq!(last, ["consistent"], "fault {number}: {findings:?}");
        }
        assert_eq!(scene.exchange.counts().faults, 1, "fault {number} was played out");
    });
}
