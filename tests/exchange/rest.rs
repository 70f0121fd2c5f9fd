//! The REST API.

use awc::Client as HttpClient;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use feedtape::exchange::{ListingChoice, Running};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha224};

use crate::client::{Client, ETH, USDT, XBT, limit, rest, rest_bytes, start, start_with};

async fn get(exchange: &Running, path: &str) -> (u16, Value) {
    rest(exchange, Some(0), "GET", path).await
}

/// `POST /orders/`, with status, `Location` and body.
async fn post(exchange: &Running, account: usize, form: &str) -> (u16, Option<String>, Value) {
    let account = &exchange.accounts()[account];
    let request = HttpClient::new()
        .post(format!("{}/orders/", exchange.rest_url()))
        .basic_auth(format!("{}/{}", account.id, account.cookie.expose()), account.passphrase.expose())
        .content_type("application/x-www-form-urlencoded");
    let mut response = request.send_body(form.to_owned()).await.expect("an answer");
    let location = response.headers().get("Location").map(|location| location.to_str().expect("ASCII").to_owned());
    let body = response.body().await.expect("a body");
    let body = if body.is_empty() { Value::Null } else { serde_json::from_slice(&body).expect("JSON") };
    (response.status().as_u16(), location, body)
}

#[actix_web::test]
async fn assets_and_markets_are_the_listed_ones_without_what_has_expired() {
    let exchange = start_with(|config| config.listing = ListingChoice::CoinFlex { year: Some(2019) });
    let (status, assets) = get(&exchange, "/assets/").await;
    let names = |list: &Value| {
        let names = list.as_array().expect("a list").iter().map(|item| item["name"].as_str().expect("a name"));
        names.map(str::to_owned).collect::<Vec<_>>()
    };
    assert_eq!((status, names(&assets).len()), (200, 12), "all futures of 2019 have expired");
    assert_eq!(assets[0], json!({"id": XBT, "name": "XBT", "scale": 10_000}));
    let (_, all) = get(&exchange, "/assets/?activeOnly=false").await;
    let january = json!({"id": 51200, "spot_id": XBT, "spot_name": "XBT", "name": "XBTJAN", "scale": 10_000});
    assert!(all.as_array().expect("a list").contains(&january), "{all}");

    let (_, markets) = get(&exchange, "/markets/").await;
    assert_eq!(markets[0], json!({"base": XBT, "counter": USDT, "name": "XBT:USDT", "tick": 10_000}));
    assert_eq!(names(&markets).len(), 8);
    let (_, all) = get(&exchange, "/markets/?activeOnly=false").await;
    let march = all.as_array().expect("a list").iter().find(|market| market["name"] == "XBTMAR:USDTMAR");
    let march = march.expect("listed");
    assert_eq!(march["expires"], 1_553_860_800_000_i64, "noon of the last Friday, 2019-03-29");
    assert_eq!((march["tenor"].as_str(), march["spot_name"].as_str()), (Some("H"), Some("XBT:USDT")));
    assert_eq!(rest_bytes(&exchange, None, "GET", "/assets/?activeOnly=perhaps").await.0, 400);
}

#[actix_web::test]
async fn tickers_and_depth() {
    let exchange = start();
    let mut seller = Client::logged_in(&exchange, 0).await;
    for price in 1..=25 {
        seller.expect_ok(limit(-1_000, price * 10_000)).await;
        seller.expect_ok(limit(-500, price * 10_000)).await;
    }
    Client::logged_in(&exchange, 1).await.expect_ok(limit(1_000, 10_000)).await;
    let (status, ticker) = get(&exchange, "/tickers/63488:65283").await;
    let expected = json!({"base": XBT, "counter": USDT, "name": "XBT:USDT", "last": 10_000, "bid": null,
        "ask": 10_000, "low": 10_000, "high": 10_000, "volume": 1_000, "time": ticker["time"]});
    assert_eq!((status, &ticker), (200, &expected));
    let (_, all) = get(&exchange, "/tickers/").await;
    assert_eq!((&all[0]["name"], &all[0]["volume"]), (&ticker["name"], &ticker["volume"]));

    let (_, depth) = get(&exchange, "/depth/63488:65283").await;
    let asks = depth["asks"].as_array().expect("a list");
    assert_eq!((&depth["bids"], asks.len()), (&json!([]), 20));
    assert_eq!((&asks[0], &asks[19]), (&json!([10_000, 500]), &json!([200_000, 1_500])));
    for path in
        ["/tickers/63488:63520", "/tickers/63488", "/tickers/x:y", "/depth/1:2", "/nothing/", "/borrower/loans/"]
    {
        assert_eq!(get(&exchange, path).await.0, 404, "{path}");
    }
}

#[actix_web::test]
async fn private_paths_want_credentials() {
    let exchange = start();
    let account = &exchange.accounts()[0];
    let paths = [
        "/balances/",
        "/balances/63488",
        "/orders/",
        "/orders/1",
        "/positions/",
        "/trades/",
        "/trades/1",
        "/account_value/",
        "/event-stream",
    ];
    for path in paths {
        assert_eq!(rest_bytes(&exchange, None, "GET", path).await.0, 401, "{path}");
    }
    let get = async |user: String, password: &str| {
        let request = HttpClient::new().get(format!("{}/balances/", exchange.rest_url())).basic_auth(user, password);
        let response = request.send().await.expect("an answer");
        (response.status().as_u16(), response.headers().contains_key("WWW-Authenticate"))
    };
    let user = || format!("{}/{}", account.id, account.cookie.expose());
    assert_eq!(get(user(), account.passphrase.expose()).await, (200, false));
    let mut key = Sha224::new_with_prefix(account.id.0.to_be_bytes());
    key.update(account.passphrase.expose());
    assert_eq!(get(user(), &STANDARD.encode(key.finalize())).await, (200, false));
    assert_eq!(get(user(), "wrong").await, (401, true));
    assert_eq!(get(format!("{}/wrong", account.id), account.passphrase.expose()).await, (401, true));
    assert_eq!(get(account.id.to_string(), account.passphrase.expose()).await, (401, true));
}

#[actix_web::test]
async fn orders_are_placed_listed_and_cancelled() {
    let exchange = start();
    let (status, location, order) =
        post(&exchange, 0, "base=63488&counter=65283&quantity=-20000&price=100000000").await;
    let expected = json!({"id": order["id"], "base": XBT, "counter": USDT, "quantity": -20_000, "price": 100_000_000,
        "time": order["time"]});
    assert_eq!((status, location, &order), (201, Some(order["id"].to_string()), &expected));
    assert_eq!(get(&exchange, "/orders/").await, (200, json!([order])));
    let path = format!("/orders/{}", order["id"]);
    assert_eq!(get(&exchange, &path).await, (200, order.clone()));
    assert_eq!(rest(&exchange, Some(1), "GET", &path).await, (404, Value::Null), "somebody else's");
    assert_eq!(rest(&exchange, Some(1), "DELETE", &path).await, (404, Value::Null));

    let market = post(&exchange, 1, "base=63488&counter=65283&quantity=5000").await;
    assert_eq!(market, (200, None, json!({"remaining": 0})));
    let market = post(&exchange, 1, "base=63488&counter=65283&total=1000000000").await;
    assert_eq!(market, (200, None, json!({"remaining": 850_000_000})));

    let (_, _, order) = post(&exchange, 0, "base=63520&counter=65283&quantity=1&price=10000").await;
    let path = format!("/orders/{}", order["id"]);
    assert_eq!(rest(&exchange, Some(0), "DELETE", &path).await, (200, order));
    assert_eq!(rest(&exchange, Some(0), "DELETE", &path).await, (404, Value::Null));
    assert_eq!(rest(&exchange, Some(0), "DELETE", "/orders/x").await, (404, Value::Null));
    let (_, _, order) = post(&exchange, 0, "base=63520&counter=65283&quantity=1&price=10000").await;
    assert_eq!(rest(&exchange, Some(0), "DELETE", "/orders/").await, (200, json!([order])));
    assert_eq!(get(&exchange, "/orders/").await, (200, json!([])));
}

#[actix_web::test]
async fn orders_that_make_no_sense_are_refused() {
    let exchange = start();
    for (form, code) in [
        ("", 8),
        ("base=63488", 8),
        ("base=63488&counter=65283", 8),
        ("base=63488&counter=65283&quantity=1&total=1", 8),
        ("base=63488&counter=65283&quantity=1&quantity=2", 8),
        ("base=63488&counter=65283&quantity=1.5", 8),
        ("base=63488&counter=65283&quantity=1&price=0", 8),
        ("base=63488&counter=65283&quantity=1&surprise=1", 8),
        ("base=63488&counter=63520&quantity=1&price=1", 1),
        ("base=63488&counter=65283&quantity=-2000000&price=10000", 4),
    ] {
        let (status, _, body) = post(&exchange, 0, form).await;
        assert_eq!((status, body["error_code"].as_i64()), (400, Some(code)), "{form}");
    }
}

#[actix_web::test]
async fn balances_positions_values_and_trades() {
    let exchange = start();
    post(&exchange, 0, "base=63488&counter=65283&quantity=-20000&price=100000000").await;
    post(&exchange, 1, "base=63488&counter=65283&quantity=5000").await;
    post(&exchange, 1, "base=63488&counter=65283&quantity=2500&price=100000000").await;

    let balance = json!({"id": XBT, "available": 980_000, "reserved": 12_500});
    assert_eq!(get(&exchange, "/balances/63488").await, (200, balance.clone()));
    let (_, all) = get(&exchange, "/balances/").await;
    assert!(all.as_array().expect("a list").contains(&balance));
    for path in ["/balances/1", "/balances/x"] {
        assert_eq!(rest_bytes(&exchange, Some(0), "GET", path).await, (404, "".into()), "{path}");
    }

    let (_, positions) = get(&exchange, "/positions/").await;
    let position =
        |asset: i64, position: i64| json!({"asset": asset, "position": position, "through": positions[0]["through"]});
    assert_eq!(positions, json!([position(XBT, -7_500), position(USDT, 75_000_000)]));

    let (_, values) = get(&exchange, "/account_value/").await;
    let of_eth = values.as_array().expect("a list").iter().find(|value| value["asset"] == ETH);
    let expected = json!({"asset": ETH, "spot_value": 10_000_000, "change_in_spot_value": 0, "futures_value": 0,
        "change_in_futures_value": 0, "total_value": 10_000_000, "change_in_total_value": 0});
    assert_eq!(of_eth, Some(&expected));

    let (_, trades) = get(&exchange, "/trades/").await;
    let [second, first] = trades.as_array().expect("a list").as_slice() else { panic!("{trades}") };
    let expected = json!({"time": first["time"], "base": XBT, "counter": USDT, "quantity": -5_000,
        "price": 100_000_000, "total": -50_000_000, "base_fee": 0, "counter_fee": 0, "order_id": 1});
    assert_eq!(first, &expected);
    let time = first["time"].to_string();
    assert_eq!(get(&exchange, &format!("/trades/{time}")).await, (200, first.clone()));
    assert_eq!(get(&exchange, "/trades/1").await, (404, Value::Null));
    for (query, expected) in [
        ("sort=asc".to_owned(), json!([first, second])),
        ("since=0".to_owned(), json!([first, second])),
        ("since=0&sort=desc&limit=1".to_owned(), json!([second])),
        ("limit=0".to_owned(), json!([second])),
        (format!("since={time}"), json!([second])),
        (format!("until={time}"), json!([])),
    ] {
        assert_eq!(get(&exchange, &format!("/trades/?{query}")).await, (200, expected), "{query}");
    }
    // The buyer paid by a market order first, which has no number.
    let (_, trades) = rest(&exchange, Some(1), "GET", "/trades/?sort=asc").await;
    assert_eq!((&trades[0]["order_id"], &trades[1]["order_id"]), (&Value::Null, &json!(2)));
}
