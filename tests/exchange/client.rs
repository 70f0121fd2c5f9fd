//! A client of the exchange for tests: sends what it is told, and keeps replies and notices apart.

use std::collections::VecDeque;
use std::time::Duration;

use awc::ws::{Codec, Frame, Message};
use awc::{BoxedSocket, Client as HttpClient};
use bytes::Bytes;
use feedtape::crypto::{Challenge, Nonce, Secret, SigningKey};
use feedtape::exchange::{Account, Decimal, Exchange, ExchangeConfig, Limits, Rate, Running};
use feedtape::model::UserId;
use futures_util::{SinkExt as _, StreamExt as _};
use serde_json::{Value, json};

/// How long anything may take before the test fails.
pub const PATIENCE: Duration = Duration::from_secs(20);

pub const XBT: i64 = 63488;
pub const ETH: i64 = 63520;
pub const USDT: i64 = 65283;

/// An exchange with three users, of whom the third has nothing, and nobody who trades by itself.
pub fn start() -> Running {
    start_with(|_| {})
}

pub fn start_with(change: impl FnOnce(&mut ExchangeConfig)) -> Running {
    let account = |id: u64, balances: &[(&str, &str)]| Account {
        id: UserId(id),
        cookie: Secret::new(format!("cookie of {id}")),
        passphrase: Secret::new(format!("passphrase of {id}")),
        balances: balances.iter().map(|(asset, amount)| (asset.to_string(), Decimal(amount.to_string()))).collect(),
    };
    let rich = [("XBT", "100"), ("ETH", "1000"), ("USDT", "2000000")];
    let mut config = ExchangeConfig {
        accounts: vec![account(1, &rich), account(2, &rich), account(3, &[])],
        limits: Limits {
            orders: Rate::per_seconds(1_000_000, 1),
            information: Rate::per_seconds(1_000_000, 1),
            ..Limits::default()
        },
        ..ExchangeConfig::default()
    };
    change(&mut config);
    Exchange::start(config).expect("a free port")
}

/// `PlaceOrder` with a price on XBT:USDT.
pub fn limit(quantity: i64, price: i64) -> Value {
    json!({"method": "PlaceOrder", "base": XBT, "counter": USDT, "quantity": quantity, "price": price})
}

/// `WatchOrders` or `WatchTicker` on XBT:USDT.
pub fn watch(method: &str, watch: bool) -> Value {
    json!({"method": method, "base": XBT, "counter": USDT, "watch": watch})
}

/// One object with the fields of both.
pub fn with(mut object: Value, more: Value) -> Value {
    let Value::Object(more) = more else { panic!("not an object: {more}") };
    object.as_object_mut().expect("an object").extend(more);
    object
}

pub struct Client {
    framed: actix_codec::Framed<BoxedSocket, Codec>,
    pub server_nonce: Nonce,
    notices: VecDeque<Value>,
    last_tag: i64,
}

impl Client {
    /// Connects and takes the greeting.
    pub async fn connect(exchange: &Running) -> Self {
        Self::connect_to(&exchange.ws_url()).await
    }

    pub async fn connect_to(url: &str) -> Self {
        let mut client = Self::open(url).await;
        let welcome = client.message().await;
        assert_eq!(welcome["notice"], "Welcome");
        let nonce = welcome["nonce"].as_str().expect("a nonce");
        client.server_nonce = Nonce::from_base64(nonce).expect("16 bytes");
        client
    }

    /// Connects, and leaves the greeting to be read.
    pub async fn open(url: &str) -> Self {
        let connecting = HttpClient::new().ws(url).max_frame_size(64 * 1024 * 1024).connect();
        let (response, framed) = connecting.await.expect("the exchange answers the upgrade");
        assert_eq!(response.status().as_u16(), 101);
        Self { framed, server_nonce: Nonce([0; 16]), notices: VecDeque::new(), last_tag: 0 }
    }

    /// Connects and logs in.
    pub async fn logged_in(exchange: &Running, account: usize) -> Self {
        let mut client = Self::connect(exchange).await;
        let login = client.login(&exchange.accounts()[account]);
        client.expect_ok(login).await;
        client
    }

    /// The login command of an account on this connection.
    pub fn login(&self, account: &Account) -> Value {
        let key = SigningKey::derive(account.id, account.passphrase.expose());
        let client_nonce = Nonce([7; 16]);
        let challenge = Challenge { user_id: account.id, server_nonce: self.server_nonce, client_nonce };
        json!({
            "method": "Authenticate",
            "user_id": account.id,
            "cookie": account.cookie.expose(),
            "nonce": client_nonce.to_base64(),
            "signature": key.sign(&challenge).to_base64(),
        })
    }

    pub async fn send_text(&mut self, text: &str) {
        self.send(Message::Text(text.to_owned().into())).await;
    }

    pub async fn send(&mut self, message: Message) {
        self.framed.send(message).await.expect("the connection is open");
    }

    /// The next frame of any kind; `None` at the end of the connection.
    pub async fn frame(&mut self) -> Option<Frame> {
        let next = actix_rt::time::timeout(PATIENCE, self.framed.next());
        next.await.expect("the exchange says something in time").and_then(Result::ok)
    }

    /// The next text message; pings and pongs are passed over.
    pub async fn message(&mut self) -> Value {
        loop {
            match self.frame().await {
                Some(Frame::Text(text)) => return serde_json::from_slice(&text).expect("JSON"),
                Some(Frame::Ping(_) | Frame::Pong(_)) => {}
                other => panic!("not a text message: {other:?}"),
            }
        }
    }

    /// Sends a command with a tag of its own, and returns its reply without the tag. Notices wait in their queue.
    pub async fn ask(&mut self, mut command: Value) -> Value {
        self.last_tag += 1;
        let tag = self.last_tag;
        command["tag"] = tag.into();
        self.send_text(&command.to_string()).await;
        loop {
            let mut message = self.message().await;
            if message.get("notice").is_some() {
                self.notices.push_back(message);
                continue;
            }
            assert_eq!(message["tag"], tag, "{message}");
            message.as_object_mut().expect("an object").remove("tag");
            return message;
        }
    }

    /// The reply to a command that must succeed, without `error_code`.
    pub async fn expect_ok(&mut self, command: Value) -> Value {
        let mut reply = self.ask(command.clone()).await;
        let code = reply.as_object_mut().expect("an object").remove("error_code");
        assert_eq!(code, Some(0.into()), "{command} was answered with {reply}");
        reply
    }

    /// A command that must be refused like this.
    #[track_caller]
    pub fn expect_refusal(&mut self, command: Value, code: i64, message: &str) -> impl Future<Output = ()> + use<'_> {
        let expected = json!({"error_code": code, "error_msg": message});
        let caller = std::panic::Location::caller();
        async move {
            let reply = self.ask(command.clone()).await;
            assert_eq!(reply, expected, "{command} at {caller}");
        }
    }

    /// The next notice.
    pub async fn notice(&mut self) -> Value {
        match self.notices.pop_front() {
            Some(notice) => notice,
            None => {
                let message = self.message().await;
                assert!(message.get("notice").is_some(), "not a notice: {message}");
                message
            }
        }
    }

    /// All notices that the exchange has sent before now.
    pub async fn notices(&mut self) -> Vec<Value> {
        self.ask(json!({})).await;
        self.notices.drain(..).collect()
    }

    /// Reads until the exchange closes, and returns the code of its Close frame.
    pub async fn closed(&mut self) -> Option<u16> {
        let mut code = None;
        while let Some(frame) = self.frame().await {
            if let Frame::Close(reason) = frame {
                code = reason.map(|reason| u16::from(reason.code));
            }
        }
        code
    }

    pub async fn raw(&mut self, bytes: &[u8]) {
        use tokio::io::AsyncWriteExt as _;
        let io = self.framed.io_mut();
        io.write_all(bytes).await.expect("the connection is open");
        io.flush().await.expect("the connection is open");
    }
}

/// A GET (or other) request of an account, with status and body.
pub async fn rest(exchange: &Running, account: Option<usize>, method: &str, path: &str) -> (u16, Value) {
    let (status, body) = rest_bytes(exchange, account, method, path).await;
    let body = if body.is_empty() { Value::Null } else { serde_json::from_slice(&body).expect("JSON") };
    (status, body)
}

pub async fn rest_bytes(exchange: &Running, account: Option<usize>, method: &str, path: &str) -> (u16, Bytes) {
    let method = method.parse().expect("a method");
    let mut request = HttpClient::new().request(method, format!("{}{path}", exchange.rest_url()));
    if let Some(account) = account.map(|account| &exchange.accounts()[account]) {
        let user = format!("{}/{}", account.id, account.cookie.expose());
        request = request.basic_auth(user, account.passphrase.expose());
    }
    let mut response = request.send().await.expect("the exchange answers");
    let body = response.body().limit(64 * 1024 * 1024).await.expect("a body");
    (response.status().as_u16(), body)
}
