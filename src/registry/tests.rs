use std::sync::{Arc, Mutex};
use std::time::Duration;

use actix::{Actor, Addr, Context, Handler};
use actix_web::dev::ServerHandle;
use actix_web::{App, HttpResponse, HttpServer, web};
use tokio::sync::mpsc;

use super::*;
use crate::clock::Clock;
use crate::connection::rest::BODY_BYTES_MAX;
use crate::model::{CatalogOrigin, Timestamp};
use crate::venue;

const ASSETS: &str = r#"[{"id":1,"name":"A","scale":10000},{"id":2,"name":"B","scale":10000}]"#;
const ONE_MARKET: &str = r#"[{"base":1,"counter":2,"tick":1}]"#;
const TWO_MARKETS: &str = r#"[{"base":1,"counter":2,"tick":1},{"base":2,"counter":1,"tick":1}]"#;

/// What the server says to `markets/`.
#[derive(Clone)]
enum Says {
    Body(&'static str),
    Status(u16),
    Nothing,
    TooMuch,
}

/// A REST server on a port of its own.
struct Server {
    /// What it says, and how often it was asked.
    says: Arc<Mutex<(Says, usize)>>,
    url: url::Url,
    handle: ServerHandle,
}

impl Server {
    fn start(says: Says) -> Self {
        let says = Arc::new(Mutex::new((says, 0)));
        let state = says.clone();
        let server = HttpServer::new(move || {
            App::new()
                .app_data(web::Data::from(state.clone()))
                .route("/assets/", web::get().to(|| async { HttpResponse::Ok().body(ASSETS) }))
                .route("/markets/", web::get().to(markets))
        })
        .workers(1)
        .disable_signals()
        .shutdown_timeout(0)
        .bind("127.0.0.1:0")
        .unwrap();
        let url = format!("http://{}/", server.addrs()[0]).parse().unwrap();
        let server = server.run();
        let handle = server.handle();
        actix_rt::spawn(server);
        Self { says, url, handle }
    }

    fn say(&self, says: Says) {
        self.says.lock().unwrap().0 = says;
    }

    /// Says it, and has the registry hear it at least once.
    async fn say_to(&self, registry: &Addr<Registry>, says: Says) {
        self.say(says);
        let asked = self.says.lock().unwrap().1;
        while self.says.lock().unwrap().1 < asked + 2 {
            registry.send(Refresh).await.unwrap();
            actix_rt::task::yield_now().await;
        }
    }
}

async fn markets(state: web::Data<Mutex<(Says, usize)>>) -> HttpResponse {
    let says = {
        let mut state = state.lock().unwrap();
        state.1 += 1;
        state.0.clone()
    };
    match says {
        Says::Body(body) => HttpResponse::Ok().body(body),
        Says::Status(status) => HttpResponse::build(actix_web::http::StatusCode::from_u16(status).unwrap()).finish(),
        Says::Nothing => std::future::pending().await,
        Says::TooMuch => HttpResponse::Ok().streaming(futures_util::stream::repeat_with(|| {
            Ok::<_, std::convert::Infallible>(bytes::Bytes::from_static(&[b' '; 65536]))
        })),
    }
}

struct Listener(mpsc::UnboundedSender<Arc<Catalog>>);

impl Actor for Listener {
    type Context = Context<Self>;
}

impl Handler<CatalogChanged> for Listener {
    type Result = ();

    fn handle(&mut self, CatalogChanged(catalog): CatalogChanged, _: &mut Self::Context) {
        self.0.send(catalog).unwrap();
    }
}

fn settings(url: Option<&url::Url>, timeout: Duration, fallback: Option<Catalog>) -> Settings {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let tls = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(rustls::RootCertStore::empty())
        .with_no_client_auth();
    Settings {
        source: "test".to_owned(),
        venue: venue::by_name("coinflex").unwrap(),
        rest: url.map(|url| Rest::new(url.clone(), Arc::new(tls), timeout)),
        clock: Clock::start(),
        refresh: Duration::from_millis(20),
        fallback,
    }
}

const LONG: Duration = Duration::from_secs(20);

fn stored() -> Catalog {
    let coinflex = venue::by_name("coinflex").unwrap();
    let catalog = coinflex.catalog(&[ASSETS.as_bytes(), ONE_MARKET.as_bytes()], Timestamp(1)).unwrap();
    Catalog { origin: CatalogOrigin::Stored, ..catalog }
}

async fn listen(registry: &Addr<Registry>) -> mpsc::UnboundedReceiver<Arc<Catalog>> {
    let (sender, receiver) = mpsc::unbounded_channel();
    registry.send(Subscribe(Listener(sender).start().recipient())).await.unwrap();
    receiver
}

async fn stop(registry: Addr<Registry>) {
    registry.send(Stop).await.unwrap().unwrap();
    while registry.connected() {
        actix_rt::task::yield_now().await;
    }
}

#[actix::test]
async fn the_venues_own_list_comes_first_and_subscribers_get_it_at_once() {
    let server = Server::start(Says::Body(ONE_MARKET));
    let registry = Registry::new(settings(Some(&server.url), LONG, Some(stored()))).start();
    let first = registry.send(Ready).await.unwrap().unwrap();
    assert_eq!(first.origin, CatalogOrigin::Exchange);
    assert!(first.valid_from > Timestamp(1));
    assert!(first.market("A:B").is_some());
    let mut catalogs = listen(&registry).await;
    assert_eq!(catalogs.recv().await.unwrap(), first);
    assert_eq!(registry.send(Ready).await.unwrap().unwrap(), first, "asked again, the answer is there");
    stop(registry).await;
    server.handle.stop(false).await;
}

#[actix::test]
async fn a_changed_list_is_published_and_an_unchanged_one_is_not() {
    let server = Server::start(Says::Body(ONE_MARKET));
    let registry = Registry::new(settings(Some(&server.url), LONG, None)).start();
    let first = registry.send(Ready).await.unwrap().unwrap();
    let mut catalogs = listen(&registry).await;
    assert_eq!(catalogs.recv().await.unwrap(), first);
    for says in [Says::Status(503), Says::Body("[]"), Says::Body("{"), Says::Body(ONE_MARKET)] {
        server.say_to(&registry, says).await;
    }
    assert!(catalogs.try_recv().is_err(), "nothing else was said, or nothing of use");
    server.say(Says::Body(TWO_MARKETS));
    let second = catalogs.recv().await.unwrap();
    assert_eq!((second.markets.len(), second.origin), (2, CatalogOrigin::Exchange));
    assert!(second.valid_from > first.valid_from);
    let other_until = second.other_until.unwrap();
    assert!(first.valid_from < other_until && other_until < second.valid_from, "when the first was last said");
    stop(registry).await;
    server.handle.stop(false).await;
}

#[actix::test]
async fn the_stored_list_serves_until_the_venue_answers() {
    for says in [Says::Status(503), Says::Nothing, Says::TooMuch, Says::Body("<html>"), Says::Body("[]")] {
        let server = Server::start(says);
        let is_silent = matches!(server.says.lock().unwrap().0, Says::Nothing);
        let timeout = if is_silent { Duration::from_millis(50) } else { LONG };
        let registry = Registry::new(settings(Some(&server.url), timeout, Some(stored()))).start();
        let first = registry.send(Ready).await.unwrap().unwrap();
        assert_eq!(*first, stored());
        let mut catalogs = listen(&registry).await;
        assert_eq!(catalogs.recv().await.unwrap(), first);
        server.say(Says::Body(TWO_MARKETS));
        let second = catalogs.recv().await.unwrap();
        assert_eq!((second.markets.len(), second.origin), (2, CatalogOrigin::Exchange));
        stop(registry).await;
        server.handle.stop(false).await;
    }
}

#[actix::test]
async fn without_any_list_there_is_none_until_the_venue_answers() {
    let server = Server::start(Says::Status(404));
    let registry = Registry::new(settings(Some(&server.url), LONG, None)).start();
    assert!(registry.send(Ready).await.unwrap().is_none());
    let mut catalogs = listen(&registry).await;
    server.say(Says::Body(ONE_MARKET));
    assert_eq!(catalogs.recv().await.unwrap().markets.len(), 1);
    stop(registry).await;
    server.handle.stop(false).await;
}

#[actix::test]
async fn a_source_without_a_rest_url_has_the_list_it_was_given() {
    let registry = Registry::new(settings(None, LONG, Some(stored()))).start();
    assert_eq!(*registry.send(Ready).await.unwrap().unwrap(), stored());
    registry.send(Refresh).await.unwrap();
    stop(registry).await;
}

#[actix::test]
async fn a_stop_does_not_wait_for_a_venue_that_does_not_answer() {
    let server = Server::start(Says::Nothing);
    let registry = Registry::new(settings(Some(&server.url), LONG, None)).start();
    let ready = registry.send(Ready);
    stop(registry).await;
    assert!(ready.await.is_ok_and(|catalog| catalog.is_none()));
    server.handle.stop(false).await;
}

#[actix::test]
async fn a_load_says_what_was_asked_for_and_what_came() {
    let server = Server::start(Says::Nothing);
    let coinflex = venue::by_name("coinflex").unwrap();
    let mut said = Vec::new();
    for (says, timeout) in [
        (Says::Status(302), LONG),
        (Says::Nothing, Duration::from_millis(50)),
        (Says::TooMuch, LONG),
        (Says::Body("5"), LONG),
        (Says::Body("[]"), LONG),
    ] {
        server.say(says);
        let rest = settings(Some(&server.url), timeout, None).rest.unwrap();
        said.push(load(coinflex, &rest, Clock::start()).await.unwrap_err().to_string());
    }
    assert_eq!(
        said,
        [
            "markets/: answered with status 302".to_owned(),
            "markets/: no whole answer within 50ms".to_owned(),
            format!("markets/: an answer of more than {BODY_BYTES_MAX} bytes"),
            "markets/: not a list".to_owned(),
            "the answer lists no markets".to_owned(),
        ]
    );
    server.handle.stop(false).await;
    let rest = settings(Some(&server.url), LONG, None).rest.unwrap();
    let down = load(coinflex, &rest, Clock::start()).await.unwrap_err().to_string();
    assert!(down.starts_with("assets/: 127.0.0.1:") && down.contains("refused"), "{down}");
}
