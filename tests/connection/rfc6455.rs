//! RFC 6455 as a client must keep to it, on raw sockets: what sections 1 to 7, 9 and 10 of Autobahn's cases try, which
//! `tests/autobahn.sh` runs where it can be had. The socket under test echoes, as there.

use actix_http::ws::CloseCode;
use feedtape::config::{Limits, Pace};
use feedtape::connection::{Dialer, Socket, client_config};
use tokio::time::timeout;

use crate::peer::{BINARY, CLOSE, PATIENCE, PING, PONG, Peer, TEXT, close, frame};

/// The first frames of a fragmented message, and those that follow.
const FIRST_TEXT: u8 = 0x01;
const FIRST_BINARY: u8 = 0x02;
const CONTINUATION: u8 = 0x00;
const LAST: u8 = 0x80;

/// A frame of the client's: its first byte and its payload.
type Frame = (u8, Vec<u8>);

async fn echo(socket: &mut Socket) {
    loop {
        let step = match socket.receive() {
            Ok(Some(message)) => socket.send(message),
            Ok(None) => socket.ready().await,
            Err(end) => Err(end),
        };
        if step.is_err() {
            return;
        }
    }
}

/// What comes back from a client that echoes if a server writes these pieces, up to the client's Close.
async fn answers_to_pieces(pieces: Vec<Vec<u8>>) -> Vec<Frame> {
    let (sender, frames) = std::sync::mpsc::channel();
    let peer = Peer::upgraded(move |mut conn| {
        for piece in pieces {
            conn.write(&piece);
        }
        while let Some(frame) = conn.read_frame() {
            let is_last = frame.0 == CLOSE;
            sender.send(frame).unwrap();
            if is_last {
                return;
            }
        }
    });
    let pace = Pace { ping_after: PATIENCE * 2, dead_after: PATIENCE * 2, ..Pace::default() };
    let dialer = Dialer::new(client_config(None).unwrap(), Limits::default(), pace);
    let mut socket = dialer.dial(&peer.url(), false).await.expect("the peer upgrades").0;
    timeout(PATIENCE, echo(&mut socket)).await.expect("the connection ends");
    socket.close(CloseCode::Normal).await;
    peer.join();
    frames.iter().collect()
}

async fn answers(sent: &[Vec<u8>]) -> Vec<Frame> {
    answers_to_pieces(vec![sent.concat()]).await
}

fn closed(code: u16) -> Frame {
    (CLOSE, code.to_be_bytes().to_vec())
}

fn text(text: &str) -> Frame {
    (TEXT, text.as_bytes().to_vec())
}

/// Asserts that what breaks the protocol ends the connection with a code, and that what came before is echoed.
async fn assert_fails(name: &str, code: u16, sent: &[Vec<u8>]) {
    let sent = [&[frame(TEXT, b"before")], sent, &[frame(TEXT, b"after"), close(1000, "")]].concat();
    assert_eq!(answers(&sent).await, [text("before"), closed(code)], "{name}");
}

#[actix::test]
async fn messages_of_every_length_come_back_as_they_were_however_they_are_cut() {
    for length in [0, 125, 126, 127, 128, 65_535, 65_536] {
        for first in [TEXT, BINARY] {
            let payload = vec![b'*'; length];
            let sent = [frame(first, &payload), close(1000, "")].concat();
            for cut in [sent.len(), 997] {
                let pieces = sent.chunks(cut).map(<[u8]>::to_vec).collect();
                let expected = [(first, payload.clone()), closed(1000)];
                assert!(answers_to_pieces(pieces).await == expected, "{first:#x} of {length} bytes, cut at {cut}");
            }
        }
    }
}

#[actix::test]
async fn pings_are_answered_in_order_with_their_payload_and_pongs_are_not() {
    let longest = vec![0xfe; 125];
    let sent = [frame(PING, b""), frame(PONG, b"unasked"), frame(PING, &[0, 0xff, 0xfe]), frame(PING, &longest)];
    let sent = [&sent[..], &(0..10).map(|n| frame(PING, &[n])).collect::<Vec<_>>(), &[close(1000, "")]].concat();
    let mut expected = vec![(PONG, vec![]), (PONG, vec![0, 0xff, 0xfe]), (PONG, longest)];
    expected.extend((0..10).map(|n| (PONG, vec![n])));
    expected.push(closed(1000));
    assert_eq!(answers(&sent).await, expected);
    let pieces = sent.concat().chunks(1).map(<[u8]>::to_vec).collect();
    assert_eq!(answers_to_pieces(pieces).await, expected, "byte by byte");
    assert_fails("a ping of 126 bytes", 1002, &[frame(PING, &[b'x'; 126])]).await;
}

#[actix::test]
async fn reserved_bits_end_the_connection() {
    for first in [TEXT, BINARY, PING, PONG, CLOSE] {
        for bits in 1..=7 {
            assert_fails(&format!("{first:#x} with {bits:#05b}"), 1002, &[frame(first | bits << 4, b"")]).await;
        }
    }
}

#[actix::test]
async fn reserved_opcodes_end_the_connection() {
    for opcode in (3..=7).chain(11..=15) {
        for payload in [&b""[..], b"x"] {
            assert_fails(&format!("opcode {opcode}"), 1002, &[frame(0x80 | opcode, payload)]).await;
        }
    }
}

#[actix::test]
async fn fragments_are_put_together_and_control_frames_between_them_are_answered_at_once() {
    let whole = answers(&[
        frame(FIRST_TEXT, b"one, "),
        frame(PING, b"first"),
        frame(CONTINUATION, b""),
        frame(PING, b"second"),
        frame(PONG, b""),
        frame(LAST, b"two"),
        frame(FIRST_BINARY, &[1]),
        frame(LAST, &[2]),
        frame(FIRST_TEXT, b""),
        frame(CONTINUATION, b""),
        frame(LAST, b""),
        close(1000, ""),
    ])
    .await;
    let pong = |payload: &[u8]| (PONG, payload.to_vec());
    let expected = [pong(b"first"), pong(b"second"), text("one, two"), (BINARY, vec![1, 2]), text(""), closed(1000)];
    assert_eq!(whole, expected);
}

#[actix::test]
async fn fragments_out_of_place_end_the_connection() {
    for (name, sent) in [
        ("a fragmented ping", vec![frame(PING & 0x7f, b"x"), frame(LAST, b"y")]),
        ("a fragmented pong", vec![frame(PONG & 0x7f, b"x"), frame(LAST, b"y")]),
        ("a fragmented close", vec![frame(CLOSE & 0x7f, b""), frame(LAST, b"")]),
        ("the end of nothing", vec![frame(LAST, b"x")]),
        ("the middle of nothing", vec![frame(CONTINUATION, b"x")]),
        ("a message within a text", vec![frame(FIRST_TEXT, b"x"), frame(TEXT, b"y")]),
        ("a message within a binary", vec![frame(FIRST_BINARY, b"x"), frame(BINARY, b"y")]),
        ("a first fragment within a message", vec![frame(FIRST_TEXT, b"x"), frame(FIRST_TEXT, b"y")]),
    ] {
        assert_fails(name, 1002, &sent).await;
    }
}

#[actix::test]
async fn text_is_echoed_if_it_is_utf_8_and_else_ends_the_connection() {
    for good in [
        "Hello-µ@ßöäüàá-UTF-8!!",
        "κόσμε",
        "\0",
        "\u{7f}\u{80}\u{7ff}\u{800}\u{d7ff}\u{e000}\u{fffd}\u{10000}\u{10ffff}",
        "\u{feff}with a mark, and \u{fffe}\u{ffff}\u{1fffe} of no character",
    ] {
        let bytes = good.as_bytes();
        assert_eq!(answers(&[frame(TEXT, bytes), close(1000, "")]).await, [text(good), closed(1000)]);
        // A cut may fall within a character.
        for cut in 0..=bytes.len() {
            let sent = [frame(FIRST_TEXT, &bytes[..cut]), frame(LAST, &bytes[cut..]), close(1000, "")];
            assert_eq!(answers(&sent).await, [text(good), closed(1000)], "{good:?} cut at {cut}");
        }
    }
    for (name, bad) in [
        ("a byte of no character", &b"x\xffx"[..]),
        ("a continuation alone", b"\x80"),
        ("a lead alone", b"\xce"),
        ("a lead and another character", b"\xcex"),
        ("too long a form of a slash", b"\xc0\xaf"),
        ("too long a form of zero", b"\xe0\x80\x80"),
        ("half a pair", b"\xed\xa0\x80"),
        ("a pair", b"\xed\xa0\xbd\xed\xb8\x80"),
        ("beyond the last character", b"\xf4\x90\x80\x80"),
        ("five bytes", b"\xf8\x88\x80\x80\x80"),
    ] {
        assert_fails(name, 1007, &[frame(TEXT, bad)]).await;
        assert_fails(name, 1007, &[frame(FIRST_TEXT, b"\xce\xba"), frame(LAST, bad)]).await;
        let binary = [frame(BINARY, bad), close(1000, "")];
        assert_eq!(answers(&binary).await, [(BINARY, bad.to_vec()), closed(1000)], "{name}, as binary");
    }
}

#[actix::test]
async fn a_close_is_answered_once_and_nothing_after_it() {
    let nothing = answers(&[frame(CLOSE, b""), frame(PING, b"x"), frame(TEXT, b"late"), close(1000, "")]).await;
    assert_eq!(nothing, [(CLOSE, vec![])]);
    let within = answers(&[frame(FIRST_TEXT, b"begun"), close(1001, "")]).await;
    assert_eq!(within, [closed(1001)], "what was begun is not echoed");
    let codes = [1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 3000, 3999, 4000, 4999];
    for code in codes {
        for reason in ["", "because", &"r".repeat(123)] {
            assert_eq!(answers(&[close(code, reason)]).await, [closed(code)], "{code}");
        }
    }
}

#[actix::test]
async fn a_close_that_must_not_be_sent_is_a_breach_of_the_protocol() {
    for code in [0, 999, 1004, 1005, 1006, 1016, 1100, 2000, 2999, 5000, 65_535] {
        assert_fails(&format!("code {code}"), 1002, &[close(code, "")]).await;
    }
    assert_fails("half a code", 1002, &[frame(CLOSE, &[3])]).await;
    assert_fails("too long a reason", 1002, &[close(1000, &"r".repeat(124))]).await;
    assert_fails("a reason that is not UTF-8", 1002, &[frame(CLOSE, b"\x03\xe8\xce")]).await;
}

#[actix::test]
async fn long_messages_come_back_whole_in_one_frame_or_in_many() {
    let payload = vec![b'*'; 1 << 20];
    for (first, whole) in [(FIRST_TEXT, TEXT), (FIRST_BINARY, BINARY)] {
        for size in [payload.len(), 65_536, 256] {
            let mut sent: Vec<_> = payload.chunks(size).map(|chunk| frame(CONTINUATION, chunk)).collect();
            sent[0][0] |= first;
            sent.last_mut().expect("a frame")[0] |= 0x80;
            sent.push(close(1000, ""));
            let expected = [(whole, payload.clone()), closed(1000)];
            assert!(answers(&sent).await == expected, "{whole:#x} in frames of {size} bytes");
        }
    }
}
