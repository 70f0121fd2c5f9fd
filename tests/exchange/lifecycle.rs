//! Starting and stopping, TLS, Coinfloor's list, and the habits of old clients.

use std::sync::Arc;

use awc::ws::Codec;
use feedtape::exchange::{Exchange, ExchangeConfig, ListingChoice, Tls};
use futures_util::StreamExt as _;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;
use serde_json::{Value, json};

use crate::client::{Client, PATIENCE, USDT, XBT, rest, start, start_with, watch};

/// This process's threads by name.
fn threads() -> Vec<String> {
    let tasks = std::fs::read_dir("/proc/self/task").expect("a proc file system");
    let names = tasks.flatten().filter_map(|task| std::fs::read_to_string(task.path().join("comm")).ok());
    names.map(|name| name.trim().to_owned()).collect()
}

#[actix_web::test]
async fn a_client_is_told_that_the_exchange_stops() {
    let exchange = start();
    let mut client = Client::connect(&exchange).await;
    let (code, ()) = tokio::join!(
        async {
            let code = client.closed().await;
            drop(client);
            code
        },
        exchange.stop()
    );
    assert_eq!(code, Some(1001));
}

#[test]
fn a_port_that_is_taken_is_said_to_be() {
    let exchange = start();
    let listen = exchange.addr();
    let error = Exchange::start(ExchangeConfig { listen, ..ExchangeConfig::default() }).err().expect("refused");
    assert!(error.to_string().contains(&listen.to_string()), "{error}");
}

#[test]
fn accounts_that_cannot_be_are_refused() {
    let refused = |change: fn(&mut ExchangeConfig)| {
        let accounts = start().accounts().to_vec();
        let mut config = ExchangeConfig { accounts, ..ExchangeConfig::default() };
        change(&mut config);
        Exchange::start(config).err().expect("refused").to_string()
    };
    let error = refused(|config| {
        config.accounts[0].balances = [("XTB".into(), feedtape::exchange::Decimal("1".into()))].into()
    });
    assert!(error.contains("XTB"), "{error}");
    let error = refused(|config| {
        config.accounts[0].balances = [("XBT".into(), feedtape::exchange::Decimal("0.00001".into()))].into();
    });
    assert!(error.contains("0.00001") && error.contains("4 decimal places"), "{error}");
    let error = refused(|config| config.accounts[1].id = config.accounts[0].id);
    assert!(error.contains("user 1 exists already"), "{error}");
    let error = refused(|config| config.listing = ListingChoice::CoinFlex { year: Some(9999) });
    assert!(error.contains("9999"), "{error}");
}

/// A client that trusts a certificate.
fn trusting(certificate: &std::path::Path) -> rustls::ClientConfig {
    let mut roots = rustls::RootCertStore::empty();
    roots.add(CertificateDer::from_pem_file(certificate).expect("PEM")).expect("a certificate");
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let tls = rustls::ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
    let mut tls = tls.expect("versions").with_root_certificates(roots).with_no_client_auth();
    tls.alpn_protocols = vec![b"http/1.1".to_vec()];
    tls
}

#[actix_web::test]
async fn tls_with_a_certificate_of_its_own() {
    let folder = tempfile::tempdir().expect("a folder");
    let certificate = folder.path().join("exchange.pem");
    let exchange = start_with(|config| config.tls = Some(Tls::SelfSigned { certificate: certificate.clone() }));
    assert!(exchange.ws_url().starts_with("wss://") && exchange.rest_url().starts_with("https://"));

    let connector = awc::Connector::new().rustls_0_23(Arc::new(trusting(&certificate)));
    let http = awc::Client::builder().connector(connector).finish();
    let (_, mut framed): (_, actix_codec::Framed<awc::BoxedSocket, Codec>) =
        http.ws(exchange.ws_url()).connect().await.expect("a connection");
    let welcome = actix_rt::time::timeout(PATIENCE, framed.next()).await.expect("in time").expect("a frame");
    assert!(matches!(welcome, Ok(awc::ws::Frame::Text(_))), "{welcome:?}");
    let response = http.get(format!("{}/assets/", exchange.rest_url())).send().await.expect("an answer");
    assert_eq!(response.status().as_u16(), 200);
    let stranger = awc::Client::new().get(format!("{}/assets/", exchange.rest_url())).send().await;
    assert!(stranger.is_err(), "nobody trusts it unasked");
}

#[actix_web::test]
async fn a_certificate_of_its_own_is_good_for_the_hosts_that_clients_have_written_in() {
    let folder = tempfile::tempdir().expect("a folder");
    let certificate = folder.path().join("exchange.pem");
    let exchange = start_with(|config| config.tls = Some(Tls::SelfSigned { certificate: certificate.clone() }));
    let tls = tokio_rustls::TlsConnector::from(Arc::new(trusting(&certificate)));
    let shakes_hands = async |host: &'static str| {
        let stream = tokio::net::TcpStream::connect(exchange.addr()).await.expect("a connection");
        tls.connect(host.try_into().expect("a name"), stream).await.is_ok()
    };
    for host in ["localhost", "api.coinflex.com", "webapi.coinflex.com", "api.coinfloor.co.uk"] {
        assert!(shakes_hands(host).await, "{host}");
    }
    assert!(!shakes_hands("example.com").await);
}

#[actix_web::test]
async fn tls_with_a_certificate_and_a_key_from_files() {
    let folder = tempfile::tempdir().expect("a folder");
    let [certificate, key, other_key] = ["chain.pem", "key.pem", "other.pem"].map(|name| folder.path().join(name));
    let made = rcgen::generate_simple_self_signed(["127.0.0.1".to_owned()]).expect("a certificate");
    std::fs::write(&certificate, made.cert.pem()).expect("written");
    std::fs::write(&key, made.signing_key.serialize_pem()).expect("written");
    std::fs::write(&other_key, rcgen::KeyPair::generate().expect("a key").serialize_pem()).expect("written");
    let files = |certificate: &std::path::Path, key: &std::path::Path| {
        let tls = Some(Tls::Files { certificate: certificate.into(), key: key.into() });
        Exchange::start(ExchangeConfig { tls, ..ExchangeConfig::default() })
    };
    let exchange = files(&certificate, &key).expect("a free port");
    let connector = awc::Connector::new().rustls_0_23(Arc::new(trusting(&certificate)));
    let http = awc::Client::builder().connector(connector).finish();
    let response = http.get(format!("{}/assets/", exchange.rest_url())).send().await.expect("an answer");
    assert_eq!(response.status().as_u16(), 200);

    let said = |certificate, key| files(certificate, key).err().expect("refused").to_string();
    let missing = folder.path().join("missing.pem");
    assert!(said(&missing, &key).contains("missing.pem"));
    assert!(said(&certificate, &certificate).contains("chain.pem: not a PEM file with a private key"));
    assert!(said(&certificate, &other_key).starts_with("certificate and key cannot be used"));
}

#[actix_web::test]
async fn accounts_without_balances_have_nothing_unless_demo_balances_are_wanted() {
    let available = async |wanted| {
        let exchange = start_with(|config| config.demo_balances = wanted);
        let balances = async |account| rest(&exchange, Some(account), "GET", &format!("/balances/{XBT}")).await.1;
        [balances(0).await["available"].clone(), balances(2).await["available"].clone()]
    };
    assert_eq!(available(false).await, [json!(1_000_000), json!(0)]);
    assert_eq!(available(true).await, [json!(1_000_000), json!(10_000_000_000_i64)]);
}

#[actix_web::test]
async fn coinfloors_list_answers_at_the_root_and_tells_plain_balances() {
    let exchange = start_with(|config| {
        config.listing = ListingChoice::Coinfloor;
        config.accounts.iter_mut().for_each(|account| account.balances.clear());
    });
    let (_, markets) = rest(&exchange, None, "GET", "/markets/").await;
    let names: Vec<_> = markets.as_array().expect("a list").iter().map(|market| market["name"].clone()).collect();
    assert_eq!(names, ["XBT:EUR", "XBT:GBP"]);
    let mut client = Client::connect_to(&format!("ws://{}/", exchange.addr())).await;
    let login = client.login(&exchange.accounts()[0]);
    client.expect_ok(login).await;
    let reply = client.expect_ok(json!({"method": "GetBalances"})).await;
    assert_eq!(reply["balances"][0], json!({"asset": XBT, "balance": 0}));
}

#[actix_web::test]
async fn coinfloors_tonces_increase_until_all_orders_are_cancelled() {
    let exchange = start_with(|config| {
        config.listing = ListingChoice::Coinfloor;
        for account in &mut config.accounts {
            account.balances.retain(|asset, _| asset == "XBT");
        }
    });
    let mut client = Client::logged_in(&exchange, 0).await;
    let order = |tonce: i64| json!({"method": "PlaceOrder", "base": XBT, "counter": 64032, "quantity": -1, "price": 100, "tonce": tonce});
    client.expect_ok(order(5)).await;
    client.expect_ok(json!({"method": "CancelOrder", "tonce": 5})).await;
    client.expect_refusal(order(5), 3, "Tonce is out of sequence.").await;
    client.expect_ok(order(6)).await;
    client.expect_ok(json!({"method": "CancelAllOrders"})).await;
    client.expect_ok(order(5)).await;
}

#[actix_web::test]
async fn on_coinflexs_list_nothing_is_at_the_root() {
    let exchange = start();
    let answer = awc::Client::new().ws(format!("ws://{}/", exchange.addr())).connect().await;
    assert!(answer.is_err());
    assert_eq!(rest(&exchange, None, "GET", "/").await.0, 404);
}

/// The JavaScript client keeps alive by a command without a method, and numbers its tags from 1.
#[actix_web::test]
async fn a_tag_without_a_method_keeps_the_connection_alive() {
    let exchange = start();
    let mut client = Client::connect(&exchange).await;
    for tag in 1..=3 {
        client.send_text(&format!("{{\"tag\":{tag}}}")).await;
        let reply = client.message().await;
        assert_eq!((&reply["tag"], &reply["error_code"]), (&json!(tag), &json!(8)));
    }
    client.expect_ok(watch("WatchOrders", true)).await;
}

/// Clients send their fields in any order, some with nulls for what they leave out, and pings while idle.
#[actix_web::test]
async fn old_clients_habits_work() {
    let exchange = start();
    let mut client = Client::logged_in(&exchange, 0).await;
    client.send(awc::ws::Message::Ping("".into())).await;
    let order = json!({"price": 100_000_000, "quantity": 10_000, "counter": USDT, "base": XBT, "tonce": null,
        "total": null, "persist": null, "post_only": null, "method": "PlaceOrder"});
    let opened = client.expect_ok(order).await;
    let cancelled = client.expect_ok(json!({"id": opened["id"], "tonce": null, "method": "CancelOrder"})).await;
    assert_eq!(cancelled["tonce"], Value::Null);
    // A user number may be sent with all its 64 bits or, by clients that know no more, with the low 32: it is the same
    // for every user there is.
    assert!(exchange.accounts().iter().all(|account| account.id.0 <= u64::from(u32::MAX)));
}

#[test]
fn nothing_is_left_running() {
    // Its own process, as other tests have exchanges at the same time.
    if std::env::var_os("FEEDTAPE_ALONE").is_none() {
        let status = std::process::Command::new(std::env::current_exe().expect("this test"))
            .args(["--exact", "lifecycle::nothing_is_left_running", "--test-threads=1"])
            .env("FEEDTAPE_ALONE", "1")
            .status()
            .expect("a process");
        assert!(status.success());
        return;
    }
    let before = threads().len();
    let exchange = start_with(|config| {
        config.traders = Some(Default::default());
        config.faults = feedtape::exchange::Faults::new().always(5, feedtape::exchange::Action::UnknownNotice);
    });
    assert!(threads().len() > before);
    actix_rt::System::new().block_on(async {
        let _client = Client::connect(&exchange).await;
        exchange.stop().await;
    });
    let deadline = std::time::Instant::now() + PATIENCE;
    while threads().len() > before {
        assert!(std::time::Instant::now() < deadline, "still there: {:?}", threads());
        std::thread::yield_now();
    }
}
