//! Dialling: addresses, TLS, the upgrade, and what each failure is called.

use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::time::Duration;

use actix_http::ws::CloseCode;
use feedtape::config::{Limits, Pace};
use feedtape::connection::{Dialer, client_config};
use feedtape::journal::Closed;
use feedtape::model::CloseCause;
use rcgen::CertificateParams;
use rustls::ServerConfig;
use tokio::time::timeout;
use url::Url;

use crate::peer::{PATIENCE, Peer};
use crate::tls::{Authority, over_tls};

fn dialer_with(authority: Option<&Authority>, pace: Pace) -> Dialer {
    let file = authority.map(Authority::file);
    Dialer::new(client_config(file.as_deref()).unwrap(), Limits::default(), pace)
}

fn dialer() -> Dialer {
    dialer_with(None, Pace::default())
}

/// Time-outs that strike at once.
fn hasty() -> Pace {
    Pace { connect: Duration::from_millis(200), handshake: Duration::from_millis(200), ..Pace::default() }
}

async fn failure(dialer: &Dialer, url: &str) -> Closed {
    timeout(PATIENCE, dialer.dial(url, false)).await.expect("dialling ends").expect_err("dialling fails")
}

/// A peer on TLS that upgrades; whatever fails on its side is the client's to tell.
fn tls_peer(config: Arc<ServerConfig>) -> Peer {
    Peer::raw_stream(move |stream| {
        let mut conn = over_tls(stream, config);
        conn.request();
        conn.drain();
    })
}

/// An address that takes no connections and refuses none: its queue is full.
fn black_hole() -> (TcpListener, Vec<TcpStream>, SocketAddr) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let mut queued = Vec::new();
    while let Ok(stream) = TcpStream::connect_timeout(&address, Duration::from_millis(100)) {
        queued.push(stream);
    }
    (listener, queued, address)
}

#[actix::test]
async fn the_upgrade_names_the_program_and_its_version() {
    let (sender, requests) = std::sync::mpsc::channel();
    let peer = Peer::raw(move |mut conn| {
        sender.send(conn.upgrade(b"")).unwrap();
        conn.until_closed();
    });
    let (socket, address) = dialer().dial(&peer.url(), false).await.unwrap();
    assert_eq!(address, peer.address);
    drop(socket);
    let request = requests.recv().unwrap().to_lowercase();
    assert!(request.starts_with("get /v1 http/1.1\r\n"), "{request}");
    assert!(request.contains(&format!("\r\nuser-agent: feedtape/{}\r\n", env!("CARGO_PKG_VERSION"))), "{request}");
    assert!(!request.contains("sec-websocket-extensions"), "{request}");
}

#[actix::test]
async fn a_dead_or_refusing_or_mute_address_is_followed_by_the_next() {
    let (_listener, _queued, dead) = black_hole();
    let refusing = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let mute = TcpListener::bind("127.0.0.1:0").unwrap();
    let peer = Peer::upgraded(|conn| conn.until_closed());

    let addresses = [dead, refusing, mute.local_addr().unwrap(), peer.address];
    let url = Url::parse(&peer.url()).unwrap();
    let dialer = dialer_with(None, hasty());
    let (socket, address) = timeout(PATIENCE, dialer.dial_at(&url, &addresses, false)).await.unwrap().unwrap();
    assert_eq!(address, peer.address);
    socket.close(CloseCode::Normal).await;

    let failure = dialer.dial_at(&url, &addresses[..2], false).await.unwrap_err();
    assert_eq!(failure.cause, CloseCause::Unreachable);
    for address in [dead, refusing] {
        assert!(failure.detail.contains(&format!("{address}: ")), "{failure:?}");
    }
}

#[actix::test]
async fn a_mute_address_has_three_seconds_for_everything_if_there_is_another() {
    let mute = TcpListener::bind("127.0.0.1:0").unwrap();
    let refusing = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    for scheme in ["ws", "wss"] {
        let url = Url::parse(&format!("{scheme}://localhost/v1")).unwrap();
        let addresses = [mute.local_addr().unwrap(), refusing];
        let failure = dialer().dial_at(&url, &addresses, false).await.unwrap_err();
        assert!(failure.detail.contains("not open within 3s, and there is another address; "), "{failure:?}");
    }
}

#[actix::test]
async fn a_refused_upgrade_is_told_with_its_status_and_not_tried_elsewhere() {
    for (status, line) in [(401, "Unauthorized"), (302, "Found"), (429, "Too Many Requests"), (503, "Unavailable")] {
        let peer = Peer::raw(move |mut conn| {
            conn.request();
            let head = format!("HTTP/1.1 {status} {line}\r\nLocation: /elsewhere\r\nContent-Length: 0\r\n\r\n");
            conn.write(head.as_bytes());
            conn.drain();
        });
        let url = Url::parse(&peer.url()).unwrap();
        let refused = dialer().dial_at(&url, &[peer.address, peer.address], false).await.unwrap_err();
        assert_eq!((refused.cause, refused.code), (CloseCause::UpgradeRefused, Some(status)));
        assert_eq!(refused.detail.contains("redirects are not followed"), status == 302, "{refused:?}");
    }
}

#[actix::test]
async fn an_upgrade_that_is_none_is_a_breach_of_the_protocol() {
    let answers = [
        "HTTP/1.1 101 Switching Protocols\r\n\r\n",
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n",
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: x\r\n\r\n",
        "SSH-2.0-OpenSSH_9.2\r\n\r\n",
    ];
    for answer in answers {
        let peer = Peer::raw(move |mut conn| {
            conn.request();
            conn.write(answer.as_bytes());
            conn.drain();
        });
        assert_eq!(failure(&dialer(), &peer.url()).await.cause, CloseCause::Protocol, "{answer}");
    }
}

#[actix::test]
async fn an_extension_that_was_not_offered_is_a_breach_of_the_protocol() {
    let peer = Peer::raw(|mut conn| {
        conn.upgrade_with("Sec-WebSocket-Extensions: permessage-deflate\r\n", b"");
        conn.until_closed();
    });
    let failure = failure(&dialer(), &peer.url()).await;
    assert_eq!(failure.cause, CloseCause::Protocol);
    assert!(failure.detail.contains("permessage-deflate"), "{failure:?}");
}

#[actix::test]
async fn endless_headers_are_given_up() {
    let peer = Peer::raw(|mut conn| {
        conn.request();
        conn.write(b"HTTP/1.1 101 Switching Protocols\r\n");
        conn.write_repeatedly(b"X-Padding: xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx\r\n", usize::MAX);
    });
    assert_eq!(failure(&dialer(), &peer.url()).await.cause, CloseCause::TooLarge);
}

#[actix::test]
async fn a_peer_that_hangs_up_or_never_answers_is_told_apart() {
    let peer = Peer::raw(|mut conn| {
        conn.request();
    });
    assert_eq!(failure(&dialer(), &peer.url()).await.cause, CloseCause::EndOfStream);

    let peer = Peer::raw(|mut conn| conn.drain());
    let failure = failure(&dialer_with(None, hasty()), &peer.url()).await;
    assert_eq!(failure.cause, CloseCause::TimedOut);
    assert!(failure.detail.contains("no answer to the upgrade within 400ms"), "{failure:?}");
}

#[actix::test]
async fn what_cannot_be_resolved_or_reached_says_so() {
    let refusing = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    // A label of 64 characters is no name, so nobody is asked for it.
    let cases = ["no URL", &format!("ws://{}/", "x".repeat(64)), &format!("ws://{refusing}/")];
    for url in cases {
        let failure = failure(&dialer(), url).await;
        assert_eq!(failure.cause, CloseCause::Unreachable, "{url}");
        assert!(!failure.detail.is_empty(), "{url}");
    }
}

#[actix::test]
async fn credentials_never_go_in_the_clear_beyond_loopback() {
    // An address for documentation (RFC 5737): nothing is there, and nothing must be tried there.
    let url = Url::parse("ws://192.0.2.1/v1").unwrap();
    let refused = dialer().dial(url.as_str(), true).await.unwrap_err();
    assert_eq!(refused.cause, CloseCause::Tls);
    assert_eq!(refused.detail, "credentials must not go to 192.0.2.1:80 in the clear, use wss://");

    let peer = Peer::upgraded(|conn| conn.until_closed());
    dialer().dial(&peer.url(), true).await.expect("loopback may carry them").0.close(CloseCode::Normal).await;
}

#[actix::test]
async fn a_private_authority_is_trusted_when_named_and_only_then() {
    let authority = Authority::new();
    // Prefers HTTP/2, over which there are no WebSockets: it must not be offered.
    let config = authority.server("localhost", &["h2", "http/1.1"]);
    let upgrading = Arc::clone(&config);
    let peer = Peer::raw_stream(move |stream| {
        let mut conn = over_tls(stream, upgrading);
        conn.upgrade(b"");
        conn.until_closed();
    });
    let url = Url::parse(&format!("wss://localhost:{}/v1", peer.address.port())).unwrap();
    let trusting = dialer_with(Some(&authority), Pace::default());
    let (socket, _) = trusting.dial_at(&url, &[peer.address], true).await.unwrap();
    socket.close(CloseCode::Normal).await;

    let peer = tls_peer(config);
    let refused = dialer().dial_at(&url, &[peer.address], true).await.unwrap_err();
    assert_eq!(refused.cause, CloseCause::Tls);
    assert!(refused.detail.contains("UnknownIssuer") && refused.detail.contains("`ca_file`"), "{refused:?}");
}

#[actix::test]
async fn the_end_of_tls_without_its_goodbye_is_the_end_of_the_stream() {
    let authority = Authority::new();
    let config = authority.server("localhost", &["http/1.1"]);
    let peer = Peer::raw_stream(move |stream| {
        over_tls(stream, config).upgrade(b"");
    });
    let url = Url::parse(&format!("wss://localhost:{}/v1", peer.address.port())).unwrap();
    let dialer = dialer_with(Some(&authority), Pace::default());
    let (mut socket, _) = dialer.dial_at(&url, &[peer.address], true).await.unwrap();
    let end = timeout(PATIENCE, socket.ready()).await.unwrap().unwrap_err();
    assert_eq!(end.cause, CloseCause::EndOfStream);
    assert_eq!(end.detail, "the stream ended without a close of TLS");
    assert_eq!(socket.ready().await, Err(end.clone()), "told once, and the same for ever");
    assert_eq!(socket.receive(), Err(end));
}

#[actix::test]
async fn a_certificate_of_another_name_or_time_is_refused() {
    let authority = Authority::new();
    let mut expired = CertificateParams::new(["localhost".to_owned()]).unwrap();
    expired.not_after = rcgen::date_time_ymd(2020, 1, 1);
    let servers = [
        (authority.server("elsewhere.example", &[]), "not valid for name"),
        (authority.server_with(expired, &[]), "expired"),
    ];
    for (server, expected) in servers {
        let peer = tls_peer(server);
        let url = Url::parse(&format!("wss://localhost:{}/v1", peer.address.port())).unwrap();
        let dialer = dialer_with(Some(&authority), Pace::default());
        let refused = dialer.dial_at(&url, &[peer.address], true).await.unwrap_err();
        assert_eq!(refused.cause, CloseCause::Tls);
        assert!(refused.detail.contains(expected), "{refused:?}");
    }
}

#[actix::test]
async fn a_server_of_http_2_alone_is_refused() {
    let authority = Authority::new();
    let peer = tls_peer(authority.server("localhost", &["h2"]));
    let url = Url::parse(&format!("wss://localhost:{}/v1", peer.address.port())).unwrap();
    let dialer = dialer_with(Some(&authority), Pace::default());
    assert_eq!(dialer.dial_at(&url, &[peer.address], true).await.unwrap_err().cause, CloseCause::Tls);
}

#[actix::test]
async fn tls_to_a_plain_port_is_told_in_words_that_help() {
    let peer = Peer::raw(|mut conn| {
        conn.write(b"HTTP/1.1 400 Bad Request\r\n\r\n");
        conn.drain();
    });
    let failure = failure(&dialer(), &peer.url().replace("ws://", "wss://")).await;
    assert_eq!(failure.cause, CloseCause::Tls);
    assert!(failure.detail.contains("may not speak TLS"), "{failure:?}");
}
