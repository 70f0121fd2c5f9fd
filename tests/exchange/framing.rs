//! What a client can do wrong on the wire, and that nobody else notices.

use awc::ws::{CloseCode, CloseReason, Frame, Message};
use serde_json::json;

use crate::client::{Client, PATIENCE, start, watch};

/// A masked frame with a key of zeros, which leaves the payload as it is.
fn masked(first: u8, payload: &[u8]) -> Vec<u8> {
    let length = u16::try_from(payload.len()).expect("a short payload");
    let mut frame = vec![first, 0x80 | 126];
    frame.extend(length.to_be_bytes());
    frame.extend([0; 4]);
    frame.extend(payload);
    frame
}

#[actix_web::test]
async fn malformed_commands_are_answered_with_code_8_and_the_connection_stays() {
    let exchange = start();
    let mut client = Client::connect(&exchange).await;
    for text in ["", "{", "[]", "null", "\"GetOrders\"", "{\"method\":7}", &"[".repeat(10_000)] {
        client.send_text(text).await;
        assert_eq!(client.message().await["error_code"], 8, "{text}");
    }
    assert_eq!(client.expect_ok(watch("WatchOrders", true)).await, json!({"orders": []}));
}

#[actix_web::test]
async fn pings_are_answered_with_their_payload() {
    let exchange = start();
    let mut client = Client::connect(&exchange).await;
    client.send(Message::Ping("payload".into())).await;
    assert_eq!(client.frame().await, Some(Frame::Pong("payload".into())));
    client.send(Message::Pong("unasked".into())).await;
    client.expect_ok(watch("WatchOrders", true)).await;
}

#[actix_web::test]
async fn a_close_is_answered_and_ends_the_connection() {
    let exchange = start();
    let mut client = Client::connect(&exchange).await;
    let reason = CloseReason { code: CloseCode::Normal, description: None };
    client.send(Message::Close(Some(reason))).await;
    assert_eq!(client.closed().await, Some(1000));
    exchange.wait_for(PATIENCE, |counts| counts.open() == 0).await.expect("the end of the connection");
}

#[actix_web::test]
async fn a_command_in_many_frames_is_one_command() {
    let exchange = start();
    let mut client = Client::connect(&exchange).await;
    let command = watch("WatchOrders", true).to_string();
    let (first, rest) = command.as_bytes().split_at(10);
    client.raw(&masked(0x01, first)).await;
    client.raw(&masked(0x89, b"between")).await;
    assert_eq!(client.frame().await, Some(Frame::Pong("between".into())));
    client.raw(&masked(0x00, &rest[..5])).await;
    client.raw(&masked(0x80, &rest[5..])).await;
    assert_eq!(client.message().await, json!({"error_code": 0, "orders": []}));
}

#[actix_web::test]
async fn what_breaks_the_protocol_is_closed_with_its_code_and_harms_nobody_else() {
    let exchange = start();
    let mut other = Client::connect(&exchange).await;
    let endless = [masked(0x01, &[b' '; 60_000]), masked(0x00, &[b' '; 60_000])].concat();
    let cases = [
        ("binary", masked(0x82, b"{}"), 1003),
        ("fragmented binary", masked(0x02, b"{}"), 1003),
        ("not UTF-8", masked(0x81, b"\xff"), 1007),
        ("not UTF-8 in fragments", [masked(0x01, b"\xc3"), masked(0x80, b"(")].concat(), 1007),
        ("not masked", vec![0x81, 1, b'x'], 1002),
        ("reserved bit", masked(0xc1, b"x"), 1002),
        ("unknown opcode", masked(0x83, b"x"), 1002),
        ("nothing to continue", masked(0x80, b"x"), 1002),
        ("a message of too many fragments", endless, 1009),
        ("a frame of 2^40 bytes", [&[0x81, 0xff][..], &(1_u64 << 40).to_be_bytes(), &[0; 4]].concat(), 1009),
    ];
    for (what, bytes, code) in cases {
        let mut client = Client::connect(&exchange).await;
        client.raw(&bytes).await;
        assert_eq!(client.closed().await, Some(code), "{what}");
    }
    other.expect_ok(watch("WatchOrders", true)).await;
    let counts = exchange.wait_for(PATIENCE, |counts| counts.open() == 1).await.expect("the others are gone");
    assert_eq!(counts.connections, 11);
}
