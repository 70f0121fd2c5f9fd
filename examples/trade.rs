//! Trades on a CoinFLEX v1 exchange: logs in, lists, watches, places, modifies, cancels, reads balances.
//!
//! ```text
//! feedtape exchange --no-traders        # prints the URLs and accounts
//! COINFLEX_COOKIE=… COINFLEX_PASSPHRASE=… cargo run --example trade ws://127.0.0.1:8080/v1 http://127.0.0.1:8080 1
//! ```

use std::error::Error;

use actix_codec::Framed;
use awc::ws::{Codec, Frame, Message};
use awc::{BoxedSocket, Client as Http};
use feedtape::crypto::{Challenge, Nonce, OsRandomness, Randomness as _, SigningKey};
use feedtape::model::UserId;
use feedtape::venue::coinflex::wire::{
    Authenticate, Balances, Book, CancelOrder, Command, Done, Failure, ModifyOrder, Notice, Opened, Orders, OwnOrder,
    PlaceOrder, Reply, Request, RestAsset, RestMarket, Ticker, Watch,
};
use futures_util::{SinkExt as _, StreamExt as _};
use serde::de::DeserializeOwned;

type Anything = Box<dyn Error>;

/// A connection that keeps replies and notices apart.
struct Client {
    socket: Framed<BoxedSocket, Codec>,
    tag: i64,
}

impl Client {
    async fn connect(url: &str) -> Result<(Self, Nonce), Anything> {
        let (_, socket) =
            Http::new().ws(url).max_frame_size(16 << 20).connect().await.map_err(|error| error.to_string())?;
        let mut client = Self { socket, tag: 0 };
        match serde_json::from_str(&client.text().await?)? {
            Notice::Welcome(welcome) => Ok((client, Nonce::from_base64(&welcome.nonce)?)),
            other => Err(format!("not a greeting: {other:?}").into()),
        }
    }

    /// The next text message.
    async fn text(&mut self) -> Result<String, Anything> {
        loop {
            match self.socket.next().await.ok_or("the exchange hung up")?? {
                Frame::Text(text) => return Ok(String::from_utf8(text.to_vec())?),
                Frame::Ping(payload) => self.socket.send(Message::Pong(payload)).await?,
                _ => {}
            }
        }
    }

    /// Sends a command and returns its reply; notices that come before it are printed.
    async fn ask<T: DeserializeOwned>(&mut self, command: Command) -> Result<T, Anything> {
        self.tag += 1;
        let method = command.method();
        self.socket.send(Message::Text(Request::tagged(self.tag, command).to_json().into())).await?;
        loop {
            let text = self.text().await?;
            if let Ok(notice) = serde_json::from_str::<Notice>(&text) {
                println!("  notice {notice:?}");
            } else if let Ok(refused) = serde_json::from_str::<Reply<Failure>>(&text) {
                return Err(format!("{method}: {}", refused.body.error_msg).into());
            } else {
                return Ok(serde_json::from_str::<Reply<T>>(&text)?.body);
            }
        }
    }
}

async fn get<T: DeserializeOwned>(url: String) -> Result<T, Anything> {
    let mut response = Http::new().get(url).send().await.map_err(|error| error.to_string())?;
    Ok(serde_json::from_slice(&response.body().await?)?)
}

#[actix_web::main]
async fn main() -> Result<(), Anything> {
    let [ws_url, rest_url, user] =
        std::env::args().skip(1).collect::<Vec<_>>().try_into().map_err(|_| "usage: trade WS_URL REST_URL USER")?;
    let user = UserId(user.parse()?);
    let assets: Vec<RestAsset> = get(format!("{rest_url}/assets/")).await?;
    let markets: Vec<RestMarket> = get(format!("{rest_url}/markets/")).await?;
    println!("markets: {}", markets.iter().map(|market| market.name.as_str()).collect::<Vec<_>>().join(", "));
    let market = markets.first().ok_or("no market is open")?;
    let (base, counter) = (market.base, market.counter);

    let (mut client, server_nonce) = Client::connect(&ws_url).await?;
    let key = SigningKey::derive(user, &std::env::var("COINFLEX_PASSPHRASE")?);
    let client_nonce = OsRandomness.nonce();
    let signature = key.sign(&Challenge { user_id: user, server_nonce, client_nonce }).to_base64();
    let cookie = std::env::var("COINFLEX_COOKIE")?;
    let login = Authenticate { user_id: user, cookie, nonce: client_nonce.to_base64(), signature };
    client.ask::<Done>(Command::Authenticate(login)).await?;

    let watch = Watch { base, counter, watch: true };
    let book: Book = client.ask(Command::WatchOrders(watch.clone())).await?;
    println!("orders in the book: {}", book.orders.len());
    let ticker: Ticker = client.ask(Command::WatchTicker(watch)).await?;
    println!("last price: {:?}", ticker.last);

    // A bid far below the market: it rests.
    let bid = PlaceOrder {
        tonce: Some(1),
        base,
        counter,
        quantity: Some(10_000),
        price: Some(market.tick * 10),
        total: None,
        persist: None,
        post_only: None,
    };
    let order: Opened = client.ask(Command::PlaceOrder(bid)).await?;
    println!("placed: {}", order.id);
    let less =
        ModifyOrder { id: Some(order.id), tonce: None, quantity_delta: Some(-5_000), price: None, post_only: None };
    let changed: OwnOrder = client.ask(Command::ModifyOrder(less)).await?;
    println!("left of it: {}", changed.quantity);
    let open: Orders = client.ask(Command::GetOrders).await?;
    println!("open orders: {}", open.orders.len());
    client.ask::<OwnOrder>(Command::CancelOrder(CancelOrder { id: None, tonce: Some(1) })).await?;

    let balances: Balances = client.ask(Command::GetBalances).await?;
    for balance in balances.balances.iter().filter(|balance| [base, counter].contains(&balance.asset)) {
        let name = assets.iter().find(|asset| asset.id == balance.asset).map_or("?", |asset| asset.name.as_str());
        println!("{name} {}", balance.balance);
    }
    Ok(())
}
