//! REST requests: bounded in time and size, redirects not followed, HTTP/1.1 only.

use std::sync::Arc;
use std::time::Duration;

use awc::error::PayloadError;
use bytes::Bytes;
use thiserror::Error;
use url::Url;

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
        // The time-out of a request covers all its phases; awc's own must only not be shorter.
        let longer = timeout * 2;
        let connector = awc::Connector::new().timeout(longer).handshake_timeout(longer).limit(0).rustls_0_23(tls);
        let client = awc::Client::builder().connector(connector).disable_timeout().disable_redirects().finish();
        Self { client, base, timeout }
    }

    /// Gets a path and query.
    ///
    /// # Errors
    /// If there is no whole answer. Statuses other than 200 are answers.
    pub async fn get(&self, path: &str) -> Result<Answer, RestError> {
        let url = format!("{}{path}", self.base);
        let answer = async {
            let mut response =
                self.client.get(url).send().await.map_err(|error| RestError::Failed(error.to_string()))?;
            let body = response.body().limit(BODY_BYTES_MAX).await.map_err(|error| match error {
                PayloadError::Overflow => RestError::TooLarge,
                error => RestError::Failed(format!("the answer broke off: {error}")),
            })?;
            Ok(Answer { status: response.status().as_u16(), body })
        };
        tokio::time::timeout(self.timeout, answer).await.unwrap_or(Err(RestError::TimedOut(self.timeout)))
    }
}
