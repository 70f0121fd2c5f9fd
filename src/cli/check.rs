//! `feedtape check`.

use std::io::{self, Write};
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

use super::output::shown;
use super::talk::{Said, talk};
use crate::access::{Access, known};
use crate::clock::Clock;
use crate::config::{Config, ConfigErrors, Source};
use crate::exit::{Exit, Failure};
use crate::model::{Catalog, CatalogOrigin};
use crate::replay::capture::{Direction, Message};
use crate::replay::format::{Capture, Entry};
use crate::venue::coinflex::conversation::{Conversation, Misunderstanding};
use crate::venue::generic::Trial;

/// Check configuration files, the secrets they name and the markets, without recording anything
///
/// Names of markets and assets are checked against the list that the recording has, or that the configuration gives.
#[derive(clap::Args)]
#[command(after_help = "\
Examples:
  feedtape check examples/demo.toml
  feedtape check --online coinflex.toml    # also loads the list of markets and tries the login
  feedtape check examples/bybit.toml --capture frames.jsonl    # which frames each route takes")]
pub(super) struct Args {
    /// Configuration files that are to be recorded together
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
    /// Ask the exchanges, too: for their markets, and whether they take the login
    #[arg(long)]
    online: bool,
    /// Try the protocols that the files describe on a capture, as `feedtape import` reads them
    #[arg(long, value_name = "FRAMES", conflicts_with = "online")]
    capture: Option<PathBuf>,
}

pub(super) fn run(args: &Args) -> Result<Exit, Failure> {
    let config = Config::load(&args.files)?;
    let logins = config.sources.iter().filter_map(|source| source.login.as_ref());
    let errors = logins.filter_map(|login| login.account().err());
    ConfigErrors::check(errors.flat_map(ConfigErrors::into_errors).collect())?;

    if let Some(capture) = &args.capture {
        return try_capture(&config, capture);
    }
    let checked = if args.online { super::in_system(check_online(&config))? } else { check_offline(&config)? };
    let mut report = format!("{}: to be recorded into\n", config.database.display());
    for (source, names) in config.sources.iter().zip(checked) {
        let login = match (source.logs_in(), args.online) {
            (true, true) => "logged in",
            (true, false) => "with a login",
            (false, _) => "public data only",
        };
        let (subscribe, poll) = (source.subscribe.len(), source.poll.len());
        report.push_str(&format!("{}: good: {subscribe} subscribe, {poll} poll, {login}, {names}\n", source.name));
    }
    super::written(io::stdout().write_all(report.as_bytes()))
}

/// Says how many frames of a capture each route of the described protocols takes, and shows the first that none does.
fn try_capture(config: &Config, path: &Path) -> Result<Exit, Failure> {
    let mut report = String::new();
    let mut end = Exit::Good;
    let described = config.sources.iter().filter_map(|source| Some((&source.name, source.protocol.as_ref()?)));
    for (name, spec) in described {
        let mut trial = Trial::default();
        let mut capture = Capture::new(super::import::open(path)?, None);
        let told = |error| Exit::Data.because(format!("{}: {error}", path.display()));
        while let Some(entry) = capture.read().map_err(told)? {
            if let Entry::Message(Message { direction: Direction::Received, body, .. }) = entry {
                trial.frame(spec, &String::from_utf8_lossy(&body));
            }
        }
        let Trial { taken, untaken } = trial;
        for (what, frames) in taken {
            report.push_str(&format!("{name}: {what}: {frames} frames\n"));
        }
        if let Some((first, frames)) = untaken {
            end = Exit::Negative;
            report.push_str(&format!("{name}: taken by nothing: {frames} frames, the first is\n{}\n", shown(&first)));
        }
    }
    if report.is_empty() {
        report.push_str("no source describes a protocol, so there is nothing to try\n");
    }
    super::written(io::stdout().write_all(report.as_bytes()))?;
    Ok(end)
}

/// Says for each source what its names were checked against.
fn check_offline(config: &Config) -> Result<Vec<String>, Failure> {
    let clock = Clock::start();
    let mut errors = Vec::new();
    let mut checked = Vec::new();
    for source in &config.sources {
        let known = known(source, Some(&config.database), clock)?;
        checked.push(match &known.last {
            Some(catalog) => {
                errors.extend(source.check_names(catalog, &known).err());
                against(catalog)
            }
            None => "names not checked (no list is known yet, --online loads it)".to_owned(),
        });
    }
    ConfigErrors::check(errors.into_iter().flat_map(ConfigErrors::into_errors).collect())?;
    Ok(checked)
}

/// The same against the exchanges' own lists; tries the logins, too.
async fn check_online(config: &Config) -> Result<Vec<String>, Failure> {
    let mut checked = Vec::new();
    for source in &config.sources {
        let access = Access::gain(source)?;
        let names = check_source_online(config, source, &access).await;
        access.end().await;
        checked.push(names?);
    }
    Ok(checked)
}

async fn check_source_online(config: &Config, source: &Source, access: &Access) -> Result<String, Failure> {
    let catalog = access.catalog(source, None).await?;
    let known = known(source, Some(&config.database), Clock::start())?;
    source.check_names(&catalog, &known)?;
    if let Some(account) = access.account(source)? {
        let conversation = Conversation::log_in(account, 1);
        let refused = talk(access, &source.timing, conversation, |said| match said {
            Said::Reply(_, 0) => ControlFlow::Break(None),
            Said::Reply(text, code) => ControlFlow::Break(Some(Misunderstanding::of_login(&text, code))),
            Said::Notice(_) => ControlFlow::Continue(()),
        });
        if let Some(Some(refused)) = refused.await? {
            return Err(Exit::LoginRefused.because(format!("{}: {refused}", source.name)));
        }
    }
    Ok(against(&catalog))
}

fn against(catalog: &Catalog) -> String {
    match catalog.origin {
        CatalogOrigin::Exchange => "names as the exchange lists them".to_owned(),
        CatalogOrigin::Stored => format!("names as the recording lists them since {}", catalog.valid_from),
        CatalogOrigin::Config => "names as the configuration lists them".to_owned(),
    }
}
