//! How many notices per second the exchange fans out over real sockets, to one watcher and to a hundred.
//!
//! `cargo bench --bench fanout`; elements are notices received. A thousand orders are cancelled by one command, so that
//! what is timed is telling the watchers and little else.

use std::time::{Duration, Instant};

use bytes::{Buf as _, BytesMut};
use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use feedtape::crypto::{Challenge, Nonce, SigningKey};
use feedtape::exchange::{Exchange, ExchangeConfig, Limits, Rate, Running};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::runtime::Builder;

/// Orders cancelled at once: as many as a user may have.
const ORDERS: usize = 1_000;

/// A WebSocket client that does no more than it must.
struct Client {
    stream: TcpStream,
    buffer: BytesMut,
}

impl Client {
    async fn connect(exchange: &Running) -> (Self, Nonce) {
        let mut stream = TcpStream::connect(exchange.addr()).await.expect("it listens");
        stream.set_nodelay(true).expect("a socket");
        let request = "GET /v1 HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
                       Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n";
        stream.write_all(request.as_bytes()).await.expect("it reads");
        let mut client = Self { stream, buffer: BytesMut::new() };
        let end = loop {
            client.read().await;
            if let Some(end) = client.buffer.windows(4).position(|end| end == b"\r\n\r\n") {
                break end + 4;
            }
        };
        client.buffer.advance(end);
        let welcome: Value = serde_json::from_slice(&client.message().await).expect("JSON");
        let nonce = welcome["nonce"].as_str().and_then(|nonce| Nonce::from_base64(nonce).ok());
        (client, nonce.expect("a nonce"))
    }

    async fn read(&mut self) {
        self.buffer.reserve(256 * 1024);
        assert_ne!(self.stream.read_buf(&mut self.buffer).await.expect("the connection is open"), 0);
    }

    /// Length of head and payload of the frame at the start of what has been read.
    fn frame(&self) -> Option<(usize, usize)> {
        let (&[_, second], rest) = self.buffer.split_first_chunk()?;
        let (head, payload) = match second {
            126 => (4, usize::from(u16::from_be_bytes(*rest.first_chunk()?))),
            127 => (10, usize::try_from(u64::from_be_bytes(*rest.first_chunk()?)).ok()?),
            short => (2, usize::from(short)),
        };
        (self.buffer.len() >= head + payload).then_some((head, payload))
    }

    async fn message(&mut self) -> BytesMut {
        loop {
            if let Some((head, payload)) = self.frame() {
                self.buffer.advance(head);
                return self.buffer.split_to(payload);
            }
            self.read().await;
        }
    }

    /// Reads so many messages and looks into none.
    async fn skip(&mut self, messages: usize) {
        for _ in 0..messages {
            self.message().await;
        }
    }

    async fn send(&mut self, command: &Value) {
        let payload = command.to_string();
        let length = u16::try_from(payload.len()).expect("a short command");
        // Masked, as clients must, with a key of zeros.
        let mut frame = vec![0x81, 0x80 | 126];
        frame.extend(length.to_be_bytes());
        frame.extend([0; 4]);
        frame.extend(payload.as_bytes());
        self.stream.write_all(&frame).await.expect("it reads");
    }
}

/// An exchange with a trader who is logged in, and watchers.
struct Hall {
    exchange: Running,
    trader: Client,
    watchers: Vec<Client>,
}

impl Hall {
    async fn open(watchers: usize) -> Self {
        let limits = Limits { orders: Rate::per_seconds(1_000_000, 1), ..Limits::default() };
        let exchange = Exchange::start(ExchangeConfig { limits, ..ExchangeConfig::default() }).expect("a free port");
        let (mut trader, server_nonce) = Client::connect(&exchange).await;
        let account = &exchange.accounts()[0];
        let key = SigningKey::derive(account.id, account.passphrase.expose());
        let client_nonce = Nonce([0; 16]);
        let signature = key.sign(&Challenge { user_id: account.id, server_nonce, client_nonce }).to_base64();
        let login = json!({"method": "Authenticate", "user_id": account.id, "cookie": account.cookie.expose(),
            "nonce": client_nonce.to_base64(), "signature": signature});
        trader.send(&login).await;
        trader.skip(1).await;
        let mut hall = Self { exchange, trader, watchers: Vec::new() };
        for _ in 0..watchers {
            let (mut watcher, _) = Client::connect(&hall.exchange).await;
            watcher.send(&json!({"method": "WatchOrders", "base": 63488, "counter": 65283, "watch": true})).await;
            watcher.skip(1).await;
            hall.watchers.push(watcher);
        }
        hall
    }

    /// Opens orders and, timed, cancels them all.
    async fn round(&mut self) -> Duration {
        let order = json!({"method": "PlaceOrder", "base": 63488, "counter": 65283, "quantity": 1, "price": 10_000});
        for _ in 0..ORDERS {
            self.trader.send(&order).await;
            // Reply, balance, order.
            self.trader.skip(3).await;
        }
        self.all_receive().await;
        let start = Instant::now();
        self.trader.send(&json!({"method": "CancelAllOrders"})).await;
        self.all_receive().await;
        let elapsed = start.elapsed();
        // Reply, then a close and a balance for each.
        self.trader.skip(1 + 2 * ORDERS).await;
        elapsed
    }

    /// Waits until every watcher has received a notice of every order.
    async fn all_receive(&mut self) {
        for watcher in &mut self.watchers {
            watcher.skip(ORDERS).await;
        }
    }
}

fn fanout(criterion: &mut Criterion) {
    let runtime = Builder::new_current_thread().enable_all().build().expect("a runtime");
    let mut group = criterion.benchmark_group("fanout");
    group.sample_size(10);
    for watchers in [1, 100] {
        group.throughput(Throughput::Elements((ORDERS * watchers) as u64));
        let mut hall = runtime.block_on(Hall::open(watchers));
        group.bench_function(BenchmarkId::from_parameter(watchers), |bencher| {
            bencher.iter_custom(|rounds| {
                runtime.block_on(async {
                    let mut total = Duration::ZERO;
                    for _ in 0..rounds {
                        total += hall.round().await;
                    }
                    total
                })
            });
        });
        assert_eq!(hall.exchange.counts().slow_clients, 0);
    }
    group.finish();
}

criterion_group!(benches, fanout);
criterion_main!(benches);
