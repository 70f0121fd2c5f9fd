//! `GET /event-stream`: server-sent events.
//!
//! Version 1 (for users who are logged in) is what one gets; `?version=2` gives version 2.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use actix_web::error::Error;
use actix_web::http::header::{AUTHORIZATION, CACHE_CONTROL, CONTENT_TYPE};
use actix_web::{HttpRequest, HttpResponse, web};
use bytes::Bytes;
use futures_util::{Stream, StreamExt as _};
use serde::Deserialize;

use super::{body, login};
use crate::exchange::engine::ConnectionId;
use crate::exchange::floor::{EventId, Version};
use crate::exchange::outbox::Drain;
use crate::exchange::peer::{Peer, Socket};
use crate::exchange::shared::Shared;

/// Query of the stream.
#[derive(Deserialize)]
pub(super) struct Wanted {
    version: Option<u8>,
}

/// `GET /event-stream`
pub(super) async fn stream(
    request: HttpRequest,
    shared: web::Data<Shared>,
    wanted: web::Query<Wanted>,
) -> HttpResponse {
    let user = login::user(&request);
    if user.is_none() && request.headers().contains_key(AUTHORIZATION) {
        return body::unauthorized();
    }
    let version = match wanted.version {
        None | Some(1) if user.is_none() => return body::unauthorized(),
        None | Some(1) => Version::One,
        Some(2) => Version::Two,
        Some(_) => return body::not_found(),
    };
    let last = request.headers().get("Last-Event-ID").and_then(|id| EventId::parse(id.to_str().ok()?));
    let shared = shared.into_inner();
    let socket = request.conn_data::<Arc<Socket>>().cloned();
    let peer = Peer::new(socket, shared.limits.unread_bytes_max, shared.clock);
    let id = shared.floor().subscribe(peer.clone(), user, version, last);
    HttpResponse::Ok()
        .insert_header((CONTENT_TYPE, "text/event-stream"))
        .insert_header((CACHE_CONTROL, "no-cache"))
        .streaming(Outbound { drain: Drain(peer.outbox.clone()), shared, id })
}

/// The response. Its end is the reader's.
struct Outbound {
    drain: Drain,
    shared: Arc<Shared>,
    id: ConnectionId,
}

impl Stream for Outbound {
    type Item = Result<Bytes, Error>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.drain.poll_next_unpin(cx).map(|chunk| chunk.map(Ok))
    }
}

impl Drop for Outbound {
    fn drop(&mut self) {
        self.shared.floor().unsubscribe(self.id);
    }
}
