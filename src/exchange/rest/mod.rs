//! The REST API.

mod body;
mod events;
mod login;
mod market;
mod records;
mod trading;

use actix_web::web::{ServiceConfig, delete, get, post, resource};

/// Every route, as the exchange's documents give them.
pub(super) fn routes(app: &mut ServiceConfig) {
    app.service(resource("/assets/").route(get().to(market::assets)))
        .service(resource("/markets/").route(get().to(market::markets)))
        .service(resource("/tickers/").route(get().to(market::tickers)))
        .service(resource("/tickers/{market}").route(get().to(market::ticker)))
        .service(resource("/depth/{market}").route(get().to(market::depth)))
        .service(resource("/balances/").route(get().to(records::balances)))
        .service(resource("/balances/{asset}").route(get().to(records::balance)))
        .service(resource("/positions/").route(get().to(records::positions)))
        .service(resource("/account_value/").route(get().to(records::account_value)))
        .service(resource("/trades/").route(get().to(records::trades)))
        .service(resource("/trades/{time}").route(get().to(records::trade)))
        .service(
            resource("/orders/")
                .route(get().to(trading::orders))
                .route(post().to(trading::place))
                .route(delete().to(trading::cancel_all)),
        )
        .service(resource("/orders/{id}").route(get().to(trading::order)).route(delete().to(trading::cancel)))
        .service(resource("/event-stream").route(get().to(events::stream)));
}
