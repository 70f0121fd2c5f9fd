//! The socket: frames, limits, pings, silence, closing.

use std::time::Duration;

use actix_http::ws::CloseCode;
use bytes::Bytes;
use feedtape::config::{Limits, Pace};
use feedtape::connection::{Dialer, Message, Socket, client_config};
use feedtape::journal::Closed;
use feedtape::model::CloseCause;
use tokio::time::timeout;

use crate::peer::{BINARY, CLOSE, PATIENCE, PING, PONG, Peer, TEXT, close, frame};

const LIMITS: Limits = Limits { frame_bytes_max: 100_000, message_bytes_max: 150_000 };

/// Time-outs that never strike within a test.
fn patient() -> Pace {
    Pace { ping_after: PATIENCE * 2, dead_after: PATIENCE * 2, ..Pace::default() }
}

async fn open_at(peer: &Peer, pace: Pace) -> Socket {
    let dialer = Dialer::new(client_config(None).unwrap(), LIMITS, pace);
    dialer.dial(&peer.url(), false).await.expect("the peer upgrades").0
}

async fn open(peer: &Peer) -> Socket {
    open_at(peer, patient()).await
}

/// Everything the socket gives until its end, and the end.
async fn read_all(socket: &mut Socket) -> (Vec<Message>, Closed) {
    let mut messages = Vec::new();
    let end = timeout(PATIENCE, async {
        loop {
            match socket.receive() {
                Ok(Some(message)) => messages.push(message),
                Ok(None) => {
                    if let Err(end) = socket.ready().await {
                        return end;
                    }
                }
                Err(end) => return end,
            }
        }
    })
    .await
    .expect("the socket ends");
    assert_eq!(socket.receive(), Err(end.clone()), "the first end is the last thing told");
    (messages, end)
}

/// What a socket tells of a peer that writes these bytes and then waits to be hung up on, and the Close it gets.
async fn end_after(bytes: Vec<u8>) -> (Vec<Message>, Closed, Option<u16>) {
    let (code_sender, code) = std::sync::mpsc::channel();
    let peer = Peer::upgraded(move |mut conn| {
        conn.write(&bytes);
        code_sender.send(conn.read_close()).unwrap();
    });
    let mut socket = open(&peer).await;
    let (messages, end) = read_all(&mut socket).await;
    socket.close(CloseCode::Normal).await;
    peer.join();
    (messages, end, code.recv().unwrap())
}

fn text(text: &str) -> Message {
    Message::Text(Bytes::copy_from_slice(text.as_bytes()))
}

#[actix::test]
async fn a_frame_in_one_segment_with_the_upgrade_is_received() {
    let peer = Peer::raw(|mut conn| {
        conn.upgrade(&[frame(TEXT, b"welcome"), close(1000, "")].concat());
        conn.until_closed();
    });
    let mut socket = open(&peer).await;
    assert_eq!(socket.receive(), Ok(Some(text("welcome"))));
    let (messages, end) = read_all(&mut socket).await;
    assert_eq!((messages, end.cause), (vec![], CloseCause::ClosedByPeer));
    socket.close(CloseCode::Normal).await;
}

#[actix::test]
async fn a_close_is_told_with_code_and_reason_after_what_came_before_and_is_echoed() {
    let sent = [frame(TEXT, b"last words"), close(1001, "going down"), frame(TEXT, b"too late")].concat();
    let (messages, end, echoed) = end_after(sent).await;
    assert_eq!(messages, [text("last words")]);
    let expected = Closed { code: Some(1001), ..Closed::new(CloseCause::ClosedByPeer, "going down") };
    assert_eq!(end, expected);
    assert_eq!(echoed, Some(1001));
}

#[actix::test]
async fn fragments_become_one_message_around_control_frames() {
    let sent = [
        frame(0x01, b"one "),
        frame(PING, b"between"),
        frame(0x00, b""),
        frame(0x00, "tw\u{f6} ".as_bytes()),
        frame(0x80, b"three"),
        frame(0x02, &[1]),
        frame(0x80, &[2]),
        frame(TEXT, b"whole"),
        close(1000, ""),
    ]
    .concat();
    let (messages, ..) = end_after(sent).await;
    assert_eq!(messages, [text("one tw\u{f6} three"), Message::Binary(Bytes::from_static(&[1, 2])), text("whole")]);
}

#[actix::test]
async fn frames_that_trickle_in_byte_by_byte_are_received_whole() {
    let peer = Peer::upgraded(|mut conn| {
        for byte in [frame(TEXT, &[b'x'; 300]), frame(0x01, b"a"), frame(0x80, b"b"), close(1000, "")].concat() {
            conn.write(&[byte]);
        }
        conn.until_closed();
    });
    let mut socket = open(&peer).await;
    let (messages, end) = read_all(&mut socket).await;
    assert_eq!(messages, [text(&"x".repeat(300)), text("ab")]);
    assert_eq!(end.cause, CloseCause::ClosedByPeer);
    socket.close(CloseCode::Normal).await;
}

#[actix::test]
async fn text_that_is_not_utf_8_passes_on_as_received() {
    let bytes = [b"{\"a\":\"".as_slice(), &[0xff, 0xc0, 0x00], b"\"}"].concat();
    let (messages, ..) = end_after([frame(TEXT, &bytes), close(1000, "")].concat()).await;
    assert_eq!(messages, [Message::Text(bytes.into())]);
}

#[actix::test]
async fn a_frame_at_the_limit_is_received_and_one_byte_more_ends_the_connection() {
    let largest = vec![b'x'; LIMITS.frame_bytes_max];
    let (messages, end, code) =
        end_after([frame(TEXT, &largest), frame(TEXT, b"after"), close(1000, "")].concat()).await;
    assert_eq!((messages.len(), end.cause, code), (2, CloseCause::ClosedByPeer, Some(1000)));

    let too_large = vec![b'x'; LIMITS.frame_bytes_max + 1];
    let (messages, end, code) = end_after([frame(TEXT, b"before"), frame(TEXT, &too_large)].concat()).await;
    assert_eq!(messages, [text("before")]);
    assert_eq!((end.cause, code), (CloseCause::TooLarge, Some(1009)));
    assert_eq!(end.detail, "a frame of 100001 bytes is over the limit of 100000");
}

#[actix::test]
async fn a_declared_length_beyond_the_limit_ends_the_connection_before_any_of_it_comes() {
    for length in [1 << 40, u64::MAX] {
        let header = [&[BINARY, 127], length.to_be_bytes().as_slice()].concat();
        let (messages, end, code) = end_after(header).await;
        assert_eq!((messages.len(), end.cause, code), (0, CloseCause::TooLarge, Some(1009)), "{length}");
    }
}

#[actix::test]
async fn endless_fragments_end_the_connection_by_bytes_or_by_number() {
    let peer = Peer::upgraded(|mut conn| {
        conn.write(&frame(0x01, b"x"));
        conn.write_repeatedly(&frame(0x00, &[b'x'; 1000]), usize::MAX);
    });
    let mut socket = open(&peer).await;
    let (messages, end) = read_all(&mut socket).await;
    assert_eq!((messages.len(), end.cause), (0, CloseCause::TooLarge));
    assert_eq!(end.detail, "a fragmented message is over the limit of 150000 bytes");
    drop(socket);
    peer.join();

    let peer = Peer::upgraded(|mut conn| {
        conn.write(&frame(0x01, b"x"));
        conn.write_repeatedly(&frame(0x00, b"").repeat(1000), usize::MAX);
    });
    let mut socket = open(&peer).await;
    let (messages, end) = read_all(&mut socket).await;
    assert_eq!((messages.len(), end.cause), (0, CloseCause::TooLarge));
    assert_eq!(end.detail, "a message has more than 131072 fragments");
}

#[actix::test]
async fn the_first_breach_of_the_protocol_ends_the_connection() {
    let masked = [&[TEXT, 0x80 | 2, 1, 2, 3, 4], b"ab".as_slice()].concat();
    let cases = [
        ("a reserved bit, as a compressed frame has", frame(TEXT | 0x40, b"x")),
        ("a masked frame", masked),
        ("a reserved opcode", frame(0x83, b"x")),
        ("a reserved control opcode", frame(0x8b, b"x")),
        ("a continuation of nothing", frame(0x80, b"x")),
        ("a message inside a message", [frame(0x01, b"x"), frame(TEXT, b"y")].concat()),
        ("a fragmented ping", frame(PING & 0x7f, b"x")),
        ("a ping that is too long", frame(PING, &[b'x'; 126])),
        ("the header of a ping that is too long", vec![PING, 126, 0, 126]),
        ("a close with half a code", frame(CLOSE, &[3])),
        ("a close with a code nobody may send", close(1005, "")),
        ("a close with a reason that is not UTF-8", frame(CLOSE, &[3, 0xe8, 0xff])),
    ];
    for (name, bytes) in cases {
        let sent = [frame(TEXT, b"before"), bytes, frame(TEXT, b"after")].concat();
        let (messages, end, code) = end_after(sent).await;
        assert_eq!(messages, [text("before")], "{name}");
        assert_eq!((end.cause, code), (CloseCause::Protocol, Some(1002)), "{name}: {end:?}");
        assert!(!end.detail.is_empty(), "{name}");
    }
}

#[actix::test]
async fn the_end_of_the_stream_tells_whether_it_cut_a_message() {
    let cases = [
        (vec![], "", "nothing at all"),
        (frame(TEXT, b"before"), "", "between frames"),
        (vec![TEXT], "the stream ended inside a message", "inside a header"),
        (vec![TEXT, 5, b'a'], "the stream ended inside a message", "inside a frame"),
        (frame(0x01, b"one"), "the stream ended inside a message", "between fragments"),
    ];
    for (bytes, detail, name) in cases {
        let peer = Peer::upgraded(move |mut conn| conn.write(&bytes));
        let mut socket = open(&peer).await;
        let (_, end) = read_all(&mut socket).await;
        assert_eq!((end.cause, end.detail.as_str()), (CloseCause::EndOfStream, detail), "{name}");
    }
}

#[actix::test]
async fn a_ping_is_answered_with_its_payload() {
    let (answer_sender, answer) = std::sync::mpsc::channel();
    let peer = Peer::upgraded(move |mut conn| {
        for payload in [b"".as_slice(), b"payload", &[b'x'; 125]] {
            conn.write(&frame(PING, payload));
            answer_sender.send(conn.read_frame().unwrap()).unwrap();
        }
        conn.write(&close(1000, ""));
        conn.until_closed();
    });
    let mut socket = open(&peer).await;
    read_all(&mut socket).await;
    socket.close(CloseCode::Normal).await;
    let answers: Vec<_> = answer.iter().collect();
    assert_eq!(answers, [(PONG, vec![]), (PONG, b"payload".to_vec()), (PONG, vec![b'x'; 125])]);
}

#[actix::test]
async fn a_flood_of_pings_that_takes_no_answers_holds_nothing_up() {
    // Far more answers than socket buffers hold; the last message is received all the same.
    let peer = Peer::upgraded(|mut conn| {
        conn.write_repeatedly(&frame(PING, &[b'x'; 125]).repeat(100), 2_000);
        conn.write(&[frame(TEXT, b"the end"), close(1000, "")].concat());
        conn.until_closed();
    });
    let mut socket = open(&peer).await;
    let (messages, _) = read_all(&mut socket).await;
    assert_eq!(messages, [text("the end")]);
}

#[actix::test]
async fn a_silent_peer_is_pinged_and_then_given_up() {
    let (frame_sender, frames) = std::sync::mpsc::channel();
    let peer = Peer::upgraded(move |mut conn| {
        while let Some((first, _)) = conn.read_frame() {
            frame_sender.send(first).unwrap();
        }
    });
    let pace = Pace { ping_after: Duration::from_millis(30), dead_after: Duration::from_millis(60), ..patient() };
    let mut socket = open_at(&peer, pace).await;
    let (_, end) = read_all(&mut socket).await;
    assert_eq!(end.cause, CloseCause::Silent);
    assert_eq!(end.detail, "nothing came for 90ms, a ping was not answered");
    socket.close(CloseCode::Normal).await;
    peer.join();
    assert_eq!(frames.iter().collect::<Vec<_>>(), [PING]);
}

#[actix::test]
async fn any_sign_of_life_counts() {
    // Answers five pings, each of which would else be the last.
    let peer = Peer::upgraded(|mut conn| {
        for _ in 0..5 {
            assert_eq!(conn.read_frame(), Some((PING, vec![])));
            conn.write(&frame(PONG, b""));
        }
        conn.write(&close(1000, ""));
        conn.until_closed();
    });
    let pace = Pace { ping_after: Duration::from_millis(20), dead_after: PATIENCE, ..patient() };
    let mut socket = open_at(&peer, pace).await;
    let (_, end) = read_all(&mut socket).await;
    assert_eq!(end.cause, CloseCause::ClosedByPeer);
    socket.close(CloseCode::Normal).await;
}

#[actix::test]
async fn a_peer_that_takes_nothing_is_given_up() {
    let (done, wait) = std::sync::mpsc::channel::<()>();
    let peer = Peer::upgraded(move |_conn| wait.recv().unwrap_or(()));
    let pace = Pace { dead_after: Duration::from_millis(100), ..patient() };
    let mut socket = open_at(&peer, pace).await;
    let end = timeout(PATIENCE, async {
        loop {
            let sent = socket.send(Message::Binary(Bytes::from(vec![0; 1 << 20])));
            if let Err(end) = sent.and(socket.flush().await) {
                return end;
            }
        }
    })
    .await
    .expect("the socket ends");
    assert_eq!((end.cause, end.detail.as_str()), (CloseCause::TimedOut, "the peer took nothing for 100ms"));
    drop((done, socket));
}

#[actix::test]
async fn what_is_sent_arrives_masked_and_whole() {
    let (frame_sender, frames) = std::sync::mpsc::channel();
    let peer = Peer::upgraded(move |mut conn| {
        while let Some(frame) = conn.read_frame() {
            frame_sender.send(frame).unwrap();
        }
    });
    let mut socket = open(&peer).await;
    socket.send(text("{\"tag\":1}")).unwrap();
    socket.send(Message::Binary(Bytes::from(vec![7; 70_000]))).unwrap();
    socket.flush().await.unwrap();
    drop(socket);
    peer.join();
    assert_eq!(frames.iter().collect::<Vec<_>>(), [(TEXT, b"{\"tag\":1}".to_vec()), (BINARY, vec![7; 70_000])]);
}

#[actix::test]
async fn a_text_to_send_that_is_not_utf_8_ends_the_connection_unsent() {
    let (code_sender, code) = std::sync::mpsc::channel();
    let peer = Peer::upgraded(move |mut conn| code_sender.send(conn.read_frame()).unwrap());
    let mut socket = open(&peer).await;
    let end = socket.send(Message::Text(Bytes::from_static(&[0xff]))).unwrap_err();
    assert_eq!(end.cause, CloseCause::Protocol);
    socket.close(CloseCode::Normal).await;
    assert_eq!(code.recv().unwrap(), Some((CLOSE, 1007_u16.to_be_bytes().to_vec())));
}

#[actix::test]
async fn closing_is_over_soon_even_if_the_peer_ignores_it() {
    let (done, wait) = std::sync::mpsc::channel::<()>();
    let peer = Peer::upgraded(move |_conn| wait.recv().unwrap_or(()));
    let socket = open(&peer).await;
    timeout(PATIENCE, socket.close(CloseCode::Normal)).await.expect("closing is bounded");
    drop(done);
}

#[actix::test]
async fn the_wait_for_more_can_be_dropped_at_any_time() {
    let peer = Peer::upgraded(|mut conn| {
        for index in 0..500 {
            conn.write(&frame(TEXT, format!("{index}").as_bytes()));
        }
        conn.write(&close(1000, ""));
        conn.until_closed();
    });
    let mut socket = open(&peer).await;
    let mut messages = Vec::new();
    let end = timeout(PATIENCE, async {
        loop {
            match socket.receive() {
                Ok(Some(message)) => messages.push(message),
                Ok(None) => tokio::select! {
                    biased;
                    ready = socket.ready() => if let Err(end) = ready { return end },
                    () = tokio::task::yield_now() => {}
                },
                Err(end) => return end,
            }
        }
    })
    .await
    .unwrap();
    assert_eq!(end.cause, CloseCause::ClosedByPeer);
    assert_eq!(messages, (0..500).map(|index| text(&index.to_string())).collect::<Vec<_>>());
    socket.close(CloseCode::Normal).await;
}
