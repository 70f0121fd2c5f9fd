//! Sends every message of a WebSocket server back to it, over the socket that feedtape records with.
//!
//! ```text
//! cargo run --example echo ws://127.0.0.1:9000/          # until the server closes
//! cargo run --example echo cases ws://127.0.0.1:9001     # every case of Autobahn's fuzzing server
//! ```

use std::error::Error;

use actix_http::ws::CloseCode;
use feedtape::config::{Limits, Pace};
use feedtape::connection::{Dialer, Message, Socket, client_config};
use feedtape::journal::Closed;

type Anything = Box<dyn Error>;

/// Waits for the next message, sending what is queued meanwhile.
async fn next(socket: &mut Socket) -> Result<Message, Closed> {
    loop {
        match socket.receive()? {
            Some(message) => return Ok(message),
            None => socket.ready().await?,
        }
    }
}

async fn open(dialer: &Dialer, url: &str) -> Result<Socket, Anything> {
    let (socket, _) = dialer.dial(url, false).await.map_err(|closed| format!("{url}: {closed:?}"))?;
    Ok(socket)
}

/// Echoes until the connection ends, and says how it did.
async fn echo(mut socket: Socket) -> Closed {
    let end = loop {
        match next(&mut socket).await.and_then(|message| socket.send(message)) {
            Ok(()) => {}
            Err(end) => break end,
        }
    };
    socket.close(CloseCode::Normal).await;
    end
}

/// Has a fuzzing server play all its cases, and write its report.
async fn cases(dialer: &Dialer, server: &str) -> Result<(), Anything> {
    let mut socket = open(dialer, &format!("{server}/getCaseCount")).await?;
    let count = match next(&mut socket).await {
        Ok(Message::Text(count)) => str::from_utf8(&count)?.parse::<usize>()?,
        other => return Err(format!("not a number of cases: {other:?}").into()),
    };
    socket.close(CloseCode::Normal).await;
    for case in 1..=count {
        echo(open(dialer, &format!("{server}/runCase?case={case}&agent=feedtape")).await?).await;
    }
    echo(open(dialer, &format!("{server}/updateReports?agent=feedtape")).await?).await;
    println!("{count} cases");
    Ok(())
}

#[actix_web::main]
async fn main() -> Result<(), Anything> {
    let dialer = Dialer::new(client_config(None)?, Limits::default(), Pace::default());
    let arguments: Vec<_> = std::env::args().skip(1).collect();
    match arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        [url] => println!("{:?}", echo(open(&dialer, url).await?).await),
        ["cases", server] => cases(&dialer, server).await?,
        _ => return Err("usage: echo URL | echo cases URL".into()),
    }
    Ok(())
}
