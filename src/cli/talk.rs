//! A conversation with an exchange, over a socket.

use std::ops::ControlFlow;

use tokio::time::{Instant, timeout_at};

use crate::access::Access;
use crate::connection::{Message, Socket};
use crate::exit::{Exit, Failure};
use crate::journal::{Closed, Timing};
use crate::venue::coinflex::conversation::{Conversation, Heard, Misunderstanding};

/// What an exchange said that is for us.
pub(super) enum Said {
    /// The reply, with its error code.
    Reply(String, i64),
    /// A notice that came after it.
    Notice(String),
}

/// Dials and talks, until `listen` has what it wants (`Some`) or the user interrupts after the reply (`None`).
///
/// # Errors
/// If the exchange is out of reach or takes too long, refuses the login, or cannot be understood.
pub(super) async fn talk<T>(
    access: &Access,
    timing: &Timing,
    conversation: Conversation,
    listen: impl FnMut(Said) -> ControlFlow<T>,
) -> Result<Option<T>, Failure> {
    let (mut socket, _) = access.dialer.dial(&access.url, conversation.is_secret()).await.map_err(ended)?;
    let heard = converse(&mut socket, timing, conversation, listen).await;
    socket.close(actix_http::ws::CloseCode::Normal).await;
    heard
}

async fn converse<T>(
    socket: &mut Socket,
    timing: &Timing,
    mut conversation: Conversation,
    mut listen: impl FnMut(Said) -> ControlFlow<T>,
) -> Result<Option<T>, Failure> {
    let mut awaited = Some(("greeting", Instant::now() + timing.greeting));
    loop {
        let Some(message) = socket.receive().map_err(ended)? else {
            match wait(socket, awaited).await? {
                Waited::Arrived => continue,
                Waited::Interrupted => return Ok(None),
            }
        };
        for heard in conversation.hear(&text(message)?).map_err(misunderstood)? {
            let said = match heard {
                Heard::Send(frame) => {
                    let text = frame.expose().to_owned();
                    socket.send(Message::Text(text.into())).map_err(ended)?;
                    awaited = Some(("reply", Instant::now() + timing.reply));
                    continue;
                }
                Heard::Reply(text, code) => {
                    awaited = None;
                    Said::Reply(text, code)
                }
                Heard::Notice(text) => Said::Notice(text),
            };
            if let ControlFlow::Break(wanted) = listen(said) {
                return Ok(Some(wanted));
            }
        }
    }
}

enum Waited {
    Arrived,
    Interrupted,
}

/// Waits until something has arrived: for a greeting or reply no longer than it may take, for a notice for ever.
async fn wait(socket: &mut Socket, awaited: Option<(&str, Instant)>) -> Result<Waited, Failure> {
    let arrived = match awaited {
        Some((what, deadline)) => timeout_at(deadline, socket.ready())
            .await
            .map_err(|_| Exit::Unavailable.because(format!("no {what} came in time")))?,
        None => tokio::select! {
            arrived = socket.ready() => arrived,
            _ = tokio::signal::ctrl_c() => return Ok(Waited::Interrupted),
        },
    };
    arrived.map(|()| Waited::Arrived).map_err(ended)
}

fn ended(end: Closed) -> Failure {
    Exit::Unavailable.because(format!("the connection failed ({}): {}", end.cause, end.detail))
}

fn misunderstood(why: Misunderstanding) -> Failure {
    let exit = match why {
        Misunderstanding::LoginRefused { .. } => Exit::LoginRefused,
        Misunderstanding::NoNonce | Misunderstanding::NotOfTheProtocol => Exit::Data,
    };
    exit.because(why)
}

fn text(message: Message) -> Result<String, Failure> {
    let Message::Text(bytes) = message else { return Err(misunderstood(Misunderstanding::NotOfTheProtocol)) };
    String::from_utf8(bytes.into()).map_err(|_| misunderstood(Misunderstanding::NotOfTheProtocol))
}
