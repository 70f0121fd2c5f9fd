//! `feedtape request`.

use std::io::{self, Write};
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::listing;
use super::output::steers;
use super::talk::{Said, talk};
use crate::access::Access;
use crate::config::{Config, Source};
use crate::exit::{Exit, Failure};
use crate::model::{Catalog, UserId};
use crate::near::or_else_known;
use crate::venue::coinflex::conversation::Conversation;
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
#[command(
    override_usage = "feedtape request [OPTIONS] [FILE] <METHOD> [KEY=VALUE]...",
    after_help = "\
Examples:
  feedtape request examples/demo.toml GetBalances
  feedtape request examples/demo.toml EstimateMarketOrder market=XBT:USDT quantity=-0.5
  feedtape request coinflex.toml WatchTicker market=ETH:USDT --follow
  feedtape request coinflex.toml --allow-trading \\
    PlaceOrder market=XBT:USDT quantity=0.1 price=9000.5
  feedtape request --url ws://127.0.0.1:8080/v1 WatchOrders base=63488 counter=65283
  FEEDTAPE_COOKIE=… FEEDTAPE_PASSPHRASE=… \\
    feedtape request --url wss://api.example/v1 --user 1 GetTradeVolume asset=63488"
)]
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
    let (source, database) = args.source(typed.file)?;
    super::in_system(async {
        let access = Access::gain(&source)?;
        let exit = args.put(&typed, &source, database.as_deref(), &access).await;
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
    /// The source, and the database it is recorded into.
    fn source(&self, file: Option<&Path>) -> Result<(Source, Option<PathBuf>), Failure> {
        let coinflex = venue::by_name("coinflex").ok_or_else(|| Exit::Internal.because("no venue coinflex"))?;
        let (source, database) = match (file, &self.url) {
            (Some(file), None) => {
                let config = Config::load(&[PathBuf::from(file)])?;
                let source = listing::choose(&config, self.source.as_deref())?.clone();
                (source, Some(config.database))
            }
            (None, Some(url)) => (Source::at(coinflex, url, self.rest_url.as_deref(), self.user.map(UserId))?, None),
            (Some(_), Some(_)) => return Err(Exit::Usage.because("give either a configuration file or --url")),
            (None, None) => return Err(Exit::Usage.because("give a configuration file before the method, or --url")),
        };
        if source.venue.name() == coinflex.name() {
            Ok((source, database))
        } else {
            Err(Exit::Usage.because(format!("requests are for sources of the venue `{}`", coinflex.name())))
        }
    }

    async fn put(
        &self,
        typed: &Typed<'_>,
        source: &Source,
        database: Option<&Path>,
        access: &Access,
    ) -> Result<Exit, Failure> {
        let command = match typed.command(None) {
            Err(TypedError::NeedsCatalog(_)) => typed.command(Some(&access.catalog(source, database).await?)),
            command => command,
        }
        .map_err(|error| Exit::Usage.because(error))?;
        let needs_login = command.as_ref().is_none_or(Command::needs_login);
        let account = if needs_login && !self.no_auth { Some(self.account(typed, source, access)?) } else { None };
        let conversation = match (command, account) {
            (Some(command), account) => Conversation::ask(command, self.tag, account),
            (None, Some(account)) => Conversation::log_in(account, self.tag),
            (None, None) => return Err(Exit::Usage.because(format!("`{LOGIN}` without a login says nothing"))),
        };
        let mut exit = Exit::Good;
        let listen = |said| {
            let (text, is_last) = match said {
                Said::Reply(text, code) => {
                    exit = if code == 0 { Exit::Good } else { Exit::Negative };
                    (text, !self.follow)
                }
                Said::Notice(text) => (text, false),
            };
            match print(&text) {
                Ok(()) if is_last => ControlFlow::Break(Ok(())),
                Ok(()) => ControlFlow::Continue(()),
                Err(error) => ControlFlow::Break(Err(error)),
            }
        };
        let printed = talk(access, &source.timing, conversation, listen).await?;
        super::written(printed.unwrap_or(Ok(())))?;
        Ok(exit)
    }

    fn account(&self, typed: &Typed<'_>, source: &Source, access: &Access) -> Result<Arc<Account>, Failure> {
        access.account(source)?.ok_or_else(|| {
            let remedy = if self.url.is_some() { "--user" } else { "[source.account] to the file" };
            Exit::Usage.because(format!("`{}` needs a login; add {remedy}, or --no-auth", typed.method))
        })
    }
}

/// Prints a frame on a line, without what could steer a terminal: as JSON it means the same.
fn print(text: &str) -> io::Result<()> {
    let mut line = String::with_capacity(text.len() + 1);
    for character in text.chars() {
        match character {
            '\n' | '\t' => line.push(character),
            '\r' => {}
            // All of these are below U+10000.
            _ if steers(character) => line.push_str(&format!("\\u{:04x}", u32::from(character))),
            _ => line.push(character),
        }
    }
    line.push('\n');
    io::stdout().write_all(line.as_bytes())
}
