//! `feedtape request`.

use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use actix_http::ws::CloseCode;
use tokio::time::{Instant, timeout_at};

use crate::access::Access;
use crate::config::{Config, Source};
use crate::connection::{Message, Socket};
use crate::exit::{Exit, Failure};
use crate::journal::{Closed, Timing};
use crate::model::{Catalog, UserId};
use crate::near::or_else_known;
use crate::venue::coinflex::conversation::{Conversation, Heard, Misunderstanding};
use crate::venue::coinflex::typed::{self, TypedError};
use crate::venue::coinflex::wire::Command;
use crate::venue::{self, Account};

/// The method that logs in, of which nothing is typed but its name.
const LOGIN: &str = "Authenticate";

/// The tag of a command where none is asked for.
const TAG: i64 = 1;

/// Send one command to an exchange and print its reply as JSON
///
/// Names stand for codes, market=BASE:COUNTER for both assets. Amounts and prices are decimals in units of the asset, or
/// scaled integers as raw:10000. It logs in where the method needs it. The exit code is 0 for error_code 0, else 1.
#[derive(clap::Args)]
#[command(after_help = "\
Examples:
  feedtape request examples/demo.toml GetBalances
  feedtape request examples/demo.toml EstimateMarketOrder market=XBT:USDT quantity=-0.5
  feedtape request coinflex.toml WatchTicker market=ETH:USDT --follow
  feedtape request coinflex.toml PlaceOrder market=XBT:USDT quantity=0.1 price=9000.5 --allow-trading
  feedtape request --url ws://127.0.0.1:8080/v1 WatchOrders base=63488 counter=65283
  FEEDTAPE_COOKIE=… FEEDTAPE_PASSPHRASE=… \\
    feedtape request --url wss://api.example/v1 --user 1 GetTradeVolume asset=63488")]
pub(super) struct Args {
    /// A configuration file (unless --url is given), the method, and its arguments
    #[arg(required = true, value_names = ["[FILE] METHOD [KEY=VALUE]"])]
    words: Vec<String>,
    /// Which source of the file, if it has several
    #[arg(long, value_name = "NAME")]
    source: Option<String>,
    /// The command's tag; 0 sends none
    #[arg(long, value_name = "TAG", default_value_t = TAG, allow_negative_numbers = true)]
    tag: i64,
    /// Go on printing the notices that come, until interrupted
    #[arg(long)]
    follow: bool,
    /// Do not log in, whatever the method needs
    #[arg(long)]
    no_auth: bool,
    /// Allow commands that place, change or cancel orders
    #[arg(long)]
    allow_trading: bool,
    /// Without a file: where the socket goes
    #[arg(long, value_name = "URL")]
    url: Option<String>,
    /// Without a file: where REST paths begin, for names and decimals
    #[arg(long, value_name = "URL", requires = "url")]
    rest_url: Option<String>,
    /// Without a file: who logs in, with the secrets FEEDTAPE_COOKIE and FEEDTAPE_PASSPHRASE of the environment
    #[arg(long, value_name = "ID", requires = "url")]
    user: Option<u64>,
}

pub(super) fn run(args: &Args) -> Result<Exit, Failure> {
    let typed = Typed::read(&args.words)?;
    if is_trading(typed.method) && !args.allow_trading {
        let method = typed.method;
        return Err(Exit::Usage.because(format!("`{method}` trades; add --allow-trading if that is meant")));
    }
    if let Err(TypedError::Wrong(reason)) = typed.command(None) {
        return Err(Exit::Usage.because(reason));
    }
    let source = args.source(typed.file)?;
    actix_rt::System::new().block_on(async {
        let access = Access::gain(&source)?;
        let exit = args.put(&typed, &source, &access).await;
        access.end().await;
        exit
    })
}

/// What was typed.
struct Typed<'a> {
    file: Option<&'a Path>,
    method: &'a str,
    arguments: Vec<(String, String)>,
}

impl<'a> Typed<'a> {
    fn read(words: &'a [String]) -> Result<Self, Failure> {
        let is_method = |word: &str| word == LOGIN || typed::is_method(word);
        let unknown = |word: &str| {
            let or_else = or_else_known(word, Command::METHODS);
            Err(Exit::Usage.because(format!("unknown method `{word}`{or_else}")))
        };
        let (file, method, arguments) = match words {
            [method, arguments @ ..] if is_method(method) => (None, method, arguments),
            [file, method, arguments @ ..] if is_method(method) => (Some(Path::new(file)), method, arguments),
            [file, word, ..] if Path::new(file).exists() => return unknown(word),
            [file] if Path::new(file).exists() => return Err(Exit::Usage.because("give a method after the file")),
            [word, ..] => return unknown(word),
            [] => return unknown(""),
        };
        let pair = |word: &String| match word.split_once('=') {
            Some((key, value)) => Ok((key.to_owned(), value.to_owned())),
            None => Err(Exit::Usage.because(format!("`{word}` is no argument; write KEY=VALUE"))),
        };
        Ok(Self { file, method, arguments: arguments.iter().map(pair).collect::<Result<_, _>>()? })
    }

    /// The command; `None` for the login, which is made of the account.
    fn command(&self, catalog: Option<&Catalog>) -> Result<Option<Command>, TypedError> {
        if self.method == LOGIN {
            return Ok(None);
        }
        typed::command(self.method, &self.arguments, catalog).map(Some)
    }
}

/// Whether a method does something to orders.
fn is_trading(method: &str) -> bool {
    matches!(method, "PlaceOrder" | "ModifyOrder" | "CancelOrder" | "CancelAllOrders")
}

impl Args {
    fn source(&self, file: Option<&Path>) -> Result<Source, Failure> {
        let coinflex = venue::by_name("coinflex").ok_or_else(|| Exit::Internal.because("no venue coinflex"))?;
        let source = match (file, &self.url) {
            (Some(file), None) => self.choose(Config::load(&[PathBuf::from(file)])?.sources)?,
            (None, Some(url)) => Source::at(coinflex, url, self.rest_url.as_deref(), self.user.map(UserId))?,
            (Some(_), Some(_)) => return Err(Exit::Usage.because("give either a configuration file or --url")),
            (None, None) => return Err(Exit::Usage.because("give a configuration file before the method, or --url")),
        };
        if source.venue.name() == coinflex.name() {
            Ok(source)
        } else {
            Err(Exit::Usage.because(format!("requests are for sources of the venue `{}`", coinflex.name())))
        }
    }

    fn choose(&self, mut sources: Vec<Source>) -> Result<Source, Failure> {
        let names: Vec<_> = sources.iter().map(|source| source.name.clone()).collect();
        let names = || names.iter().map(String::as_str);
        let wrong = |message: String| Exit::Usage.because(message);
        let place = match &self.source {
            Some(name) => names()
                .position(|known| known == name)
                .ok_or_else(|| wrong(format!("the file has no source `{name}`{}", or_else_known(name, names()))))?,
            None if sources.len() == 1 => 0,
            None => {
                return Err(wrong(format!("the file has several sources{}; add --source", or_else_known("", names()))));
            }
        };
        Ok(sources.swap_remove(place))
    }

    async fn put(&self, typed: &Typed<'_>, source: &Source, access: &Access) -> Result<Exit, Failure> {
        let command = match typed.command(None) {
            Err(TypedError::NeedsCatalog(_)) => typed.command(Some(&access.catalog(source).await?)),
            command => command,
        }
        .map_err(|error| Exit::Usage.because(error))?;
        let needs_login = command.as_ref().is_none_or(Command::needs_login);
        let account = if needs_login && !self.no_auth { Some(self.account(typed, source, access)?) } else { None };
        let secretly = account.is_some();
        let conversation = match (command, account) {
            (Some(command), account) => Conversation::ask(command, self.tag, account),
            (None, Some(account)) => Conversation::log_in(account, self.tag),
            (None, None) => return Err(Exit::Usage.because(format!("`{LOGIN}` without a login says nothing"))),
        };
        let (mut socket, _) = access.dialer.dial(&access.url, secretly).await.map_err(|end| ended(&end))?;
        let exit = self.converse(&mut socket, conversation, &source.timing).await;
        socket.close(CloseCode::Normal).await;
        exit
    }

    fn account(&self, typed: &Typed<'_>, source: &Source, access: &Access) -> Result<Arc<Account>, Failure> {
        access.account(source)?.ok_or_else(|| {
            let remedy = if self.url.is_some() { "--user" } else { "[source.account] to the file" };
            Exit::Usage.because(format!("`{}` needs a login; add {remedy}, or --no-auth", typed.method))
        })
    }

    /// Talks until the reply has come, or with `--follow` until interrupted.
    async fn converse(
        &self,
        socket: &mut Socket,
        mut conversation: Conversation,
        timing: &Timing,
    ) -> Result<Exit, Failure> {
        let mut awaited = Some(("greeting", Instant::now() + timing.greeting));
        let mut exit = Exit::Negative;
        loop {
            let message = match socket.receive().map_err(|end| ended(&end))? {
                Some(message) => message,
                None => match wait(socket, awaited).await? {
                    Waited::Arrived => continue,
                    Waited::Interrupted => return Ok(exit),
                },
            };
            for heard in conversation.hear(&text(message)?).map_err(misunderstood)? {
                match heard {
                    Heard::Send(frame) => {
                        let text = frame.expose().to_owned();
                        socket.send(Message::Text(text.into())).map_err(|end| ended(&end))?;
                        awaited = Some(("reply", Instant::now() + timing.reply));
                    }
                    Heard::Reply(text, code) => {
                        exit = if code == 0 { Exit::Good } else { Exit::Negative };
                        awaited = None;
                        print(&text)?;
                        if !self.follow {
                            return Ok(exit);
                        }
                    }
                    Heard::Notice(text) if !print(&text)? => return Ok(exit),
                    Heard::Notice(_) => {}
                }
            }
        }
    }
}

enum Waited {
    Arrived,
    Interrupted,
}

/// Waits until something has arrived; for a greeting or reply no longer than it may take.
async fn wait(socket: &mut Socket, awaited: Option<(&str, Instant)>) -> Result<Waited, Failure> {
    let Some((what, deadline)) = awaited else {
        return tokio::select! {
            arrived = socket.ready() => arrived.map(|()| Waited::Arrived).map_err(|end| ended(&end)),
            _ = tokio::signal::ctrl_c() => Ok(Waited::Interrupted),
        };
    };
    match timeout_at(deadline, socket.ready()).await {
        Ok(arrived) => arrived.map(|()| Waited::Arrived).map_err(|end| ended(&end)),
        Err(_) => Err(Exit::Unavailable.because(format!("no {what} came in time"))),
    }
}

fn ended(end: &Closed) -> Failure {
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
    let bytes = match message {
        Message::Text(bytes) => bytes,
        Message::Binary(_) => return Err(misunderstood(Misunderstanding::NotOfTheProtocol)),
    };
    String::from_utf8(bytes.into()).map_err(|_| misunderstood(Misunderstanding::NotOfTheProtocol))
}

/// Prints a frame on a line; `false` if nobody reads any more.
fn print(text: &str) -> Result<bool, Failure> {
    let mut line = super::escaped(text);
    line.push('\n');
    match io::stdout().write_all(line.as_bytes()) {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(false),
        Err(error) => Err(Exit::InputOutput.because(format!("standard output: {error}"))),
    }
}
