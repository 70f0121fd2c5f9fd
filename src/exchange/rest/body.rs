//! Answers of the REST API.

use actix_web::HttpResponse;
use actix_web::http::StatusCode;
use actix_web::http::header::{CONTENT_TYPE, WWW_AUTHENTICATE};
use serde::Serialize;

use crate::venue::coinflex::wire::{Refusal, Reply};

/// The documented type of every JSON answer.
const JSON: &str = "application/json; charset=US-ASCII";

/// 200 with a JSON body.
pub(super) fn ok(body: &impl Serialize) -> HttpResponse {
    json(StatusCode::OK, body)
}

/// A JSON body with a status.
pub(super) fn json(status: StatusCode, body: &impl Serialize) -> HttpResponse {
    match serde_json::to_vec(body) {
        Ok(body) => HttpResponse::build(status).insert_header((CONTENT_TYPE, JSON)).body(body),
        Err(error) => {
            tracing::error!(%error, "an answer could not be encoded");
            HttpResponse::InternalServerError().finish()
        }
    }
}

/// 404 with an empty body.
pub(super) fn not_found() -> HttpResponse {
    HttpResponse::NotFound().finish()
}

/// 401 with the challenge of Basic authentication.
pub(super) fn unauthorized() -> HttpResponse {
    HttpResponse::Unauthorized()
        .insert_header((WWW_AUTHENTICATE, "Basic realm=\"CoinFLEX\", charset=\"UTF-8\""))
        .finish()
}

/// A refusal. The documents give no body for it; this one is the WebSocket's.
pub(super) fn refused(refusal: &Refusal) -> HttpResponse {
    let status = match refusal {
        Refusal::OrderNotFound => return not_found(),
        Refusal::AskingTooRapidly | Refusal::OrderingTooRapidly => StatusCode::TOO_MANY_REQUESTS,
        _ => StatusCode::BAD_REQUEST,
    };
    json(status, &Reply::refused(None, refusal))
}
