//! The REST requests of one session: a few at once, the others in a queue, all gone with the session.

use std::collections::VecDeque;
use std::future::{Future, pending};
use std::pin::Pin;
use std::sync::Arc;

use bytes::Bytes;
use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;

use super::rest::{Answer, Rest};
use crate::journal::RestAnswer;
use crate::venue::{Account, RestRequest};

/// Most requests of a session at once; a venue allows few in a minute anyway.
const RUNNING_MAX: usize = 2;

/// An answer, what was asked for, and whether the answer is secret.
type Answered = (RestAnswer, Bytes, bool);

/// The requests of a session.
pub(super) struct Rests {
    rest: Option<Rest>,
    account: Option<Arc<Account>>,
    running: FuturesUnordered<Pin<Box<dyn Future<Output = Answered>>>>,
    waiting: VecDeque<RestRequest>,
}

impl Rests {
    pub(super) fn new(rest: Option<Rest>, account: Option<Arc<Account>>) -> Self {
        Self { rest, account, running: FuturesUnordered::new(), waiting: VecDeque::new() }
    }

    /// Makes a request as soon as there is room for it.
    pub(super) fn ask(&mut self, request: RestRequest) {
        self.waiting.push_back(request);
        self.start();
    }

    /// Waits for an answer, or for the news that there is none; never, if nothing was asked.
    pub(super) async fn answered(&mut self) -> Answered {
        let Some(answered) = self.running.next().await else { return pending().await };
        self.start();
        answered
    }

    fn start(&mut self) {
        while self.running.len() < RUNNING_MAX {
            let Some(request) = self.waiting.pop_front() else { return };
            self.running.push(Box::pin(answer(self.rest.clone(), self.account.clone(), request)));
        }
    }
}

async fn answer(rest: Option<Rest>, account: Option<Arc<Account>>, request: RestRequest) -> Answered {
    let path = format!("{} {}", request.method.as_str(), request.path);
    let is_secret = request.is_secret;
    let failed = |error: String| {
        (
            RestAnswer { request: request.request, path: path.clone(), status: None, error: Some(error) },
            Bytes::new(),
            is_secret,
        )
    };
    let Some(rest) = rest else { return failed("there is no `rest_url`".to_owned()) };
    let account = match (request.authenticated, &account) {
        (false, _) => None,
        (true, Some(account)) => account.as_user(),
        (true, None) => return failed("there is no account".to_owned()),
    };
    match rest.ask(&request, account).await {
        Err(error) => failed(error.to_string()),
        Ok(Answer { status, body }) => {
            (RestAnswer { request: request.request, path, status: Some(status), error: None }, body, is_secret)
        }
    }
}
