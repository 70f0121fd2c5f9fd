//! Who makes a request.

use std::future::{Ready, ready};
use std::sync::Arc;

use actix_web::dev::Payload;
use actix_web::error::InternalError;
use actix_web::http::header::AUTHORIZATION;
use actix_web::{FromRequest, HttpRequest, web};

use super::body;
use crate::exchange::shared::Shared;
use crate::model::UserId;

/// The user of a request that must have one: without, it is answered with 401.
pub(super) struct Login(pub UserId);

impl FromRequest for Login {
    type Error = InternalError<&'static str>;
    type Future = Ready<Result<Self, Self::Error>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        let login = user(request).map(Self);
        ready(login.ok_or_else(|| InternalError::from_response("not authenticated", body::unauthorized())))
    }
}

/// The user of a request, if it has the right credentials of one.
pub(super) fn user(request: &HttpRequest) -> Option<UserId> {
    let shared: &Arc<Shared> = request.app_data::<web::Data<Shared>>()?;
    let header = request.headers().get(AUTHORIZATION)?.to_str().ok()?;
    shared.directory.basic(header)
}
