//! Every scripted fault, seen by a client.

use actix_http::ws::{Frame, Item};
use feedtape::exchange::{Action, Exchange, ExchangeConfig, Faults, Running};
use serde_json::{Value, json};

use crate::client::{Client, PATIENCE, limit};

fn start(faults: Faults) -> Running {
    Exchange::start(ExchangeConfig { faults, ..ExchangeConfig::default() }).expect("a free port")
}

fn watch() -> Value {
    crate::client::watch("WatchOrders", true)
}

/// The text of the next frame, whatever it is.
async fn text(client: &mut Client) -> Vec<u8> {
    match client.frame().await {
        Some(Frame::Text(text)) => text.to_vec(),
        other => panic!("not a text message: {other:?}"),
    }
}

/// Plays one fault on the first connection right after the greeting, and returns the client.
async fn greeted(action: Action) -> (Running, Client) {
    let exchange = start(Faults::new().on(1, 1, action));
    let client = Client::connect(&exchange).await;
    exchange.wait_for(PATIENCE, |counts| counts.connections == 1).await.expect("a connection");
    (exchange, client)
}

#[actix_web::test]
async fn a_fault_concerns_its_connection_only() {
    let exchange = start(Faults::new().on(1, 1, Action::Drop));
    let mut first = Client::connect(&exchange).await;
    assert_eq!(first.closed().await, None, "dropped without a Close frame");
    let mut second = Client::connect(&exchange).await;
    assert_eq!(second.expect_ok(watch()).await, json!({"orders": []}));
    let counts = exchange.wait_for(PATIENCE, |counts| counts.disconnections == 1).await.expect("the first is gone");
    assert_eq!((counts.connections, counts.faults), (2, 1));
}

#[actix_web::test]
async fn dropped_in_the_middle_of_a_frame() {
    let (_exchange, mut client) = greeted(Action::DropMidFrame).await;
    client.send_text(&watch().to_string()).await;
    assert_eq!(client.closed().await, None);
}

#[actix_web::test]
async fn silence_keeps_the_connection_open() {
    let (exchange, mut client) = greeted(Action::GoSilent).await;
    client.send(awc::ws::Message::Ping("?".into())).await;
    client.send_text(&watch().to_string()).await;
    exchange.wait_for(PATIENCE, |counts| counts.commands == 1 && counts.frames_sent == 2).await.expect("it was heard");
    let silence = actix_rt::time::timeout(std::time::Duration::from_millis(50), client.frame()).await;
    assert!(silence.is_err(), "{silence:?}");
}

#[actix_web::test]
async fn an_exchange_that_stops_reading_hears_nothing() {
    let (exchange, mut client) = greeted(Action::StopReading).await;
    exchange.wait_for(PATIENCE, |counts| counts.faults == 1).await.expect("the fault");
    client.send_text(&watch().to_string()).await;
    let heard = exchange.wait_for(std::time::Duration::from_millis(50), |counts| counts.commands > 0).await;
    assert!(heard.is_err(), "{heard:?}");
}

#[actix_web::test]
async fn the_greeting_is_missing_or_has_a_nonce_of_another_length() {
    let exchange = start(Faults::new().on(1, 0, Action::NeverGreet).on(2, 0, Action::Nonce { bytes: 15 }).on(
        3,
        0,
        Action::Nonce { bytes: 17 },
    ));
    let mut silent = Client::open(&exchange.ws_url()).await;
    silent.send_text(&watch().to_string()).await;
    assert_eq!(silent.message().await, json!({"error_code": 0, "orders": []}));
    for length in [20, 24] {
        let welcome = Client::open(&exchange.ws_url()).await.message().await;
        assert_eq!(welcome["nonce"].as_str().map(str::len), Some(length));
    }
}

#[actix_web::test]
async fn logins_are_refused_with_the_scripted_code() {
    let exchange = start(Faults::new().on(1, 0, Action::RefuseLogin { code: 6 }));
    let mut client = Client::connect(&exchange).await;
    let login = client.login(&exchange.accounts()[0]);
    client.expect_refusal(login, 6, "You are making authentication attempts too rapidly.").await;
    client.expect_refusal(json!({"method": "GetOrders"}), 7, "You are not authenticated.").await;
    let counts = exchange.counts();
    assert_eq!((counts.logins, counts.commands), (1, 2));
    Client::logged_in(&exchange, 0).await;
}

#[actix_web::test]
async fn replies_are_swapped_and_doubled() {
    let (_exchange, mut client) = greeted(Action::SwapReplies).await;
    client.send_text(r#"{"tag":1,"method":"GetOrders"}"#).await;
    client.send_text(r#"{"tag":2,"method":"GetOrders"}"#).await;
    assert_eq!([client.message().await["tag"].clone(), client.message().await["tag"].clone()], [2, 1]);

    let (_exchange, mut client) = greeted(Action::DuplicateReply).await;
    client.send_text(r#"{"tag":1,"method":"GetOrders"}"#).await;
    assert_eq!(client.message().await, client.message().await);
}

#[actix_web::test]
async fn a_snapshot_is_delayed_behind_notices() {
    let exchange = start(Faults::new().on(1, 0, Action::DelaySnapshot { notices: 2 }));
    let mut watcher = Client::connect(&exchange).await;
    watcher.send_text(r#"{"tag":9,"method":"WatchOrders","base":63488,"counter":65283,"watch":true}"#).await;
    exchange.wait_for(PATIENCE, |counts| counts.frames_sent == 2).await.expect("the snapshot");
    let mut trader = Client::logged_in(&exchange, 0).await;
    for price in [10_000, 20_000, 30_000] {
        trader.expect_ok(limit(10_000, price)).await;
    }
    for notice in [true, true, false, true] {
        assert_eq!(watcher.message().await.get("notice").is_some(), notice);
    }
}

#[actix_web::test]
async fn a_message_comes_in_many_frames() {
    let (_exchange, mut client) = greeted(Action::Fragment { frames: 5 }).await;
    client.send_text(&watch().to_string()).await;
    let (mut message, mut frames) = (Vec::new(), 0);
    loop {
        frames += 1;
        match client.frame().await {
            Some(Frame::Continuation(Item::FirstText(part) | Item::Continue(part))) => message.extend(part),
            Some(Frame::Continuation(Item::Last(part))) => break message.extend(part),
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(frames, 5);
    let reply: Value = serde_json::from_slice(&message).expect("JSON");
    assert_eq!(reply, json!({"error_code": 0, "orders": []}));
}

#[actix_web::test]
async fn strange_messages_come_as_scripted() {
    let faults = [
        Action::Oversized { bytes: 5_000_000 },
        Action::InvalidUtf8,
        Action::InvalidJson,
        Action::UnknownNotice,
        Action::UnknownAssets,
        Action::HugeInteger,
        Action::Text { text: "[]".into() },
    ];
    let faults = faults.into_iter().fold(Faults::new(), |faults, action| faults.on(1, 1, action));
    let exchange = start(faults);
    let mut client = Client::connect(&exchange).await;
    assert_eq!(text(&mut client).await.len(), 5_000_000);
    assert!(String::from_utf8(text(&mut client).await).is_err());
    let broken = text(&mut client).await;
    assert!(serde_json::from_slice::<Value>(&broken).is_err() && String::from_utf8(broken).is_ok());
    assert_eq!(client.message().await["notice"], "Weather");
    assert_eq!(client.message().await["base"], 49999);
    let huge = String::from_utf8(text(&mut client).await).expect("UTF-8");
    assert!(huge.contains("123456789012345678901234567890"), "{huge}");
    assert_eq!(client.message().await, json!([]));
    assert_eq!(client.expect_ok(watch()).await, json!({"orders": []}), "the connection lives on");
    assert_eq!(exchange.counts().faults, 7);
}

#[actix_web::test]
async fn a_notice_has_a_field_nobody_knows() {
    let exchange = start(Faults::new().on(1, 0, Action::UnknownField));
    let mut client = Client::logged_in(&exchange, 0).await;
    client.expect_ok(limit(10_000, 10_000)).await;
    let notices = client.notices().await;
    assert_eq!(notices[0]["mood"], "fair");
    assert_eq!(notices[1].get("mood"), None);
}

#[actix_web::test]
async fn a_scripted_close_code_pings_and_raw_bytes_arrive() {
    let (_exchange, mut client) = greeted(Action::Close { code: 1012 }).await;
    assert_eq!(client.closed().await, Some(1012));

    let (_exchange, mut client) = greeted(Action::Pings { count: 1_000 }).await;
    for _ in 0..1_000 {
        assert!(matches!(client.frame().await, Some(Frame::Ping(_))));
    }

    // A frame with a reserved bit set.
    let (_exchange, mut client) = greeted(Action::Bytes { bytes: vec![0xc1, 0x01, b'x'] }).await;
    assert_eq!(client.frame().await, None, "a protocol error");
}

#[actix_web::test]
async fn rest_passes_through() {
    let exchange = start(Faults::new().always(0, Action::Drop));
    let (status, assets) = crate::client::rest(&exchange, None, "GET", "/assets/").await;
    assert_eq!((status, assets[0]["name"].as_str()), (200, Some("XBT")));
}
