//! `feedtape exchange`.

use std::io::{self, Write};
use std::net::SocketAddr;
use std::num::NonZeroU32;
use std::path::PathBuf;

use clap::ValueEnum;
use tokio::signal::unix::{SignalKind, signal};

use crate::exchange::{
    Account, Exchange, ExchangeConfig, Faults, ListingChoice, Running, Simulation, StartError, Tls, read_accounts,
};
use crate::exit::{Exit, Failure};
use crate::model::MarketPattern;

/// Run the built-in exchange until interrupted: a CoinFLEX v1 exchange with simulated traders
///
/// Prints where it listens and who can log in. It keeps nothing: what happened is gone when it ends.
#[derive(clap::Args)]
#[command(after_help = "\
Examples:
  feedtape exchange                                        # demo accounts and simulated traders
  feedtape exchange --no-traders --accounts accounts.toml
  feedtape exchange --markets 'XBT:*' --rate 2000 --seed 7
  feedtape exchange --listing coinfloor --self-signed exchange.pem
  feedtape exchange --faults faults.toml")]
pub(super) struct Args {
    /// Address and port to listen on
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:8080")]
    listen: SocketAddr,
    /// Who can log in: TOML with an `[[account]]` for each user; without it demo accounts are made and printed
    #[arg(long, value_name = "FILE")]
    accounts: Option<PathBuf>,
    /// Whose assets and markets are listed
    #[arg(long, value_enum, default_value_t = List::Coinflex)]
    listing: List,
    /// Year of the month contracts; without, of every month the one that expires next
    #[arg(long, value_name = "YEAR")]
    year: Option<i16>,
    /// Nobody trades by itself
    #[arg(long, conflicts_with_all = ["rate", "depth", "markets"])]
    no_traders: bool,
    /// Commands per second of the simulated traders
    #[arg(long, value_name = "NUMBER")]
    rate: Option<NonZeroU32>,
    /// Orders that the book of a market tends to
    #[arg(long, value_name = "NUMBER")]
    depth: Option<NonZeroU32>,
    /// Where the simulated traders trade, such as XBT:USDT or 'ETH*:*'; on every spot market without
    #[arg(long, value_name = "MARKET", value_delimiter = ',', value_parser = MarketPattern::parse)]
    markets: Vec<MarketPattern>,
    /// What the traders' chance begins with
    #[arg(long, value_name = "NUMBER", default_value_t = 0)]
    seed: u64,
    /// Certificate chain for wss and https, as PEM
    #[arg(long, value_name = "FILE", requires = "tls_key")]
    tls_cert: Option<PathBuf>,
    /// Private key of the certificate, as PEM
    #[arg(long, value_name = "FILE", requires = "tls_cert")]
    tls_key: Option<PathBuf>,
    /// Speak wss and https with a certificate made at start, and write it here for clients to trust
    #[arg(long, value_name = "FILE", conflicts_with = "tls_cert")]
    self_signed: Option<PathBuf>,
    /// What goes wrong on purpose: TOML with a `[[fault]]` for each
    #[arg(long, value_name = "FILE")]
    faults: Option<PathBuf>,
}

#[derive(Clone, Copy, ValueEnum)]
enum List {
    Coinflex,
    Coinfloor,
}

pub(super) fn run(args: &Args) -> Result<Exit, Failure> {
    let config = args.config()?;
    let is_demo = config.accounts.is_empty();
    super::in_system(async {
        // Before the exchange starts, so that no signal ends the process half way.
        let mut interrupt = signal(SignalKind::interrupt()).map_err(no_signals)?;
        let mut terminate = signal(SignalKind::terminate()).map_err(no_signals)?;
        let exchange = Exchange::start(config)?;
        super::written(announce(&exchange, is_demo))?;
        let mut signalled = async || {
            tokio::select! {
                _ = interrupt.recv() => Exit::Interrupted,
                _ = terminate.recv() => Exit::Terminated,
            }
        };
        signalled().await;
        tokio::select! {
            () = exchange.stop() => Ok(Exit::Good),
            second = signalled() => std::process::exit(second as i32),
        }
    })
}

impl Args {
    fn config(&self) -> Result<ExchangeConfig, Failure> {
        let accounts = match &self.accounts {
            Some(file) => read_accounts(file).map_err(StartError::from)?,
            None => Vec::new(),
        };
        let faults = match &self.faults {
            Some(file) => Faults::read(file).map_err(|error| Exit::Configuration.because(error))?,
            None => Faults::new(),
        };
        let files = self.tls_cert.clone().zip(self.tls_key.clone());
        let self_signed = self.self_signed.clone().map(|certificate| Tls::SelfSigned { certificate });
        let usual = Simulation::default();
        let traders = Simulation {
            markets: self.markets.clone(),
            rate: self.rate.unwrap_or(usual.rate),
            depth: self.depth.unwrap_or(usual.depth),
        };
        Ok(ExchangeConfig {
            listen: self.listen,
            listing: match self.listing {
                List::Coinflex => ListingChoice::CoinFlex { year: self.year },
                List::Coinfloor => ListingChoice::Coinfloor,
            },
            accounts,
            seed: self.seed,
            traders: (!self.no_traders).then_some(traders),
            tls: files.map(|(certificate, key)| Tls::Files { certificate, key }).or(self_signed),
            faults,
            ..ExchangeConfig::default()
        })
    }
}

/// Prints where the exchange is and who can log in. Only accounts made for the occasion are shown with their secrets.
fn announce(exchange: &Running, is_demo: bool) -> io::Result<()> {
    let mut text = format!("WebSocket  {}\nREST       {}\n", exchange.ws_url(), exchange.rest_url());
    if is_demo {
        text.push_str("\nDemo accounts, made for this run, with plenty of every asset:\n");
        for Account { id, cookie, passphrase, .. } in exchange.accounts() {
            let (cookie, passphrase) = (cookie.expose(), passphrase.expose());
            text.push_str(&format!("  user {id}  cookie {cookie}  passphrase {passphrase}\n"));
        }
    }
    let mut out = io::stdout().lock();
    out.write_all(text.as_bytes())?;
    out.flush()
}

fn no_signals(error: io::Error) -> Failure {
    Exit::Internal.because(format!("signals cannot be received: {error}"))
}

impl From<StartError> for Failure {
    fn from(error: StartError) -> Self {
        let exit = match &error {
            StartError::Listen { .. } => Exit::Unavailable,
            StartError::Server(_) => Exit::Internal,
            _ => Exit::Configuration,
        };
        exit.because(error)
    }
}
