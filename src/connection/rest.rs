//! REST requests: bounded in time and size, redirects not followed, HTTP/1.1 only.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use awc::ClientResponse;
use awc::error::{PayloadError, SendRequestError};
use awc::http::header;
use bytes::Bytes;
use thiserror::Error;
use url::Url;

use super::address::{refuse_plaintext, resolve, time_for};
use super::dial::USER_AGENT;
use crate::venue::{RestMethod, RestRequest, UserAccount};

/// An answer's body is at most this long.
pub const BODY_BYTES_MAX: usize = 16 << 20;

/// The REST side of one source.
#[derive(Clone)]
pub struct Rest {
    client: awc::Client,
    base: Url,
    timeout: Duration,
}

/// An answer, whatever its status.
#[derive(Debug)]
pub struct Answer {
    /// The HTTP status.
    pub status: u16,
    /// The body, whole.
    pub body: Bytes,
}

/// Why there is no answer.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum RestError {
    /// Neither connected nor answered within the time.
    #[error("no whole answer within {}", humantime::format_duration(*.0))]
    TimedOut(Duration),
    /// The request did not get through.
    #[error("{0}")]
    Failed(String),
    /// The body is longer than [`BODY_BYTES_MAX`].
    #[error("an answer of more than {BODY_BYTES_MAX} bytes")]
    TooLarge,
}

impl Rest {
    /// Requests below `base`, whose path ends with a slash. Each must be done within `timeout`, body included.
    #[must_use]
    pub fn new(base: Url, tls: Arc<rustls::ClientConfig>, timeout: Duration) -> Self {
        // The time-out of a request covers all its phases, of which connecting to one address is the first.
        let connector =
            awc::Connector::new().timeout(time_for(timeout, 1)).handshake_timeout(timeout).limit(0).rustls_0_23(tls);
        let client = awc::Client::builder()
            .connector(connector)
            .add_default_header((header::USER_AGENT, USER_AGENT))
            .disable_timeout()
            .disable_redirects()
            .finish();
        Self { client, base, timeout }
    }

    /// Gets a path and query; as `account`, if there is one, by HTTP Basic: `user/cookie` and the passphrase.
    ///
    /// # Errors
    /// As for [`Rest::ask`].
    pub async fn get(&self, path: &str, account: Option<&UserAccount>) -> Result<Answer, RestError> {
        self.ask(&RestRequest::get(0, path.to_owned()), account).await
    }

    /// Makes a request; as `account`, if there is one, by HTTP Basic: `user/cookie` and the passphrase.
    ///
    /// # Errors
    /// If there is no whole answer, or secrets would go out in the clear. Statuses other than 200 are answers.
    pub async fn ask(&self, request: &RestRequest, account: Option<&UserAccount>) -> Result<Answer, RestError> {
        let answer = async {
            let addresses = resolve(&self.base, self.timeout).await.map_err(RestError::Failed)?;
            let mut response = self.request(request, account, &addresses).await?;
            let body = response.body().limit(BODY_BYTES_MAX).await.map_err(|error| match error {
                PayloadError::Overflow => RestError::TooLarge,
                error => RestError::Failed(format!("the answer broke off: {error}")),
            })?;
            Ok(Answer { status: response.status().as_u16(), body })
        };
        tokio::time::timeout(self.timeout, answer).await.unwrap_or(Err(RestError::TimedOut(self.timeout)))
    }

    /// Asks at each address in turn, until one is not merely out of reach.
    async fn request(
        &self,
        asked: &RestRequest,
        account: Option<&UserAccount>,
        addresses: &[SocketAddr],
    ) -> Result<ClientResponse<impl futures_util::Stream<Item = Result<Bytes, PayloadError>>>, RestError> {
        let url = format!("{}{}", self.base, asked.path.trim_start_matches('/'));
        let mut failures = Vec::new();
        for address in addresses {
            let is_secret = account.is_some() || asked.has_secrets();
            if let Some(reason) = refuse_plaintext(&self.base, *address).filter(|_| is_secret) {
                return Err(RestError::Failed(reason));
            }
            let mut request = match asked.method {
                RestMethod::Get => self.client.get(&url),
                RestMethod::Post => self.client.post(&url),
            }
            .address(*address);
            for (name, value) in &asked.headers {
                request = request.insert_header((*name, value.expose()));
            }
            if let Some(account) = account {
                let user = format!("{}/{}", account.user, account.cookie.expose());
                request = request.basic_auth(user, account.passphrase.expose());
            }
            let sent = match &asked.body {
                None if asked.method == RestMethod::Get => request.send().await,
                // Of length 0, and not of no length.
                None => request.send_body(Bytes::new()).await,
                Some((media, body)) => request.content_type(*media).send_body(body.expose().to_owned()).await,
            };
            match sent {
                Ok(response) => return Ok(response),
                Err(SendRequestError::Connect(error)) => failures.push(format!("{address}: {error}")),
                Err(error) => return Err(RestError::Failed(error.to_string())),
            }
        }
        Err(RestError::Failed(failures.join("; ")))
    }
}
