//! What a session asks for by REST.

use crate::crypto::Secret;

/// How a request is made.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum RestMethod {
    /// GET.
    #[default]
    Get,
    /// POST.
    Post,
}

impl RestMethod {
    /// As HTTP writes it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Get => "GET",
            Self::Post => "POST",
        }
    }
}

/// A REST request.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RestRequest {
    /// Its place among the session's requests, from 0.
    pub request: u64,
    /// GET or POST.
    pub method: RestMethod,
    /// Path and query below the REST URL.
    pub path: String,
    /// Whether to send the credentials of a CoinFLEX user along.
    pub authenticated: bool,
    /// Further headers: name and value. Never journalled.
    pub headers: Vec<(&'static str, Secret)>,
    /// The body of a POST, with its media type. Never journalled.
    pub body: Option<(&'static str, Secret)>,
    /// Whether the answer has a secret in it: the session is entrusted with it, and what may be kept is journalled.
    pub is_secret: bool,
}

impl RestRequest {
    /// A GET of public data.
    #[must_use]
    pub fn get(request: u64, path: String) -> Self {
        Self { request, path, ..Self::default() }
    }

    /// Whether it must not go over a network in the clear.
    #[must_use]
    pub fn has_secrets(&self) -> bool {
        self.authenticated || self.is_secret || !self.headers.is_empty() || self.body.is_some()
    }
}
