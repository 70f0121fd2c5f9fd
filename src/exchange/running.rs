//! An exchange that runs: where it is, what has happened there, and its end.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use tokio::sync::oneshot;

use super::account::Account;
use super::shared::Shared;
use super::tally::Counts;

/// How it is spoken to.
#[derive(Clone, Copy)]
pub(super) enum Scheme {
    Plain,
    Encrypted,
}

/// An exchange that runs. Dropping it stops it, too, and waits for its end.
pub struct Running {
    addr: SocketAddr,
    scheme: Scheme,
    accounts: Vec<Account>,
    shared: Arc<Shared>,
    stop: Option<oneshot::Sender<()>>,
    end: Option<oneshot::Receiver<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Running {
    /// Runs an exchange on a thread of its own until the receiver it is given says so, or is alone.
    pub(super) fn spawn<F: Future<Output = ()>>(
        addr: SocketAddr,
        scheme: Scheme,
        accounts: Vec<Account>,
        shared: Arc<Shared>,
        serve: impl FnOnce(oneshot::Receiver<()>) -> F + Send + 'static,
    ) -> io::Result<Self> {
        let (stop, stopped) = oneshot::channel();
        let (ending, end) = oneshot::channel::<()>();
        let thread = std::thread::Builder::new().name("exchange".into()).spawn(move || {
            actix_rt::System::new().block_on(serve(stopped));
            // Its being gone is the word that everything has ended.
            drop(ending);
        })?;
        Ok(Self { addr, scheme, accounts, shared, stop: Some(stop), end: Some(end), thread: Some(thread) })
    }

    /// Where it listens.
    #[must_use]
    pub fn addr(&self) -> SocketAddr {
        self.addr
    }

    /// Where its WebSocket is.
    #[must_use]
    pub fn ws_url(&self) -> String {
        match self.scheme {
            Scheme::Plain => format!("ws://{}/v1", self.addr),
            Scheme::Encrypted => format!("wss://{}/v1", self.addr),
        }
    }

    /// Where its REST API is.
    #[must_use]
    pub fn rest_url(&self) -> String {
        match self.scheme {
            Scheme::Plain => format!("http://{}", self.addr),
            Scheme::Encrypted => format!("https://{}", self.addr),
        }
    }

    /// Who can log in.
    #[must_use]
    pub fn accounts(&self) -> &[Account] {
        &self.accounts
    }

    /// What has happened so far.
    #[must_use]
    pub fn counts(&self) -> Counts {
        self.shared.tally.now()
    }

    /// Waits until what has happened satisfies `condition`.
    ///
    /// # Errors
    /// With what had happened if that is not so `within` the time.
    pub async fn wait_for(&self, within: Duration, condition: impl FnMut(&Counts) -> bool) -> Result<Counts, Counts> {
        self.shared.tally.wait_for(within, condition).await
    }

    /// Stops in order: tells every client to go, waits a little for that, and ends its threads.
    pub async fn stop(mut self) {
        let thread = self.signal();
        if let Some(end) = self.end.take() {
            let _ = end.await;
        }
        if let Some(thread) = thread {
            let _ = thread.join();
        }
    }

    fn signal(&mut self) -> Option<JoinHandle<()>> {
        if let Some(stop) = self.stop.take() {
            let _ = stop.send(());
        }
        self.thread.take()
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if let Some(thread) = self.signal() {
            let _ = thread.join();
        }
    }
}
